//! What applying a transaction did: changes for watchers, an outcome for whoever asked.

use std::sync::Arc;

use crate::wire::{Acl, ErrorCode, Stat};

/// One node that changed, in the order the changes were made. The lists say who may hear of it (protocol §2.9): they are
/// those of the time of the change, and a deleted node's is the one it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It came into being; its parent's children changed.
    Created {
        /// The full path.
        path: Arc<str>,
        /// Its list.
        acl: Arc<[Acl]>,
        /// Its parent's list.
        parent_acl: Arc<[Acl]>,
    },
    /// It is gone; its parent's children changed.
    Deleted {
        /// The full path.
        path: Arc<str>,
        /// The list it had.
        acl: Arc<[Acl]>,
        /// Its parent's list.
        parent_acl: Arc<[Acl]>,
    },
    /// Its data was set.
    DataChanged {
        /// The full path.
        path: Arc<str>,
        /// Its list.
        acl: Arc<[Acl]>,
    },
    /// Its ACL was set. No watch fires for this.
    AclChanged {
        /// The full path.
        path: Arc<str>,
    },
}

impl Change {
    /// The path that changed; `/` for the root.
    pub fn path(&self) -> &Arc<str> {
        match self {
            Change::Created { path, .. }
            | Change::Deleted { path, .. }
            | Change::DataChanged { path, .. }
            | Change::AclChanged { path } => path,
        }
    }
}

/// What a transaction came to. A transaction that fits no longer, as happens when a fuzzy snapshot is replayed, is
/// [`Outcome::Failed`] and changes nothing but what protocol §6.4 says it still changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A znode was created.
    Created {
        /// Its path, sequence number included.
        path: Arc<str>,
        /// Its Stat.
        stat: Stat,
    },
    /// A znode was deleted.
    Deleted,
    /// Data was set.
    DataSet {
        /// The Stat after it.
        stat: Stat,
    },
    /// An ACL was set.
    AclSet {
        /// The Stat after it.
        stat: Stat,
    },
    /// A version was checked, at the time the transaction was made.
    Checked,
    /// The outcomes of a multi, one for each operation; all are [`Outcome::Failed`] when it failed.
    Multi(
        /// The outcomes.
        Vec<Outcome>,
    ),
    /// Nothing was done.
    Failed(
        /// Why; [`ErrorCode::Ok`] for an operation that was fine in a multi that failed later.
        ErrorCode,
    ),
    /// A session was opened.
    SessionCreated {
        /// Its timeout in milliseconds.
        timeout_ms: i32,
    },
    /// A session ended and its ephemerals are gone.
    SessionClosed,
}
