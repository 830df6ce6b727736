//! Carries out what members want done, as a server's shell would, and, for a planted bug, as it must not.

use menagerie_core::replica::{ConnId, Input, Output};
use menagerie_core::wire::Zxid;
use menagerie_core::wire::quorum::Packet;
use menagerie_core::wire::txn::Txn as Change;
use menagerie_core::zab::{self, LinkId, Role, Ticket, Write};

use super::Violation;
use super::member::{made_of, members_in};
use super::options::Sabotage;
use super::oracle::broken;
use super::world::{Cargo, Event, Post, World};
use crate::sim::network::MemberIndex;

/// Marks a ticket of which the disk lies.
const LIE: Ticket = 1 << 63;

impl World {
    /// Gives a member what comes from another.
    pub fn zab_input(&mut self, at: MemberIndex, input: zab::Input) -> Result<(), Violation> {
        self.input(at, Input::Zab(input))
    }

    /// Gives a member an input and carries out what it wants.
    pub fn input(&mut self, at: MemberIndex, input: Input) -> Result<(), Violation> {
        let now = self.members[at].time(self.now_ms);
        if let Some(running) = &mut self.members[at].running {
            running.replica.handle(now, input);
        }
        self.carry_out(at)
    }

    /// Carries out what a member wants.
    pub fn carry_out(&mut self, at: MemberIndex) -> Result<(), Violation> {
        while let Some(output) = self.members[at].running.as_mut().and_then(|it| it.replica.poll_output()) {
            self.hand_out(at);
            self.output(at, output)?;
        }
        self.hand_out(at);
        self.verify(at)?;
        self.begin_sync(at);
        let due = self.members[at].running.as_ref().map(|it| it.replica.poll_timeout());
        if let Some(due) = due.map(|due| self.members[at].when(due))
            && self.members[at].wakes_at_ms.is_none_or(|wakes| due < wakes)
            && due < self.ends_ms()
        {
            self.members[at].wakes_at_ms = Some(due);
            self.schedule(due.saturating_sub(self.now_ms), Event::Wake(at));
        }
        Ok(())
    }

    /// What the member has told connections waits there for their next turns.
    fn hand_out(&mut self, at: MemberIndex) {
        let Some(running) = &mut self.members[at].running else { return };
        let mut turns = Vec::new();
        for (conn, sent) in running.told.take() {
            let loses = self.options.sabotage == Some(Sabotage::WatchLost)
                && matches!(sent, super::connection::Sent::Event(_))
                && self.rng.u8(..4) == 0;
            let Some(connection) = running.connections.get_mut(&conn).filter(|_| !loses) else { continue };
            connection.told(sent);
            if !std::mem::replace(&mut connection.turning, true) {
                turns.push(conn);
            }
        }
        let life = self.members[at].life;
        for conn in turns {
            let delay = self.rng.u64(..3);
            self.schedule(delay, Event::Turn(at, life, conn));
        }
    }

    fn verify(&mut self, at: MemberIndex) -> Result<(), Violation> {
        if self.members[at].running.as_ref().is_none_or(|it| it.role == Role::Looking) {
            return Ok(());
        }
        let before = self.oracle.verify(self.now_ms, &mut self.members, at)?;
        for index in before..self.oracle.records().len() {
            let header = &self.oracle.records()[index].header;
            let session = header.client_id;
            if header.cxid == 0 && matches!(self.oracle.records()[index].txn, Change::CloseSession { .. }) {
                self.expired += 1;
                self.has_expired(session)?;
            }
        }
        Ok(())
    }

    pub(super) fn wake(&mut self, at: MemberIndex) -> Result<(), Violation> {
        if self.members[at].wakes_at_ms.is_some_and(|wakes| wakes <= self.now_ms) {
            self.members[at].wakes_at_ms = None;
        }
        let now_ms = self.now_ms;
        let due = self.members[at].running.as_ref().map(|it| it.replica.poll_timeout());
        if due.is_some_and(|due| self.members[at].when(due) <= now_ms) {
            self.touch(at)?;
            return self.input(at, Input::Tick);
        }
        self.carry_out(at)
    }

    /// Tells the member which sessions were heard of.
    fn touch(&mut self, at: MemberIndex) -> Result<(), Violation> {
        let Some(running) = &mut self.members[at].running else { return Ok(()) };
        let touched: Vec<_> = std::mem::take(&mut running.touched).into_iter().collect();
        let learns = !matches!(running.role, Role::Leading { .. });
        if touched.is_empty() || (learns && self.has(Sabotage::TouchesLost)) {
            return Ok(());
        }
        self.input(at, Input::Touched(touched))
    }

