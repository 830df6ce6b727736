//! A member under a leader: connect, agree on the epoch, take over the history, then follow or observe (protocol §5.4–§5.9).
//! It never knows whether the leader is of its own software.

mod broadcast;
mod discovery;
mod synchronization;

pub(super) use synchronization::members_of;

use std::collections::VecDeque;

use super::core::Core;
use super::{LinkId, Output, Quit, Role, ServerId, Ticket};
use crate::wire::Zxid;
use crate::wire::ensemble::Ensemble;
use crate::wire::quorum::{ForwardedRequest, Packet};

/// The first and the longest pause before the leader is dialled again, in milliseconds. Between them each is twice the last.
const REDIAL_MS: u64 = 5;
const REDIAL_AT_MOST_MS: u64 = 100;
/// How often it is dialled: for half a second. A leader of the reference listens 200 ms after its last vote.
const DIALS: u32 = 9;
/// And how often when its election port does not answer either.
const DIALS_OF_GONE: u32 = 3;

/// How far this learner has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Dialling.
    Connecting { again_at_ms: Option<u64> },
    /// It has said who it is.
    Registered,
    /// The leader's epoch is being written down; when it counts for the first time, with a vote for it.
    Promising { ticket: Ticket, counts: bool },
    /// The promise is given.
    Promised,
    /// A snapshot is arriving.
    Loading { zxid: Zxid },
    /// The log is becoming the beginning of the leader's.
    Syncing,
    /// It is, and that is being written down.
    TakingOver { ticket: Ticket },
    /// The leader knows.
    Ready,
    /// The leader's history is committed: this member serves.
    Active,
}

/// A transaction to acknowledge when it is on disk.
#[derive(Debug, Clone, Copy)]
struct Pending {
    zxid: Zxid,
    ticket: Ticket,
}

#[derive(Debug)]
pub(super) struct Learner {
    leader: ServerId,
    observer: bool,
    link: Option<LinkId>,
    stage: Stage,
    dials: u32,
    serving: bool,
    /// The reign that was agreed upon.
    epoch: u32,
    /// Up to here the log is known to be the beginning of the leader's.
    matched: Zxid,
    /// Up to here the leader calls it committed; delivered once this member is active.
    committed: Zxid,
    to_ack: VecDeque<Pending>,
    silent_at_ms: u64,
    /// The members that the snapshot on its way shows.
    snapshot_members: Option<Ensemble>,
    /// Who leads since other members came into force.
    pub(super) designated: Option<ServerId>,
}

impl Learner {
    pub(super) fn new(core: &mut Core, now_ms: u64, leader: ServerId) -> Self {
        core.emit(Output::Connect { leader });
        Learner {
            leader,
            observer: core.members.observes(),
            link: None,
            stage: Stage::Connecting { again_at_ms: None },
            dials: 1,
            serving: false,
            epoch: 0,
            matched: core.log.last(),
            committed: Zxid::ZERO,
            to_ack: VecDeque::new(),
            silent_at_ms: now_ms + core.config.init_ms(),
            snapshot_members: None,
            designated: None,
        }
    }

    /// Whom to follow anew, when other members have come into force: another leader, or the same in another role.
    pub(super) fn handover(&self, core: &Core) -> Option<ServerId> {
        let other_leader = self.designated.filter(|designated| *designated != self.leader);
        let other_role = self.observer != core.members.observes();
        other_leader.or_else(|| other_role.then_some(self.leader))
    }

    /// Whether it serves.
    pub(super) fn is_serving(&self) -> bool {
        self.serving
    }

    /// Whom it follows.
    pub(super) fn leader(&self) -> ServerId {
        self.leader
    }

    /// The link to the leader, when there is one.
    pub(super) fn link(&self) -> Option<LinkId> {
        self.link
    }

    pub(super) fn connected(&mut self, core: &mut Core, now_ms: u64, link: LinkId, leader: ServerId) {
        if leader != self.leader || self.link.is_some() {
            core.emit(Output::Disconnect { link });
            return;
        }
        self.link = Some(link);
        self.heard(core, now_ms);
        self.register(core, link);
    }

