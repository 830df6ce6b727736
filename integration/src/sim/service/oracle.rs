//! What must hold at every step, seen by somebody who sees all members and all disks at once: one order of transactions, each on a
//! quorum's disks when it is shown to anybody, and equal trees and sessions at equal zxids.

use std::collections::{BTreeMap, BTreeSet};

use menagerie_core::jute::Decode;
use menagerie_core::tree::DataTree;
use menagerie_core::wire::Zxid;
use menagerie_core::wire::txn::{Txn as Change, TxnRecord};
use menagerie_core::zab::Quorum;

use super::Violation;
use super::member::{Member, brought_in_by, last_of};
use crate::sim::disk::Txn;
use crate::sim::network::MemberIndex;

/// Everything that was ever promised.
#[derive(Debug)]
pub struct Oracle {
    quorum: Quorum,
    chosen: Vec<Txn>,
    records: Vec<TxnRecord>,
    /// The digest of the tree after each of them.
    digests: Vec<u64>,
    tree: DataTree,
    sessions: BTreeMap<i64, i32>,
    /// The sessions that clients were told of.
    given: BTreeSet<i64>,
    reigns: BTreeMap<u32, MemberIndex>,
    changes: usize,
}

impl Oracle {
    /// For an ensemble with these quorums.
    pub fn new(quorum: Quorum) -> Self {
        let (chosen, records, digests, sessions, given, reigns) = Default::default();
        Oracle { quorum, chosen, records, digests, tree: DataTree::new(), sessions, given, reigns, changes: 0 }
    }

    /// The committed transactions.
    pub fn records(&self) -> &[TxnRecord] {
        &self.records
    }

    /// How many changes of members are committed.
    pub fn changes(&self) -> usize {
        self.changes
    }

    /// How many reigns began.
    pub fn reigns(&self) -> usize {
        self.reigns.len()
    }

    /// The last committed transaction.
    pub fn last(&self) -> Zxid {
        last_of(&self.chosen)
    }

    /// The sessions that live after all of them.
    pub fn sessions(&self) -> &BTreeMap<i64, i32> {
        &self.sessions
    }

    /// A reign begins: there is one leader for an epoch.
    pub fn leads(&mut self, at_ms: u64, at: MemberIndex, epoch: u32) -> Result<(), Violation> {
        match self.reigns.insert(epoch, at) {
            Some(other) => broken(at_ms, "one leader", format!("members {other} and {at} lead epoch {epoch}")),
            None => Ok(()),
        }
    }

    /// A member has welcomed a client. A new session is new; one that is resumed lives, as far as this member knows.
    pub fn welcomed(&mut self, at_ms: u64, member: &Member, session: i64, resumed: bool) -> Result<(), Violation> {
        let id = member.id;
        if !resumed && !self.given.insert(session) {
            return broken(at_ms, "sessions are unique", format!("member {id} gives 0x{session:x}, which exists"));
        }
        let lives = member.running.as_ref().is_some_and(|running| running.shared.sessions().contains_key(&session));
        if lives {
            return Ok(());
        }
        broken(at_ms, "sessions end once", format!("member {id} welcomes 0x{session:x}, which has ended"))
    }

    /// What a member that serves has applied is the beginning of the one order, and its state is what that leads to. Returns
    /// from where on transactions are new in the order.
    pub fn verify(&mut self, at_ms: u64, members: &mut [Member], at: MemberIndex) -> Result<usize, Violation> {
        let before = self.chosen.len();
        let Some(running) = members[at].running.as_ref() else { return Ok(before) };
        let (has, verified) = (running.applied().len(), running.verified);
        for index in verified..has {
            let txn = &members[at].running.as_ref().map(|running| running.log[index].clone());
            let Some(txn) = txn else { break };
            match self.chosen.get(index) {
                Some(chosen) if chosen == txn => {}
                Some(chosen) => {
                    let what = format!("member {at} has {} as number {index}, not {}", txn.0, chosen.0);
                    return broken(at_ms, "agreement", what);
                }
                None => self.choose(at_ms, members, at, txn)?,
            }
        }
        let Some(running) = members[at].running.as_mut() else { return Ok(before) };
        running.verified = has;
        let digest = running.shared.tree().digest();
        let must_be = has.checked_sub(1).map_or_else(|| DataTree::new().digest(), |last| self.digests[last]);
        if digest != must_be {
            let what = format!("member {at} has another tree than others at {}", running.shared.tree().last_zxid());
            return broken(at_ms, "equal trees", what);
        }
        if has == self.chosen.len() && running.shared.sessions() != self.sessions {
            let what = format!("member {at} knows {:x?}, not {:x?}", running.shared.sessions(), self.sessions);
            return broken(at_ms, "equal sessions", what);
        }
        Ok(before)
    }

    fn choose(&mut self, at_ms: u64, members: &[Member], at: MemberIndex, txn: &Txn) -> Result<(), Violation> {
        let (zxid, payload) = txn;
        if self.chosen.last().is_some_and(|(last, _)| last >= zxid) {
            return broken(at_ms, "total order", format!("member {at} commits {zxid} late"));
        }
        let safe = |id: i64| members.iter().any(|member| member.id == id && member.disk.has(txn));
        // A change of members needs quorums of both; what comes after it, of the new ones.
        let next = brought_in_by(txn).map(|members| Quorum::of(&members));
        if !self.quorum.is_met(safe) || next.as_ref().is_some_and(|next| !next.is_met(safe)) {
            let what = format!("member {at} commits {zxid}, which is not on a quorum's disks");
            return broken(at_ms, "durability", what);
        }
        let record = TxnRecord::from_bytes(payload);
        let record = record.map_err(|error| Violation { at_ms, promise: "readable", what: error.to_string() })?;
        match &record.txn {
            Change::CreateSession { timeout_ms } => {
                self.sessions.insert(record.header.client_id, *timeout_ms);
            }
            Change::CloseSession { .. } => {
                self.sessions.remove(&record.header.client_id);
            }
            _ => {}
        }
        self.tree.apply(&record.header, &record.txn, &mut Vec::new());
        if let Some(digest) = &record.digest
            && digest.tree_digest as u64 != self.tree.digest()
        {
            return broken(at_ms, "foreseen digest", format!("{zxid} leads to another tree than was foreseen"));
        }
        if let Some(next) = next {
            self.quorum = next;
            self.changes += 1;
        }
        self.digests.push(self.tree.digest());
        self.records.push(record);
        self.chosen.push(txn.clone());
        Ok(())
    }
}

/// A broken promise.
pub fn broken<T>(at_ms: u64, promise: &'static str, what: String) -> Result<T, Violation> {
    Err(Violation { at_ms, promise, what })
}
