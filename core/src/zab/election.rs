//! Fast leader election (protocol §5.3): everybody tells everybody the best candidate it knows, until a quorum says the same.
//!
//! It makes a leader likely, not safe: two servers that both believe to be elected do no harm, because only one of them can
//! get its epoch promised by a quorum. So everything here may be lost, late or repeated. It never knows of links or disks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::learner::members_of;
use super::members::Members;
use super::quorum::Quorums;
use super::{Config, Output, ServerId};
use crate::wire::Zxid;
use crate::wire::ensemble::Ensemble;
use crate::wire::quorum::{Notification, ServerState};

/// Whom those vote for that vote for nobody: observers, and servers that are no members.
const NOBODY: i64 = i64::MIN;

/// A vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vote {
    /// The candidate.
    pub(super) leader: ServerId,
    /// The last transaction in the candidate's log.
    pub(super) zxid: Zxid,
    /// The round in which the vote was given.
    pub(super) round: i64,
    /// The candidate's current epoch.
    pub(super) peer_epoch: i64,
}

/// The vote of those who do not stand.
const NO_VOTE: Vote = Vote { leader: NOBODY, zxid: Zxid(NOBODY), round: 0, peer_epoch: NOBODY };

/// What another server said last.
#[derive(Debug, Clone)]
struct Heard {
    vote: Vote,
    state: ServerState,
    version: i32,
}

/// One server's side of all elections.
#[derive(Debug)]
pub(super) struct Election {
    me: ServerId,
    /// Whether its vote counts, by the members in force or the next ones.
    votes: bool,
    /// Whether it may be voted for: by those in force.
    stands: bool,
    quorums: Arc<Quorums>,
    config: Bytes,
    /// What others said last of the members, when it was other.
    other_config: Bytes,
    shortest_ms: u64,
    longest_ms: u64,
    round: i64,
    /// What this server stood for when it began to look.
    own: Vote,
    /// The best it knows; after an election, whom it follows.
    vote: Vote,
    received: BTreeMap<ServerId, Heard>,
    /// What those say that have a leader, of whatever round.
    settled: BTreeMap<ServerId, Heard>,
    /// What others said who began to look while this server did not look yet, and when.
    missed: BTreeMap<ServerId, (u64, Notification)>,
    gone: BTreeSet<ServerId>,
    /// Not before this time: a leader that failed at once is not tried again at once.
    not_before_ms: u64,
    pause_ms: u64,
    send_at_ms: u64,
    /// Since when `vote` has a quorum.
    quorum_since_ms: Option<u64>,
    joined: Option<Vote>,
}

impl Election {
    /// A server that has not looked for a leader yet.
    pub(super) fn new(config: &Config, members: &Members) -> Self {
        Election {
            me: config.server_id,
            votes: members.quorums().is_voter(config.server_id),
            stands: members.votes(),
            quorums: members.quorums().clone(),
            config: members.current().to_string().into(),
            other_config: Bytes::new(),
            shortest_ms: config.finalize_ms,
            longest_ms: config.max_notification_ms,
            round: 0,
            own: NO_VOTE,
            vote: NO_VOTE,
            received: BTreeMap::new(),
            settled: BTreeMap::new(),
            missed: BTreeMap::new(),
            gone: BTreeSet::new(),
            not_before_ms: 0,
            pause_ms: config.finalize_ms,
            send_at_ms: 0,
            quorum_since_ms: None,
            joined: None,
        }
    }

    /// Other members are in force, or proposed.
    pub(super) fn set_members(&mut self, members: &Members) {
        self.quorums = members.quorums().clone();
        self.votes = self.quorums.is_voter(self.me);
        self.stands = members.votes();
        self.config = members.current().to_string().into();
    }

    /// The members that the text of a notification lists, when they are worth a look: it says the same most of the time.
    pub(super) fn unknown_members(&mut self, text: &Bytes) -> Option<Ensemble> {
        if *text == self.config || *text == self.other_config {
            return None;
        }
        self.other_config = text.clone();
        members_of(text)
    }

    /// The vote for a leader that was not elected but designated.
    pub(super) fn designated(&self, leader: ServerId, zxid: Zxid, epoch: u32) -> Vote {
        Vote { leader, zxid, round: self.round, peer_epoch: i64::from(epoch) }
    }

    /// Begins a round. `last` is the last transaction in the log, `epoch` the current epoch; nothing is decided before
    /// `not_before_ms`.
    pub(super) fn begin(
        &mut self,
        now_ms: u64,
        not_before_ms: u64,
        last: Zxid,
        epoch: u32,
        out: &mut VecDeque<Output>,
    ) {
        self.round = self.round.saturating_add(1);
        self.own = if self.stands { self.designated(self.me, last, epoch) } else { NO_VOTE };
        self.not_before_ms = not_before_ms;
        self.pause_ms = self.shortest_ms;
        self.settled.clear();
        self.joined = None;
        self.new_round(self.own);
        self.broadcast(now_ms, out);
        self.hear_missed(now_ms, out);
    }

