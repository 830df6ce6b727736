//! Which members are in force, and which were proposed to be next (protocol §5.6). It never knows who is connected.
//!
//! New members come as a transaction, and are the next ones from the moment in which it is in the log: from then on every
//! decision needs a quorum of both. When it is committed they alone are in force. A leader proposes new members only when the
//! ones before are in force, so a second change in the log says that the first is committed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ServerId;
use super::quorum::{Quorum, Quorums};
use crate::wire::Zxid;
use crate::wire::ensemble::{Ensemble, Role};

#[derive(Debug)]
pub(super) struct Members {
    me: ServerId,
    current: Ensemble,
    next: Option<Ensemble>,
    quorums: Arc<Quorums>,
    /// The version of those that the caller knows to be in force.
    told: i64,
}

impl Members {
    /// Those in force when `me` starts.
    pub(super) fn new(me: ServerId, current: Ensemble) -> Self {
        let quorums = Arc::new(Quorums::one(Quorum::of(&current)));
        Members { me, told: current.version, current, next: None, quorums }
    }

    /// `me`, and nobody else ever.
    pub(super) fn alone(me: ServerId) -> Self {
        let quorums = Arc::new(Quorums::one(Quorum::majority(BTreeSet::from([me]))));
        Members { quorums, ..Members::new(me, Ensemble::default()) }
    }

    /// What a decision needs.
    pub(super) fn quorums(&self) -> &Arc<Quorums> {
        &self.quorums
    }

    /// Those in force.
    pub(super) fn current(&self) -> &Ensemble {
        &self.current
    }

    /// The next ones, or else those in force.
    pub(super) fn newest(&self) -> &Ensemble {
        self.next.as_ref().unwrap_or(&self.current)
    }

    /// Whether a change is under way.
    pub(super) fn are_changing(&self) -> bool {
        self.next.is_some()
    }

    /// Whether the transaction is the one that brings in the next members.
    pub(super) fn are_changing_at(&self, zxid: Zxid) -> bool {
        self.next.as_ref().is_some_and(|next| next.version == zxid.0)
    }

    /// Whether this server has a vote by those in force: only then it stands for election.
    pub(super) fn votes(&self) -> bool {
        self.role() == Some(Role::Participant)
    }

    /// Whether this server observes. One that is not listed follows, and what it acknowledges does not count: it may be a
    /// member to come, whose acknowledgement is needed to bring the new members in.
    /// So may an observer that is to vote, whose transaction is in its log already.
    pub(super) fn observes(&self) -> bool {
        self.role() == Some(Role::Observer) && !self.quorums.is_voter(self.me)
    }

    fn role(&self) -> Option<Role> {
        self.current.members.get(&self.me).map(|member| member.role)
    }

    /// Newer members than any known are proposed. Returns whether they are.
    pub(super) fn propose(&mut self, members: Ensemble) -> bool {
        if members.version <= self.newest().version {
            return false;
        }
        if let Some(before) = self.next.replace(members) {
            self.current = before;
        }
        self.recount();
        true
    }

    /// The log ends at `to` now: members that came later were never agreed upon.
    pub(super) fn cut(&mut self, to: Zxid) {
        self.next.take_if(|next| next.version > to.0);
        self.recount();
    }

    /// The log was replaced: what was proposed in it says nothing any more.
    pub(super) fn forget_next(&mut self) {
        self.next = None;
        self.recount();
    }

    /// Others have newer members in force. Returns whether they are newer.
    pub(super) fn adopt(&mut self, members: &Ensemble) -> bool {
        if members.version <= self.current.version {
            return false;
        }
        self.next.take_if(|next| next.version <= members.version);
        self.current = members.clone();
        self.recount();
        true
    }

    /// Everything up to `through` is committed. Returns those that come into force by it.
    pub(super) fn activate(&mut self, through: Zxid) -> Option<&Ensemble> {
        if let Some(next) = self.next.take_if(|next| next.version <= through.0) {
            self.current = next;
            self.recount();
        }
        if self.current.version <= self.told || self.current.version > through.0 {
            return None;
        }
        self.told = self.current.version;
        Some(&self.current)
    }

    fn recount(&mut self) {
        let current = Quorum::of(&self.current);
        self.quorums = Arc::new(match &self.next {
            Some(next) => Quorums::both(current, Quorum::of(next)),
            None => Quorums::one(current),
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn ensemble(ids: &[ServerId], version: i64) -> Ensemble {
        let lines: Vec<String> = ids.iter().map(|id| format!("server.{id}=h{id}:1:2")).collect();
        Ensemble { version, ..lines.join("\n").parse().unwrap() }
    }

    fn decided_by(members: &Members, ids: &[ServerId]) -> bool {
        members.quorums().are_met(|id| ids.contains(&id))
    }

    #[test]
    fn proposed_members_count_beside_those_in_force_until_they_are_committed() {
        let mut members = Members::new(1, ensemble(&[1, 2, 3], 0));
        assert!(members.propose(ensemble(&[3, 4, 5], 7)) && members.are_changing());
        assert!(!decided_by(&members, &[1, 2]) && !decided_by(&members, &[4, 5]) && decided_by(&members, &[2, 3, 4]));
        assert_eq!(members.activate(Zxid(6)), None);
        assert_eq!(members.activate(Zxid(7)).map(|now| now.version), Some(7));
        assert!(decided_by(&members, &[4, 5]) && !members.votes());
        assert_eq!(members.activate(Zxid(8)), None, "the caller is told once");
    }

    #[test]
    fn proposed_members_that_are_cut_off_count_no_more() {
        let mut members = Members::new(1, ensemble(&[1, 2, 3], 0));
        members.propose(ensemble(&[3, 4, 5], 7));
        members.cut(Zxid(6));
        assert!(decided_by(&members, &[1, 2]) && !members.are_changing());
    }

    #[test]
    fn a_second_change_says_that_the_first_is_committed() {
        let mut members = Members::new(1, ensemble(&[1, 2, 3], 0));
        members.propose(ensemble(&[4, 5, 6], 7));
        members.propose(ensemble(&[7, 8, 9], 9));
        assert!(decided_by(&members, &[4, 5, 7, 8]), "the first members decide nothing any more");
        assert_eq!(members.activate(Zxid(8)).map(|now| now.version), Some(7));
        assert_eq!(members.activate(Zxid(9)).map(|now| now.version), Some(9));
    }

    #[test]
    fn members_that_others_have_in_force_are_adopted_when_newer() {
        let mut members = Members::new(1, ensemble(&[1, 2, 3], 5));
        members.propose(ensemble(&[1, 2], 7));
        assert!(!members.adopt(&ensemble(&[4], 5)));
        assert!(members.adopt(&ensemble(&[4], 8)) && !members.are_changing() && decided_by(&members, &[4]));
    }
}
