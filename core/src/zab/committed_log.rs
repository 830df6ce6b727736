//! The newest part of the log, in memory: what learners that are a little behind are brought up to date from, and what
//! waits to be committed (protocol §5.5). It never knows who leads.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::wire::Zxid;

/// One transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the order.
    pub zxid: Zxid,
    /// What it says: not looked at.
    pub payload: Bytes,
}

/// The end of the log. What is delivered may leave it at the front; what is not delivered stays.
#[derive(Debug)]
pub struct RecentLog {
    /// The last transaction before the first entry.
    base: Zxid,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Everything up to here has been given to the caller as committed, or was in its state at the start.
    delivered: Zxid,
    /// Everything up to here is known to be committed for certain; less than `delivered` after a start.
    committed: Zxid,
    max_entries: usize,
    max_bytes: usize,
}

impl RecentLog {
    /// The end of a log whose transactions have all been applied: `base`, then `entries`, which must follow each other.
    pub fn new(base: Zxid, entries: Vec<Entry>, max_entries: usize, max_bytes: usize) -> Self {
        let delivered = entries.last().map_or(base, |entry| entry.zxid);
        let bytes = entries.iter().map(|entry| entry.payload.len()).sum();
        let entries = entries.into();
        let mut log = RecentLog { base, entries, bytes, delivered, committed: Zxid::ZERO, max_entries, max_bytes };
        log.trim();
        log
    }

    /// The last transaction of the log.
    pub fn last(&self) -> Zxid {
        self.entries.back().map_or(self.base, |entry| entry.zxid)
    }

    /// The oldest position from which the log can be continued.
    pub fn base(&self) -> Zxid {
        self.base
    }

    /// Everything up to here is in the caller's state.
    pub fn delivered(&self) -> Zxid {
        self.delivered
    }

    /// Everything up to here is known to be committed.
    pub fn committed(&self) -> Zxid {
        self.committed
    }

    /// Whether the log is known to have had `zxid` as its end once.
    pub fn has(&self, zxid: Zxid) -> bool {
        zxid == self.base || self.at_or_before(zxid) == Some(zxid)
    }

    /// The newest position that is not after `zxid`; `None` when that is before the window.
    pub fn at_or_before(&self, zxid: Zxid) -> Option<Zxid> {
        match self.index_after(zxid) {
            0 => (self.base <= zxid).then_some(self.base),
            index => self.entries.get(index - 1).map(|entry| entry.zxid),
        }
    }

    /// The entries after `zxid`, in order.
    pub fn after(&self, zxid: Zxid) -> impl Iterator<Item = &Entry> {
        self.entries.iter().skip(self.index_after(zxid))
    }

    /// Adds a transaction at the end: the next one of the last one's epoch, or the first of a later epoch.
    pub fn push(&mut self, entry: Entry) {
        debug_assert!(follows(self.last(), entry.zxid), "{} after {}", entry.zxid, self.last());
        self.bytes += entry.payload.len();
        self.entries.push_back(entry);
    }

    /// Forgets everything after `zxid`.
    pub fn truncate(&mut self, zxid: Zxid) {
        let keep = self.index_after(zxid);
        self.bytes -= self.entries.drain(keep..).map(|entry| entry.payload.len()).sum::<usize>();
        // Cut below the window: nothing of it is left, and the log ends at `zxid`.
        self.base = self.base.min(zxid);
        self.delivered = self.delivered.min(zxid);
    }

    /// The state was replaced by one that ends at `zxid`.
    pub fn reset(&mut self, zxid: Zxid) {
        self.entries.clear();
        self.bytes = 0;
        (self.base, self.delivered) = (zxid, zxid);
    }

