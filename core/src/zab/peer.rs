//! One member: it looks for a leader, leads, or learns. This file switches between the three and hands inputs on.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::committed_log::RecentLog;
use super::core::Core;
use super::election::{Election, Vote};
use super::epoch::{EpochError, Epochs, HIGHEST_EPOCH};
use super::leader::Leader;
use super::learner::Learner;
use super::members::Members;
use super::resign::Resignation;
use super::{Config, Input, LinkId, Output, ProposeError, Quit, Role, ServerId, Standing, invariants};
use crate::wire::Zxid;
use crate::wire::ensemble::Ensemble;
use crate::wire::quorum::{Packet, ServerState};

/// The first and the longest pause before a role that ended before it served is tried again, in milliseconds. Between them each
/// is twice the last.
const RETRY_MS: u64 = 10;
const RETRY_AT_MOST_MS: u64 = 160;
/// How many learners may wait for this server to be elected.
const EARLY_AT_MOST: usize = 64;

/// What a member found on its disk: all of it is synced, and applied to its state.
#[derive(Debug)]
pub struct Recovered {
    /// The epochs.
    pub epochs: Epochs,
    /// The end of the log.
    pub log: RecentLog,
}

#[derive(Debug)]
pub(super) enum State {
    Looking,
    Leading(Box<Leader>),
    Learning(Box<Learner>),
}

/// One member of an ensemble.
#[derive(Debug)]
pub struct Peer {
    pub(super) core: Core,
    election: Election,
    pub(super) state: State,
    pub(super) resignation: Resignation,
    /// Learners that dialled before this server knew whether it leads, with what they said first.
    pub(super) early: BTreeMap<LinkId, Option<Packet>>,
    /// How many roles in a row ended before they served.
    fruitless: u32,
}

impl Peer {
    /// A member that begins to look for a leader.
    ///
    /// # Errors
    /// [`EpochError`] when its files cannot be of one moment.
    pub fn new(config: Config, recovered: Recovered, now_ms: u64) -> Result<Self, EpochError> {
        let Recovered { epochs, log } = recovered;
        if epochs.accepted() >= HIGHEST_EPOCH {
            return Err(EpochError::UsedUp { accepted: epochs.accepted() });
        }
        if log.last().epoch() > epochs.accepted() {
            return Err(EpochError::LogAboveAccepted { last: log.last(), accepted: epochs.accepted() });
        }
        let members = Members::new(config.server_id, config.ensemble.clone());
        let mut core = Core::new(config, members, epochs, log);
        core.recover_members();
        let mut peer = Self::looking(core);
        peer.look(now_ms, now_ms);
        Ok(peer)
    }

    /// A standalone server: the only member there is, which leads from the start and continues the order after `last`, the
    /// last transaction in its log. It has no epochs to agree upon and never quits.
    pub fn standalone(server_id: ServerId, last: Zxid, now_ms: u64) -> Self {
        let config = Config::new(server_id, Ensemble::default());
        let alone = Members::alone(server_id);
        // Nobody will ever have to be brought up to date.
        let log = RecentLog::new(last, Vec::new(), 0, 0);
        let mut peer = Self::looking(Core::new(config, alone, Epochs::default(), log));
        peer.state = State::Leading(Box::new(Leader::standalone(&peer.core, now_ms)));
        peer
    }

    fn looking(core: Core) -> Self {
        let election = Election::new(&core.config, &core.members);
        let (state, resignation) = (State::Looking, Resignation::None);
        Peer { core, election, state, resignation, early: BTreeMap::new(), fruitless: 0 }
    }

    /// Takes one input. What is to be done then comes from [`Peer::poll_output`].
    pub fn handle(&mut self, now_ms: u64, input: Input) {
        if self.resignation == Resignation::Gone {
            return;
        }
        if let Err(why) = self.take(now_ms, input) {
            self.quit(now_ms, why);
        }
        self.heed_members(now_ms);
        self.conclude_resignation(now_ms);
        self.conclude_election(now_ms);
        invariants::check(&self.core);
    }

    /// The next thing to do, in order; `None` when there is nothing more.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.core.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due, in milliseconds.
    pub fn poll_timeout(&self) -> u64 {
        let due = match &self.state {
            State::Looking => self.election.due_ms(),
            State::Leading(leader) => leader.due_ms(),
            State::Learning(learner) => learner.due_ms(),
        };
        match self.resignation {
            Resignation::None => due,
            Resignation::Going { until_ms } => due.min(until_ms),
            Resignation::Gone => u64::MAX,
        }
    }

