//! `mntr`: one `zk_name<TAB>value` per line, for machines. Names and order are the reference's.
//!
//! A name of the reference that measures what there is not in this implementation is left out, never filled with a number;
//! the book's page on four-letter words lists them. Names that begin with `zk_menagerie_` are our own, and stand last.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::super::event_loop::Event;
use super::super::metrics::{Distribution, Metrics, Reading, Summary};
use super::super::registry::Handle;
use super::super::{Context, VERSION};
use super::server::node_count;
use crate::zab::{Role, Standing};

/// `None` when the server is stopping.
pub(super) async fn mntr(context: &Context) -> Option<String> {
    let standing = if context.config.is_distributed() {
        let (answer, standing) = oneshot::channel();
        context.events.send(Event::Standing(answer)).ok()?;
        standing.await.ok()?
    } else {
        None
    };
    Some(text(context, standing))
}

fn text(context: &Context, standing: Option<Standing>) -> String {
    let mut text = String::new();
    line(&mut text, "", "version", VERSION);
    line(&mut text, "", "server_state", context.mode().unwrap_or("looking"));
    if let Some(state) = peer_state(context) {
        line(&mut text, "", "peer_state", state);
    }
    for (name, value) in gauges(context) {
        line(&mut text, "", name, value);
    }
    if let Some(standing) = standing {
        for (name, value) in leading(context, standing) {
            line(&mut text, "", name, value);
        }
    }
    for (name, value) in counters(context) {
        line(&mut text, "", name, value);
    }
    for (name, summary) in summaries(&context.metrics) {
        reading(&mut text, name, summary.read());
    }
    for (name, distribution) in distributions(&context.metrics) {
        reading(&mut text, name, distribution.read());
        let shares = ["p50_", "p95_", "p99_", "p999_"].into_iter();
        for (share, value) in shares.zip(distribution.percentiles([0.5, 0.95, 0.99, 0.999])) {
            line(&mut text, share, name, value);
        }
    }
    for (name, value) in queues(context) {
        line(&mut text, "menagerie_", name, value);
    }
    text
}

/// What consensus does; a standalone server has none.
fn peer_state(context: &Context) -> Option<&'static str> {
    let role = context.config.is_distributed().then(|| *context.roles.borrow())?;
    Some(match role {
        Role::Looking => "looking - election",
        Role::Leading { .. } => "leading - broadcast",
        Role::Following { .. } => "following - broadcast",
        Role::Observing { .. } => "observing - broadcast",
    })
}

fn line(text: &mut String, prefix: &str, name: &str, value: impl std::fmt::Display) {
    // A string takes whatever is written.
    let _ = writeln!(text, "zk_{prefix}{name}\t{value}");
}

fn reading(text: &mut String, name: &str, reading: Reading) {
    line(text, "avg_", name, format_args!("{:?}", reading.average));
    line(text, "min_", name, reading.min);
    line(text, "max_", name, reading.max);
    line(text, "cnt_", name, reading.count);
    line(text, "sum_", name, reading.sum);
}