    /// Who noticed first that the leader is gone has spoken when nobody else looked, and says it again only after a while. What
    /// it would have said again by now is not believed any more.
    fn hear_missed(&mut self, now_ms: u64, out: &mut VecDeque<Output>) {
        for (from, (at_ms, said)) in std::mem::take(&mut self.missed) {
            if now_ms < at_ms + self.shortest_ms && said.round >= self.round {
                self.notification(now_ms, ServerState::Looking, from, &said, out);
            }
        }
    }

    /// A notification. While this server is `state` and not looking, it only answers.
    pub(super) fn notification(
        &mut self,
        now_ms: u64,
        state: ServerState,
        from: ServerId,
        said: &Notification,
        out: &mut VecDeque<Output>,
    ) {
        let known = self.quorums.is_voter(from);
        let looking = state == ServerState::Looking;
        let behind = looking && said.state == ServerState::Looking && said.round < self.round;
        // Only who looks has a use for an answer; two that answer each other's answers would never end.
        if behind || (said.state == ServerState::Looking && (!known || !looking)) {
            self.tell(from, state, out);
        }
        if !looking && known {
            self.missed.remove(&from);
            if said.state == ServerState::Looking {
                self.missed.insert(from, (now_ms, said.clone()));
            }
        }
        if !looking || !known || from == self.me || said.zxid == Zxid(-1) {
            return;
        }
        if !self.quorums.is_voter(said.leader) {
            self.heed_round(now_ms, said, out);
            return;
        }
        let vote = Vote { leader: said.leader, zxid: said.zxid, round: said.round, peer_epoch: said.peer_epoch };
        let heard = Heard { vote, state: said.state, version: said.version };
        match said.state {
            ServerState::Looking => self.hear_looking(now_ms, from, heard, out),
            ServerState::Following | ServerState::Leading => self.hear_settled(from, heard),
            ServerState::Observing => {}
        }
        self.count(now_ms);
    }

    /// The vote that has won, once it is time.
    pub(super) fn decision(&self, now_ms: u64) -> Option<Vote> {
        let due = self.decision_ms()?;
        (due <= now_ms).then(|| self.joined.unwrap_or(self.vote))
    }

    /// When [`Election::tick`] or [`Election::decision`] has something to do.
    pub(super) fn due_ms(&self) -> u64 {
        self.decision_ms().map_or(self.send_at_ms, |due| due.min(self.send_at_ms))
    }

    /// Says the vote again when nobody said anything new for long; the pauses grow.
    pub(super) fn tick(&mut self, now_ms: u64, out: &mut VecDeque<Output>) {
        if now_ms >= self.send_at_ms {
            self.pause_ms = (self.pause_ms * 2).min(self.longest_ms);
            self.broadcast(now_ms, out);
        }
    }

    /// The other server can be talked to: it may have missed what was said.
    pub(super) fn link_up(&mut self, now_ms: u64, state: ServerState, peer: ServerId, out: &mut VecDeque<Output>) {
        self.gone.remove(&peer);
        if state == ServerState::Looking && self.quorums.is_voter(peer) {
            self.tell(peer, state, out);
            self.count(now_ms);
        }
    }

    /// Whether the sender looks for a leader in a later round than the one that has ended here.
    pub(super) fn is_later_search(&self, said: &Notification) -> bool {
        said.state == ServerState::Looking && said.round > self.round
    }

    /// Whether the other server is known to be gone.
    pub(super) fn is_gone(&self, peer: ServerId) -> bool {
        self.gone.contains(&peer)
    }

    /// The other server is known to be gone: its vote is not waited for.
    pub(super) fn link_down(&mut self, now_ms: u64, peer: ServerId) {
        self.gone.insert(peer);
        self.count(now_ms);
    }

    /// The election is over: `vote` is what is told to those who ask.
    pub(super) fn settle(&mut self, vote: Vote) {
        self.round = vote.round;
        self.vote = vote;
        self.received.clear();
        self.settled.clear();
        self.quorum_since_ms = None;
        self.joined = None;
    }

    /// The leader's epoch is established: those who ask are told of that.
    pub(super) fn established(&mut self, epoch: u32) {
        self.vote.peer_epoch = i64::from(epoch);
    }

    fn hear_looking(&mut self, now_ms: u64, from: ServerId, heard: Heard, out: &mut VecDeque<Output>) {
        let had_a_leader = self.settled.remove(&from).is_some();
        if heard.vote.round < self.round {
            return;
        }
        if heard.vote.round > self.round {
            self.round = heard.vote.round;
            let better = if self.beats(&heard.vote, &self.own) { heard.vote } else { self.own };
            self.new_round(better);
            self.broadcast(now_ms, out);
        } else if self.beats(&heard.vote, &self.vote) {
            self.adopt(heard.vote);
            self.broadcast(now_ms, out);
        } else if had_a_leader && self.beats(&self.vote, &heard.vote) {
            // It did not look when it was told: a server of the reference has not kept that.
            self.tell(from, ServerState::Looking, out);
        }
        self.received.insert(from, heard);
    }

