//! What the clients do: each keeps a session, asks for things, loses connections, moves to other members, dies; and the posts between
//! them and the members.

use std::collections::BTreeMap;

use bytes::Bytes;
use menagerie_core::jute::{Decode, Encode};
use menagerie_core::replica::{ConnId, Input};
use menagerie_core::wire::CreateMode;
use menagerie_core::wire::proto::{ConnectRequest, ConnectResponse};
use menagerie_core::zab::Role;

use super::Violation;
use super::connection::Connection;
use super::oracle::broken;
use super::world::{Event, Post, QUIET_MS, World};
use crate::check::speaker::Came;
use crate::check::{Action, Answer, ClientLog, Speaker};
use crate::sim::network::MemberIndex;

/// How long a client waits for an answer to its greeting, in milliseconds.
const GREETING_MS: u64 = 800;

/// A client's connection, seen from between the two.
#[derive(Debug)]
struct Line {
    client: usize,
    member: MemberIndex,
    /// The session that the client asked to resume, or 0.
    asked: i64,
    /// Whether its greeting has come to the member.
    arrived: bool,
    /// When the last post of each direction arrives: nothing overtakes it.
    up_ms: u64,
    down_ms: u64,
}

/// One client.
#[derive(Debug)]
struct Client {
    speaker: Speaker,
    timeout_ms: u64,
    conn: Option<ConnId>,
    /// When it dialled, or when its session was opened on the connection.
    since_ms: u64,
    heard_ms: u64,
    sent_ms: u64,
    dead: bool,
    /// Whether a write of it was done since all was calm.
    wrote: bool,
    /// Whether it has asked its last questions.
    finished: bool,
}

/// All of them, the dead ones too.
#[derive(Debug, Default)]
pub struct Clients {
    all: Vec<Client>,
    lines: BTreeMap<ConnId, Line>,
    next_conn: ConnId,
    /// Makes each piece of data another.
    data: u64,
}

impl Clients {
    /// What they did and saw.
    pub fn logs(&self) -> Vec<ClientLog> {
        self.all.iter().map(|client| client.speaker.log().clone()).collect()
    }
}

impl World {
    /// One client more, which begins within so many milliseconds.
    pub fn new_client(&mut self, within_ms: u64) {
        let number = self.clients.all.len();
        let timeout_ms = [1_000, 2_000, 3_000][self.rng.usize(..3)];
        self.clients.all.push(Client {
            speaker: Speaker::new(format!("client {number}"), i32::try_from(timeout_ms).unwrap_or(i32::MAX)),
            timeout_ms,
            conn: None,
            since_ms: 0,
            heard_ms: 0,
            sent_ms: 0,
            dead: false,
            wrote: false,
            finished: false,
        });
        let delay = self.rng.u64(..within_ms);
        self.schedule(delay, Event::Client(number));
    }

    /// A client's turn.
    pub(super) fn client(&mut self, number: usize) {
        let now_ms = self.now_ms;
        let pause = if self.is_calm() { self.rng.u64(30..120) } else { self.rng.u64(5..60) };
        if self.clients.all[number].dead {
            return;
        }
        self.schedule(pause, Event::Client(number));
        let client = &self.clients.all[number];
        if client.conn.is_none() {
            self.dial(number);
            return;
        }
        let open = client.speaker.is_open();
        let patience = if open { client.timeout_ms * 2 / 3 } else { GREETING_MS };
        if now_ms - client.heard_ms.max(client.since_ms) > patience {
            self.hang_up(number);
            return;
        }
        if !open {
            return;
        }
        if now_ms - client.sent_ms > client.timeout_ms / 3 {
            let frame = client.speaker.ping();
            self.say(number, frame);
        }
        if now_ms + QUIET_MS >= self.ends_ms() {
            self.finish(number);
        } else if self.clients.all[number].speaker.in_flight() < 6 && self.rng.u8(..3) > 0 {
            self.act(number);
        }
    }

