//! The queue of events and the loop: virtual time, members, network, faults, and clients that propose.

use std::collections::VecDeque;

use bytes::Bytes;
use menagerie_core::wire::Zxid;
use menagerie_core::wire::ensemble::Ensemble;
use menagerie_core::wire::quorum::{Notification, Packet, ServerState};
use menagerie_core::zab::{Input, LinkId, Output, Peer, Quorum, Role, Ticket, Write};

use super::agenda::Agenda;
use super::disk::Txn;
use super::member::Member;
use super::members;
use super::nemesis::{self, Fault};
use super::network::{MemberIndex, Network};
use super::options::Options;
use super::oracle::{Oracle, Violation};
use super::sabotage::Sabotage;

/// How many of the last events a trace has.
const TRACE_LINES: usize = 4000;

/// What a run was like.
#[derive(Default, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many events there were.
    pub events: u64,
    /// How many transactions were committed.
    pub committed: usize,
    /// How many reigns began.
    pub reigns: usize,
    /// How many changes of members were committed.
    pub changes: usize,
    /// How many pieces of logs were read for learners that were far behind.
    pub pieces_read: usize,
}

/// Something that comes over a link.
#[derive(Debug)]
enum Cargo {
    Packet(Packet),
    Snapshot(Packet, Vec<Txn>),
    Closed,
}

#[derive(Debug)]
enum Event {
    Wake(MemberIndex),
    Synced(MemberIndex, u64, Ticket),
    Notify(MemberIndex, MemberIndex, Notification),
    Dialled(MemberIndex, MemberIndex),
    Arrive(LinkId, MemberIndex, Cargo),
    /// Who reads in which life, for whom, after which transaction and through which.
    Read(MemberIndex, u64, LinkId, Zxid, Zxid),
    PeerGone(MemberIndex, MemberIndex),
    PeerBack(MemberIndex, MemberIndex),
    Propose,
    Fault(Fault),
}

/// Everything there is.
#[derive(Debug)]
pub struct World {
    options: Options,
    rng: fastrand::Rng,
    now_ms: u64,
    agenda: Agenda<Event>,
    members: Vec<Member>,
    network: Network,
    oracle: Oracle,
    loss: u8,
    payloads: u64,
    /// All servers there are, members or not.
    everybody: Ensemble,
    events: u64,
    pieces_read: usize,
    trace: VecDeque<String>,
}

impl World {
    /// All members down, at time 0.
    pub fn new(options: Options) -> Self {
        let total = options.voters + options.observers + options.spares;
        let role = |id: i64| if id > options.voters { "observer" } else { "participant" };
        let servers: Vec<String> =
            (1..=total).map(|id| format!("server.{id}=host{id}:2888:3888:{}", role(id))).collect();
        let everybody: Ensemble = servers.join("\n").parse().unwrap_or_default();
        let mut ensemble = everybody.clone();
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
            payloads: 0,
            everybody,
            events: 0,
            pieces_read: 0,
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
        self.schedule(60, Event::Propose);
        let (pause, fault) = self.draw_fault();
        self.schedule(500 + pause, Event::Fault(fault));
        self.run_until(self.options.faults_ms)?;
        for fault in [Fault::Heal, Fault::Lose(0), Fault::StartAll] {
            self.fault(fault)?;
        }
        for at in 0..self.members.len() {
            self.fault(Fault::Disk(at, 5))?;
        }
        self.run_until(self.options.faults_ms + self.options.calm_ms)?;
        self.check_healed()?;
        Ok(Report {
            events: self.events,
            committed: self.oracle.chosen(),
            reigns: self.oracle.reigns(),
            changes: self.oracle.changes(),
            pieces_read: self.pieces_read,
        })
    }

    /// The last events.
    pub fn into_trace(self) -> Vec<String> {
        self.trace.into()
    }

    fn schedule(&mut self, delay_ms: u64, event: Event) {
        self.agenda.plan(self.now_ms + delay_ms, event);
    }

