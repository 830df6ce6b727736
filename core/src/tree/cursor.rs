//! A walk over the whole tree that goes on while the tree changes: the source of fuzzy snapshots (protocol §6.5).
//!
//! The walk holds no lock between batches. It needs none to be right, because whoever loads the snapshot replays the log
//! from the walk's start: a node created since then is created again by the replay, so it is left out together with all
//! that is below it; a node deleted since then is deleted again if the walk was faster; and data set since then is set
//! again. A slot that another node took meanwhile is known by that node's czxid.

use std::sync::Arc;

use super::acl_table::AclKey;
use super::acl_table::nobody;
use super::arena::ROOT;
use super::{DataTree, NodeRef};
use crate::wire::{Acl, Zxid};

/// Where a walk stands, and what it must know of the tree at its start.
#[derive(Debug)]
pub struct SnapshotCursor {
    start: Zxid,
    identity: Arc<()>,
    acls: Vec<(AclKey, Arc<[Acl]>)>,
    /// Lists from here on are newer than the table above.
    first_new_key: AclKey,
    met_new_acl: bool,
    /// The children still to visit, one list for each level.
    open: Vec<std::vec::IntoIter<u32>>,
}

/// One node of a walk.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotNode<'a> {
    /// The node.
    pub node: NodeRef<'a>,
    /// The key of its ACL in [`SnapshotCursor::acls`], as snapshots write it.
    pub acl_key: i64,
}

/// How far a batch came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// There are more nodes.
    More,
    /// All nodes were visited.
    Done,
    /// Another tree took this one's place, as a leader's snapshot does: what was walked so far is worth nothing.
    TreeReplaced,
}

impl SnapshotCursor {
    /// Starts a walk of the tree as it is now.
    pub fn new(tree: &DataTree) -> Self {
        SnapshotCursor {
            start: tree.last_zxid,
            identity: tree.identity.clone(),
            acls: tree.acls.iter().map(|(key, acl)| (key, acl.clone())).collect(),
            first_new_key: tree.acls.next_key(),
            met_new_acl: false,
            open: vec![vec![ROOT].into_iter()],
        }
    }

    /// The last transaction that the walk holds for certain: replay begins after it.
    pub fn start(&self) -> Zxid {
        self.start
    }

    /// The access control lists at the start, by the key that snapshots write, without the open one.
    pub fn acls(&self) -> impl ExactSizeIterator<Item = (i64, &Arc<[Acl]>)> {
        self.acls.iter().map(|(key, acl)| (key.on_disk(), acl))
    }

    /// A key and a list that permits nobody anything, for nodes whose list is newer than the table. They keep it only
    /// until replay comes to the setACL that gave them theirs.
    pub fn nobody(&self) -> (i64, [Acl; 1]) {
        (self.first_new_key.on_disk(), [nobody()])
    }

    /// Whether a node was visited that has the key of [`SnapshotCursor::nobody`].
    pub fn met_new_acl(&self) -> bool {
        self.met_new_acl
    }

    /// Whether this is the tree that the walk began with.
    pub fn walks(&self, tree: &DataTree) -> bool {
        Arc::ptr_eq(&self.identity, &tree.identity)
    }

    /// Visits up to `max_nodes` nodes, parents before their children, until `visit` returns false. `tree` must be the one
    /// the walk began with; between two batches it may have changed.
    pub fn next_batch(
        &mut self,
        tree: &DataTree,
        max_nodes: usize,
        mut visit: impl FnMut(SnapshotNode<'_>) -> bool,
    ) -> Walk {
        if !self.walks(tree) {
            return Walk::TreeReplaced;
        }
        // Nodes that are skipped count too: a batch bounds how long the lock is held.
        for _ in 0..max_nodes {
            let Some(slot) = self.next_slot() else {
                return Walk::Done;
            };
            let Some(node) = tree.arena.get(slot).filter(|node| node.stat.czxid <= self.start) else {
                continue;
            };
            if !node.children().is_empty() {
                self.open.push(node.children().to_vec().into_iter());
            }
            self.met_new_acl |= node.acl >= self.first_new_key;
            let visited =
                SnapshotNode { node: NodeRef::new(tree, node), acl_key: node.acl.min(self.first_new_key).on_disk() };
            if !visit(visited) {
                break;
            }
        }
        Walk::More
    }

    fn next_slot(&mut self) -> Option<u32> {
        loop {
            match self.open.last_mut()?.next() {
                Some(slot) => return Some(slot),
                None => self.open.pop(),
            };
        }
    }
}
