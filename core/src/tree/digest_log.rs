//! The tree's digest after every 128th transaction, so that the histories of two servers can be compared (protocol §3.1,
//! `hash`). It never knows how a digest is made.

use std::collections::VecDeque;

use crate::wire::Zxid;

/// A digest is kept of the transactions whose zxid is a multiple of this.
const EVERY: i64 = 128;
/// So many are kept; then the oldest goes.
const MOST: usize = 1024;

/// The digests that were kept, oldest first.
#[derive(Debug, Default)]
pub(super) struct DigestLog {
    entries: VecDeque<(Zxid, u64)>,
}

impl DigestLog {
    /// The tree has this digest after this transaction.
    pub(super) fn record(&mut self, zxid: Zxid, digest: u64) {
        // A transaction that is applied again, over a snapshot that has it, says nothing new.
        if zxid.0 % EVERY != 0 || self.entries.back().is_some_and(|(last, _)| *last >= zxid) {
            return;
        }
        if self.entries.len() == MOST {
            self.entries.pop_front();
        }
        self.entries.push_back((zxid, digest));
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (Zxid, u64)> {
        self.entries.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_128th_is_kept_once_and_the_oldest_go() {
        let mut log = DigestLog::default();
        for zxid in 1..=3 * 128 {
            log.record(Zxid(zxid), zxid as u64);
            log.record(Zxid(zxid), 0);
        }
        assert_eq!(log.entries().collect::<Vec<_>>(), [128, 256, 384].map(|zxid| (Zxid(zxid), zxid as u64)));
        for number in 4..=2000 {
            log.record(Zxid(number * 128), 1);
        }
        assert_eq!((log.entries().count(), log.entries().next()), (MOST, Some((Zxid((2000 - 1023) * 128), 1))));
    }
}