    fn finish(&mut self, number: usize) {
        if std::mem::replace(&mut self.clients.all[number].finished, true) {
            return;
        }
        self.ask(number, Action::Sync { path: "/a".into() });
        for path in ["/a", "/b"] {
            self.ask(number, Action::GetData { path: path.into(), watch: false });
        }
    }

    fn act(&mut self, number: usize) {
        let troubled = self.now_ms < self.options.faults_ms + 1_000;
        match self.rng.u8(..200) {
            0 if troubled => {
                self.clients.all[number].dead = true;
                // Sometimes its kernel says that it is gone.
                if self.rng.bool() {
                    self.hang_up(number);
                }
                self.new_client(200);
            }
            1..6 if troubled => self.hang_up(number),
            6 if troubled && self.clients.all[number].speaker.in_flight() == 0 => self.ask(number, Action::Close),
            _ => {
                let action = self.draw();
                self.ask(number, action);
            }
        }
    }

    fn ask(&mut self, number: usize, action: Action) {
        let now_ms = self.now_ms;
        let frame = self.clients.all[number].speaker.ask(now_ms, action);
        self.say(number, frame);
    }

    fn say(&mut self, number: usize, frame: Bytes) {
        let client = &mut self.clients.all[number];
        client.sent_ms = self.now_ms;
        if let Some(conn) = client.conn {
            self.post_up(conn, Post::Frame(frame));
        }
    }

    fn dial(&mut self, number: usize) {
        let member = self.rng.usize(..self.members.len());
        self.clients.next_conn += 1;
        let conn = self.clients.next_conn;
        let client = &mut self.clients.all[number];
        (client.conn, client.since_ms) = (Some(conn), self.now_ms);
        let (asked, frame) = (client.speaker.session(), client.speaker.greet());
        let line = Line { client: number, member, asked, arrived: false, up_ms: 0, down_ms: 0 };
        self.clients.lines.insert(conn, line);
        self.post_up(conn, Post::Frame(frame));
    }

    fn hang_up(&mut self, number: usize) {
        let now_ms = self.now_ms;
        let client = &mut self.clients.all[number];
        client.speaker.lost(now_ms);
        // Now and then the member never hears of it.
        let told = self.rng.u8(..4) > 0;
        if let Some(conn) = client.conn.take().filter(|_| told) {
            self.post_up(conn, Post::Closed);
        }
    }

    fn post_up(&mut self, conn: ConnId, post: Post) {
        let stuck = !self.is_calm() && self.rng.u8(..150) == 0;
        let delay = if stuck { self.rng.u64(100..1_500) } else { self.delay() };
        let Some(line) = self.clients.lines.get_mut(&conn) else { return };
        line.up_ms = line.up_ms.max(self.now_ms + delay);
        let (delay, member) = (line.up_ms - self.now_ms, line.member);
        self.schedule(delay, Event::ToMember(member, conn, post));
    }

    /// A member sends something to a client.
    pub(super) fn post(&mut self, conn: ConnId, post: Post) {
        let delay = self.delay();
        let Some(line) = self.clients.lines.get_mut(&conn) else { return };
        line.down_ms = line.down_ms.max(self.now_ms + delay);
        let delay = line.down_ms - self.now_ms;
        self.schedule(delay, Event::ToClient(conn, post));
    }

    /// All clients of a member lose their connections.
    pub(super) fn break_clients(&mut self, at: MemberIndex) {
        let conns = self.members[at].running.as_ref().map(|it| it.connections.keys().copied().collect::<Vec<_>>());
        for conn in conns.unwrap_or_default() {
            self.close(at, conn, false);
        }
    }

