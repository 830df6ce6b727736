//! Access control lists, each stored once however many nodes use it. It never knows who may do what.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::BytesMut;

use crate::jute::Put;
use crate::wire::{Acl, Perms};

/// A list's number within one tree. Numbers only grow and are never used again: a snapshot that is being written can tell
/// a list that came after its table was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AclKey(u32);

impl AclKey {
    /// `world:anyone:cdrwa`, which is in every tree and in no table (protocol §6.5).
    pub(super) const OPEN: AclKey = AclKey(0);

    /// The key that snapshots use for it.
    pub(super) const fn on_disk(self) -> i64 {
        if self.0 == 0 { -1 } else { self.0 as i64 }
    }
}

/// An entry that permits nothing. (An empty list would permit everything.)
pub(super) fn nobody() -> Acl {
    Acl::new(Perms::default(), "world", "anyone")
}

/// The lists in use.
#[derive(Debug)]
pub(super) struct AclTable {
    open: Arc<[Acl]>,
    nobody: Arc<[Acl]>,
    by_key: BTreeMap<AclKey, Entry>,
    /// By the list's jute encoding, which is equal exactly when the lists are.
    by_list: BTreeMap<Box<[u8]>, AclKey>,
    next: AclKey,
    scratch: BytesMut,
}

#[derive(Debug)]
struct Entry {
    acl: Arc<[Acl]>,
    nodes: u32,
}

impl AclTable {
    pub(super) fn new() -> Self {
        AclTable {
            open: Acl::open().into(),
            nobody: Arc::new([nobody()]),
            by_key: BTreeMap::new(),
            by_list: BTreeMap::new(),
            next: AclKey(1),
            scratch: BytesMut::new(),
        }
    }

    /// The list of a key that a node holds. There always is one; were there none, nobody would be permitted anything.
    pub(super) fn get(&self, key: AclKey) -> &Arc<[Acl]> {
        if key == AclKey::OPEN {
            return &self.open;
        }
        self.by_key.get(&key).map_or(&self.nobody, |entry| &entry.acl)
    }

    /// The key of a list, counting one more node that uses it.
    pub(super) fn take(&mut self, acl: &[Acl]) -> AclKey {
        if acl == self.open.as_ref() {
            return AclKey::OPEN;
        }
        self.scratch.clear();
        self.scratch.put_vector(acl);
        if let Some(key) = self.by_list.get(self.scratch.as_ref()).copied() {
            if let Some(entry) = self.by_key.get_mut(&key) {
                entry.nodes += 1;
            }
            return key;
        }
        let key = self.next;
        self.next = AclKey(key.0 + 1);
        self.by_list.insert(self.scratch.as_ref().into(), key);
        self.by_key.insert(key, Entry { acl: acl.into(), nodes: 1 });
        key
    }

    /// Counts one node less; the list goes with its last node.
    pub(super) fn release(&mut self, key: AclKey) {
        let Some(entry) = self.by_key.get_mut(&key) else {
            return;
        };
        entry.nodes -= 1;
        if entry.nodes == 0 {
            self.scratch.clear();
            self.scratch.put_vector(&entry.acl);
            self.by_list.remove(self.scratch.as_ref());
            self.by_key.remove(&key);
        }
    }

    /// The lists in use but the open one, by key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (AclKey, &Arc<[Acl]>)> {
        self.by_key.iter().map(|(key, entry)| (*key, &entry.acl))
    }

    /// The key that the next new list will have.
    pub(super) fn next_key(&self) -> AclKey {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_stored_once_and_goes_with_its_last_node() {
        let mut table = AclTable::new();
        let mine = [Acl::new(Perms::ALL, "digest", "me:x")];
        assert_eq!(table.take(&Acl::open()), AclKey::OPEN);
        let (first, second) = (table.take(&mine), table.take(&mine));
        assert_eq!((first, second), (AclKey(1), AclKey(1)));
        assert_eq!(table.get(first).as_ref(), mine);
        table.release(first);
        assert_eq!(table.iter().count(), 1);
        table.release(first);
        assert_eq!(table.iter().count(), 0);
        assert_eq!(table.take(&mine), AclKey(2), "keys are never used again");
    }
}
