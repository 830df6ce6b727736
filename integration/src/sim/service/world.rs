//! The queue of events and the loop: virtual time, members, network, faults and clients.

use std::collections::VecDeque;

use bytes::Bytes;
use menagerie_core::replica::ConnId;
use menagerie_core::wire::Zxid;
use menagerie_core::wire::ensemble::Ensemble;
use menagerie_core::wire::quorum::{Notification, Packet};
use menagerie_core::zab::{self, LinkId, Quorum, Role, Ticket};

use super::Violation;
use super::clients::Clients;
use super::faults::{self, Fault};
use super::member::Member;
use super::operator::Operator;
use super::options::{Options, Sabotage};
use super::oracle::{Oracle, broken};
use crate::check::{self, History};
use crate::sim::agenda::Agenda;
use crate::sim::disk::Txn;
use crate::sim::network::{MemberIndex, Network};

/// How many of the last events a trace has: all of a usual run, for what clients were told is judged at its end.
const TRACE_LINES: usize = 500_000;
/// How long before the end clients stop to ask for anything new, in milliseconds.
pub const QUIET_MS: u64 = 1_500;

/// What a run was like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many events there were.
    pub events: u64,
    /// How many transactions were committed.
    pub committed: usize,
    /// How many reigns began.
    pub reigns: usize,
    /// How many changes of members were committed.
    pub changes: usize,
    /// How many sessions ended because nothing was heard of them.
    pub expired: usize,
    /// How often a member that ran made its state anew.
    pub states_made: usize,
    /// What the clients did and saw.
    pub clients: check::Summary,
}

/// Something that comes over a link of two members.
#[derive(Debug)]
pub enum Cargo {
    /// A packet.
    Packet(Packet),
    /// A SNAP packet with its snapshot.
    Snapshot(Packet, Vec<Txn>),
    /// The end of the link.
    Closed,
}

/// Something that comes over a client's connection.
#[derive(Debug)]
pub enum Post {
    /// A frame.
    Frame(Bytes),
    /// The end of the connection.
    Closed,
}

/// Something that happens.
#[derive(Debug)]
#[allow(missing_docs, reason = "each is named after what happens, with whom it concerns first")]
pub enum Event {
    Wake(MemberIndex),
    Synced(MemberIndex, u64, Ticket),
    StateMade(MemberIndex, u64, Ticket),
    Notify(MemberIndex, MemberIndex, Notification),
    Dialled(MemberIndex, MemberIndex),
    Arrive(LinkId, MemberIndex, Cargo),
    /// Who reads in which life, for whom, after which transaction and through which.
    Read(MemberIndex, u64, LinkId, Zxid, Zxid),
    PeerGone(MemberIndex, MemberIndex),
    PeerBack(MemberIndex, MemberIndex),
    Resume(MemberIndex, u64),
    Turn(MemberIndex, u64, ConnId),
    ToMember(MemberIndex, ConnId, Post),
    ToClient(ConnId, Post),
    Client(usize),
    Operate,
    Fault(Fault),
}

impl Event {
    /// Whom it happens to, if a member.
    fn member(&self) -> Option<MemberIndex> {
        match self {
            Event::Wake(at)
            | Event::Synced(at, ..)
            | Event::StateMade(at, ..)
            | Event::Read(at, ..)
            | Event::Notify(_, at, _)
            | Event::Dialled(at, _)
            | Event::Arrive(_, at, _)
            | Event::PeerGone(at, _)
            | Event::PeerBack(at, _)
            | Event::Turn(at, ..)
            | Event::ToMember(at, ..) => Some(*at),
            Event::Resume(..) | Event::ToClient(..) | Event::Client(_) | Event::Operate | Event::Fault(_) => None,
        }
    }
}