    /// A voter to come that does not know yet that it is one stands for nobody, and votes for whom the others vote for. Its
    /// vote is needed, and it has heard of a later round.
    fn heed_round(&mut self, now_ms: u64, said: &Notification, out: &mut VecDeque<Output>) {
        if said.state == ServerState::Looking && said.round > self.round {
            self.round = said.round;
            self.new_round(self.own);
            self.broadcast(now_ms, out);
        }
    }

    /// Joins a leader that a quorum has, and that itself says that it leads.
    fn hear_settled(&mut self, from: ServerId, heard: Heard) {
        let Heard { vote, version, .. } = heard;
        if vote.round == self.round {
            self.received.insert(from, heard.clone());
        }
        self.settled.insert(from, heard);
        let same_round = vote.round == self.round
            && self.agreeing(&self.received, |other| other.vote == vote)
            && self.leads(&self.received, &vote);
        // Old servers do not know the epoch; between them and others the leader alone is compared.
        let follows = |other: &Heard| {
            other.vote.leader == vote.leader
                && ((other.version == 0) != (version == 0) || other.vote.peer_epoch == vote.peer_epoch)
        };
        // Members proposed in this log may never have come into force, so they are not waited for.
        let any_round = self.quorums.are_met_now(|id| self.settled.get(&id).is_some_and(follows))
            && self.leads(&self.settled, &vote);
        if same_round || any_round {
            self.joined = Some(vote);
        }
    }

    fn leads(&self, heard: &BTreeMap<ServerId, Heard>, vote: &Vote) -> bool {
        if vote.leader == self.me {
            return vote.round == self.round;
        }
        heard.get(&vote.leader).is_some_and(|leader| leader.state == ServerState::Leading)
    }

    fn agreeing(&self, heard: &BTreeMap<ServerId, Heard>, agrees: impl Fn(&Heard) -> bool) -> bool {
        self.quorums.are_met(|id| heard.get(&id).is_some_and(&agrees))
    }

    /// Whether the vote has a quorum now, and since when.
    fn count(&mut self, now_ms: u64) {
        let vote = self.vote;
        if vote.leader != NOBODY && self.agreeing(&self.received, |heard| heard.vote == vote) {
            self.quorum_since_ms.get_or_insert(now_ms);
        } else {
            self.quorum_since_ms = None;
        }
    }

    fn decision_ms(&self) -> Option<u64> {
        if self.joined.is_some() {
            return Some(self.not_before_ms);
        }
        let since = self.quorum_since_ms?;
        let agrees = |id: &ServerId| self.received.get(id).is_some_and(|heard| heard.vote == self.vote);
        let all = self.quorums.voters().iter().all(|id| agrees(id) || self.gone.contains(id));
        // When everybody who can vote agrees, no better vote can come.
        let wait = if all { 0 } else { self.shortest_ms };
        Some(self.not_before_ms.max(since + wait))
    }

    /// By epoch, then by the last transaction, then by id; one that may not lead never wins.
    fn beats(&self, vote: &Vote, than: &Vote) -> bool {
        let rank = |vote: &Vote| (self.quorums.may_lead(vote.leader), vote.peer_epoch, vote.zxid, vote.leader);
        rank(vote) > rank(than)
    }

    fn new_round(&mut self, vote: Vote) {
        self.received.clear();
        self.adopt(vote);
    }

    fn adopt(&mut self, vote: Vote) {
        self.vote = Vote { round: self.round, ..vote };
        self.quorum_since_ms = None;
        if self.votes {
            let heard = Heard { vote: self.vote, state: ServerState::Looking, version: Notification::VERSION };
            self.received.insert(self.me, heard);
        }
    }

    fn broadcast(&mut self, now_ms: u64, out: &mut VecDeque<Output>) {
        for to in self.quorums.voters() {
            if to != self.me {
                self.tell(to, ServerState::Looking, out);
            }
        }
        self.send_at_ms = now_ms + self.pause_ms;
        self.count(now_ms);
    }

    fn tell(&self, to: ServerId, state: ServerState, out: &mut VecDeque<Output>) {
        let Vote { leader, zxid, round, peer_epoch } = self.vote;
        let round = if state == ServerState::Looking { self.round } else { round };
        let version = Notification::VERSION;
        let notification =
            Notification { state, leader, zxid, round, peer_epoch, version, config: self.config.clone() };
        out.push_back(Output::Notify { to, notification });
    }
}

#[cfg(test)]
mod tests;