    /// Puts a payload at the end of the order and returns its zxid, [`Peer::next_zxid`] from before the call. It comes back
    /// as [`Output::Committed`], unless this member stops leading first; then nobody knows yet whether it ever will.
    ///
    /// # Errors
    /// [`ProposeError::NotLeading`]; also when the counter of the epoch is used up, which ends this reign, and after
    /// [`Input::Resign`].
    pub fn propose(&mut self, now_ms: u64, payload: &Bytes) -> Result<Zxid, ProposeError> {
        if self.resignation != Resignation::None {
            return Err(ProposeError::NotLeading);
        }
        let State::Leading(leader) = &mut self.state else { return Err(ProposeError::NotLeading) };
        if leader.is_reigning() && leader.counter_is_used_up() {
            self.quit(now_ms, Quit::CounterUsedUp);
            return Err(ProposeError::NotLeading);
        }
        if let Some(members) = self.core.members_in(leader.next_zxid(), payload) {
            leader.may_change_members(&self.core, &members)?;
        }
        leader.propose(&mut self.core, now_ms, payload)
    }

    /// Whether a change to `members` may be proposed now: no other is under way, and a quorum of them follows.
    ///
    /// # Errors
    /// [`ProposeError`], which [`Peer::propose`] would give as well.
    pub fn may_change_members(&self, members: &Ensemble) -> Result<(), ProposeError> {
        match &self.state {
            State::Leading(leader) => leader.may_change_members(&self.core, members),
            _ => Err(ProposeError::NotLeading),
        }
    }

    /// The members in force.
    pub fn members(&self) -> &Ensemble {
        self.core.members.current()
    }

    /// The zxid of the next proposal; of use only while this member leads.
    pub fn next_zxid(&self) -> Zxid {
        self.last_proposed().next()
    }

    /// The zxid of the newest proposal of this leader; of the last transaction in the log when it does not lead.
    pub fn last_proposed(&self) -> Zxid {
        match &self.state {
            State::Leading(leader) if leader.is_reigning() => leader.last_proposed(),
            _ => self.core.log.last(),
        }
    }

    /// Number of proposals of this leader that are not committed.
    pub fn outstanding(&self) -> usize {
        match &self.state {
            State::Leading(leader) => leader.outstanding(),
            _ => 0,
        }
    }

    /// Where a leader's learners stand; `None` for anybody else.
    pub fn standing(&self) -> Option<Standing> {
        match &self.state {
            State::Leading(leader) => Some(leader.standing(|id| self.core.members.quorums().is_voter(id))),
            State::Looking | State::Learning(_) => None,
        }
    }

    /// The promised and the current epoch.
    pub fn epochs(&self) -> Epochs {
        self.core.epochs
    }

    /// The end of the log.
    pub fn log(&self) -> &RecentLog {
        &self.core.log
    }

    /// What this member tells others that it is doing.
    pub fn server_state(&self) -> ServerState {
        match &self.state {
            State::Looking => ServerState::Looking,
            State::Leading(_) => ServerState::Leading,
            State::Learning(_) if self.core.members.observes() => ServerState::Observing,
            State::Learning(_) => ServerState::Following,
        }
    }

    fn take(&mut self, now_ms: u64, input: Input) -> Result<(), Quit> {
        let state = self.server_state();
        match input {
            Input::Tick => self.tick(now_ms),
            Input::Resign => {
                self.resign(now_ms);
                Ok(())
            }
            Input::Persisted { through } => {
                self.core.persisted(through);
                match &mut self.state {
                    State::Looking => {}
                    State::Leading(leader) => leader.persisted(&mut self.core, now_ms),
                    State::Learning(learner) => learner.persisted(&mut self.core),
                }
                self.note_established();
                Ok(())
            }
            Input::Notification { from, notification } => {
                self.adopt_members(now_ms, &notification.config);
                self.election.notification(now_ms, state, from, &notification, &mut self.core.outputs);
                match &mut self.state {
                    State::Leading(leader) if self.election.is_later_search(&notification) => {
                        leader.deserted(&self.core, from)
                    }
                    _ => Ok(()),
                }
            }
            Input::ElectionLinkUp { peer } => {
                self.election.link_up(now_ms, state, peer, &mut self.core.outputs);
                Ok(())
            }
            Input::ElectionLinkDown { peer } => {
                self.election.link_down(now_ms, peer);
                Ok(())
            }
            Input::Accepted { link } => {
                self.accepted(now_ms, link);
                Ok(())
            }
            Input::Packet { link, packet } => self.packet(now_ms, link, packet),
            Input::LinkClosed { link } => {
                self.early.remove(&link);
                match &mut self.state {
                    State::Looking => Ok(()),
                    State::Leading(leader) => {
                        leader.link_closed(link);
                        Ok(())
                    }
                    State::Learning(learner) => {
                        let gone = self.election.is_gone(learner.leader());
                        learner.link_closed(now_ms, link, gone)
                    }
                }
            }
            Input::Connected { link, leader } => {
                match &mut self.state {
                    State::Learning(learner) => learner.connected(&mut self.core, now_ms, link, leader),
                    _ => self.core.emit(Output::Disconnect { link }),
                }
                Ok(())
            }
            other => self.take_for_role(now_ms, other),
        }
    }