    fn output(&mut self, at: MemberIndex, output: Output) -> Result<(), Violation> {
        match output {
            Output::Persist { ticket, write } => {
                let early = self.has(Sabotage::AckBeforeSync) && matches!(write, Write::Append { .. });
                self.members[at].persist(ticket, write);
                // The lie is told when the machine is done with this input.
                if early {
                    self.schedule(0, Event::Synced(at, self.members[at].life, ticket | LIE));
                }
            }
            Output::ReplaceState { ticket } => {
                let Some(running) = &mut self.members[at].running else { return Ok(()) };
                running.states.insert(ticket, running.log.clone());
                let delay = self.rng.u64(..60);
                self.schedule(delay, Event::StateMade(at, self.members[at].life, ticket));
            }
            Output::Zab(zab::Output::Resigned) => {
                self.crash(at);
                if self.is_calm() {
                    return self.start(at);
                }
            }
            Output::Zab(output) => self.zab_output(at, output),
            Output::RoleChanged(role) => {
                self.note(&("role", at, role));
                // What it applied before it stopped to serve counts too.
                self.verify(at)?;
                if let Some(running) = &mut self.members[at].running {
                    running.role = role;
                }
                if let Role::Leading { epoch } = role {
                    self.oracle.leads(self.now_ms, at, epoch)?;
                }
            }
            Output::Connected { conn, response } => self.connected(at, conn, &response)?,
            Output::Close { conn } => {
                self.note(&("close", at, conn));
                self.close(at, conn, true);
            }
            Output::ReadOnly(_) => {}
            Output::Fatal(why) => return broken(self.now_ms, "goes on", format!("member {at}: {why}")),
        }
        Ok(())
    }

    fn zab_output(&mut self, at: MemberIndex, output: zab::Output) {
        match output {
            zab::Output::Notify { to, notification } => {
                let (chance, delay) = (self.rng.u8(..100), self.delay());
                if chance >= self.loss {
                    self.schedule(delay, Event::Notify(at, (to - 1) as usize, notification));
                }
            }
            zab::Output::Connect { leader } => {
                let delay = self.delay();
                self.schedule(delay, Event::Dialled(at, (leader - 1) as usize));
            }
            zab::Output::Send { link, packet } => self.send_packet(at, link, packet),
            zab::Output::SendSnapshot { link, zxid } => {
                let running = self.members[at].running.as_ref();
                let mut image = running.map(|it| it.applied().to_vec()).unwrap_or_default();
                if self.has(Sabotage::SnapshotShort) {
                    image.pop();
                }
                self.send(at, link, Cargo::Snapshot(Packet::Snap { zxid }, image));
            }
            zab::Output::ReadHistory { link, after, through } => {
                let (life, delay) = (self.members[at].life, self.rng.u64(..30));
                self.schedule(delay, Event::Read(at, life, link, after, through));
            }
            zab::Output::Disconnect { link } => self.disconnect(at, link),
            zab::Output::Activated(members) => self.members[at].set_members(members),
            // The others are the replica's own affair.
            _ => {}
        }
    }

    fn send_packet(&mut self, at: MemberIndex, link: LinkId, packet: Packet) {
        if let Packet::Proposal { zxid, .. } = packet
            && self.has(Sabotage::ReplyBeforeQuorum)
        {
            self.schedule(0, Event::Arrive(link, at, Cargo::Packet(Packet::Ack { zxid })));
        }
        if matches!(packet, Packet::Request(_)) && self.has(Sabotage::ForwardedTwice) && self.rng.u8(..10) == 0 {
            self.send(at, link, Cargo::Packet(packet.clone()));
        }
        self.send(at, link, Cargo::Packet(packet));
    }

    fn send(&mut self, from: MemberIndex, link: LinkId, cargo: Cargo) {
        let stuck = !self.is_calm() && self.rng.u16(..600) == 0;
        let arrives = self.now_ms + if stuck { self.rng.u64(50..450) } else { self.delay() };
        if let Some((to, at_ms)) = self.network.send(link, from, arrives) {
            self.schedule(at_ms - self.now_ms, Event::Arrive(link, to, cargo));
        }
    }

    /// A member ends a link.
    pub fn disconnect(&mut self, at: MemberIndex, link: LinkId) {
        self.send(at, link, Cargo::Closed);
        self.network.close(link, at);
    }