    /// The leader did not take the call. `gone`: its election port does not answer either.
    pub(super) fn connect_failed(&mut self, now_ms: u64, leader: ServerId, gone: bool) -> Result<(), Quit> {
        match self.stage {
            Stage::Connecting { .. } if leader == self.leader => self.dial_later(now_ms, gone, Quit::Unreachable),
            _ => Ok(()),
        }
    }

    pub(super) fn link_closed(&mut self, now_ms: u64, link: LinkId, gone: bool) -> Result<(), Quit> {
        if self.link != Some(link) {
            return Ok(());
        }
        if self.stage != Stage::Registered {
            return Err(Quit::LinkClosed);
        }
        // The leader may not know yet that it leads.
        self.link = None;
        self.dial_later(now_ms, gone, Quit::LinkClosed)
    }

    fn dial_later(&mut self, now_ms: u64, gone: bool, otherwise: Quit) -> Result<(), Quit> {
        if self.dials >= if gone { DIALS_OF_GONE } else { DIALS } {
            return Err(otherwise);
        }
        let pause = (REDIAL_MS << (self.dials - 1)).min(REDIAL_AT_MOST_MS);
        self.stage = Stage::Connecting { again_at_ms: Some(now_ms + pause) };
        Ok(())
    }

    /// The leader lives.
    pub(super) fn heard(&mut self, core: &Core, now_ms: u64) {
        let patient = !matches!(self.stage, Stage::Ready | Stage::Active);
        self.silent_at_ms = now_ms + if patient { core.config.init_ms() } else { core.config.sync_ms() };
    }

    pub(super) fn packet(&mut self, core: &mut Core, now_ms: u64, link: LinkId, packet: Packet) -> Result<(), Quit> {
        if self.link != Some(link) {
            return Ok(());
        }
        self.heard(core, now_ms);
        match self.stage {
            Stage::Registered => self.leader_info(core, &packet),
            Stage::Promised => self.begin_sync(core, &packet),
            Stage::Syncing | Stage::TakingOver { .. } | Stage::Ready => self.sync(core, packet),
            Stage::Active => self.follow(core, packet),
            Stage::Connecting { .. } | Stage::Promising { .. } | Stage::Loading { .. } => {
                Err(Quit::Unexpected(packet.kind()))
            }
        }?;
        // Which of the two limits holds depends on the stage that the packet has led to.
        self.heard(core, now_ms);
        Ok(())
    }

    /// The disk has come further.
    pub(super) fn persisted(&mut self, core: &mut Core) {
        match self.stage {
            Stage::Promising { ticket, counts } if core.is_persisted(ticket) => self.promised(core, counts),
            Stage::TakingOver { ticket } if core.is_persisted(ticket) => self.taken_over(core),
            Stage::Active => self.acknowledge(core),
            _ => {}
        }
    }

    pub(super) fn due_ms(&self) -> u64 {
        match self.stage {
            Stage::Connecting { again_at_ms: Some(again) } => again.min(self.silent_at_ms),
            _ => self.silent_at_ms,
        }
    }

    pub(super) fn tick(&mut self, core: &mut Core, now_ms: u64) -> Result<(), Quit> {
        if now_ms >= self.silent_at_ms {
            return Err(Quit::LeaderSilent);
        }
        if let Stage::Connecting { again_at_ms: Some(again) } = self.stage
            && now_ms >= again
        {
            self.dials += 1;
            self.stage = Stage::Connecting { again_at_ms: None };
            core.emit(Output::Connect { leader: self.leader });
        }
        Ok(())
    }

    /// Passes a client's request on; without a leader to serve under it is lost.
    pub(super) fn forward(&self, core: &mut Core, request: ForwardedRequest) {
        self.tell_leader(core, Packet::Request(request));
    }

    pub(super) fn revalidate(&self, core: &mut Core, session: i64, timeout_ms: i32) {
        self.tell_leader(core, Packet::Revalidate { session, timeout_ms });
    }

    fn tell_leader(&self, core: &mut Core, packet: Packet) {
        if let (Stage::Active, Some(link)) = (self.stage, self.link) {
            core.send(link, packet);
        }
    }

    fn role(&self) -> Role {
        let (leader, epoch) = (self.leader, self.epoch);
        if self.observer { Role::Observing { leader, epoch } } else { Role::Following { leader, epoch } }
    }
}
