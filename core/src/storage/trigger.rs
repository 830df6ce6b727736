//! When to roll the log and to take a snapshot (protocol §6.6). Pure: it counts what it is told, and its chances come from
//! a seed.

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// How often, as configured.
#[derive(Debug, Clone)]
pub struct SnapshotPolicy {
    /// `snapCount`: at most so many transactions between two snapshots.
    pub max_txns: u64,
    /// `snapSizeLimitInKb`, in bytes: at most so many log bytes between two snapshots; `None` for no limit.
    pub max_log_bytes: Option<u64>,
    /// `txnLogSizeLimitInKb`, in bytes: a log file longer than this is rolled without a snapshot; `None` for no limit.
    pub max_file_bytes: Option<u64>,
}

impl Default for SnapshotPolicy {
    /// The reference server's: 100,000 transactions, 4 GiB, no limit of a file.
    fn default() -> Self {
        SnapshotPolicy { max_txns: 100_000, max_log_bytes: Some(4 << 30), max_file_bytes: None }
    }
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotDue {
    /// Nothing.
    No,
    /// A new log file.
    Roll,
    /// A new log file, and a snapshot beside it.
    RollAndSnapshot,
}

/// Counts what is logged. Each interval is a random share of the second half of its limit, so that the members of an
/// ensemble, who log the same, do not take their snapshots at the same time.
#[derive(Debug)]
pub struct SnapshotTrigger {
    policy: SnapshotPolicy,
    random: Pcg32,
    txns: u64,
    log_bytes: u64,
    txns_due: u64,
    log_bytes_due: u64,
}

impl SnapshotTrigger {
    /// Starts counting. Members of an ensemble take different seeds.
    pub fn new(policy: SnapshotPolicy, seed: u64) -> Self {
        let mut trigger = SnapshotTrigger {
            policy,
            random: Pcg32::seed_from_u64(seed),
            txns: 0,
            log_bytes: 0,
            txns_due: 0,
            log_bytes_due: 0,
        };
        trigger.restart();
        trigger
    }

    /// Counts what one sync made durable: `txns` transactions of `bytes` bytes, with the open file now `file_bytes` long.
    /// When a snapshot is due, counting has begun anew; whether one is still being written is the caller's to know.
    pub fn logged(&mut self, txns: u64, bytes: u64, file_bytes: u64) -> SnapshotDue {
        self.txns += txns;
        self.log_bytes += bytes;
        if self.txns > self.txns_due || self.log_bytes > self.log_bytes_due {
            self.restart();
            return SnapshotDue::RollAndSnapshot;
        }
        match self.policy.max_file_bytes {
            Some(limit) if file_bytes > limit => SnapshotDue::Roll,
            _ => SnapshotDue::No,
        }
    }

    /// Begins counting anew, as after a snapshot that was taken for another reason.
    pub fn restart(&mut self) {
        (self.txns, self.log_bytes) = (0, 0);
        self.txns_due = self.second_half(self.policy.max_txns);
        self.log_bytes_due = match self.policy.max_log_bytes {
            Some(limit) => self.second_half(limit),
            None => u64::MAX,
        };
    }

    fn second_half(&mut self, limit: u64) -> u64 {
        let half = limit / 2;
        half + self.random.next_u64() % half.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intervals(policy: SnapshotPolicy, seed: u64) -> Vec<u64> {
        let mut trigger = SnapshotTrigger::new(policy, seed);
        let mut intervals = vec![0];
        while intervals.len() < 50 {
            let due = trigger.logged(1, 100, 0);
            if let Some(last) = intervals.last_mut() {
                *last += 1;
            }
            if due == SnapshotDue::RollAndSnapshot {
                intervals.push(0);
            }
        }
        intervals.pop();
        intervals
    }

    #[test]
    fn intervals_are_spread_over_the_second_half_of_the_limit_and_follow_the_seed() {
        let policy = SnapshotPolicy { max_txns: 1000, max_log_bytes: None, max_file_bytes: None };
        let first = intervals(policy.clone(), 1);
        assert!(first.iter().all(|interval| (501..=1000).contains(interval)), "{first:?}");
        assert!(first.iter().collect::<std::collections::BTreeSet<_>>().len() > 10);
        assert_eq!(first, intervals(policy.clone(), 1));
        assert_ne!(first, intervals(policy, 2));
    }

    #[test]
    fn bytes_count_as_well_and_a_long_file_is_rolled() {
        let policy = SnapshotPolicy { max_txns: 1_000_000, max_log_bytes: Some(10_000), max_file_bytes: Some(500) };
        assert!(intervals(policy.clone(), 3).iter().all(|interval| (51..=100).contains(interval)));
        let mut trigger = SnapshotTrigger::new(policy, 3);
        assert_eq!(trigger.logged(1, 100, 500), SnapshotDue::No);
        assert_eq!(trigger.logged(1, 100, 501), SnapshotDue::Roll);
    }
}