fn gauges(context: &Context) -> Vec<(&'static str, String)> {
    let metrics = &context.metrics;
    let latency = metrics.latency.read();
    let watch_count = context.shared.watches().len();
    let (open_files, most_files) = file_descriptors();
    let tree = context.shared.tree();
    let values = [
        ("ephemerals_count", Some(tree.ephemeral_count().to_string())),
        ("num_alive_connections", Some(context.registry.len().to_string())),
        ("avg_latency", Some(format!("{:?}", latency.average))),
        ("outstanding_requests", Some(context.outstanding.load(Ordering::Relaxed).to_string())),
        ("znode_count", Some(node_count(tree.len()).to_string())),
        ("global_sessions", Some(context.shared.sessions().len().to_string())),
        ("last_client_response_size", Some(metrics.response_sizes.last().to_string())),
        ("packets_sent", Some(metrics.packets_sent.get().to_string())),
        ("packets_received", Some(metrics.packets_received.get().to_string())),
        ("max_client_response_size", Some(metrics.response_sizes.max().to_string())),
        ("connection_drop_probability", Some(format!("{:?}", context.new_sessions.drop_probability()))),
        ("watch_count", Some(watch_count.to_string())),
        ("auth_failed_count", Some(metrics.auth_failed.get().to_string())),
        ("min_latency", Some(latency.min.to_string())),
        ("max_file_descriptor_count", most_files),
        ("approximate_data_size", Some(tree.approximate_data_size().to_string())),
        ("open_file_descriptor_count", open_files),
        ("uptime", Some(context.clock.monotonic_ms().to_string())),
        ("max_latency", Some(latency.max.to_string())),
        ("min_client_response_size", Some(metrics.response_sizes.min().to_string())),
    ];
    values.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// What only a leader tells.
fn leading(context: &Context, standing: Standing) -> [(&'static str, i64); 10] {
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let metrics = &context.metrics;
    let since_ms = metrics.role_since_ms.load(Ordering::Relaxed);
    let uptime_ms = context.clock.monotonic_ms().saturating_sub(since_ms);
    let voters = context.members().participant_count();
    [
        ("learners", count(standing.learners)),
        ("synced_followers", count(standing.synced_followers)),
        ("synced_non_voting_followers", count(standing.synced_non_voters)),
        ("synced_observers", count(standing.synced_observers)),
        ("pending_syncs", count(standing.pending_syncs)),
        ("leader_uptime", i64::try_from(uptime_ms).unwrap_or(i64::MAX)),
        ("last_proposal_size", metrics.proposal_sizes.last()),
        ("max_proposal_size", metrics.proposal_sizes.max()),
        ("min_proposal_size", metrics.proposal_sizes.min()),
        ("quorum_size", count(voters)),
    ]
}

/// Open files and how many there may be, as Linux tells them; nothing where it does not.
fn file_descriptors() -> (Option<String>, Option<String>) {
    let open = std::fs::read_dir("/proc/self/fd").map(|entries| entries.count().to_string());
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let most = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
    (open.ok(), most.map(str::to_owned))
}

fn counters(context: &Context) -> [(&'static str, u64); 19] {
    let metrics = &context.metrics;
    let tallies = context.shared.tallies();
    [
        ("watch_bytes", metrics.watch_bytes.get()),
        ("throttled_ops", metrics.throttled_ops.get()),
        ("stale_requests_dropped", metrics.stale_requests_dropped.get()),
        ("large_requests_rejected", metrics.large_requests_rejected.get()),
        ("connection_rejected", metrics.connections_rejected.get()),
        ("sessionless_connections_expired", metrics.sessionless_expired.get()),
        ("stale_requests", metrics.stale_requests.get()),
        ("connection_drop_count", metrics.connections_dropped.get()),
        ("digest_mismatches_count", tallies.digest_mismatches()),
        ("bytes_received_count", metrics.bytes_received.get()),
        ("request_throttle_wait_count", metrics.throttle_waits.get()),
        ("prep_processor_request_queued", metrics.member_requests.get()),
        ("stale_replies", metrics.stale_replies.get()),
        ("connection_request_count", metrics.connection_requests.get()),
        ("response_bytes", metrics.response_bytes.get()),
        ("diff_count", metrics.diffs_sent.get()),
        ("snap_count", metrics.snapshots_sent.get()),
        ("stale_sessions_expired", tallies.expired_sessions()),
        ("sync_processor_request_queued", metrics.disk_entries.get()),
    ]
}

fn summaries(metrics: &Metrics) -> [(&'static str, &Summary); 14] {
    [
        ("node_created_watch_count", &metrics.watchers_told.created),
        ("connection_token_deficit", &metrics.token_deficit),
        ("node_deleted_watch_count", &metrics.watchers_told.deleted),
        ("sync_processor_queue_size", &metrics.disk_queue_size),
        ("prep_processor_queue_size", &metrics.member_queue_size),
        ("fsynctime", &metrics.fsync_time),
        ("snapshottime", &metrics.snapshot_time),
        ("startup_txns_loaded", &metrics.recovered_txns),
        ("prep_process_time", &metrics.member_process_time),
        ("dbinittime", &metrics.recovery_time),
        ("sync_processor_batch_size", &metrics.disk_batch_size),
        ("node_children_watch_count", &metrics.watchers_told.children),
        ("node_changed_watch_count", &metrics.watchers_told.changed),
        ("sync_process_time", &metrics.disk_append_time),
    ]
}

fn distributions(metrics: &Metrics) -> [(&'static str, &Distribution); 7] {
    [
        ("prep_processor_queue_time_ms", &metrics.member_queue_time),
        ("updatelatency", &metrics.update_latency),
        ("request_throttle_queue_time_ms", &metrics.throttle_time),
        ("readlatency", &metrics.read_latency),
        ("sync_processor_queue_and_flush_time_ms", &metrics.disk_queue_and_flush_time),
        ("sync_processor_queue_time_ms", &metrics.disk_queue_time),
        ("sync_processor_queue_flush_time_ms", &metrics.disk_flush_time),
    ]
}

/// Whether a connection with a session is not read from, because too much of it is in line already.
fn is_held_back(handle: &Handle) -> bool {
    handle.session.load(Ordering::Relaxed) != 0 && !handle.reading.load(Ordering::Relaxed)
}

/// What waits where, now: one name for each queue of the server, in the order in which a request and its reply meet them.
fn queues(context: &Context) -> [(&'static str, u64); 11] {
    let handles = context.registry.all();
    let sum = |of: &dyn Fn(&Handle) -> usize| -> u64 { handles.iter().map(|handle| of(handle) as u64).sum() };
    let metrics = &context.metrics;
    [
        ("input_bytes", sum(&|handle| handle.input_bytes.load(Ordering::Relaxed))),
        ("line_requests", sum(&|handle| handle.in_line.load(Ordering::Relaxed))),
        ("line_bytes", sum(&|handle| handle.in_line_bytes.load(Ordering::Relaxed))),
        ("connections_not_read", sum(&|handle| usize::from(is_held_back(handle)))),
        ("member_queue_requests", metrics.member_queue.load(Ordering::Relaxed) as u64),
        ("disk_queue_entries", metrics.disk_queue.load(Ordering::Relaxed) as u64),
        ("outgoing_queue_packets", sum(&|handle| handle.queued().0)),
        ("outgoing_queue_bytes", sum(&|handle| handle.queued().1)),
        ("outgoing_queue_most_bytes", handles.iter().map(|handle| handle.queued().1 as u64).max().unwrap_or(0)),
        ("connections_not_taking", sum(&|handle| usize::from(handle.writing.load(Ordering::Relaxed)))),
        ("slow_readers_closed", metrics.slow_readers_closed.get()),
    ]
}
