//! From a configuration to a running server: recover, mend, listen, and start the threads.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize};
use std::sync::mpsc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::Clock;
use super::config::ConfigError;
use super::disk_writer::{DiskWriter, disk, version_dir};
use super::event_loop::EventLoop;
use super::metrics::Metrics;
use super::registry::{Registry, Sink};
use super::snapshotter::Snapshotter;
use super::throttle::{LargeRequests, NewSessions, RequestThrottle};
use super::{Context, DEFAULT_TRACE_MASK, Server, ServerConfig, ServerError, listener};
use crate::auth::AuthConfig;
use crate::replica::{self, Replica, Shared};
use crate::storage::{self, DirLock, LogOptions, RecoverOptions, SnapshotDue, SnapshotPolicy, SnapshotTrigger, TxnLog};
use crate::tree::DataTree;
use crate::wire::OpCode;
use crate::wire::txn::{Txn, TxnHeader};

/// Connections that may wait to be accepted, where the configuration does not say.
const BACKLOG: u32 = 1024;

pub(super) async fn start(config: ServerConfig) -> Result<Server, ServerError> {
    config.require_standalone()?;
    config.require_sense()?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let address = config.client_address.ok_or(ConfigError::NoClientPort)?;
    // The port is taken before the data is read: two servers on one directory by mistake collide here.
    let listener = bind(address, config.client_port_listen_backlog.unwrap_or(BACKLOG))
        .map_err(|source| ServerError::Bind { address, source })?;
    let address = listener.local_addr().map_err(|source| ServerError::Bind { address, source })?;
    let clock = Clock::start();
    let metrics = Arc::new(Metrics::default());
    let recovering = config.clone();
    let (recovered, log) = match tokio::task::spawn_blocking(move || recover(&recovering)).await {
        Ok(recovered) => recovered?,
        Err(error) => return Err(ServerError::Thread(std::io::Error::other(error))),
    };
    metrics.recovery_time.add(clock.monotonic_ms());
    if recovered.txns_replayed > 0 {
        metrics.recovered_txns.add(recovered.txns_replayed);
    }
    let server = assemble(config, address, clock, metrics, recovered, log)?;
    tracing::info!(%address, "serving clients");
    server.context.tasks.spawn(listener::run(Arc::clone(&server.context), listener));
    Ok(server)
}

fn bind(address: SocketAddr, backlog: u32) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}

/// The tree and the sessions as they were acknowledged, without the ephemeral znodes of sessions that nobody knows.
struct Recovered {
    tree: DataTree,
    sessions: BTreeMap<i64, i32>,
    /// Transactions since the snapshot: they count towards the next one.
    txns_replayed: u64,
    needs_snapshot: bool,
    /// The directories are this server's alone.
    locks: Vec<DirLock>,
}

fn recover(config: &ServerConfig) -> Result<(Recovered, TxnLog), ServerError> {
    let (snapshot_dir, log_dir) = (version_dir(&config.data_dir), version_dir(&config.data_log_dir));
    if !config.datadir_autocreate {
        require_directories(config)?;
    }
    for directory in [&snapshot_dir, &log_dir] {
        let created = disk().create_dir_all(directory);
        created.map_err(|source| storage::Error::Io { action: "create", path: directory.clone(), source })?;
    }
    let mut locks = vec![storage::lock(disk().as_ref(), &snapshot_dir)?];
    if log_dir != snapshot_dir {
        locks.push(storage::lock(disk().as_ref(), &log_dir)?);
    }
    let may_be_empty = config.db_autocreate || storage::has_initialize_mark(disk().as_ref(), &directories(config))?;
    let max_entry_bytes = max_txn_bytes(config);
    let options = RecoverOptions { trust_empty: config.snapshot_trust_empty, max_entry_bytes, seed: fastrand::u64(..) };
    let recovered = storage::recover(&disk(), &snapshot_dir, &log_dir, &options)?;
    if recovered.report.has_warnings() {
        tracing::warn!("{}", recovered.report);
    } else {
        tracing::info!("{}", recovered.report);
    }
    if recovered.report.is_fresh() && !may_be_empty {
        return Err(ServerError::NoDatabase { data_dir: config.data_dir.clone() });
    }
    let mut tree = recovered.tree;
    // Without a snapshot the reference would not start on this directory, nor would we a second time.
    let mut needs_snapshot = recovered.report.snapshot.is_none();
    let orphans: Vec<i64> =
        tree.sessions_with_ephemerals().filter(|session| !recovered.sessions.contains_key(session)).collect();
    for session in orphans {
        let header = TxnHeader {
            client_id: session,
            zxid: tree.last_zxid(),
            kind: OpCode::CloseSession.code(),
            ..TxnHeader::default()
        };
        tracing::info!(
            session = format_args!("0x{session:x}"),
            "removing the ephemeral znodes of a session that is gone"
        );
        tree.apply(&header, &Txn::CloseSession { paths: None }, &mut Vec::new());
        // No transaction says so; without a snapshot the next start would find the znodes again.
        needs_snapshot = true;
    }
    let options = LogOptions {
        pre_alloc_bytes: u64::from(config.pre_alloc_kb) * 1024,
        force_sync: config.force_sync,
        max_entry_bytes,
    };
    let log = TxnLog::open(disk(), log_dir, options);
    let txns_replayed = recovered.report.txns_replayed;
    Ok((Recovered { tree, sessions: recovered.sessions, txns_replayed, needs_snapshot, locks }, log))
}