    /// What only the one role or the other has a use for; elsewhere it comes too late and says nothing.
    fn take_for_role(&mut self, now_ms: u64, input: Input) -> Result<(), Quit> {
        match (&mut self.state, input) {
            (_, Input::Touched(touches)) => self.core.touch(touches),
            (State::Learning(learner), Input::ConnectFailed { leader }) => {
                learner.connect_failed(now_ms, leader, self.election.is_gone(leader))?;
            }
            (State::Learning(learner), Input::Heard { link }) if learner.link() == Some(link) => {
                learner.heard(&self.core, now_ms);
            }
            (State::Leading(leader), Input::Heard { link }) => leader.heard(&self.core, now_ms, link),
            (State::Learning(learner), Input::SnapshotReceived { link }) => {
                learner.snapshot_received(&mut self.core, link)?;
            }
            (State::Learning(learner), Input::SnapshotMembers { link, members }) => {
                learner.snapshot_members(link, members);
            }
            (State::Learning(learner), Input::Forward(request)) => learner.forward(&mut self.core, request),
            (State::Learning(learner), Input::Revalidate { session, timeout_ms }) => {
                learner.revalidate(&mut self.core, session, timeout_ms);
            }
            (State::Leading(leader), Input::SessionRevalidated { link, session, valid }) => {
                leader.session_revalidated(&mut self.core, link, session, valid);
            }
            (State::Leading(leader), Input::History { link, entries }) => {
                leader.history(&mut self.core, now_ms, link, entries);
            }
            (State::Leading(leader), Input::NoHistory { link }) => leader.no_history(&mut self.core, now_ms, link),
            (State::Leading(leader), Input::AnswerSync { link }) => leader.answer_sync(&mut self.core, link),
            _ => {}
        }
        Ok(())
    }

    fn tick(&mut self, now_ms: u64) -> Result<(), Quit> {
        match &mut self.state {
            State::Looking => {
                self.election.tick(now_ms, &mut self.core.outputs);
                Ok(())
            }
            State::Leading(leader) => leader.tick(&mut self.core, now_ms),
            State::Learning(learner) => learner.tick(&mut self.core, now_ms),
        }
    }

    fn accepted(&mut self, now_ms: u64, link: LinkId) {
        match &mut self.state {
            State::Leading(leader) => leader.accepted(&self.core, now_ms, link),
            // Others may have noticed first that this server is elected.
            State::Looking if self.early.len() < EARLY_AT_MOST => {
                self.early.insert(link, None);
            }
            _ => self.core.emit(Output::Disconnect { link }),
        }
    }

    fn packet(&mut self, now_ms: u64, link: LinkId, packet: Packet) -> Result<(), Quit> {
        match &mut self.state {
            State::Leading(leader) => leader.packet(&mut self.core, now_ms, link, packet)?,
            State::Learning(learner) => learner.packet(&mut self.core, now_ms, link, packet)?,
            State::Looking => match self.early.get_mut(&link) {
                Some(first @ None) => *first = Some(packet),
                Some(Some(_)) => {
                    // Nobody says two things before it is answered.
                    self.early.remove(&link);
                    self.core.emit(Output::Disconnect { link });
                }
                None => {}
            },
        }
        self.note_established();
        Ok(())
    }

    /// Late voters are told the epoch of the reign, once there is one.
    fn note_established(&mut self) {
        let established = match &self.state {
            State::Looking => false,
            State::Leading(leader) => leader.is_reigning(),
            State::Learning(learner) => learner.is_serving(),
        };
        if established {
            self.election.established(self.core.epochs.current());
        }
    }

