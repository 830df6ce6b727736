//! What the whole server counts and measures, under the reference's names (protocol §3.3). How it is printed is
//! [`super::four_letter`]'s.

mod tally;
mod values;

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

pub(super) use tally::Tally;
pub(super) use values::{Counter, Distribution, Reading, Summary};

use crate::wire::EventKind;

/// Counters and measurements since the start, or since the last `srst`. Times are in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// Requests, connect requests and four-letter words.
    pub(super) packets_received: Counter,
    /// Replies, events, and answers to four-letter words.
    pub(super) packets_sent: Counter,
    pub(super) bytes_received: Counter,
    /// Of replies, without their lengths.
    pub(super) response_bytes: Counter,
    /// Of events, without their lengths.
    pub(super) watch_bytes: Counter,
    pub(super) connection_requests: Counter,
    pub(super) connections_rejected: Counter,
    /// Connections that clients ended without closing their session.
    pub(super) connections_dropped: Counter,
    pub(super) sessionless_expired: Counter,
    pub(super) auth_failed: Counter,
    pub(super) throttled_ops: Counter,
    pub(super) throttle_waits: Counter,
    pub(super) stale_requests: Counter,
    pub(super) stale_requests_dropped: Counter,
    /// Replies to connections that had gone.
    pub(super) stale_replies: Counter,
    pub(super) large_requests_rejected: Counter,
    pub(super) member_requests: Counter,
    pub(super) disk_entries: Counter,
    /// Learners that were brought up to date by what they lacked, and by a snapshot.
    pub(super) diffs_sent: Counter,
    pub(super) snapshots_sent: Counter,
    /// Connections closed because they did not take what was queued for them.
    pub(super) slow_readers_closed: Counter,
    pub(super) response_sizes: Sizes,
    /// Of what this member has proposed as a leader.
    pub(super) proposal_sizes: Sizes,
    /// The monotonic millisecond in which this member's role began.
    pub(super) role_since_ms: AtomicU64,
    /// Of every request, from its arrival to its reply.
    pub(super) latency: Summary,
    pub(super) read_latency: Distribution,
    pub(super) update_latency: Distribution,
    pub(super) throttle_time: Distribution,
    pub(super) token_deficit: Summary,
    pub(super) watchers_told: WatchersTold,
    pub(super) member_queue_size: Summary,
    pub(super) member_queue_time: Distribution,
    pub(super) member_process_time: Summary,
    pub(super) disk_queue_size: Summary,
    pub(super) disk_queue_time: Distribution,
    pub(super) disk_append_time: Summary,
    pub(super) disk_batch_size: Summary,
    /// From a batch's first append until the member is told.
    pub(super) disk_flush_time: Distribution,
    /// The same, and the time in the queue before.
    pub(super) disk_queue_and_flush_time: Distribution,
    pub(super) fsync_time: Summary,
    pub(super) snapshot_time: Summary,
    pub(super) recovery_time: Summary,
    pub(super) recovered_txns: Summary,
    /// Requests on their way to the member; a gauge, which nothing resets.
    pub(super) member_queue: AtomicUsize,
    /// Entries on their way to the disk thread; a gauge.
    pub(super) disk_queue: AtomicUsize,
}

impl Metrics {
    /// Forgets everything but the gauges.
    pub(super) fn reset(&self) {
        for counter in self.counters() {
            counter.reset();
        }
        for summary in self.summaries() {
            summary.reset();
        }
        for distribution in self.distributions() {
            distribution.reset();
        }
        self.response_sizes.reset();
        self.proposal_sizes.reset();
    }

    fn counters(&self) -> [&Counter; 21] {
        [
            &self.packets_received,
            &self.packets_sent,
            &self.bytes_received,
            &self.response_bytes,
            &self.watch_bytes,
            &self.connection_requests,
            &self.connections_rejected,
            &self.connections_dropped,
            &self.sessionless_expired,
            &self.auth_failed,
            &self.throttled_ops,
            &self.throttle_waits,
            &self.stale_requests,
            &self.stale_requests_dropped,
            &self.stale_replies,
            &self.large_requests_rejected,
            &self.member_requests,
            &self.disk_entries,
            &self.diffs_sent,
            &self.snapshots_sent,
            &self.slow_readers_closed,
        ]
    }

