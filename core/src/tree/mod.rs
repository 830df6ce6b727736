//! The data tree: apply a transaction, read, walk (protocol §6.4). It never knows sessions, clocks or files.
//!
//! Nodes live in an arena and are found through a hash index over full paths. A node knows its parent's slot and its place
//! among the parent's children, so that creating or deleting one child of a million costs the same as of one. The sum of
//! all nodes' digests is kept as nodes change, never computed over the whole tree.

mod acl_table;
mod apply;
mod arena;
mod change;
mod cursor;
mod digest;
mod digest_log;
mod edit;
mod loader;
mod node;
mod owners;
mod quota;

pub use change::{Change, Outcome};
pub use cursor::{SnapshotCursor, SnapshotNode, Walk};
pub use digest::node_digest;
pub use loader::{LoadError, TreeLoader};
pub use node::{NodeKind, NodeRef};
pub use quota::QuotaInUse;

use std::sync::Arc;

use crate::wire::{Acl, StatPersisted, Zxid};
use acl_table::AclTable;
use arena::Arena;
use digest_log::DigestLog;
use edit::NewNode;
use owners::Owners;
use quota::QuotaPaths;

/// The znode that holds the ensemble's configuration.
pub const CONFIG_PATH: &str = "/zookeeper/config";

/// All znodes of one server. Equal histories give equal trees, whatever the seed of the index.
#[derive(Debug)]
pub struct DataTree {
    arena: Arena,
    acls: AclTable,
    owners: Owners,
    quotas: QuotaPaths,
    /// Sum of all nodes' digests, modulo 2^64.
    digest: u64,
    /// Bytes of paths and data of all nodes.
    data_size: u64,
    last_zxid: Zxid,
    digest_log: DigestLog,
    /// Tells this tree from one that took its place, for walks that outlive a lock.
    identity: Arc<()>,
}

impl DataTree {
    /// The tree of a server that has seen no transaction: `/`, `/zookeeper` and what stands below it (protocol §2.12).
    pub fn new() -> Self {
        Self::with_seed(0)
    }

    /// As [`DataTree::new`]; `seed` scatters the index, so that clients who choose paths cannot choose collisions.
    pub fn with_seed(seed: u64) -> Self {
        let mut tree = Self::bare(seed);
        tree.add_missing_system_nodes();
        tree
    }

    /// A root and nothing else, as a loader needs it.
    fn bare(seed: u64) -> Self {
        let mut tree = DataTree {
            arena: Arena::new(seed),
            acls: AclTable::new(),
            owners: Owners::default(),
            quotas: QuotaPaths::default(),
            digest: 0,
            data_size: 0,
            last_zxid: Zxid::ZERO,
            digest_log: DigestLog::default(),
            identity: Arc::new(()),
        };
        tree.insert(NewNode {
            path: "",
            parent: arena::NO_SLOT,
            data: Some(&[]),
            acl: &Acl::open(),
            stat: StatPersisted::default(),
        });
        tree
    }

    /// The znode at `path`; `""` and `"/"` both name the root.
    pub fn node(&self, path: &str) -> Option<NodeRef<'_>> {
        let slot = self.arena.find(if path == "/" { "" } else { path })?;
        Some(NodeRef::new(self, self.arena.get(slot)?))
    }

    /// The paths of the znodes a session owns, in no particular order that clients may rely on.
    pub fn ephemerals(&self, session: i64) -> impl Iterator<Item = &str> {
        self.paths(self.owners.ephemerals(session))
    }

    /// The sessions that own at least one znode, ascending.
    pub fn sessions_with_ephemerals(&self) -> impl Iterator<Item = i64> {
        self.owners.sessions()
    }

    /// The paths of all container znodes.
    pub fn containers(&self) -> impl Iterator<Item = &str> {
        self.paths(self.owners.containers())
    }

    /// The paths of all znodes with a time to live.
    pub fn ttl_nodes(&self) -> impl Iterator<Item = &str> {
        self.paths(self.owners.ttl_nodes())
    }

    /// Number of znodes, the root counted once. (The reference's "Node count" counts the root twice.)
    pub fn len(&self) -> usize {
        self.arena.len()
    }

    /// Never true: the root cannot be deleted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all paths and data, as the reference counts them (the root's second name, `/`, included).
    pub fn approximate_data_size(&self) -> u64 {
        self.data_size + 1
    }

    /// Number of ephemeral znodes.
    pub fn ephemeral_count(&self) -> usize {
        self.owners.ephemeral_count()
    }

    /// The digest of the whole tree, version 2 (protocol §6.4).
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Forgets the digests that were kept: those of a tree that came from a snapshot are no server's until everything is replayed
    /// that the snapshot may have seen.
    pub fn forget_digests(&mut self) {
        self.digest_log = DigestLog::default();
    }

    /// The digests after every 128th transaction, the last 1024 of them, oldest first (protocol §3.1, `hash`).
    pub fn digest_log(&self) -> impl Iterator<Item = (Zxid, u64)> {
        self.digest_log.entries()
    }

    /// The last transaction applied.
    pub fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// Number of znodes below `path`, or `None` when there is none at `path`. Takes time proportional to the answer.
    pub fn descendants_count(&self, path: &str) -> Option<usize> {
        let top = self.arena.find(if path == "/" { "" } else { path })?;
        if top == arena::ROOT {
            // Asked by its other name, the root counts itself, as in the reference.
            return Some(self.len() - usize::from(path == "/"));
        }
        let mut open = vec![top];
        let mut found = 0;
        while let Some(slot) = open.pop() {
            let children = self.arena.get(slot).map_or(&[][..], node::Node::children);
            found += children.len();
            open.extend_from_slice(children);
        }
        Some(found)
    }

    fn paths(&self, slots: impl Iterator<Item = u32>) -> impl Iterator<Item = &str> {
        slots.filter_map(|slot| self.arena.get(slot)).map(node::Node::path)
    }
}

impl Default for DataTree {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_fresh_tree_is_the_reference_servers() {
        let tree = DataTree::new();
        // Protocol §8.7; the size is what a fresh reference server reports as zk_approximate_data_size.
        assert_eq!(tree.digest(), 0x51c6_d660);
        assert_eq!((tree.len(), tree.approximate_data_size(), tree.ephemeral_count()), (4, 44, 0));
        assert_eq!(tree.descendants_count("/"), Some(3));
        assert_eq!(tree.descendants_count("/zookeeper"), Some(2));
        assert_eq!(tree.descendants_count("/nothing"), None);
        let config = tree.node(CONFIG_PATH).unwrap();
        assert_eq!(config.stat().aversion, -1);
        assert_eq!(config.acl().as_ref(), Acl::read_only());
        assert_eq!(config.data(), Some(&b""[..]));
    }

    #[test]
    fn both_names_of_the_root_find_it() {
        let tree = DataTree::new();
        assert_eq!(tree.node("").unwrap().path(), "/");
        assert_eq!(tree.node("/").unwrap().path(), "/");
        assert_eq!(tree.node("/").unwrap().children().collect::<Vec<_>>(), ["zookeeper"]);
        let mut below: Vec<_> = tree.node("/zookeeper").unwrap().children().collect();
        below.sort_unstable();
        assert_eq!(below, ["config", "quota"]);
        assert!(tree.node("//").is_none() && tree.node("zookeeper").is_none());
    }
}