    /// Everything up to `zxid` is committed: returns what has not been delivered of it, in order.
    pub fn commit(&mut self, zxid: Zxid) -> Vec<Entry> {
        let through = zxid.min(self.last());
        self.committed = self.committed.max(through);
        let fresh: Vec<Entry> = self.after(self.delivered).take_while(|entry| entry.zxid <= through).cloned().collect();
        self.delivered = self.delivered.max(through);
        self.trim();
        fresh
    }

    fn trim(&mut self) {
        while self.entries.len() > self.max_entries || self.bytes > self.max_bytes {
            let Some(entry) = self.entries.pop_front_if(|entry| entry.zxid <= self.delivered) else { return };
            self.bytes -= entry.payload.len();
            self.base = entry.zxid;
        }
    }

    fn index_after(&self, zxid: Zxid) -> usize {
        self.entries.partition_point(|entry| entry.zxid <= zxid)
    }
}

/// Whether `next` may stand right after `last`: the next of its epoch, or the first of a later one. Nothing is left out.
pub(super) fn follows(last: Zxid, next: Zxid) -> bool {
    next == last.next() || (next.epoch() > last.epoch() && next.counter() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(epoch: u32, counter: u32) -> Entry {
        Entry { zxid: Zxid::new(epoch, counter), payload: Bytes::from_static(b"ten bytes!") }
    }

    fn log(entries: Vec<Entry>) -> RecentLog {
        RecentLog::new(Zxid::new(1, 1), entries, 3, 1000)
    }

    #[test]
    fn a_transaction_follows_the_one_before_it_without_a_gap() {
        let last = Zxid::new(1, 7);
        assert!(follows(last, Zxid::new(1, 8)) && follows(last, Zxid::new(3, 1)));
        for wrong in [Zxid::new(1, 7), Zxid::new(1, 9), Zxid::new(2, 2), Zxid::new(2, 0), Zxid::new(0, 1)] {
            assert!(!follows(last, wrong), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_delivered_stays_and_the_rest_leaves_at_the_front() {
        let mut log = log(vec![entry(1, 2)]);
        for counter in 3..9 {
            log.push(entry(1, counter));
        }
        assert_eq!((log.base(), log.after(log.base()).count()), (Zxid::new(1, 1), 7), "five are not delivered");
        let fresh = log.commit(Zxid::new(1, 6));
        assert_eq!(fresh.first().map(|entry| entry.zxid), Some(Zxid::new(1, 3)));
        assert_eq!((fresh.len(), log.base(), log.delivered()), (4, Zxid::new(1, 5), Zxid::new(1, 6)));
        assert!(log.commit(Zxid::new(1, 6)).is_empty(), "nothing is delivered twice");
    }

    #[test]
    fn the_window_is_bounded_by_bytes_too() {
        let mut log = RecentLog::new(Zxid::ZERO, Vec::new(), 100, 25);
        for counter in 1..5 {
            log.push(entry(1, counter));
            log.commit(Zxid::new(1, counter));
        }
        assert_eq!(log.after(Zxid::ZERO).count(), 2);
    }

    #[test]
    fn a_cut_below_the_window_leaves_nothing_of_it() {
        let mut log = log(vec![entry(1, 2), entry(1, 3)]);
        log.truncate(Zxid::new(1, 2));
        assert_eq!((log.last(), log.delivered()), (Zxid::new(1, 2), Zxid::new(1, 2)));
        log.truncate(Zxid::ZERO);
        assert_eq!((log.last(), log.base(), log.delivered()), (Zxid::ZERO, Zxid::ZERO, Zxid::ZERO));
    }

    #[test]
    fn positions_are_found_within_the_window_only() {
        let log = log(vec![entry(1, 2), entry(1, 3), entry(4, 1)]);
        assert!(log.has(Zxid::new(1, 1)) && log.has(Zxid::new(4, 1)) && !log.has(Zxid::new(1, 4)));
        assert_eq!(log.at_or_before(Zxid::new(3, 9)), Some(Zxid::new(1, 3)));
        assert_eq!(log.at_or_before(Zxid::new(1, 0)), None);
    }
}
