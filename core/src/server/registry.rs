//! The connections of this server: how to reach each, and what it has done. The replica's events come in here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::replica::{ConnId, EventSink};
use crate::wire::proto::ConnectResponse;

/// Frames that may wait for a connection that does not take them; then it is closed, so that a reader that stopped
/// reading costs bounded memory.
const MOST_QUEUED: usize = 20_000;

/// What a connection's task is told.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// A watch event's frame.
    Event(Bytes),
    /// The reply to the oldest request that went to the member.
    Reply { frame: Bytes, close: bool },
    /// The answer to its connect request.
    Connected(ConnectResponse),
}

/// One connection as the rest of the server sees it.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) remote: SocketAddr,
    pub(super) session: AtomicI64,
    /// Monotonic milliseconds of the last request.
    pub(super) heard_ms: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) cancel: CancellationToken,
    queued: AtomicUsize,
    outgoing: mpsc::UnboundedSender<Outgoing>,
}

impl Handle {
    pub(super) fn new(
        remote: SocketAddr,
        outgoing: mpsc::UnboundedSender<Outgoing>,
        cancel: CancellationToken,
    ) -> Self {
        Handle {
            remote,
            session: AtomicI64::new(0),
            heard_ms: AtomicU64::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            cancel,
            queued: AtomicUsize::new(0),
            outgoing,
        }
    }

    /// Queues something for the connection. A connection that is gone does not need it any more.
    pub(super) fn send(&self, outgoing: Outgoing) {
        if self.queued.fetch_add(1, Ordering::Relaxed) > MOST_QUEUED {
            if !self.cancel.is_cancelled() {
                tracing::warn!(remote = %self.remote, "client does not read its replies; closing the connection");
            }
            self.cancel.cancel();
            return;
        }
        let _ = self.outgoing.send(outgoing);
    }

    /// The connection's task has taken something from its queue.
    pub(super) fn taken(&self) {
        self.queued.fetch_sub(1, Ordering::Relaxed);
    }

    /// Things that wait for the connection's task.
    pub(super) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Registry {
    connections: Mutex<BTreeMap<ConnId, Arc<Handle>>>,
}

impl Registry {
    pub(super) fn insert(&self, conn: ConnId, handle: Arc<Handle>) {
        self.lock().insert(conn, handle);
    }

    pub(super) fn remove(&self, conn: ConnId) {
        self.lock().remove(&conn);
    }

    pub(super) fn get(&self, conn: ConnId) -> Option<Arc<Handle>> {
        self.lock().get(&conn).cloned()
    }

    /// Every connection, in the order in which they came.
    pub(super) fn all(&self) -> Vec<Arc<Handle>> {
        self.lock().values().cloned().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// When each session was last heard of by its connection.
    pub(super) fn touched(&self) -> Vec<(i64, u64)> {
        let heard =
            |handle: &Arc<Handle>| (handle.session.load(Ordering::Relaxed), handle.heard_ms.load(Ordering::Relaxed));
        self.lock().values().map(heard).filter(|(session, _)| *session != 0).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ConnId, Arc<Handle>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The replica's way to the connections: shared with the registry that the listener fills.
#[derive(Debug)]
pub(super) struct Sink(pub(super) Arc<Registry>);

impl EventSink for Sink {
    fn deliver(&self, connections: &BTreeSet<ConnId>, frame: Bytes) {
        let registry = self.0.lock();
        for handle in connections.iter().filter_map(|conn| registry.get(conn)) {
            handle.send(Outgoing::Event(frame.clone()));
        }
    }
}
