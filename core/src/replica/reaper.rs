//! Containers that lost their last child, and TTL znodes that were not written in time, are deleted (protocol §7.6): looked for
//! at an interval, and deleted one after the other, no faster than configured.

use std::collections::VecDeque;

use super::{Config, Origin, Replica, Request, Time};
use crate::jute::Encode;
use crate::tree::{DataTree, NodeKind};
use crate::wire::proto::PathOnly;
use crate::wire::{OpCode, StatPersisted};

const MINUTE_MS: u64 = 60_000;
/// The most znodes found in one look: when they are deleted, the next look is at once.
const MOST: usize = 10_000;

/// What is to be deleted, and when.
#[derive(Debug)]
pub(super) struct Reaper {
    found: VecDeque<String>,
    /// Since when they are being deleted, in monotonic milliseconds, and how many of them are.
    since_ms: u64,
    done: u64,
    next_look_ms: u64,
    per_minute: u64,
}

impl Reaper {
    pub(super) fn new(now: Time, config: &Config) -> Self {
        Reaper {
            found: VecDeque::new(),
            since_ms: 0,
            done: 0,
            next_look_ms: now.monotonic_ms + config.container_check_interval_ms,
            per_minute: config.container_max_per_minute.max(1),
        }
    }

    /// When there is something to do, in monotonic milliseconds.
    pub(super) fn next_due_ms(&self) -> u64 {
        if self.found.is_empty() { self.next_look_ms } else { self.next_deletion_ms() }
    }

    fn next_deletion_ms(&self) -> u64 {
        self.since_ms + self.done.saturating_mul(MINUTE_MS) / self.per_minute
    }

    /// The next one, when its turn has come; [`Reaper::done`] is to be counted up if it is deleted.
    fn take_due(&mut self, now: Time) -> Option<String> {
        if self.next_deletion_ms() > now.monotonic_ms { None } else { self.found.pop_front() }
    }
}

impl Replica {
    pub(super) fn reap(&mut self, now: Time) {
        if self.reaper.found.is_empty() && now.monotonic_ms >= self.reaper.next_look_ms {
            self.look(now);
        }
        while let Some(path) = self.reaper.take_due(now) {
            // Its turn may come long after it was found, and it may have been used again meanwhile.
            if !self.is_over(&self.shared.tree(), &path, now) {
                continue;
            }
            self.reaper.done += 1;
            tracing::info!(path, "reaping");
            let request = Request {
                conn: 0,
                session: 0,
                ids: [].into(),
                xid: 0,
                op: OpCode::DeleteContainer,
                body: PathOnly { path }.to_bytes(),
            };
            let txn = self.prepare(now, &request);
            self.propose(now, 0, 0, txn, Origin::Internal);
        }
    }

    fn look(&mut self, now: Time) {
        let found = self.candidates(now);
        let pause_ms = if found.len() < MOST { self.config.container_check_interval_ms } else { 0 };
        self.reaper.next_look_ms = now.monotonic_ms + pause_ms;
        // Not before the last one's time is up: the pace is kept from one look to the next.
        self.reaper.since_ms = self.reaper.next_deletion_ms().max(now.monotonic_ms);
        (self.reaper.found, self.reaper.done) = (found, 0);
    }

    fn candidates(&self, now: Time) -> VecDeque<String> {
        let tree = self.shared.tree();
        let nodes = tree.containers().chain(tree.ttl_nodes()).filter_map(|path| tree.node(path));
        nodes
            .filter(|node| is_over(&self.config, node.persisted(), node.child_count() as i32, now))
            // What was reaped or used a moment ago may not be applied yet.
            .filter(|node| self.is_over(&tree, node.path(), now))
            .take(MOST)
            .map(|node| node.path().to_owned())
            .collect()
    }

    /// Whether there is a znode to delete when everything proposed is applied.
    fn is_over(&self, tree: &DataTree, path: &str, now: Time) -> bool {
        let node = self.pending.node(tree, path);
        node.is_some_and(|node| is_over(&self.config, &node.stat, node.children, now))
    }
}

/// Whether a container has lost its last child, or the time of a TTL znode, or of a container that never had one, is over.
fn is_over(config: &Config, stat: &StatPersisted, children: i32, now: Time) -> bool {
    let unwritten_ms = now.wall_ms.saturating_sub(stat.mtime);
    let never_used_ms = config.container_max_never_used_ms;
    let over = match NodeKind::of_owner(stat.ephemeral_owner) {
        NodeKind::Container if stat.cversion > 0 => true,
        NodeKind::Container => never_used_ms > 0 && unwritten_ms > never_used_ms,
        NodeKind::Ttl { ms } => unwritten_ms > ms,
        NodeKind::Persistent | NodeKind::Ephemeral(_) => false,
    };
    over && children == 0
}