    fn summaries(&self) -> [&Summary; 15] {
        [
            &self.latency,
            &self.token_deficit,
            &self.watchers_told.created,
            &self.watchers_told.deleted,
            &self.watchers_told.changed,
            &self.watchers_told.children,
            &self.member_queue_size,
            &self.member_process_time,
            &self.disk_queue_size,
            &self.disk_append_time,
            &self.disk_batch_size,
            &self.fsync_time,
            &self.snapshot_time,
            &self.recovery_time,
            &self.recovered_txns,
        ]
    }

    fn distributions(&self) -> [&Distribution; 7] {
        [
            &self.read_latency,
            &self.update_latency,
            &self.throttle_time,
            &self.member_queue_time,
            &self.disk_queue_time,
            &self.disk_flush_time,
            &self.disk_queue_and_flush_time,
        ]
    }
}

/// How many watchers each event had, by its kind.
#[derive(Debug, Default)]
pub(super) struct WatchersTold {
    pub(super) created: Summary,
    pub(super) deleted: Summary,
    pub(super) changed: Summary,
    pub(super) children: Summary,
}

impl WatchersTold {
    pub(super) fn add(&self, kind: EventKind, watchers: usize) {
        let summary = match kind {
            EventKind::NodeCreated => &self.created,
            EventKind::NodeDeleted => &self.deleted,
            EventKind::NodeDataChanged => &self.changed,
            EventKind::NodeChildrenChanged => &self.children,
            _ => return,
        };
        summary.add(watchers as u64);
    }
}

/// The sizes of replies in bytes, without their lengths; -1 where there was none.
#[derive(Debug)]
pub(super) struct Sizes {
    last: AtomicI64,
    min: AtomicI64,
    max: AtomicI64,
}

impl Default for Sizes {
    fn default() -> Self {
        Sizes { last: AtomicI64::new(-1), min: AtomicI64::new(i64::MAX), max: AtomicI64::new(-1) }
    }
}

impl Sizes {
    pub(super) fn add_one(&self, size: u64) {
        self.add(size, size, size);
    }

    fn add(&self, last: u64, min: u64, max: u64) {
        let [last, min, max] = [last, min, max].map(|size| i64::try_from(size).unwrap_or(i64::MAX));
        self.last.store(last, Ordering::Relaxed);
        self.min.fetch_min(min, Ordering::Relaxed);
        self.max.fetch_max(max, Ordering::Relaxed);
    }

    pub(super) fn last(&self) -> i64 {
        self.last.load(Ordering::Relaxed)
    }

    pub(super) fn min(&self) -> i64 {
        let min = self.min.load(Ordering::Relaxed);
        if min == i64::MAX { -1 } else { min }
    }

    pub(super) fn max(&self) -> i64 {
        self.max.load(Ordering::Relaxed)
    }

    fn reset(&self) {
        self.last.store(-1, Ordering::Relaxed);
        self.min.store(i64::MAX, Ordering::Relaxed);
        self.max.store(-1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_forgets_all_but_gauges() {
        let metrics = Metrics::default();
        metrics.counters().iter().for_each(|counter| counter.add(1));
        metrics.summaries().iter().for_each(|summary| summary.add(1));
        metrics.distributions().iter().for_each(|distribution| distribution.add(1));
        metrics.response_sizes.add(1, 1, 1);
        metrics.member_queue.store(3, Ordering::Relaxed);
        metrics.reset();
        assert!(metrics.counters().iter().all(|counter| counter.get() == 0));
        assert!(metrics.summaries().iter().all(|summary| summary.read() == Reading::default()));
        assert!(metrics.distributions().iter().all(|distribution| distribution.read() == Reading::default()));
        let sizes = &metrics.response_sizes;
        assert_eq!((sizes.last(), sizes.min(), sizes.max()), (-1, -1, -1));
        assert_eq!(metrics.member_queue.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn watchers_are_counted_by_the_kind_of_event() {
        let told = WatchersTold::default();
        told.add(EventKind::NodeCreated, 3);
        told.add(EventKind::NodeChildrenChanged, 2);
        told.add(EventKind::NodeChildrenChanged, 4);
        assert_eq!((told.created.read().count, told.created.read().sum), (1, 3));
        assert_eq!((told.children.read().count, told.children.read().sum), (2, 6));
        assert_eq!(told.deleted.read().count + told.changed.read().count, 0);
    }
}
