//! What connections read without asking the member: the tree and the watches, behind locks.
//!
//! Order of the locks: tree, then watches. An event is given to the sink before the tree's write lock is released, so that
//! nobody can read a change before the event that announces it (protocol §2.15, 3).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use super::ConnId;
use crate::tree::DataTree;
use crate::watch::WatchTable;
use crate::wire::{Acl, EventKind};

/// Where events and replies go: the way to the connections. Called with the tree's write lock held: it must not block.
///
/// Both go one way, because their order counts: of two transactions the reply to the first, and its events, come before the
/// events of the second.
pub trait EventSink: Send + Sync {
    /// Queues the framed event, which is of this kind, on each connection that `acl` permits to read, ahead of whatever is
    /// queued there later.
    fn deliver(&self, kind: EventKind, connections: &BTreeSet<ConnId>, acl: &[Acl], frame: Bytes);

    /// Queues a framed reply on the connection, behind every event that was delivered to it before. `close` says whether to
    /// close the connection after it.
    fn reply(&self, conn: ConnId, frame: Bytes, close: bool);
}

/// The state that reads are served from.
pub struct Shared {
    tree: RwLock<DataTree>,
    watches: Mutex<WatchTable>,
    sessions: Mutex<BTreeMap<i64, i32>>,
    sink: Box<dyn EventSink>,
    tallies: Tallies,
}

/// What the member counts for its monitors.
#[derive(Debug, Default)]
pub struct Tallies {
    expired_sessions: AtomicU64,
    digest_mismatches: AtomicU64,
}

impl Tallies {
    /// Sessions that ended because nothing was heard of them in time.
    pub fn expired_sessions(&self) -> u64 {
        self.expired_sessions.load(Ordering::Relaxed)
    }

    /// Transactions after which the tree was not the one that they were made for.
    pub fn digest_mismatches(&self) -> u64 {
        self.digest_mismatches.load(Ordering::Relaxed)
    }

    /// Begins to count anew.
    pub fn reset(&self) {
        self.expired_sessions.store(0, Ordering::Relaxed);
        self.digest_mismatches.store(0, Ordering::Relaxed);
    }

    pub(super) fn count_expired(&self) {
        self.expired_sessions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_mismatch(&self) {
        self.digest_mismatches.fetch_add(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// The recovered tree, and the recovered sessions with their timeouts in milliseconds.
    pub fn new(tree: DataTree, sessions: BTreeMap<i64, i32>, sink: Box<dyn EventSink>) -> Self {
        Shared {
            tree: RwLock::new(tree),
            watches: Mutex::default(),
            sessions: Mutex::new(sessions),
            sink,
            tallies: Tallies::default(),
        }
    }

    /// Puts a state that was made anew from disk in place of this one, with the sessions' timeouts in milliseconds. Nobody is
    /// told: whoever had a connection has lost it.
    pub fn replace(&self, tree: DataTree, sessions: BTreeMap<i64, i32>) {
        let mut old = self.tree_mut();
        *self.session_table() = sessions;
        *old = tree;
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

    /// What the member has counted since its start.
    pub fn tallies(&self) -> &Tallies {
        &self.tallies
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
