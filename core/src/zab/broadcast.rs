//! The leader's side of broadcast: propose, count acknowledgements, commit in order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::ServerId;
use crate::wire::Zxid;

/// A leader with the members that vote. `P` is the payload it orders.
#[derive(Debug)]
pub struct Leader<P> {
    voters: BTreeSet<ServerId>,
    acked: BTreeMap<ServerId, Zxid>,
    last_proposed: Zxid,
    outstanding: VecDeque<(Zxid, P)>,
}

impl<P> Leader<P> {
    /// A leader of `voters` that continues after `last`, the last transaction in its log.
    pub fn new(voters: BTreeSet<ServerId>, last: Zxid) -> Self {
        Leader { voters, acked: BTreeMap::new(), last_proposed: last, outstanding: VecDeque::new() }
    }

    /// The zxid that the next proposal gets.
    pub fn next_zxid(&self) -> Zxid {
        self.last_proposed.next()
    }

    /// The zxid of the newest proposal.
    pub fn last_proposed(&self) -> Zxid {
        self.last_proposed
    }

    /// Puts a payload at the end of the order and returns its zxid, [`Leader::next_zxid`] from before the call.
    pub fn propose(&mut self, payload: P) -> Zxid {
        self.last_proposed = self.last_proposed.next();
        self.outstanding.push_back((self.last_proposed, payload));
        self.last_proposed
    }

    /// `member` has everything up to and including `zxid` on disk.
    pub fn ack(&mut self, member: ServerId, zxid: Zxid) {
        if self.voters.contains(&member) {
            let acked = self.acked.entry(member).or_default();
            *acked = zxid.max(*acked);
        }
    }

    /// Takes the next proposal that a majority of the voters has on disk.
    pub fn take_committed(&mut self) -> Option<(Zxid, P)> {
        let committed = self.committed();
        self.outstanding.pop_front_if(|(zxid, _)| *zxid <= committed)
    }

    /// Number of proposals not yet taken.
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// The highest zxid that more than half of the voters have acknowledged.
    fn committed(&self) -> Zxid {
        let mut acked: Vec<Zxid> =
            self.voters.iter().map(|id| self.acked.get(id).copied().unwrap_or_default()).collect();
        acked.sort_unstable_by(|a, b| b.cmp(a));
        acked.get(self.voters.len() / 2).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_committed_without_a_quorum() {
        let mut leader = Leader::new(BTreeSet::from([1, 2, 3]), Zxid::ZERO);
        let first = leader.propose("a");
        let second = leader.propose("b");
        leader.ack(1, second);
        leader.ack(9, second);
        assert_eq!(leader.take_committed(), None, "one of three, and a stranger");
        leader.ack(2, first);
        assert_eq!(leader.take_committed(), Some((first, "a")));
        assert_eq!(leader.take_committed(), None);
        leader.ack(3, second);
        assert_eq!(leader.take_committed(), Some((second, "b")));
    }

    #[test]
    fn an_ensemble_of_one_commits_what_it_has_on_disk() {
        let mut leader = Leader::new(BTreeSet::from([1]), Zxid(7));
        assert_eq!((leader.next_zxid(), leader.propose(())), (Zxid(8), Zxid(8)));
        assert_eq!(leader.take_committed(), None);
        leader.ack(1, Zxid(8));
        assert_eq!(leader.take_committed(), Some((Zxid(8), ())));
        assert_eq!(leader.outstanding(), 0);
    }
}
