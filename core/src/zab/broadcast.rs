//! The order of one reign: who has which proposal on disk, and which may be committed next (protocol §5.6). It never knows
//! links or payloads.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::quorum::Quorums;
use super::{ServerId, Ticket};
use crate::wire::Zxid;

/// A proposal that is not committed.
#[derive(Debug)]
struct Proposal {
    zxid: Zxid,
    /// Who must have it: those of the configuration in force when it was made.
    quorums: Arc<Quorums>,
}

/// The proposals of one leader.
#[derive(Debug)]
pub(super) struct Broadcast {
    last_proposed: Zxid,
    outstanding: VecDeque<Proposal>,
    acked: BTreeMap<ServerId, Zxid>,
    /// What the leader's own disk has not reported yet.
    writing: VecDeque<(Ticket, Zxid)>,
}

impl Broadcast {
    /// An order that goes on after `last`.
    pub(super) fn new(last: Zxid) -> Self {
        Broadcast {
            last_proposed: last,
            outstanding: VecDeque::new(),
            acked: BTreeMap::new(),
            writing: VecDeque::new(),
        }
    }

    pub(super) fn last_proposed(&self) -> Zxid {
        self.last_proposed
    }

    pub(super) fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    pub(super) fn oldest_outstanding(&self) -> Option<Zxid> {
        self.outstanding.front().map(|proposal| proposal.zxid)
    }

    /// The next proposal; `ticket` is that of the leader's own disk.
    pub(super) fn propose(&mut self, zxid: Zxid, ticket: Ticket, quorums: Arc<Quorums>) {
        debug_assert_eq!(zxid, self.last_proposed.next());
        self.last_proposed = zxid;
        self.outstanding.push_back(Proposal { zxid, quorums });
        self.writing.push_back((ticket, zxid));
    }

    /// The newest proposal that the leader's disk has, when that has changed.
    pub(super) fn persisted(&mut self, is_persisted: impl Fn(Ticket) -> bool) -> Option<Zxid> {
        let mut newest = None;
        while let Some((_, zxid)) = self.writing.pop_front_if(|(ticket, _)| is_persisted(*ticket)) {
            newest = Some(zxid);
        }
        newest
    }

    /// `member` has everything up to `zxid` on disk.
    pub(super) fn ack(&mut self, member: ServerId, zxid: Zxid) {
        let acked = self.acked.entry(member).or_default();
        *acked = zxid.max(*acked);
    }

    /// What is outstanding now needs these quorums: other members are in force.
    pub(super) fn decide_by(&mut self, quorums: &Arc<Quorums>) {
        for proposal in &mut self.outstanding {
            proposal.quorums = quorums.clone();
        }
    }

    /// Up to where the member has everything on disk, as far as is known.
    pub(super) fn acked(&self, member: ServerId) -> Zxid {
        self.acked.get(&member).copied().unwrap_or_default()
    }

    /// The next proposal that a quorum has, if it is the oldest one outstanding: nothing overtakes.
    pub(super) fn take_committed(&mut self) -> Option<Zxid> {
        let acked = &self.acked;
        let has = |zxid: Zxid| move |id: ServerId| acked.get(&id).is_some_and(|acked| *acked >= zxid);
        let oldest = self.outstanding.pop_front_if(|oldest| oldest.quorums.are_met(has(oldest.zxid)))?;
        Some(oldest.zxid)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::quorum::Quorum;
    use super::*;

    fn at(counter: u32) -> Zxid {
        Zxid::new(3, counter)
    }

    fn three() -> Arc<Quorums> {
        Arc::new(Quorums::one(Quorum::majority(BTreeSet::from([1, 2, 3]))))
    }

    #[test]
    fn nothing_is_committed_without_a_quorum() {
        let mut order = Broadcast::new(at(0));
        order.propose(at(1), 1, three());
        order.propose(at(2), 2, three());
        order.ack(1, at(2));
        order.ack(9, at(2));
        assert_eq!(order.take_committed(), None, "one of three, and a stranger");
        order.ack(2, at(1));
        assert_eq!(order.take_committed(), Some(at(1)));
        assert_eq!(order.take_committed(), None);
        order.ack(3, at(2));
        assert_eq!(order.take_committed(), Some(at(2)));
        assert_eq!(order.outstanding(), 0);
    }

    #[test]
    fn nothing_overtakes_an_older_proposal() {
        let mut order = Broadcast::new(at(0));
        let both = Quorums::both(Quorum::majority(BTreeSet::from([1, 2, 3])), Quorum::majority(BTreeSet::from([4])));
        order.propose(at(1), 1, Arc::new(both));
        order.propose(at(2), 2, three());
        for member in [1, 2, 3] {
            order.ack(member, at(2));
        }
        assert_eq!(order.take_committed(), None, "the new configuration's quorum lacks the first");
        order.ack(4, at(1));
        assert_eq!((order.take_committed(), order.take_committed()), (Some(at(1)), Some(at(2))));
    }

    #[test]
    fn an_ensemble_of_one_commits_what_it_has_on_disk() {
        let mut order = Broadcast::new(Zxid(7));
        order.propose(Zxid(8), 1, Arc::new(Quorums::one(Quorum::majority(BTreeSet::from([1])))));
        assert_eq!((order.persisted(|_| false), order.take_committed()), (None, None));
        assert_eq!(order.persisted(|ticket| ticket <= 1), Some(Zxid(8)));
        order.ack(1, Zxid(8));
        assert_eq!(order.take_committed(), Some(Zxid(8)));
    }
}
