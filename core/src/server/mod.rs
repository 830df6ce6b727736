//! The tokio shell around the replica: sockets, one disk thread, and the thread that feeds the machine.
//!
//! ```text
//!  sockets ─ connection tasks ──Event──▶ event loop (Replica) ──DiskTask──▶ disk thread
//!     ▲          │ reads: Shared              │    ▲                             │
//!     └──────────┴──────────◀──Outgoing───────┘ ▲  └────────── Persisted ────────┘
//!                                               └──Arrival── quorum ⇄ other members
//! ```
//!
//! [`run`] takes its configuration and the signal that stops it; [`Server`] is the same with handles, for this process.
#![allow(clippy::disallowed_methods, reason = "the shell is where clocks, threads and files are")]

mod admission;
mod clock;
pub mod config;
mod connection;
mod connection_stats;
mod disk_writer;
mod error;
mod event_loop;
mod four_letter;
mod history;
mod listener;
mod member_files;
mod metrics;
mod peers;
pub mod properties;
pub mod quorum;
mod recover;
mod registry;
mod snapshotter;
mod start;
mod throttle;
pub mod zoo_cfg;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use config::ServerConfig;
pub use error::ServerError;

pub use crate::zab::{Role, ServerId};

use crate::auth::AuthConfig;
use crate::replica::Shared;
use crate::wire::ensemble::Ensemble;
use clock::Clock;
use event_loop::Event;
use metrics::Metrics;
use quorum::Quorum;
use registry::Registry;
use snapshotter::Snapshotter;
use throttle::{LargeRequests, NewSessions, RequestThrottle};

/// The version that monitors parse: the reference release whose behaviour this is, then our own, in the reference's form. A
/// build's date is not known to it, so that the same source gives the same program.
pub const VERSION: &str = concat!("3.9.5-menagerie-", env!("CARGO_PKG_VERSION"), ", built on an unknown date");

/// What `gtmk` answers before anybody has set another, as the reference does.
const DEFAULT_TRACE_MASK: i64 = 306;

/// What every task of a server shares.
pub(crate) struct Context {
    config: ServerConfig,
    auth: AuthConfig,
    shared: Arc<Shared>,
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    clock: Clock,
    events: mpsc::Sender<Event>,
    /// What this member does.
    roles: watch::Receiver<Role>,
    /// Whether it serves clients that only read, without a leader.
    read_only: Arc<AtomicBool>,
    /// Requests that wait for their replies.
    outstanding: Arc<AtomicUsize>,
    requests: RequestThrottle,
    large: Arc<LargeRequests>,
    new_sessions: NewSessions,
    /// What `stmk` was told; nothing here traces by it.
    trace_mask: AtomicI64,
    stop: CancellationToken,
    tasks: TaskTracker,
    address: SocketAddr,
    snapshot_dir: PathBuf,
    log_dir: PathBuf,
}

impl Context {
    /// The members in force, as the state shows them.
    fn members(&self) -> Ensemble {
        let shown = peers::members_shown(&self.shared.tree());
        shown.or_else(|| self.config.ensemble.clone()).unwrap_or_default()
    }

    fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed)
    }

    /// What this server is to its clients and monitors; nothing while it has no leader.
    fn mode(&self) -> Option<&'static str> {
        if !self.config.is_distributed() {
            return Some("standalone");
        }
        match *self.roles.borrow() {
            Role::Looking => self.is_read_only().then_some("read-only"),
            Role::Leading { .. } => Some("leader"),
            Role::Following { .. } => Some("follower"),
            Role::Observing { .. } => Some("observer"),
        }
    }
}

/// A server that runs in this process. Dropping it stops it without waiting; what it acknowledged is on disk.
pub struct Server {
    context: Arc<Context>,
    threads: Vec<std::thread::JoinHandle<()>>,
    /// The sockets to the other members; a standalone server has none.
    quorum: Option<Arc<Quorum>>,
    snapshotter: Arc<Snapshotter>,
    failed: CancellationToken,
}

impl Server {
    /// Recovers the data, then opens the client port. The server then runs on the current tokio runtime and on threads of
    /// its own.
    ///
    /// # Errors
    /// [`ServerError`]: what could not be read, and where; or the address that could not be bound.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn start(config: ServerConfig) -> Result<Self, ServerError> {
        start::start(config).await
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.context.address
    }

    /// What this server does in its ensemble; a standalone server leads.
    pub fn role(&self) -> Role {
        *self.context.roles.borrow()
    }

    /// What this server does, to be waited on for changes. It ends when the server does.
    pub fn roles(&self) -> watch::Receiver<Role> {
        self.context.roles.clone()
    }

    /// Completes when the server cannot go on: its disk failed, or one of its threads has ended. Also after a stop.
    pub async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// Hands over if it leads, which takes a tick at most, then closes every connection, waits until the log and a snapshot that
    /// is being written are on disk, and ends the threads.
    pub async fn stop(self) {
        if let Some(quorum) = &self.quorum {
            let (done, resigned) = oneshot::channel();
            let patience = Duration::from_millis(self.context.config.tick_time_ms.into());
            if self.context.events.send(Event::Resign(done)).is_ok() {
                // Whether it is done or not, the end is the same to the others: they elect another leader.
                let _ = tokio::time::timeout(patience, resigned).await;
                quorum.flush(patience).await;
            }
        }
        self.abort().await;
    }

    /// Ends without a word to anybody, as a crash would. Returns when nothing of it runs any more.
    pub async fn abort(mut self) {
        self.signal_stop();
        self.context.tasks.wait().await;
        if let Some(quorum) = &self.quorum {
            quorum.stop().await;
        }
        let threads = std::mem::take(&mut self.threads);
        let snapshotter = Arc::clone(&self.snapshotter);
        // Joining blocks until the disk is done; the runtime's workers must not.
        let _ = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
            snapshotter.wait();
        })
        .await;
    }

    /// Halts the member, as a pause of its machine would, until what is returned is dropped: it takes nothing in and says
    /// nothing, and does not know. Reads of connections that are open go on.
    pub fn hold(&self) -> Hold {
        let (hold, held) = mpsc::channel();
        // A thread that has ended is halted for good.
        let _ = self.context.events.send(Event::Hold(held));
        Hold { _hold: hold }
    }

    fn signal_stop(&self) {
        self.context.stop.cancel();
        self.context.tasks.close();
        let _ = self.context.events.send(Event::Stop);
    }
}

/// A member does nothing while this exists.
#[derive(Debug)]
pub struct Hold {
    _hold: mpsc::Sender<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal_stop();
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.context.address).finish_non_exhaustive()
    }
}

/// Runs a server until `shutdown` completes, or until it cannot go on.
///
/// # Errors
/// As [`Server::start`]; [`ServerError::DiskFailed`] when the disk fails later.
pub async fn run(config: ServerConfig, shutdown: impl Future<Output = ()>) -> Result<(), ServerError> {
    let server = Server::start(config).await?;
    let failed = tokio::select! {
        () = shutdown => false,
        () = server.failed() => true,
    };
    server.stop().await;
    if failed {
        return Err(ServerError::DiskFailed);
    }
    tracing::info!("stopped");
    Ok(())
}