fn directories(config: &ServerConfig) -> [&Path; 2] {
    [&config.data_dir, &config.data_log_dir]
}

/// `datadir.autocreate=false`: the directories themselves must be there; what is below them is the server's to make.
fn require_directories(config: &ServerConfig) -> Result<(), ServerError> {
    for directory in directories(config) {
        if disk().list(directory).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            return Err(ServerError::NoDirectory { directory: directory.to_owned() });
        }
    }
    Ok(())
}

fn assemble(
    config: ServerConfig,
    address: SocketAddr,
    clock: Clock,
    metrics: Arc<Metrics>,
    recovered: Recovered,
    log: TxnLog,
) -> Result<Server, ServerError> {
    let registry = Arc::new(Registry::default());
    let auth = config.auth.clone();
    let sink = Box::new(Sink { registry: Arc::clone(&registry), auth: auth.clone(), metrics: Arc::clone(&metrics) });
    let shared = Arc::new(Shared::new(recovered.tree, recovered.sessions, sink));
    let replica = Replica::new(replica_config(&config, &auth), Arc::clone(&shared), clock.now());
    let snapshotter = Arc::new(Snapshotter::new(&config, Arc::clone(&shared), Arc::clone(&metrics)));
    if recovered.needs_snapshot {
        snapshotter.write()?;
    }
    storage::remove_initialize_mark(disk().as_ref(), &directories(&config))?;
    snapshotter.purge_regularly();
    let (events, event_receiver) = mpsc::channel();
    let (log_sender, batches) = mpsc::channel();
    let stop = CancellationToken::new();
    let context = Arc::new(Context {
        auth,
        shared,
        registry: Arc::clone(&registry),
        metrics: Arc::clone(&metrics),
        clock,
        events: events.clone(),
        outstanding: Arc::new(AtomicUsize::new(0)),
        requests: RequestThrottle::new(&config.throttle),
        large: Arc::new(LargeRequests::new(&config.throttle)),
        new_sessions: NewSessions::new(config.throttle.new_sessions.clone()),
        trace_mask: AtomicI64::new(DEFAULT_TRACE_MASK),
        stop: stop.clone(),
        tasks: TaskTracker::new(),
        address,
        snapshot_dir: version_dir(&config.data_dir),
        log_dir: version_dir(&config.data_log_dir),
        config,
    });
    let failed = CancellationToken::new();
    let policy = SnapshotPolicy {
        max_txns: u64::from(context.config.snap_count),
        max_log_bytes: context.config.snap_size_limit_kb.map(|kb| kb.saturating_mul(1024)),
        max_file_bytes: context.config.txn_log_size_limit_kb.map(|kb| kb.saturating_mul(1024)),
    };
    let mut trigger = SnapshotTrigger::new(policy, fastrand::u64(..));
    if !recovered.needs_snapshot && trigger.logged(recovered.txns_replayed, 0, 0) == SnapshotDue::RollAndSnapshot {
        snapshotter.start();
    }
    let writer = DiskWriter {
        log,
        _locks: recovered.locks,
        trigger,
        snapshotter: Arc::clone(&snapshotter),
        slow: Duration::from_millis(context.config.fsync_warning_threshold_ms.into()),
        clock,
        metrics: Arc::clone(&metrics),
    };
    let disk_failed = failed.clone();
    let disk_thread = spawn("menagerie-disk", move || {
        // Also when the thread panics: nothing is acknowledged without it.
        let _failed = disk_failed.drop_guard();
        match writer.run(&batches, &events) {
            Ok(()) => {}
            Err(error) => tracing::error!(%error, "the transaction log cannot be written; the server stops"),
        }
    })?;
    let member_ended = failed.clone();
    let member = spawn("menagerie-member", move || {
        let _ended = member_ended.drop_guard();
        EventLoop { replica, clock, registry, metrics, log: log_sender }.run(&event_receiver);
    })?;
    Ok(Server { context, threads: vec![member, disk_thread], snapshotter, failed })
}

fn replica_config(config: &ServerConfig, auth: &AuthConfig) -> replica::Config {
    replica::Config {
        // Standalone, whatever `myid` says (protocol §2.11).
        server_id: 1,
        tick_ms: config.tick_time_ms.into(),
        min_session_timeout_ms: i32::try_from(config.min_session_timeout_ms).unwrap_or(i32::MAX),
        max_session_timeout_ms: i32::try_from(config.max_session_timeout_ms).unwrap_or(i32::MAX),
        digest_enabled: config.digest_enabled,
        close_session_txn_enabled: config.close_session_txn_enabled,
        extended_types_enabled: config.extended_types_enabled,
        enforce_quota: config.enforce_quota,
        reconfig_enabled: config.reconfig_enabled,
        max_txn_bytes: max_txn_bytes(config),
        container_check_interval_ms: config.container_check_interval_ms.into(),
        container_max_per_minute: config.container_max_per_minute.into(),
        container_max_never_used_ms: config.container_max_never_used_ms.into(),
        auth: auth.clone(),
    }
}

/// What a log entry may hold: `jute.maxbuffer` and as much again (protocol §1).
fn max_txn_bytes(config: &ServerConfig) -> usize {
    config.jute_maxbuffer.saturating_mul(2)
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<std::thread::JoinHandle<()>, ServerError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(ServerError::Thread)
}
