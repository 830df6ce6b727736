//! Quotas: which subtrees have one, and what is in use of each (protocol §2.12).
//!
//! A path has a quota while the znode of its limits exists. What is in use stands in the znode beside it, whose data is
//! replaced in place with every change below the path: no transaction says so, its Stat stays as it is, and no watch fires. It
//! never knows whether a limit is kept: that is decided before a transaction is written.

use std::collections::BTreeSet;

use super::DataTree;
use crate::wire::quota::{self, Quota, QuotaError, QuotaNode};

/// The paths that have a quota; the root's is empty.
#[derive(Debug, Default)]
pub(super) struct QuotaPaths(BTreeSet<Box<str>>);

impl QuotaPaths {
    /// The longest of them that is `path` or stands above it. A quota of the root has no effect, as in the reference.
    fn above<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let mut at = path;
        while !at.is_empty() {
            if self.0.contains(at) {
                return Some(at);
            }
            at = at.rfind('/').map_or("", |slash| &at[..slash]);
        }
        None
    }
}

/// A quota and what is in use of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaInUse {
    /// The path that has it.
    pub path: String,
    /// Its limits.
    pub limits: Quota,
    /// What is in use. `None` when nobody made the znode that says so, or it says nothing that can be understood: until it
    /// does, nothing is known and nothing is refused.
    pub used: Option<Quota>,
}

impl DataTree {
    /// The quota that a znode at `path` counts towards, whether or not it exists: that of the nearest path that has one.
    ///
    /// # Errors
    /// [`QuotaError`] when the znode of the limits holds something else.
    pub fn quota(&self, path: &str) -> Result<Option<QuotaInUse>, QuotaError> {
        let Some(subject) = self.quotas.above(path) else {
            return Ok(None);
        };
        let data = |kind: QuotaNode| self.node(&kind.path(subject)).map(|node| Quota::from_data(node.data()));
        let Some(limits) = data(QuotaNode::Limits).transpose()? else {
            return Ok(None);
        };
        let used = data(QuotaNode::Stats).and_then(Result::ok);
        Ok(Some(QuotaInUse { path: subject.to_owned(), limits, used }))
    }

    pub(super) fn count_created(&mut self, path: &str, bytes: usize) {
        match quota::subject(path) {
            Some((subject, QuotaNode::Limits)) => {
                self.quotas.0.insert(subject.into());
            }
            Some((subject, QuotaNode::Stats)) => self.recount(subject),
            None => {}
        }
        self.count(path, 1, bytes as i64);
    }

    pub(super) fn count_rewritten(&mut self, slot: u32, before: usize, after: usize) {
        if before == after || self.quotas.0.is_empty() {
            return;
        }
        if let Some(path) = self.arena.get(slot).map(|node| node.path.clone()) {
            self.count(&path, 0, after as i64 - before as i64);
        }
    }

    pub(super) fn count_deleted(&mut self, path: &str, bytes: usize) {
        if let Some((subject, QuotaNode::Limits)) = quota::subject(path) {
            self.quotas.0.remove(subject);
        }
        self.count(path, -1, -(bytes as i64));
    }

    /// Counts every subtree that has a quota, as after a snapshot: what it says of them may be of different moments.
    pub(super) fn recount_quotas(&mut self) {
        let subjects: Vec<Box<str>> = self.quotas.0.iter().cloned().collect();
        for subject in subjects {
            self.recount(&subject);
        }
    }

    /// Brings the statistics of the nearest quota up to date with one change.
    fn count(&mut self, path: &str, znodes: i64, bytes: i64) {
        let Some(subject) = self.quotas.above(path) else {
            return;
        };
        let Some(slot) = self.arena.find(&QuotaNode::Stats.path(subject)) else {
            return;
        };
        let data = self.arena.get(slot).and_then(|node| node.data.as_deref());
        match Quota::from_data(data) {
            Ok(mut used) => {
                used.set_used(used.count().saturating_add(znodes), used.bytes().saturating_add(bytes));
                self.put_stats(slot, &used);
            }
            Err(error) => {
                tracing::warn!(subject, %error, "the statistics of a quota cannot be understood; counting anew");
                self.recount(subject);
            }
        }
    }

    /// Counts a subtree and writes down the result, if there is a znode to write it into.
    fn recount(&mut self, subject: &str) {
        let Some(slot) = self.arena.find(&QuotaNode::Stats.path(subject)) else {
            return;
        };
        let (mut znodes, mut bytes) = (0, 0);
        let mut open: Vec<u32> = self.arena.find(subject).into_iter().collect();
        while let Some(node) = open.pop().and_then(|slot| self.arena.get(slot)) {
            znodes += 1;
            bytes += node.data.as_ref().map_or(0, |data| data.len() as i64);
            open.extend_from_slice(node.children());
        }
        self.put_stats(slot, &Quota::used(znodes, bytes));
    }

    fn put_stats(&mut self, slot: u32, used: &Quota) {
        self.rewrite_uncounted(slot, Some(used.to_string().as_bytes()), |_| {});
    }
}

#[cfg(test)]
mod tests;