    pub(super) fn at_member(&mut self, at: MemberIndex, conn: ConnId, post: Post) -> Result<(), Violation> {
        let now = self.members[at].time(self.now_ms);
        let life = self.members[at].life;
        let line = self.clients.lines.get_mut(&conn);
        let Some(running) = &mut self.members[at].running else {
            self.post(conn, Post::Closed);
            return Ok(());
        };
        let Post::Frame(frame) = post else {
            running.connections.remove(&conn);
            running.shared.watches().remove_watcher(conn);
            return self.input(at, Input::Disconnected { conn });
        };
        if let Some(line) = line.filter(|line| !line.arrived) {
            line.arrived = true;
            running.connections.insert(conn, Connection::new(conn));
            let Ok(request) = ConnectRequest::from_bytes(&frame) else { return Ok(()) };
            return self.input(at, Input::Connect { conn, request });
        }
        let Some(connection) = running.connections.get_mut(&conn) else { return Ok(()) };
        running.touched.insert(connection.session, now.monotonic_ms);
        connection.came(frame);
        if !std::mem::replace(&mut connection.turning, true) {
            let delay = self.rng.u64(..2);
            self.schedule(delay, Event::Turn(at, life, conn));
        }
        Ok(())
    }

    /// A connection's turn.
    pub(super) fn turn(&mut self, at: MemberIndex, life: u64, conn: ConnId) -> Result<(), Violation> {
        let sabotage = self.options.sabotage;
        let member = &mut self.members[at];
        let Some(running) = member.running.as_mut().filter(|_| life == member.life) else { return Ok(()) };
        let Some(connection) = running.connections.get_mut(&conn) else { return Ok(()) };
        connection.turning = false;
        if running.role == Role::Looking && connection.session != 0 && !connection.is_ended() {
            let what = format!("member {at} has no leader, and connection {conn} is still open");
            return broken(self.now_ms, "nobody is served without a leader", what);
        }
        let turn = connection.turn(&running.shared, sabotage);
        for frame in turn.out {
            let shown = frame.get(4..12).and_then(|zxid| zxid.try_into().ok()).map_or(0, i64::from_be_bytes);
            if shown > self.oracle.last().0 {
                let what = format!("member {at} shows 0x{shown:x}; {} is committed", self.oracle.last());
                return broken(self.now_ms, "nothing is shown too early", what);
            }
            self.post(conn, Post::Frame(frame));
        }
        for request in turn.requests {
            self.input(at, Input::Request(request))?;
        }
        if turn.close {
            self.close(at, conn, false);
        }
        Ok(())
    }

    /// A member answers a greeting.
    pub(super) fn connected(
        &mut self,
        at: MemberIndex,
        conn: ConnId,
        response: &ConnectResponse,
    ) -> Result<(), Violation> {
        let resumed = self.clients.lines.get(&conn).is_some_and(|line| line.asked != 0);
        let welcome = response.timeout_ms > 0;
        self.operator_connected(conn, response);
        let running = self.members[at].running.as_mut();
        let Some(connection) = running.and_then(|it| it.connections.get_mut(&conn)) else { return Ok(()) };
        connection.session = response.session_id;
        self.post(conn, Post::Frame(response.to_bytes()));
        if welcome {
            self.oracle.welcomed(self.now_ms, &self.members[at], response.session_id, resumed)
        } else {
            self.close(at, conn, false);
            Ok(())
        }
    }

    pub(super) fn at_client(&mut self, conn: ConnId, post: Post) -> Result<(), Violation> {
        let now_ms = self.now_ms;
        let Some(number) = self.clients.lines.get(&conn).map(|line| line.client) else { return Ok(()) };
        let client = &mut self.clients.all[number];
        if client.conn != Some(conn) || client.dead {
            return Ok(());
        }
        let Post::Frame(frame) = post else {
            client.conn = None;
            client.speaker.lost(now_ms);
            return Ok(());
        };
        client.heard_ms = now_ms;
        let came = client.speaker.take(now_ms, &frame);
        let came = came.map_err(|error| Violation { at_ms: now_ms, promise: "replies", what: error.to_string() })?;
        match came {
            Came::Open => {
                client.since_ms = now_ms;
                if let Some(watches) = client.speaker.watches() {
                    self.ask(number, watches);
                }
            }
            Came::Refused => client.conn = None,
            Came::Answer(Action::Close, Answer::Done) => {
                client.conn = None;
                client.speaker.lost(now_ms);
                client.speaker.forget();
            }
            Came::Answer(action, answer) => {
                client.wrote |=
                    now_ms > self.options.faults_ms && action.is_write() && !matches!(answer, Answer::Error(_));
            }
            Came::Other => {}
        }
        Ok(())
    }

