//! `srvr`, the lines that it shares with `stat`, `hash`, and the words that begin to count anew.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use super::super::connection_stats::ConnectionStats;
use super::super::{Context, VERSION};

pub(super) fn srvr(context: &Context) -> String {
    let notice = if context.is_read_only() { "READ-ONLY mode; serving only read-only clients\n" } else { "" };
    format!("Zookeeper version: {VERSION}\n{notice}{}", summary(context))
}

/// From `Latency` on.
pub(super) fn summary(context: &Context) -> String {
    let metrics = &context.metrics;
    let latency = metrics.latency.read();
    let tree = context.shared.tree();
    let sizes = &metrics.proposal_sizes;
    let proposals = match context.mode() {
        Some("leader") => format!("Proposal sizes last/min/max: {}/{}/{}\n", sizes.last(), sizes.min(), sizes.max()),
        _ => String::new(),
    };
    format!(
        "Latency min/avg/max: {}/{:?}/{}\nReceived: {}\nSent: {}\nConnections: {}\nOutstanding: {}\nZxid: {}\n\
         Mode: {}\nNode count: {}\n{proposals}",
        latency.min,
        latency.average,
        latency.max,
        metrics.packets_received.get(),
        metrics.packets_sent.get(),
        context.registry.len(),
        context.outstanding.load(Ordering::Relaxed),
        tree.last_zxid(),
        context.mode().unwrap_or("looking"),
        node_count(tree.len()),
    )
}

/// The reference keeps the root under two names and counts both.
pub(super) fn node_count(nodes: usize) -> usize {
    nodes + 1
}

/// The tree's digests, for comparing two servers.
pub(super) fn hash(context: &Context) -> String {
    if !context.config.digest_enabled {
        return String::new();
    }
    context.shared.tree().digest_log().fold(String::new(), |mut text, (zxid, digest)| {
        let _ = writeln!(text, "{:x}: {digest}", zxid.0);
        text
    })
}

pub(super) fn crst(context: &Context) -> String {
    for handle in context.registry.all() {
        *handle.stats() = ConnectionStats::default();
    }
    "Connection stats reset.\n".to_owned()
}

pub(super) fn srst(context: &Context) -> String {
    context.metrics.reset();
    context.shared.tallies().reset();
    "Server stats reset.\n".to_owned()
}