    pub(super) fn dialled(&mut self, from: MemberIndex, to: MemberIndex) -> Result<(), Violation> {
        let leader = self.members[to].id;
        let both_ways = self.network.reaches(from, to) && self.network.reaches(to, from);
        if self.members[from].running.is_none() {
            return Ok(());
        }
        if !both_ways || self.members[to].running.is_none() || self.members[to].paused.is_some() {
            return self.zab_input(from, zab::Input::ConnectFailed { leader });
        }
        let link = self.network.dial(from, to);
        self.zab_input(to, zab::Input::Accepted { link })?;
        self.zab_input(from, zab::Input::Connected { link, leader })
    }

    pub(super) fn arrive(&mut self, link: LinkId, to: MemberIndex, cargo: Cargo) -> Result<(), Violation> {
        if self.members[to].running.is_none() || !self.network.arrives(link, to) {
            return Ok(());
        }
        match cargo {
            Cargo::Packet(packet) => self.zab_input(to, zab::Input::Packet { link, packet }),
            Cargo::Snapshot(packet, image) => {
                let shown = members_in(&image);
                if let Some(running) = &mut self.members[to].running {
                    running.arrived.insert(link, image);
                }
                self.zab_input(to, zab::Input::Packet { link, packet })?;
                if let Some(members) = shown {
                    self.zab_input(to, zab::Input::SnapshotMembers { link, members })?;
                }
                self.zab_input(to, zab::Input::SnapshotReceived { link })
            }
            Cargo::Closed => {
                self.network.close(link, to);
                self.zab_input(to, zab::Input::LinkClosed { link })
            }
        }
    }

    /// A member has read a piece of its log for a learner. Now and then files are removed meanwhile.
    pub(super) fn read(
        &mut self,
        at: MemberIndex,
        life: u64,
        link: LinkId,
        range: (Zxid, Zxid),
    ) -> Result<(), Violation> {
        if life != self.members[at].life {
            return Ok(());
        }
        let (most, removed) = (self.rng.usize(1..6), self.rng.u8(..20) == 0);
        let entries = self.members[at].disk.history(range.0, range.1, most).filter(|_| !removed);
        let input = entries.map_or(zab::Input::NoHistory { link }, |entries| zab::Input::History { link, entries });
        self.zab_input(at, input)
    }

    fn begin_sync(&mut self, at: MemberIndex) {
        let member = &mut self.members[at];
        if let Some(newest) = member.disk.newest()
            && !member.syncing
            && member.running.is_some()
        {
            member.syncing = true;
            let (life, limit) = (member.life, member.sync_ms);
            let delay = self.rng.u64(..=limit);
            self.schedule(delay, Event::Synced(at, life, newest));
        }
    }

    pub(super) fn synced(&mut self, at: MemberIndex, life: u64, through: Ticket) -> Result<(), Violation> {
        if life != self.members[at].life || self.members[at].running.is_none() {
            return Ok(());
        }
        if through & LIE == 0 {
            self.members[at].syncing = false;
            self.members[at].disk.sync(through);
        }
        self.input(at, Input::Persisted { through: through & !LIE })
    }

    /// States are made in the order in which they were asked for, as one disk does it.
    pub(super) fn state_made(&mut self, at: MemberIndex, life: u64, through: Ticket) -> Result<(), Violation> {
        loop {
            let sabotage = self.options.sabotage;
            let member = &mut self.members[at];
            let Some(running) = member.running.as_mut().filter(|_| life == member.life) else { return Ok(()) };
            let Some(oldest) = running.states.first_entry().filter(|oldest| *oldest.key() <= through) else {
                return Ok(());
            };
            let (ticket, log) = oldest.remove_entry();
            let (tree, sessions) = made_of(&log, sabotage);
            running.shared.replace(tree, sessions);
            self.states_made += 1;
            running.verified = 0;
            self.input(at, Input::StateReplaced { through: ticket })?;
        }
    }

    /// A member closes a connection; what was told and not sent may be lost.
    pub(super) fn close(&mut self, at: MemberIndex, conn: ConnId, chance: bool) {
        let flush = chance && self.rng.bool();
        let sabotage = self.options.sabotage;
        let Some(running) = &mut self.members[at].running else { return };
        let Some(mut connection) = running.connections.remove(&conn) else { return };
        running.shared.watches().remove_watcher(conn);
        if flush {
            let turn = connection.turn(&running.shared, sabotage);
            for frame in turn.out {
                self.post(conn, Post::Frame(frame));
            }
        }
        self.post(conn, Post::Closed);
        self.tell_gone(at, conn);
    }

    /// The replica hears of the end of a connection when it is done with what it does.
    fn tell_gone(&mut self, at: MemberIndex, conn: ConnId) {
        self.schedule(0, Event::ToMember(at, conn, Post::Closed));
    }
}
