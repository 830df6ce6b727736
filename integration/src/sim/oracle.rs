//! What must always hold, checked at every step by somebody who sees all members and all disks at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use menagerie_core::wire::Zxid;
use menagerie_core::zab::Quorum;

use super::disk::Txn;
use super::member::Member;
use super::members;
use super::network::MemberIndex;

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When, in milliseconds of virtual time.
    pub at_ms: u64,
    /// Which promise, in one word.
    pub promise: &'static str,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} ms: {}", self.promise, self.at_ms, self.what)
    }
}

impl std::error::Error for Violation {}

/// Everything that was ever promised.
#[derive(Debug)]
pub struct Oracle {
    /// Of those whom the last committed change has brought in.
    quorum: Quorum,
    /// How many changes of members are committed.
    changes: usize,
    /// The one order of committed transactions.
    chosen: Vec<Txn>,
    proposed: BTreeMap<Zxid, bytes::Bytes>,
    reigns: BTreeMap<u32, MemberIndex>,
    promises: BTreeSet<(MemberIndex, u32)>,
}

impl Oracle {
    /// For an ensemble with these quorums.
    pub fn new(quorum: Quorum) -> Self {
        let (chosen, proposed, reigns, promises) = Default::default();
        Oracle { quorum, changes: 0, chosen, proposed, reigns, promises }
    }

    /// How many transactions are committed.
    pub fn chosen(&self) -> usize {
        self.chosen.len()
    }

    /// How many changes of members are committed.
    pub fn changes(&self) -> usize {
        self.changes
    }

    /// How many reigns began.
    pub fn reigns(&self) -> usize {
        self.reigns.len()
    }

    /// A leader proposes. No zxid is given twice, and each follows the one before it in its reign.
    pub fn proposed(&mut self, at_ms: u64, zxid: Zxid, payload: bytes::Bytes) -> Result<(), Violation> {
        let reign = Zxid::new(zxid.epoch(), 0)..Zxid::new(zxid.epoch() + 1, 0);
        let last = self.proposed.range(reign).next_back().map_or(0, |(last, _)| last.counter());
        if self.proposed.insert(zxid, payload).is_some() {
            return broken(at_ms, "primary order", format!("{zxid} was given twice"));
        }
        if zxid.counter() != last + 1 {
            return broken(at_ms, "primary order", format!("{zxid} was proposed after counter {last}"));
        }
        Ok(())
    }

    /// A member counts itself for an epoch. It does so once for each, and they rise.
    pub fn promised(&mut self, at_ms: u64, member: MemberIndex, epoch: u32) -> Result<(), Violation> {
        let higher = self.promises.range((member, epoch)..).next().filter(|(who, _)| *who == member);
        if let Some((_, before)) = higher {
            let what = format!("member {member} promised epoch {epoch} after epoch {before}");
            return broken(at_ms, "epochs rise", what);
        }
        self.promises.insert((member, epoch));
        Ok(())
    }

    /// A reign begins. There is one leader for an epoch, and it has everything that was committed before its epoch. A leader
    /// that has been surpassed and does not know it yet may still begin: whom it counts has promised more since, so it commits
    /// nothing.
    pub fn leads(&mut self, at_ms: u64, members: &[Member], at: MemberIndex, epoch: u32) -> Result<(), Violation> {
        if let Some(other) = self.reigns.insert(epoch, at) {
            return broken(at_ms, "one leader", format!("members {other} and {at} lead epoch {epoch}"));
        }
        let before = self.chosen.partition_point(|(zxid, _)| zxid.epoch() < epoch);
        let has = members[at].state().len();
        if has < before {
            let what =
                format!("member {at} leads epoch {epoch} with {has} of {before} transactions committed before it");
            return broken(at_ms, "committed survive", what);
        }
        self.agrees(at_ms, members, at)
    }

    /// A member's state is the beginning of the one order; what goes beyond it is committed by that, and must be safe.
    pub fn agrees(&mut self, at_ms: u64, members: &[Member], at: MemberIndex) -> Result<(), Violation> {
        let state = members[at].state();
        for (index, txn) in state.iter().enumerate().skip(members[at].verified()) {
            match self.chosen.get(index) {
                Some(chosen) if chosen == txn => {}
                Some(chosen) => {
                    let what = format!("member {at} has {} as number {index}, not {}", txn.0, chosen.0);
                    return broken(at_ms, "agreement", what);
                }
                None => self.choose(at_ms, members, at, txn.clone())?,
            }
        }
        Ok(())
    }

    fn choose(&mut self, at_ms: u64, members: &[Member], at: MemberIndex, txn: Txn) -> Result<(), Violation> {
        let (zxid, payload) = &txn;
        if self.proposed.get(zxid) != Some(payload) {
            return broken(at_ms, "integrity", format!("member {at} commits {zxid}, which nobody proposed so"));
        }
        if self.chosen.last().is_some_and(|(last, _)| last >= zxid) {
            return broken(at_ms, "total order", format!("member {at} commits {zxid} late"));
        }
        let safe = |id: i64| members.iter().any(|member| member.id() == id && member.disk().has(&txn));
        // A change of members needs quorums of both; what comes after it, of the new ones.
        let next = members::brought_in_by(*zxid, payload).map(|members| Quorum::of(&members));
        if !self.quorum.is_met(safe) || next.as_ref().is_some_and(|next| !next.is_met(safe)) {
            let what = format!("member {at} commits {zxid}, which is not on a quorum's disks");
            return broken(at_ms, "durability", what);
        }
        if let Some(next) = next {
            self.quorum = next;
            self.changes += 1;
        }
        self.chosen.push(txn);
        Ok(())
    }
}

fn broken(at_ms: u64, promise: &'static str, what: String) -> Result<(), Violation> {
    Err(Violation { at_ms, promise, what })
}