    /// The ensemble has ended a session: not one, while all is calm, of which it hears.
    pub(super) fn has_expired(&mut self, session: i64) -> Result<(), Violation> {
        let now_ms = self.now_ms;
        let settled = now_ms > self.options.faults_ms + 4_000;
        let alive = |client: &&Client| client.speaker.is_open() && client.speaker.session() == session && !client.dead;
        let client = self.clients.all.iter().find(alive);
        match client {
            Some(client) if settled && client.since_ms + client.timeout_ms + 500 < now_ms => {
                let what = format!("0x{session:x} is ended, though it was heard of since {}", client.since_ms);
                broken(now_ms, "a session that is heard of lives", what)
            }
            _ => Ok(()),
        }
    }

    /// Every client that lives is served, and every session that nobody has is gone.
    pub(super) fn clients_are_well(&self) -> Result<(), Violation> {
        let at_ms = self.now_ms;
        let living = || self.clients.all.iter().filter(|client| !client.dead);
        if let Some(client) = living().find(|it| !it.speaker.is_open() || it.speaker.in_flight() > 0 || !it.wrote) {
            let (open, waits) = (client.speaker.is_open(), client.speaker.in_flight());
            let what = format!(
                "{} is open: {open}, waits for {waits} answers, has written: {}",
                client.speaker.log().name,
                client.wrote
            );
            return broken(at_ms, "clients are served", what);
        }
        let left = self.oracle.sessions().keys().find(|id| !living().any(|client| client.speaker.session() == **id));
        match left {
            Some(session) => broken(at_ms, "sessions expire", format!("0x{session:x} of nobody lives on")),
            None => Ok(()),
        }
    }

    /// What a client asks for next.
    fn draw(&mut self) -> Action {
        let watch = self.rng.u8(..3) == 0;
        let path = self.path();
        match self.rng.u8(..100) {
            0..18 => Action::GetData { path, watch },
            18..28 => Action::Exists { path, watch },
            28..38 => {
                let path = ["/a", "/b", "/c"][self.rng.usize(..3)].to_owned();
                Action::GetChildren { path, watch }
            }
            38..44 => Action::Sync { path },
            44..92 => self.write(),
            _ => {
                let count = self.rng.usize(1..4);
                Action::Multi(
                    (0..count).map(|_| if self.rng.u8(..4) == 0 { self.checked() } else { self.write() }).collect(),
                )
            }
        }
    }

    fn checked(&mut self) -> Action {
        Action::Check { path: self.path(), version: self.rng.i32(-1..4) }
    }

    fn write(&mut self) -> Action {
        self.clients.data += 1;
        let data = Bytes::from(self.clients.data.to_string());
        let path = self.path();
        match self.rng.u8(..100) {
            0..40 => Action::SetData { path, data, version: if self.rng.bool() { -1 } else { self.rng.i32(0..6) } },
            40..62 => Action::Create { path, data, mode: CreateMode::Persistent },
            62..74 => Action::Create { path, data, mode: CreateMode::Ephemeral },
            74..82 => {
                let mode = [CreateMode::PersistentSequential, CreateMode::EphemeralSequential][self.rng.usize(..2)];
                let path = ["/a/s-", "/b/s-"][self.rng.usize(..2)].to_owned();
                Action::Create { path, data, mode }
            }
            _ => Action::Delete { path, version: if self.rng.bool() { -1 } else { self.rng.i32(0..3) } },
        }
    }

    fn path(&mut self) -> String {
        let top = ["/a", "/b", "/c"][self.rng.usize(..3)];
        match self.rng.u8(..5) {
            0..2 => top.to_owned(),
            _ => format!("{top}/{}", ["x", "y", "s-0000000001"][self.rng.usize(..3)]),
        }
    }
}
