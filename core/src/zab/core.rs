//! What all roles of a member share: its epochs, its log, its disk's queue and what it wants done. It decides nothing.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::committed_log::{Entry, RecentLog};
use super::epoch::Epochs;
use super::members::Members;
use super::{Config, LinkId, Output, Ticket, Write};
use crate::wire::Zxid;
use crate::wire::ensemble::Ensemble;
use crate::wire::quorum::{Packet, Touch};

/// How many touched sessions are kept between two PINGs.
const TOUCHES_AT_MOST: usize = 100_000;

#[derive(Debug)]
pub(super) struct Core {
    pub(super) config: Config,
    pub(super) members: Members,
    /// Whether other members than before are in force, since this was looked at last.
    pub(super) members_changed: bool,
    pub(super) epochs: Epochs,
    pub(super) log: RecentLog,
    pub(super) outputs: VecDeque<Output>,
    issued: Ticket,
    persisted: Ticket,
    touches: BTreeMap<i64, i32>,
}

impl Core {
    pub(super) fn new(config: Config, members: Members, epochs: Epochs, log: RecentLog) -> Self {
        Core {
            config,
            members,
            members_changed: false,
            epochs,
            log,
            outputs: VecDeque::new(),
            issued: 0,
            persisted: 0,
            touches: BTreeMap::new(),
        }
    }

    pub(super) fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn send(&mut self, link: LinkId, packet: Packet) {
        self.outputs.push_back(Output::Send { link, packet });
    }

    fn persist(&mut self, write: Write) -> Ticket {
        self.issued += 1;
        self.outputs.push_back(Output::Persist { ticket: self.issued, write });
        self.issued
    }

    /// Promises an epoch. The promise may be told when the ticket is persisted.
    pub(super) fn promise(&mut self, epoch: u32) -> Ticket {
        self.epochs.promise(epoch);
        self.persist(Write::AcceptedEpoch(epoch))
    }

    /// The log now is the history with which the leader of `epoch` began.
    pub(super) fn take_over(&mut self, epoch: u32) -> Ticket {
        if epoch == self.epochs.current() {
            return self.issued;
        }
        self.epochs.take_over(epoch);
        self.persist(Write::CurrentEpoch(epoch))
    }

    pub(super) fn append(&mut self, zxid: Zxid, payload: Bytes) -> Ticket {
        self.log.push(Entry { zxid, payload: payload.clone() });
        if let Some(members) = self.members_in(zxid, &payload) {
            self.propose_members(members);
        }
        self.persist(Write::Append { zxid, payload })
    }

    pub(super) fn truncate(&mut self, to: Zxid) {
        self.log.truncate(to);
        self.members.cut(to);
        self.persist(Write::Truncate { to });
    }

    /// The log is replaced by a snapshot, which shows these members.
    pub(super) fn install_snapshot(&mut self, link: LinkId, zxid: Zxid, members: Option<Ensemble>) {
        self.log.reset(zxid);
        self.members.forget_next();
        if let Some(members) = members {
            self.propose_members(members);
        }
        self.persist(Write::InstallSnapshot { link, zxid });
    }

    /// Everything up to `zxid` is committed: gives the caller what it has not got yet, and returns it.
    pub(super) fn commit(&mut self, zxid: Zxid) -> Vec<Entry> {
        let fresh = self.log.commit(zxid);
        for Entry { zxid, payload } in fresh.iter().cloned() {
            self.outputs.push_back(Output::Committed { zxid, payload });
        }
        self.activate_members(self.log.committed());
        fresh
    }

    /// The members that a payload proposes.
    pub(super) fn members_in(&self, zxid: Zxid, payload: &Bytes) -> Option<Ensemble> {
        let members = self.config.read_members?(payload)?;
        Some(Ensemble { version: zxid.0, ..members })
    }

    /// These members are in the log, or the leader has them in its own.
    pub(super) fn propose_members(&mut self, members: Ensemble) {
        if self.members.propose(members.clone()) {
            // That there is a second change says that the first is committed, and no start may forget it.
            self.activate_members(Zxid(self.members.current().version));
            self.outputs.push_back(Output::MembersProposed(members));
        }
    }

    /// What the log and the state say of members, after a start.
    pub(super) fn recover_members(&mut self) {
        let in_log = self.log.after(self.log.base()).filter_map(|e| self.members_in(e.zxid, &e.payload));
        let mut known: Vec<_> = in_log.chain(self.config.next_ensemble.clone()).collect();
        known.sort_by_key(|members| members.version);
        for members in known {
            self.propose_members(members);
        }
    }

    /// What was proposed up to `through` is in force.
    pub(super) fn activate_members(&mut self, through: Zxid) {
        if let Some(members) = self.members.activate(through).cloned() {
            tracing::info!(version = members.version, members = members.members.len(), "other members are in force");
            self.members_changed = true;
            self.outputs.push_back(Output::Activated(members));
        }
    }

    /// Others have these members in force; returns whether they are newer.
    pub(super) fn adopt_members(&mut self, members: &Ensemble) -> bool {
        let newer = self.members.adopt(members);
        if newer {
            self.activate_members(Zxid(members.version));
        }
        newer
    }

    /// The newest change of the disk that was asked for.
    pub(super) fn last_ticket(&self) -> Ticket {
        self.issued
    }

    pub(super) fn is_persisted(&self, ticket: Ticket) -> bool {
        ticket <= self.persisted
    }

    pub(super) fn persisted(&mut self, through: Ticket) {
        self.persisted = self.persisted.max(through.min(self.issued));
    }

    pub(super) fn touch(&mut self, touches: Vec<Touch>) {
        for Touch { session, timeout_ms } in touches {
            // A touch that does not fit is lost, as one in a lost packet would be; the next comes with the session's next ping.
            if self.touches.len() < TOUCHES_AT_MOST || self.touches.contains_key(&session) {
                self.touches.insert(session, timeout_ms);
            }
        }
    }

    pub(super) fn take_touches(&mut self) -> Vec<Touch> {
        std::mem::take(&mut self.touches)
            .into_iter()
            .map(|(session, timeout_ms)| Touch { session, timeout_ms })
            .collect()
    }
}
