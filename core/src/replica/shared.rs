//! What connections read without asking the member: the tree and the watches, behind locks.
//!
//! Order of the locks: tree, then watches. An event is given to the sink before the tree's write lock is released, so that
//! nobody can read a change before the event that announces it (protocol §2.15, 3).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use super::ConnId;
use crate::tree::DataTree;
use crate::watch::WatchTable;
use crate::wire::Acl;

/// Where events go. Called with the tree's write lock held: it must not block.
pub trait EventSink: Send + Sync {
    /// Queues the framed event on each connection that `acl` permits to read, ahead of whatever is queued there later.
    fn deliver(&self, connections: &BTreeSet<ConnId>, acl: &[Acl], frame: Bytes);
}

/// The state that reads are served from.
pub struct Shared {
    tree: RwLock<DataTree>,
    watches: Mutex<WatchTable>,
    sessions: Mutex<BTreeMap<i64, i32>>,
    sink: Box<dyn EventSink>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// The recovered tree, and the recovered sessions with their timeouts in milliseconds.
    pub fn new(tree: DataTree, sessions: BTreeMap<i64, i32>, sink: Box<dyn EventSink>) -> Self {
        Shared { tree: RwLock::new(tree), watches: Mutex::default(), sessions: Mutex::new(sessions), sink }
    }

    /// The tree, for reading.
    pub fn tree(&self) -> RwLockReadGuard<'_, DataTree> {
        self.tree.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The watches. Take the tree first when both are needed.
    pub fn watches(&self) -> MutexGuard<'_, WatchTable> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sessions and their timeouts in milliseconds, as snapshots store them.
    pub fn sessions(&self) -> BTreeMap<i64, i32> {
        self.session_table().clone()
    }

    pub(super) fn session_table(&self) -> MutexGuard<'_, BTreeMap<i64, i32>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tree_mut(&self) -> RwLockWriteGuard<'_, DataTree> {
        self.tree.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sink(&self) -> &dyn EventSink {
        self.sink.as_ref()
    }
}