    fn conclude_election(&mut self, now_ms: u64) {
        while matches!(self.state, State::Looking) && self.resignation == Resignation::None {
            let Some(vote) = self.election.decision(now_ms) else { return };
            self.election.settle(vote);
            if let Err(why) = self.enter(now_ms, vote) {
                self.quit(now_ms, why);
            }
        }
    }

    fn enter(&mut self, now_ms: u64, vote: Vote) -> Result<(), Quit> {
        let early = std::mem::take(&mut self.early);
        tracing::info!(leader = vote.leader, round = vote.round, zxid = %vote.zxid, "an election has ended");
        if vote.leader != self.core.config.server_id {
            for link in early.into_keys() {
                self.core.emit(Output::Disconnect { link });
            }
            self.state = State::Learning(Box::new(Learner::new(&mut self.core, now_ms, vote.leader)));
            return Ok(());
        }
        self.state = State::Leading(Box::new(Leader::new(&mut self.core, now_ms)));
        for (link, first) in early {
            self.accepted(now_ms, link);
            if let Some(packet) = first {
                self.packet(now_ms, link, packet)?;
            }
        }
        Ok(())
    }

    /// Others are in force, or may be: they are looked for, and followed, and served.
    fn heed_members(&mut self, now_ms: u64) {
        if !std::mem::take(&mut self.core.members_changed) || self.resignation != Resignation::None {
            return;
        }
        self.election.set_members(&self.core.members);
        let may_lead = self.core.members.quorums().may_lead(self.core.config.server_id);
        let leader = match &self.state {
            State::Looking => None,
            // Its own beginning has brought the new members in: they elect one of them.
            State::Leading(leader) if leader.handover().is_none() && !may_lead => {
                return self.quit(now_ms, Quit::MembersChanged);
            }
            State::Leading(leader) => leader.handover(),
            State::Learning(learner) => learner.handover(&self.core),
        };
        let Some(leader) = leader else { return };
        // Who leads now is settled, as it is for all others: nobody has to be elected.
        self.leave(Quit::MembersChanged);
        let vote = self.election.designated(leader, self.core.log.last(), self.core.epochs.current());
        self.election.settle(vote);
        if let Err(why) = self.enter(now_ms, vote) {
            self.quit(now_ms, why);
        }
    }

    /// A server that looks for a leader takes newer members from whoever has them in force.
    fn adopt_members(&mut self, now_ms: u64, text: &Bytes) {
        if !matches!(self.state, State::Looking) || self.core.config.read_members.is_none() {
            return;
        }
        if let Some(members) = self.election.unknown_members(text)
            && self.core.adopt_members(&members)
        {
            self.look(now_ms, now_ms);
        }
    }

    fn quit(&mut self, now_ms: u64, why: Quit) {
        if let Some(served) = self.leave(why)
            && self.resignation == Resignation::None
        {
            self.fruitless = if served { 0 } else { self.fruitless + 1 };
            let pause = match self.fruitless {
                0 => 0,
                fruitless => (RETRY_MS << (fruitless - 1).min(8)).min(RETRY_AT_MOST_MS),
            };
            self.look(now_ms, now_ms + pause);
        }
    }

    /// Gives up the role, if there is one. Returns whether it was served.
    fn leave(&mut self, why: Quit) -> Option<bool> {
        let (served, links): (bool, Vec<LinkId>) = match &self.state {
            State::Looking => return None,
            State::Leading(leader) => (leader.is_reigning(), leader.links().collect()),
            State::Learning(learner) => (learner.is_serving(), learner.link().into_iter().collect()),
        };
        if matches!(why, Quit::WouldLoseCommitted { .. }) {
            tracing::error!(%why, "a promise of the ensemble is broken");
        } else {
            tracing::info!(%why, "looking for a leader again");
        }
        for link in links {
            self.core.emit(Output::Disconnect { link });
        }
        if served {
            self.core.emit(Output::RoleChanged(Role::Looking));
        }
        self.state = State::Looking;
        Some(served)
    }

    fn look(&mut self, now_ms: u64, not_before_ms: u64) {
        let (last, epoch) = (self.core.log.last(), self.core.epochs.current());
        self.election.set_members(&self.core.members);
        self.election.begin(now_ms, not_before_ms, last, epoch, &mut self.core.outputs);
    }

    /// This member's number.
    pub fn server_id(&self) -> ServerId {
        self.core.config.server_id
    }
}
