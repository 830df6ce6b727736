//! The connections of this server: how to reach each, and what it has done. The replica's events come in here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::connection_stats::ConnectionStats;
use super::metrics::Metrics;
use crate::auth::{self, AuthConfig};
use crate::replica::{ConnId, EventSink};
use crate::wire::proto::ConnectResponse;
use crate::wire::{Acl, EventKind, Id, Perms};

/// Bytes that may wait for a connection that does not take them; then it is closed, so that a reader that stopped reading
/// costs bounded memory.
const MOST_QUEUED_BYTES: usize = 16 << 20;
/// What a queued frame costs beside its bytes.
const FRAME_COST: usize = 64;

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
    /// When it was accepted, in milliseconds since the Unix epoch.
    pub(super) established_ms: i64,
    /// 0 while there is none.
    pub(super) session: AtomicI64,
    /// The session's timeout in milliseconds.
    pub(super) timeout_ms: AtomicU64,
    /// Monotonic milliseconds of the last request, or of its acceptance.
    pub(super) heard_ms: AtomicU64,
    pub(super) cancel: CancellationToken,
    /// Whether requests are read from it: not while too much is in its line, nor behind a four-letter word.
    pub(super) reading: AtomicBool,
    /// Whether the client must take bytes before anything else is done for it.
    pub(super) writing: AtomicBool,
    /// Requests that were read and are not answered yet, and their bytes.
    pub(super) in_line: AtomicUsize,
    pub(super) in_line_bytes: AtomicUsize,
    /// Bytes received that are no whole request yet.
    pub(super) input_bytes: AtomicUsize,
    metrics: Arc<Metrics>,
    stats: Mutex<ConnectionStats>,
    /// Its identities, for the events it may hear.
    ids: Mutex<Arc<[Id]>>,
    queued: AtomicUsize,
    queued_bytes: AtomicUsize,
    outgoing: mpsc::UnboundedSender<Outgoing>,
}

impl Outgoing {
    /// What it costs while it waits, in bytes.
    fn cost(&self) -> usize {
        FRAME_COST
            + match self {
                Outgoing::Event(frame) | Outgoing::Reply { frame, .. } => frame.len(),
                Outgoing::Connected(_) => 0,
            }
    }
}

impl Handle {
    pub(super) fn new(
        remote: SocketAddr,
        outgoing: mpsc::UnboundedSender<Outgoing>,
        cancel: CancellationToken,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Self {
        let now = clock.now();
        Handle {
            remote,
            established_ms: now.wall_ms,
            session: AtomicI64::new(0),
            timeout_ms: AtomicU64::new(0),
            heard_ms: AtomicU64::new(now.monotonic_ms),
            cancel,
            reading: AtomicBool::new(true),
            writing: AtomicBool::new(false),
            in_line: AtomicUsize::new(0),
            in_line_bytes: AtomicUsize::new(0),
            input_bytes: AtomicUsize::new(0),
            metrics,
            stats: Mutex::default(),
            ids: Mutex::new([Id::new("ip", remote.ip().to_string())].into()),
            queued: AtomicUsize::new(0),
            queued_bytes: AtomicUsize::new(0),
            outgoing,
        }
    }

    /// Queues something for the connection. A connection that is gone does not need it any more.
    pub(super) fn send(&self, outgoing: Outgoing) {
        let cost = outgoing.cost();
        self.queued.fetch_add(1, Ordering::Relaxed);
        if self.queued_bytes.fetch_add(cost, Ordering::Relaxed) + cost > MOST_QUEUED_BYTES {
            if !self.cancel.is_cancelled() {
                self.metrics.slow_readers_closed.add(1);
                tracing::warn!(
                    remote = %self.remote,
                    limit_bytes = MOST_QUEUED_BYTES,
                    "client does not read what it is sent; closing the connection"
                );
            }
            self.cancel.cancel();
            self.forget(cost);
            return;
        }
        let _ = self.outgoing.send(outgoing);
    }

    /// The connection's task has taken this from its queue.
    pub(super) fn taken(&self, outgoing: &Outgoing) {
        self.forget(outgoing.cost());
    }

    fn forget(&self, cost: usize) {
        self.queued.fetch_sub(1, Ordering::Relaxed);
        self.queued_bytes.fetch_sub(cost, Ordering::Relaxed);
    }

    /// What it has done. Held for a moment only: the connection's task waits for it.
    pub(super) fn stats(&self) -> MutexGuard<'_, ConnectionStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who the connection is.
    pub(super) fn ids(&self) -> Arc<[Id]> {
        Arc::clone(&self.ids.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The connection has proved more identities.
    pub(super) fn set_ids(&self, ids: Arc<[Id]>) {
        *self.ids.lock().unwrap_or_else(PoisonError::into_inner) = ids;
    }

    /// Replies and events that wait for the connection's task, and their bytes.
    pub(super) fn queued(&self) -> (usize, usize) {
        (self.queued.load(Ordering::Relaxed), self.queued_bytes.load(Ordering::Relaxed))
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
pub(super) struct Sink {
    pub(super) registry: Arc<Registry>,
    pub(super) auth: AuthConfig,
    pub(super) metrics: Arc<Metrics>,
}

impl EventSink for Sink {
    fn deliver(&self, kind: EventKind, connections: &BTreeSet<ConnId>, acl: &[Acl], frame: Bytes) {
        self.metrics.watchers_told.add(kind, connections.len());
        let anybody = auth::permits(&self.auth, acl, &[], Perms::READ);
        let registry = self.registry.lock();
        for handle in connections.iter().filter_map(|conn| registry.get(conn)) {
            if anybody || auth::permits(&self.auth, acl, &handle.ids(), Perms::READ) {
                self.metrics.watch_bytes.add(frame.len().saturating_sub(4) as u64);
                handle.send(Outgoing::Event(frame.clone()));
            }
        }
    }

    fn reply(&self, conn: ConnId, frame: Bytes, close: bool) {
        match self.registry.get(conn) {
            Some(handle) => handle.send(Outgoing::Reply { frame, close }),
            None => self.metrics.stale_replies.add(1),
        }
    }
}
