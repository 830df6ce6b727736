//! From a configuration to a running server: recover, mend, listen, and start the threads.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize};
use std::sync::mpsc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::Clock;
use super::config::ConfigError;
use super::disk_writer::{DiskTask, DiskWriter, disk, version_dir};
use super::event_loop::{Event, EventLoop};
use super::history::{HistoryReaders, LogPlace};
use super::member_files::MemberFiles;
use super::metrics::Metrics;
use super::peers::{Peers, ReceivedSnapshots, members_shown};
use super::quorum::{Inputs, MemberSettings, Quorum};
use super::recover::{Recovered, directories, max_txn_bytes, recover, recover_options};
use super::registry::{Registry, Sink};
use super::snapshotter::Snapshotter;
use super::throttle::{LargeRequests, NewSessions, RequestThrottle};
use super::{Context, DEFAULT_TRACE_MASK, Server, ServerConfig, ServerError, listener};
use crate::auth::AuthConfig;
use crate::replica::{self, Replica, Shared};
use crate::storage::{self, SnapshotDue, SnapshotPolicy, SnapshotTrigger};
use crate::zab;

/// Connections that may wait to be accepted, where the configuration does not say.
const BACKLOG: u32 = 1024;

pub(super) async fn start(config: ServerConfig) -> Result<Server, ServerError> {
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
    let member = MemberSettings::from_config(&config);
    let recovering = (config.clone(), member.as_ref().map(|member| member.zab.clone()));
    let recover = move || recover(&recovering.0, recovering.1.as_ref());
    let recovered = match tokio::task::spawn_blocking(recover).await {
        Ok(recovered) => recovered?,
        Err(error) => return Err(ServerError::Thread(std::io::Error::other(error))),
    };
    metrics.recovery_time.add(clock.monotonic_ms());
    if recovered.txns_replayed > 0 {
        metrics.recovered_txns.add(recovered.txns_replayed);
    }
    let (events, event_receiver) = mpsc::channel();
    let peers = match &member {
        Some(member) => Some(open_quorum(&config, member, events.clone()).await?),
        None => None,
    };
    let server =
        assemble(config, member, Started { address, clock, metrics, events, event_receiver }, recovered, peers)?;
    tracing::info!(%address, "serving clients");
    server.context.tasks.spawn(listener::run(Arc::clone(&server.context), listener));
    Ok(server)
}

/// What there is before the state.
struct Started {
    address: SocketAddr,
    clock: Clock,
    metrics: Arc<Metrics>,
    events: mpsc::Sender<Event>,
    event_receiver: mpsc::Receiver<Event>,
}

/// The ports for the other members.
async fn open_quorum(
    config: &ServerConfig,
    member: &MemberSettings,
    events: mpsc::Sender<Event>,
) -> Result<Peers, ServerError> {
    let snapshots = ReceivedSnapshots::new(version_dir(&config.data_dir), recover_options(config), events.clone());
    let snapshots = Arc::new(snapshots);
    // Who sends to a thread that has ended is stopped itself.
    let arrivals = events.clone();
    let inputs: Inputs = Arc::new(move |arrival| drop(arrivals.send(Event::Peer(arrival))));
    let store = Arc::clone(&snapshots);
    let quorum = Quorum::start(member.sockets.clone(), inputs, store).await?;
    let files = config.config_file.clone().zip(config.server_id).filter(|_| config.reconfig_enabled);
    let files = files.map(|(file, server_id)| MemberFiles::new(file, server_id));
    let quorum = Arc::new(quorum);
    let place = LogPlace {
        snapshot_dir: version_dir(&config.data_dir),
        log_dir: version_dir(&config.data_log_dir),
        max_entry_bytes: max_txn_bytes(config),
    };
    let readers = HistoryReaders::new(place, Arc::clone(&quorum), events);
    let history = (readers, config.quorum.snapshot_size_factor);
    Ok(Peers::new(quorum, snapshots, history, files, member.sockets.ensemble.clone()))
}

fn bind(address: SocketAddr, backlog: u32) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}

