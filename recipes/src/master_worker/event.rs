//! What masters and workers tell those who watch them work: for logs, tests and demonstrations. Nothing depends on it.

use std::fmt;
use std::sync::Arc;

/// Something a [`Master`](super::Master) did or saw.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MasterEvent {
    /// It is the master now.
    Elected {
        /// How many masters there have been, with this one.
        epoch: i32,
    },
    /// It is no longer the master, and runs again.
    Deposed,
    /// A worker has registered.
    WorkerJoined {
        /// Its name.
        worker: String,
    },
    /// A worker has gone: it left, or its session has expired.
    WorkerLeft {
        /// Its name.
        worker: String,
        /// How many tasks it left behind.
        orphans: usize,
    },
    /// A task was given to a worker.
    Assigned {
        /// The task.
        task: String,
        /// The worker.
        worker: String,
    },
    /// A dead worker's task was given to another.
    Reassigned {
        /// The task.
        task: String,
        /// Who had it.
        from: String,
        /// Who has it now.
        to: String,
    },
}

/// Something a [`Worker`](super::Worker) did or saw.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerEvent {
    /// It is registered, and gets tasks from now on.
    Registered,
    /// It is no longer registered, and registers again.
    Unregistered,
    /// It has begun a task.
    Started {
        /// The task.
        task: String,
        /// Its kind.
        kind: String,
    },
    /// Its result stands: this execution is the one that counts.
    Committed {
        /// The task.
        task: String,
        /// Whether the handler failed, which is a result too.
        failed: bool,
    },
    /// It came too late: the task was another's by then, and nothing was written.
    Rejected {
        /// The task.
        task: String,
    },
    /// The reply was lost, and the client has already collected the task: the result was this one's or another's.
    Uncertain {
        /// The task.
        task: String,
    },
    /// It stopped in the middle, because the task was taken from it.
    Abandoned {
        /// The task.
        task: String,
    },
}

/// Whoever listens.
#[derive(Clone)]
pub(super) struct Listener<E>(Arc<dyn Fn(E) + Send + Sync>);

impl<E> Listener<E> {
    pub(super) fn new(listener: impl Fn(E) + Send + Sync + 'static) -> Self {
        Listener(Arc::new(listener))
    }

    pub(super) fn tell(&self, event: E) {
        (self.0)(event);
    }
}

impl<E: 'static> Default for Listener<E> {
    fn default() -> Self {
        Listener::new(drop)
    }
}

impl<E> fmt::Debug for Listener<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}