    fn run_until(&mut self, end_ms: u64) -> Result<(), Violation> {
        while let Some((at_ms, event)) = self.agenda.next_until(end_ms) {
            self.now_ms = at_ms;
            self.events += 1;
            if self.options.trace && !matches!(event, Event::Wake(_)) {
                if self.trace.len() == TRACE_LINES {
                    self.trace.pop_front();
                }
                self.trace.push_back(format!("{at_ms:>6} {event:?}"));
            }
            self.happen(event)?;
        }
        self.now_ms = end_ms;
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Wake(at) => self.wake(at),
            Event::Synced(at, life, through) => self.synced(at, life, through),
            Event::Notify(from, to, notification) => {
                if !self.network.reaches(from, to) {
                    return Ok(());
                }
                let from = self.members[from].id();
                self.input(to, Input::Notification { from, notification })
            }
            Event::Dialled(from, to) => self.dialled(from, to),
            Event::Arrive(link, to, cargo) => self.arrive(link, to, cargo),
            Event::Read(at, life, link, after, through) => self.read(at, life, link, (after, through)),
            Event::PeerGone(at, gone) if !self.members[gone].is_up() => {
                let peer = self.members[gone].id();
                self.input(at, Input::ElectionLinkDown { peer })
            }
            Event::PeerBack(at, back) if self.members[back].is_up() => {
                let peer = self.members[back].id();
                self.input(at, Input::ElectionLinkUp { peer })
            }
            Event::PeerGone(..) | Event::PeerBack(..) => Ok(()),
            Event::Propose => self.propose(),
            Event::Fault(fault) => {
                if self.now_ms >= self.options.faults_ms {
                    return Ok(());
                }
                if self.now_ms > 50 {
                    let (pause, next) = self.draw_fault();
                    self.schedule(pause, Event::Fault(next));
                }
                self.fault(fault)
            }
        }
    }

    /// Gives a member an input and carries out what it wants.
    fn input(&mut self, at: MemberIndex, input: Input) -> Result<(), Violation> {
        let now_ms = self.now_ms;
        if let Some(peer) = self.members[at].peer() {
            peer.handle(now_ms, input);
        }
        self.carry_out(at)
    }

    fn carry_out(&mut self, at: MemberIndex) -> Result<(), Violation> {
        while let Some(output) = self.members[at].peer().and_then(Peer::poll_output) {
            self.output(at, output)?;
        }
        self.begin_sync(at);
        if let Some(due) = self.members[at].peer().map(|peer| peer.poll_timeout())
            && self.members[at].wakes_at_ms.is_none_or(|wakes| due < wakes)
        {
            self.members[at].wakes_at_ms = Some(due);
            self.schedule(due.saturating_sub(self.now_ms), Event::Wake(at));
        }
        Ok(())
    }

    fn wake(&mut self, at: MemberIndex) -> Result<(), Violation> {
        if self.members[at].wakes_at_ms.is_some_and(|wakes| wakes <= self.now_ms) {
            self.members[at].wakes_at_ms = None;
        }
        let now_ms = self.now_ms;
        if self.members[at].peer().is_some_and(|peer| peer.poll_timeout() <= now_ms) {
            return self.input(at, Input::Tick);
        }
        self.carry_out(at)
    }

    fn output(&mut self, at: MemberIndex, output: Output) -> Result<(), Violation> {
        match output {
            Output::Persist { ticket, write } => self.persist(at, ticket, write)?,
            Output::Notify { to, mut notification } => {
                if let Some(bug) = self.options.sabotage {
                    bug.vote(&mut notification);
                }
                self.notify(at, to, notification);
            }
            Output::Connect { leader } => {
                let to = (leader - 1) as usize;
                let delay = self.delay();
                self.schedule(delay, Event::Dialled(at, to));
            }
            Output::Send { link, mut packet } => {
                self.note_promise(at, &packet)?;
                if let Some(bug) = self.options.sabotage {
                    bug.packet(&mut packet);
                    if let Some(answer) = bug.forged_answer(&packet) {
                        self.schedule(0, Event::Arrive(link, at, Cargo::Packet(answer)));
                    }
                }
                self.send(at, link, Cargo::Packet(packet));
            }
            Output::SendSnapshot { link, zxid } => {
                let mut state: Vec<Txn> =
                    self.members[at].state().iter().filter(|(has, _)| *has <= zxid).cloned().collect();
                if self.options.sabotage == Some(Sabotage::SnapshotTooOld) {
                    state.pop();
                }
                self.send(at, link, Cargo::Snapshot(Packet::Snap { zxid }, state));
            }
            Output::ReadHistory { link, after, through } => {
                let (life, delay) = (self.members[at].life(), self.rng.u64(..30));
                self.schedule(delay, Event::Read(at, life, link, after, through));
            }
            Output::Disconnect { link } => self.disconnect(at, link),
            // Planted: it was applied already.
            Output::Committed { .. } if self.options.sabotage == Some(Sabotage::AppliedBeforeCommit) => {}
            Output::Committed { zxid, payload } => {
                self.members[at].apply(zxid, payload);
                self.verify(at)?;
            }
            Output::RoleChanged(role) => {
                self.members[at].set_role(role);
                match role {
                    Role::Looking => {}
                    Role::Leading { epoch } => self.oracle.leads(self.now_ms, &self.members, at, epoch)?,
                    Role::Following { .. } | Role::Observing { .. } => self.verify(at)?,
                }
            }
            Output::Activated(members) => self.members[at].set_members(members),
            Output::Resigned => {
                self.stop(at, true);
                if self.now_ms >= self.options.faults_ms {
                    return self.start(at);
                }
            }
            Output::MembersProposed(_)
            | Output::ForwardedRequest { .. }
            | Output::SessionsTouched(_)
            | Output::RevalidateSession { .. }
            | Output::SessionRevalidated { .. }
            | Output::Synced => {}
        }
        Ok(())
    }

    fn persist(&mut self, at: MemberIndex, ticket: Ticket, write: Write) -> Result<(), Violation> {
        let bug = self.options.sabotage;
        let early = bug.is_some_and(|bug| bug.tells_early(&write));
        let leads = self.members[at].peer().is_some_and(|peer| peer.server_state() == ServerState::Leading);
        let dropped = bug.is_some_and(|bug| bug.drops(&write, leads));
        if bug == Some(Sabotage::AppliedBeforeCommit)
            && let Write::Append { zxid, payload } = &write
        {
            self.members[at].apply(*zxid, payload.clone());
            self.verify(at)?;
        }
        self.members[at].persist(ticket, write, dropped);
        // The lie is told when the machine is done with this input.
        if early {
            self.schedule(0, Event::Synced(at, self.members[at].life(), ticket | LIE));
        }
        Ok(())
    }

    fn verify(&mut self, at: MemberIndex) -> Result<(), Violation> {
        self.oracle.agrees(self.now_ms, &self.members, at)?;
        self.members[at].set_verified();
        Ok(())
    }

    fn note_promise(&mut self, at: MemberIndex, packet: &Packet) -> Result<(), Violation> {
        if let Packet::AckEpoch { current_epoch: Some(_), .. } = packet
            && let Some(accepted) = self.members[at].peer().map(|peer| peer.epochs().accepted())
        {
            self.oracle.promised(self.now_ms, at, accepted)?;
        }
        Ok(())
    }

    fn delay(&mut self) -> u64 {
        // Mostly quick; now and then a packet takes as long as some others together.
        if self.rng.u8(..20) == 0 { self.rng.u64(5..60) } else { self.rng.u64(..4) }
    }

    fn notify(&mut self, from: MemberIndex, to: i64, notification: Notification) {
        if self.rng.u8(..100) >= self.loss {
            let delay = self.delay();
            self.schedule(delay, Event::Notify(from, (to - 1) as usize, notification));
        }
    }

    fn send(&mut self, from: MemberIndex, link: LinkId, cargo: Cargo) {
        let arrives = self.now_ms + self.delay();
        if let Some((to, at_ms)) = self.network.send(link, from, arrives) {
            self.schedule(at_ms - self.now_ms, Event::Arrive(link, to, cargo));
        }
    }

    fn dialled(&mut self, from: MemberIndex, to: MemberIndex) -> Result<(), Violation> {
        let leader = self.members[to].id();
        let both_ways = self.network.reaches(from, to) && self.network.reaches(to, from);
        if !self.members[from].is_up() {
            return Ok(());
        }
        if !both_ways || !self.members[to].is_up() {
            return self.input(from, Input::ConnectFailed { leader });
        }
        let link = self.network.dial(from, to);
        self.input(to, Input::Accepted { link })?;
        self.input(from, Input::Connected { link, leader })
    }

    fn arrive(&mut self, link: LinkId, to: MemberIndex, cargo: Cargo) -> Result<(), Violation> {
        if !self.members[to].is_up() {
            return Ok(());
        }
        if !self.network.arrives(link, to) {
            return Ok(());
        }
        match cargo {
            Cargo::Packet(packet) => self.input(to, Input::Packet { link, packet }),
            Cargo::Snapshot(packet, state) => {
                let shown = members::shown_by(&state);
                self.members[to].snapshot_arrived(link, state);
                self.input(to, Input::Packet { link, packet })?;
                if let Some(members) = shown {
                    self.input(to, Input::SnapshotMembers { link, members })?;
                }
                self.input(to, Input::SnapshotReceived { link })
            }
            Cargo::Closed => {
                self.network.close(link, to);
                self.input(to, Input::LinkClosed { link })
            }
        }
    }

    /// Now and then files are removed meanwhile.
    fn read(&mut self, at: MemberIndex, life: u64, link: LinkId, range: (Zxid, Zxid)) -> Result<(), Violation> {
        if !self.members[at].is_up() || life != self.members[at].life() {
            return Ok(());
        }
        let (most, removed) = (self.rng.usize(1..6), self.rng.u8(..20) == 0);
        let entries = self.members[at].disk().history(range.0, range.1, most).filter(|_| !removed);
        self.pieces_read += usize::from(entries.is_some());
        let input = entries.map_or(Input::NoHistory { link }, |entries| Input::History { link, entries });
        self.input(at, input)
    }

    fn disconnect(&mut self, at: MemberIndex, link: LinkId) {
        self.send(at, link, Cargo::Closed);
        self.network.close(link, at);
    }

    fn begin_sync(&mut self, at: MemberIndex) {
        let member = &mut self.members[at];
        if let Some(newest) = member.disk().newest()
            && !member.syncing
            && member.is_up()
        {
            member.syncing = true;
            let (life, limit) = (member.life(), member.sync_ms);
            let delay = self.rng.u64(..=limit);
            self.schedule(delay, Event::Synced(at, life, newest));
        }
    }

    fn synced(&mut self, at: MemberIndex, life: u64, through: Ticket) -> Result<(), Violation> {
        if life != self.members[at].life() || !self.members[at].is_up() {
            return Ok(());
        }
        if through & LIE == 0 {
            self.members[at].syncing = false;
            self.members[at].disk_mut().sync(through);
        }
        self.input(at, Input::Persisted { through: through & !LIE })
    }

    /// A client writes, through whoever leads.
    fn propose(&mut self) -> Result<(), Violation> {
        let calm = self.now_ms >= self.options.faults_ms;
        let delay = if calm { 500 } else { self.rng.u64(1..40) };
        self.schedule(delay, Event::Propose);
        for at in 0..self.members.len() {
            if matches!(self.members[at].role(), Role::Leading { .. }) {
                self.propose_through(at)?;
            }
        }
        Ok(())
    }

    fn propose_through(&mut self, at: MemberIndex) -> Result<(), Violation> {
        self.payloads += 1;
        let payload = self.draw_payload(at);
        let now_ms = self.now_ms;
        if let Some(Ok(zxid)) = self.members[at].peer().map(|peer| peer.propose(now_ms, &payload)) {
            self.oracle.proposed(now_ms, zxid, payload)?;
        }
        self.carry_out(at)
    }

    fn draw_payload(&mut self, at: MemberIndex) -> Bytes {
        let plain = Bytes::copy_from_slice(&self.payloads.to_be_bytes());
        let calm = self.now_ms >= self.options.faults_ms;
        if calm || self.rng.u8(..100) >= self.options.changes {
            return plain;
        }
        let now = self.members[at].peer().map(|peer| peer.members().clone()).unwrap_or_default();
        let drawn = members::draw(&mut self.rng, &now, &self.everybody);
        drawn.map_or(plain, |members| members::payload(&members))
    }

    fn fault(&mut self, fault: Fault) -> Result<(), Violation> {
        match fault {
            Fault::Crash(at) => self.crash(at),
            Fault::CrashAll => (0..self.members.len()).for_each(|at| self.crash(at)),
            Fault::Resign(at) => self.input(at, Input::Resign)?,
            Fault::Start(at) => self.start(at)?,
            Fault::StartAll => {
                for at in 0..self.members.len() {
                    self.start(at)?;
                }
            }
            Fault::CutOneWay(from, to) => self.network.cut(from, to),
            Fault::Isolate(one) => self.split(|at| at == one),
            Fault::Split(place) => self.split(|at| at < place),
            Fault::Heal => self.network.heal(),
            Fault::BreakLinks(at) => {
                for link in self.network.links_of(at) {
                    self.disconnect(at, link);
                    self.input(at, Input::LinkClosed { link })?;
                }
            }
            Fault::Disk(at, sync_ms) => self.members[at].sync_ms = sync_ms,
            Fault::Lose(loss) => self.loss = loss,
        }
        Ok(())
    }

    fn draw_fault(&mut self) -> (u64, Fault) {
        let draw = if self.options.storm { nemesis::next_of_storm } else { nemesis::next };
        draw(&mut self.rng, self.members.len())
    }

    fn split(&mut self, on_this_side: impl Fn(MemberIndex) -> bool) {
        for (one, other) in pairs(self.members.len()) {
            if on_this_side(one) != on_this_side(other) {
                self.network.cut(one, other);
            }
        }
    }

    fn crash(&mut self, at: MemberIndex) {
        if self.members[at].is_up() {
            // Sometimes the others are told by their kernels, sometimes only by silence.
            let told = self.rng.bool();
            self.stop(at, told);
        }
    }

    fn stop(&mut self, at: MemberIndex, told: bool) {
        let kept = self.rng.usize(..=self.members[at].disk().waiting());
        for link in self.network.links_of(at) {
            if told {
                self.send(at, link, Cargo::Closed);
            }
            self.network.close(link, at);
        }
        self.members[at].crash(kept);
        for other in (0..self.members.len()).filter(|other| told && *other != at) {
            let delay = self.delay();
            self.schedule(delay, Event::PeerGone(other, at));
        }
        self.network.tidy();
    }

    fn start(&mut self, at: MemberIndex) -> Result<(), Violation> {
        if self.members[at].is_up() {
            return Ok(());
        }
        let at_ms = self.now_ms;
        self.members[at].start(at_ms).map_err(|what| Violation { at_ms, promise: "starts again", what })?;
        for other in (0..self.members.len()).filter(|other| *other != at) {
            let delay = self.delay();
            self.schedule(delay, Event::PeerBack(other, at));
        }
        self.carry_out(at)
    }

    /// One leader, everybody follows it, and everybody has the same transactions.
    fn check_healed(&self) -> Result<(), Violation> {
        let leaders = self.members.iter().filter(|member| matches!(member.role(), Role::Leading { .. })).count();
        let lost: Vec<i64> =
            self.members.iter().filter(|member| member.role() == Role::Looking).map(Member::id).collect();
        let states: Vec<usize> = self.members.iter().map(|member| member.state().len()).collect();
        // What was proposed in the last moments may not have reached everybody yet.
        let behind = states.iter().any(|has| has + 1 < self.oracle.chosen());
        if leaders == 1 && lost.is_empty() && !behind {
            return Ok(());
        }
        let what = format!("{leaders} leaders, {lost:?} without one, states of {states:?} transactions");
        Err(Violation { at_ms: self.now_ms, promise: "heals", what })
    }
}

/// Marks a ticket of which the disk lies.
const LIE: Ticket = 1 << 63;

fn pairs(members: usize) -> impl Iterator<Item = (MemberIndex, MemberIndex)> {
    (0..members).flat_map(move |one| (0..members).filter(move |other| *other != one).map(move |other| (one, other)))
}