fn assemble(
    config: ServerConfig,
    member: Option<MemberSettings>,
    started: Started,
    recovered: Recovered,
    peers: Option<Peers>,
) -> Result<Server, ServerError> {
    let Started { address, clock, metrics, events, event_receiver } = started;
    let Recovered { tree, sessions, txns_replayed, needs_snapshot, history, locks, store } = recovered;
    let registry = Arc::new(Registry::default());
    let auth = config.auth.clone();
    let sink = Box::new(Sink { registry: Arc::clone(&registry), auth: auth.clone(), metrics: Arc::clone(&metrics) });
    let shared = Arc::new(Shared::new(tree, sessions, sink));
    let replica = make_replica(&config, member.zip(history), &shared, clock.now())?;
    let snapshotter = Arc::new(Snapshotter::new(&config, Arc::clone(&shared), Arc::clone(&metrics)));
    if needs_snapshot {
        snapshotter.write()?;
    }
    storage::remove_initialize_mark(disk().as_ref(), &directories(&config))?;
    snapshotter.purge_regularly();
    let mut trigger = SnapshotTrigger::new(snapshot_policy(&config), fastrand::u64(..));
    if !needs_snapshot && trigger.logged(txns_replayed, 0, 0) == SnapshotDue::RollAndSnapshot {
        snapshotter.start();
    }
    let writer = DiskWriter {
        store,
        _locks: locks,
        trigger,
        snapshotter: Arc::clone(&snapshotter),
        slow: Duration::from_millis(config.fsync_warning_threshold_ms.into()),
        clock,
        metrics: Arc::clone(&metrics),
    };
    let ((role, roles), (disk, tasks)) = (watch::channel(replica.role()), mpsc::channel());
    let (quorum, read_only) = (peers.as_ref().map(Peers::quorum), Arc::new(AtomicBool::new(false)));
    let member = EventLoop {
        replica,
        shared: Arc::clone(&shared),
        clock,
        registry: Arc::clone(&registry),
        metrics: Arc::clone(&metrics),
        snapshotter: Arc::clone(&snapshotter),
        peers,
        role,
        disk,
        read_only: Arc::clone(&read_only),
        resigned: None,
        tasks: Vec::new(),
    };
    let failed = CancellationToken::new();
    let threads = start_threads(member, event_receiver, writer, tasks, &events, &failed)?;
    let context = Context {
        auth,
        shared,
        registry,
        metrics,
        clock,
        events,
        roles,
        read_only,
        outstanding: Arc::new(AtomicUsize::new(0)),
        requests: RequestThrottle::new(&config.throttle),
        large: Arc::new(LargeRequests::new(&config.throttle)),
        new_sessions: NewSessions::new(config.throttle.new_sessions.clone()),
        trace_mask: AtomicI64::new(DEFAULT_TRACE_MASK),
        stop: CancellationToken::new(),
        tasks: TaskTracker::new(),
        address,
        snapshot_dir: version_dir(&config.data_dir),
        log_dir: version_dir(&config.data_log_dir),
        config,
    };
    Ok(Server { context: Arc::new(context), threads, quorum, snapshotter, failed })
}

fn make_replica(
    config: &ServerConfig,
    member: Option<(MemberSettings, zab::Recovered)>,
    shared: &Arc<Shared>,
    now: replica::Time,
) -> Result<Replica, ServerError> {
    let settings = replica_config(config, &config.auth);
    let Some((member, history)) = member else { return Ok(Replica::new(settings, Arc::clone(shared), now)) };
    let zab = ensemble_settings(member.zab, config, shared);
    Ok(Replica::member(settings, zab, history, Arc::clone(shared), now)?)
}

/// With `reconfigEnabled` members change by what is in the log, and by what the state shows.
fn ensemble_settings(mut zab: zab::Config, config: &ServerConfig, shared: &Shared) -> zab::Config {
    if config.reconfig_enabled {
        zab.read_members = Some(replica::members_in);
        zab.next_ensemble = members_shown(&shared.tree()).filter(|shown| shown.version > zab.ensemble.version);
    }
    zab
}

fn snapshot_policy(config: &ServerConfig) -> SnapshotPolicy {
    SnapshotPolicy {
        max_txns: u64::from(config.snap_count),
        max_log_bytes: config.snap_size_limit_kb.map(|kb| kb.saturating_mul(1024)),
        max_file_bytes: config.txn_log_size_limit_kb.map(|kb| kb.saturating_mul(1024)),
    }
}

/// The member's thread, and the disk's. When either ends, also by a panic, `failed` says so: without it nothing is acknowledged.
fn start_threads(
    member: EventLoop,
    event_receiver: mpsc::Receiver<Event>,
    writer: DiskWriter,
    tasks: mpsc::Receiver<Vec<DiskTask>>,
    events: &mpsc::Sender<Event>,
    failed: &CancellationToken,
) -> Result<Vec<std::thread::JoinHandle<()>>, ServerError> {
    let (disk_failed, events) = (failed.clone(), events.clone());
    let disk_thread = spawn("menagerie-disk", move || {
        let _failed = disk_failed.drop_guard();
        match writer.run(&tasks, &events) {
            Ok(()) => {}
            Err(error) => tracing::error!(%error, "the disk cannot be written; the server stops"),
        }
    })?;
    let member_ended = failed.clone();
    let member_thread = spawn("menagerie-member", move || {
        let _ended = member_ended.drop_guard();
        member.run(&event_receiver);
    })?;
    Ok(vec![member_thread, disk_thread])
}

fn replica_config(config: &ServerConfig, auth: &AuthConfig) -> replica::Config {
    replica::Config {
        server_id: config.session_server_id(),
        tick_ms: config.tick_time_ms.into(),
        min_session_timeout_ms: i32::try_from(config.min_session_timeout_ms).unwrap_or(i32::MAX),
        max_session_timeout_ms: i32::try_from(config.max_session_timeout_ms).unwrap_or(i32::MAX),
        digest_enabled: config.digest_enabled,
        close_session_txn_enabled: config.close_session_txn_enabled,
        extended_types_enabled: config.extended_types_enabled,
        enforce_quota: config.enforce_quota,
        reconfig_enabled: config.reconfig_enabled,
        standalone_enabled: config.standalone_enabled,
        leader_serves: config.quorum.leader_serves || !config.is_distributed(),
        read_only_mode_enabled: config.read_only_mode_enabled,
        max_txn_bytes: max_txn_bytes(config),
        container_check_interval_ms: config.container_check_interval_ms.into(),
        container_max_per_minute: config.container_max_per_minute.into(),
        container_max_never_used_ms: config.container_max_never_used_ms.into(),
        auth: auth.clone(),
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<std::thread::JoinHandle<()>, ServerError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(ServerError::Thread)
}
