//! The few edits that everything else is made of. Each keeps index, children, owners, ACL counts, sizes, quotas and the
//! digest in step. It never knows transactions.

use std::sync::Arc;

use super::arena::{NO_SLOT, ROOT};
use super::node::Node;
use super::{CONFIG_PATH, DataTree, digest};
use crate::wire::{Acl, StatPersisted, Zxid};

/// What a node starts as.
pub(super) struct NewNode<'a> {
    /// Full path, not in the tree yet.
    pub(super) path: &'a str,
    /// The parent's slot, or [`NO_SLOT`] for the root.
    pub(super) parent: u32,
    pub(super) data: Option<&'a [u8]>,
    pub(super) acl: &'a [Acl],
    pub(super) stat: StatPersisted,
}

impl DataTree {
    /// Adds a node below its parent; the parent's stat is not touched.
    pub(super) fn insert(&mut self, new: NewNode<'_>) -> u32 {
        let acl = self.acls.take(new.acl);
        let node = Node::new(new.path, new.data, acl, new.stat, new.parent);
        self.digest = self.digest.wrapping_add(node.digest());
        self.data_size += node.size();
        let kind = node.kind();
        let slot = self.arena.insert(node);
        self.owners.add(kind, slot);
        let place = self.arena.get_mut(new.parent).map(|parent| parent.add_child(slot));
        if let (Some(place), Some(node)) = (place, self.arena.get_mut(slot)) {
            node.place = place;
        }
        self.count_created(new.path, new.data.map_or(0, <[u8]>::len));
        slot
    }

    /// Removes a node and whatever is below it, children first; the parent's stat is not touched. `removed` sees every
    /// path, with the node's list and its parent's. The root stays.
    pub(super) fn remove(&mut self, slot: u32, mut removed: impl FnMut(&str, Arc<[Acl]>, Arc<[Acl]>)) {
        if slot == ROOT {
            return;
        }
        // A delete only meets children when a fuzzy snapshot is replayed: the node was created anew later on, and its
        // children after that. Replay will create them all again.
        let mut below = vec![slot];
        let mut next = 0;
        while let Some(node) = below.get(next).and_then(|slot| self.arena.get(*slot)) {
            below.extend_from_slice(node.children());
            next += 1;
        }
        for slot in below.into_iter().rev() {
            let acl = self.acl(slot);
            if let Some(node) = self.remove_leaf(slot) {
                removed(&node.path, acl, self.acl(node.parent));
            }
        }
    }

    /// Changes a node's stat and brings the digest up to date.
    pub(super) fn restat(&mut self, slot: u32, change: impl FnOnce(&mut StatPersisted)) {
        let Some(node) = self.arena.get_mut(slot) else {
            return;
        };
        let before = node.digest();
        change(&mut node.stat);
        self.digest = self.digest.wrapping_sub(before).wrapping_add(node.digest());
    }

    /// Replaces a node's data and changes its stat.
    pub(super) fn rewrite(&mut self, slot: u32, data: Option<&[u8]>, change: impl FnOnce(&mut StatPersisted)) {
        let before = self.arena.get(slot).and_then(|node| node.data.as_ref()).map_or(0, |data| data.len());
        self.rewrite_uncounted(slot, data, change);
        self.count_rewritten(slot, before, data.map_or(0, <[u8]>::len));
    }

    /// As [`DataTree::rewrite`], and no quota hears of it.
    pub(super) fn rewrite_uncounted(
        &mut self,
        slot: u32,
        data: Option<&[u8]>,
        change: impl FnOnce(&mut StatPersisted),
    ) {
        let Some(node) = self.arena.get_mut(slot) else {
            return;
        };
        let (digest, size) = (node.digest(), node.size());
        match (&mut node.data, data) {
            // The common case, a value replaced by one of the same length, needs no allocation.
            (Some(old), Some(new)) if old.len() == new.len() => old.copy_from_slice(new),
            (old, new) => *old = new.map(Box::from),
        }
        node.body_crc = digest::body_crc(&node.path, data);
        change(&mut node.stat);
        self.digest = self.digest.wrapping_sub(digest).wrapping_add(node.digest());
        self.data_size = self.data_size - size + node.size();
    }

    /// Gives a node another ACL.
    pub(super) fn permit(&mut self, slot: u32, acl: &[Acl]) {
        let Some(old) = self.arena.get(slot).map(|node| node.acl) else {
            return;
        };
        // Taking before releasing keeps the key when the list stays the same.
        let new = self.acls.take(acl);
        self.acls.release(old);
        if let Some(node) = self.arena.get_mut(slot) {
            node.acl = new;
        }
    }

    /// Adds those of `/zookeeper`, its `quota` and its `config` that are missing (protocol §2.12). Old snapshots have no
    /// `config`.
    pub(super) fn add_missing_system_nodes(&mut self) {
        let config_stat = StatPersisted { aversion: -1, ..StatPersisted::default() };
        let nodes = [
            ("/zookeeper", Acl::open(), StatPersisted::default()),
            (CONFIG_PATH, Acl::read_only(), config_stat),
            ("/zookeeper/quota", Acl::open(), StatPersisted::default()),
        ];
        for (path, acl, stat) in nodes {
            if self.arena.find(path).is_some() {
                continue;
            }
            let parent = path.rfind('/').and_then(|slash| self.arena.find(&path[..slash]));
            self.insert(NewNode { path, parent: parent.unwrap_or(ROOT), data: Some(&[]), acl: &acl, stat });
        }
    }

    /// Writes the ensemble's configuration into its znode, as every member does at its start and when a new configuration
    /// is committed; no transaction does this (protocol §2.12). `config_version` becomes the mzxid, `time_ms` is
    /// milliseconds since the Unix epoch.
    pub fn set_config(&mut self, text: &[u8], config_version: Zxid, time_ms: i64) {
        self.add_missing_system_nodes();
        if let Some(slot) = self.arena.find(CONFIG_PATH) {
            self.rewrite(slot, Some(text), |stat| {
                stat.version = -1;
                stat.mzxid = config_version;
                stat.mtime = time_ms;
            });
        }
    }

    fn remove_leaf(&mut self, slot: u32) -> Option<Node> {
        let node = self.arena.remove(slot)?;
        self.digest = self.digest.wrapping_sub(node.digest());
        self.data_size -= node.size();
        self.owners.remove(node.kind(), slot);
        self.acls.release(node.acl);
        debug_assert_ne!(node.parent, NO_SLOT, "the root is never removed");
        let moved = self.arena.get_mut(node.parent).and_then(|parent| parent.remove_child(node.place));
        if let Some(moved) = moved.and_then(|slot| self.arena.get_mut(slot)) {
            moved.place = node.place;
        }
        self.count_deleted(&node.path, node.data.as_ref().map_or(0, |data| data.len()));
        Some(node)
    }
}