/// Everything there is.
pub struct World {
    /// What the run is made of.
    pub options: Options,
    /// Where chance comes from.
    pub rng: fastrand::Rng,
    /// The time, in milliseconds.
    pub now_ms: u64,
    agenda: Agenda<Event>,
    /// The members.
    pub members: Vec<Member>,
    /// What is between them.
    pub network: Network,
    /// Who sees everything.
    pub oracle: Oracle,
    /// How many in a hundred notifications are lost.
    pub loss: u8,
    /// The clients.
    pub clients: Clients,
    /// Who changes the members.
    pub operator: Operator,
    /// How many sessions expired.
    pub expired: usize,
    /// How often a member that ran made its state anew.
    pub states_made: usize,
    events: u64,
    trace: VecDeque<String>,
}

impl World {
    /// All members down, at time 0.
    pub fn new(options: Options) -> Self {
        let total = options.voters + options.observers + options.spares;
        let role = |id: i64| if id > options.voters { "observer" } else { "participant" };
        let servers: Vec<String> =
            (1..=total).map(|id| format!("server.{id}=host{id}:2888:3888:{}", role(id))).collect();
        let mut ensemble: Ensemble = servers.join("\n").parse().unwrap_or_default();
        ensemble.members.retain(|id, _| *id <= options.voters + options.observers);
        let members = (1..=total).map(|id| Member::new(id, ensemble.clone(), &options)).collect();
        World {
            rng: fastrand::Rng::with_seed(options.seed),
            now_ms: 0,
            agenda: Agenda::default(),
            members,
            network: Network::default(),
            oracle: Oracle::new(Quorum::of(&ensemble)),
            loss: 0,
            clients: Clients::default(),
            operator: Operator::default(),
            expired: 0,
            states_made: 0,
            events: 0,
            trace: VecDeque::new(),
            options,
        }
    }

    /// The phase of faults, the calm one, and the check that all is well after it.
    pub fn run(&mut self) -> Result<Report, Violation> {
        for at in 0..self.members.len() {
            let delay = self.rng.u64(..50);
            self.schedule(delay, Event::Fault(Fault::Start(at)));
        }
        for _ in 0..self.options.clients {
            self.new_client(60);
        }
        self.schedule(500, Event::Operate);
        let (pause, fault) = faults::next(&mut self.rng, self.members.len());
        self.schedule(500 + pause, Event::Fault(fault));
        self.run_until(self.options.faults_ms)?;
        for fault in [Fault::Heal, Fault::Lose(0), Fault::StartAll] {
            self.fault(fault)?;
        }
        for at in 0..self.members.len() {
            self.fault(Fault::Disk(at, 5))?;
        }
        self.run_until(self.ends_ms())?;
        self.check_healed()?;
        let history = History { clients: self.clients.logs(), committed: self.oracle.records().to_vec() };
        let at_ms = self.now_ms;
        let summary =
            check::check(&history).map_err(|check::Broken { promise, what }| Violation { at_ms, promise, what })?;
        Ok(Report {
            events: self.events,
            committed: self.oracle.records().len(),
            reigns: self.oracle.reigns(),
            changes: self.oracle.changes(),
            expired: self.expired,
            states_made: self.states_made,
            clients: summary,
        })
    }

    /// When all is over, in milliseconds.
    pub fn ends_ms(&self) -> u64 {
        self.options.faults_ms + self.options.calm_ms
    }

    /// Whether the faults are over.
    pub fn is_calm(&self) -> bool {
        self.now_ms >= self.options.faults_ms
    }

    /// The last events.
    pub fn into_trace(self) -> Vec<String> {
        self.trace.into()
    }

    /// Something happens later.
    pub fn schedule(&mut self, delay_ms: u64, event: Event) {
        self.agenda.plan(self.now_ms + delay_ms, event);
    }

    fn run_until(&mut self, end_ms: u64) -> Result<(), Violation> {
        while let Some((at_ms, event)) = self.agenda.next_until(end_ms) {
            self.now_ms = at_ms;
            self.events += 1;
            self.note(&event);
            if let Some(at) = event.member()
                && let Some(backlog) = &mut self.members[at].paused
            {
                backlog.push_back(event);
                continue;
            }
            self.happen(event)?;
        }
        self.now_ms = end_ms;
        Ok(())
    }

    /// Remembers a line of the trace.
    pub fn note(&mut self, what: &impl std::fmt::Debug) {
        if self.options.trace {
            if self.trace.len() == TRACE_LINES {
                self.trace.pop_front();
            }
            let line = format!("{:>6} {what:?}", self.now_ms);
            if !line.contains(" Wake(") && !line.contains(" Client(") {
                self.trace.push_back(line);
            }
        }
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Wake(at) => self.wake(at),
            Event::Read(at, life, link, after, through) => self.read(at, life, link, (after, through)),
            Event::Synced(at, life, through) => self.synced(at, life, through),
            Event::StateMade(at, life, through) => self.state_made(at, life, through),
            Event::Notify(from, to, notification) => {
                if !self.network.reaches(from, to) {
                    return Ok(());
                }
                let from = self.members[from].id;
                self.zab_input(to, zab::Input::Notification { from, notification })
            }
            Event::Dialled(from, to) => self.dialled(from, to),
            Event::Arrive(link, to, cargo) => self.arrive(link, to, cargo),
            Event::PeerGone(at, gone) if self.members[gone].running.is_none() => {
                let peer = self.members[gone].id;
                self.zab_input(at, zab::Input::ElectionLinkDown { peer })
            }
            Event::PeerBack(at, back) if self.members[back].running.is_some() => {
                let peer = self.members[back].id;
                self.zab_input(at, zab::Input::ElectionLinkUp { peer })
            }
            Event::PeerGone(..) | Event::PeerBack(..) => Ok(()),
            Event::Resume(at, life) => self.resume(at, life),
            Event::Turn(at, life, conn) => self.turn(at, life, conn),
            Event::ToMember(at, conn, post) => self.at_member(at, conn, post),
            Event::ToClient(conn, post) => self.at_client(conn, post),
            Event::Client(client) => {
                self.client(client);
                Ok(())
            }
            Event::Operate => self.operate(),
            Event::Fault(fault) => {
                if self.is_calm() {
                    return Ok(());
                }
                if self.now_ms > 50 {
                    let (pause, next) = faults::next(&mut self.rng, self.members.len());
                    self.schedule(pause, Event::Fault(next));
                }
                self.fault(fault)
            }
        }
    }

    fn resume(&mut self, at: MemberIndex, life: u64) -> Result<(), Violation> {
        if life != self.members[at].life {
            return Ok(());
        }
        for event in self.members[at].paused.take().unwrap_or_default() {
            self.happen(event)?;
        }
        Ok(())
    }

    /// How long a message takes: mostly short; now and then as long as some others together.
    pub fn delay(&mut self) -> u64 {
        if self.rng.u8(..20) == 0 { self.rng.u64(5..60) } else { self.rng.u64(..4) }
    }

    /// One leader, everybody follows it, everybody has the same state; clients can write; whoever died is forgotten.
    fn check_healed(&mut self) -> Result<(), Violation> {
        let at_ms = self.now_ms;
        for at in 0..self.members.len() {
            self.oracle.verify(at_ms, &mut self.members, at)?;
        }
        let running: Vec<_> = self.members.iter().filter_map(|member| member.running.as_ref()).collect();
        let leaders = running.iter().filter(|it| matches!(it.role, Role::Leading { .. })).count();
        let lost = running.iter().filter(|it| it.role == Role::Looking).count() + self.members.len() - running.len();
        let states: Vec<_> = running.iter().map(|it| it.shared.tree().last_zxid()).collect();
        if leaders != 1 || lost > 0 || states.iter().any(|state| *state != self.oracle.last()) {
            let what = format!("{leaders} leaders, {lost} without one, states as of {states:?}");
            return broken(at_ms, "heals", what);
        }
        let mismatches: u64 = running.iter().map(|it| it.shared.tallies().digest_mismatches()).sum();
        if mismatches > 0 {
            return broken(at_ms, "foreseen digest", format!("{mismatches} mismatches were counted"));
        }
        self.clients_are_well()
    }

    /// Whether a bug is planted.
    pub fn has(&self, sabotage: Sabotage) -> bool {
        self.options.sabotage == Some(sabotage)
    }
}
