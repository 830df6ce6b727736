//! Plays steps on one server over raw sockets, and listens to every client after each of them. Two players can be at the
//! same step at once: [`Player::begin`] sends, [`Player::finish`] waits.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use menagerie_core::wire::OpCode;
use menagerie_core::wire::proto::xid;

use super::answer;
use super::encode::{self, Zxids};
use super::facts::Facts;
use super::line::Line;
use super::schema::{self, Spec};
use super::step::{Action, Connect, Op, Request, Step};
use crate::four_letter;
use crate::raw::RawConnection;

/// One server, and the clients that talk to it.
#[derive(Debug)]
pub struct Player {
    port: u16,
    facts: Facts,
    clients: BTreeMap<String, Client>,
    heard: Vec<Line>,
}

#[derive(Debug, Default)]
struct Client {
    connection: Option<RawConnection>,
    /// Connections that the client has left behind without closing them.
    old: Vec<RawConnection>,
    session: i64,
    password: Bytes,
    /// Whether the connect request is answered.
    open: bool,
    /// Whether the session was opened and not closed.
    alive: bool,
    next_xid: i32,
    seen: i64,
    pending: VecDeque<(i32, &'static Spec)>,
}

impl Player {
    /// Talks to the server on this port of 127.0.0.1. Zxids are told as distances from its last transaction.
    pub fn new(port: u16) -> io::Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        let now_ms = i64::try_from(now.as_millis()).map_err(io::Error::other)?;
        let facts = Facts::new(last_zxid(port)?, now_ms);
        Ok(Player { port, facts, clients: BTreeMap::new(), heard: Vec::new() })
    }

    /// Does what the step says, and waits for nothing.
    pub fn begin(&mut self, step: &Step) -> io::Result<()> {
        let base = self.facts.base();
        let client = self.clients.entry(step.session.clone()).or_default();
        let zxids = Zxids { base, seen: client.seen };
        match &step.action {
            Action::Connect(connect) => client.connect(self.port, connect, zxids),
            Action::Drop => {
                client.close();
                Ok(())
            }
            Action::Await(_) => Ok(()),
            Action::Request(request) => {
                client.ask(request, zxids);
                Ok(())
            }
        }
    }

    /// Waits for the answer to the step, if it is one to wait for.
    pub fn finish(&mut self, step: &Step) -> io::Result<()> {
        let Some(client) = self.clients.get_mut(&step.session) else { return Ok(()) };
        let (facts, heard, name) = (&mut self.facts, &mut self.heard, step.session.as_str());
        match &step.action {
            _ if step.more => Ok(()),
            Action::Connect(_) => client.answered(facts, name, heard),
            Action::Await(count) => {
                for _ in 0..*count {
                    client.hear(facts, name, heard, |line| line.kind == "event")?;
                }
                Ok(())
            }
            Action::Request(_) => client.hear_replies(facts, name, heard),
            Action::Drop => Ok(()),
        }
    }

    /// Asks every client's connection for a sign of life: what a step caused for others is heard before it.
    pub fn begin_listening(&mut self) {
        let ping = encode::request(
            &Request { op: Op::new("ping", Vec::new()), xid: None, cut: 0 },
            xid::PING,
            Zxids { base: 0, seen: 0 },
        );
        for client in self.clients.values_mut().filter(|client| client.is_idle()) {
            if let Some(connection) = client.connection.as_mut() {
                // A connection that the server has closed is noticed when it is read.
                let _ = connection.send_bytes(&ping);
            }
        }
    }

    /// Takes everything heard since the last time.
    pub fn finish_listening(&mut self) -> io::Result<Vec<Line>> {
        let (facts, heard) = (&mut self.facts, &mut self.heard);
        for (name, client) in &mut self.clients {
            if client.is_idle() {
                client.hear(facts, name, heard, |line| line.kind == "ping")?;
                heard.retain(|line| line.kind != "ping");
            }
            client.hear_old(name, heard)?;
        }
        Ok(std::mem::take(heard))
    }

    /// Takes what was heard, without listening any more.
    pub fn take_heard(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.heard)
    }

    /// Closes every session that was opened and not closed, so that none ends by itself later.
    pub fn close_all(&mut self) -> io::Result<()> {
        let zxids = Zxids { base: 0, seen: 0 };
        for (name, client) in self.clients.iter_mut().filter(|(_, client)| client.alive) {
            if !client.is_idle() {
                let resume = Connect { resume: true, ..Connect::default() };
                client.connect(self.port, &resume, zxids)?;
                client.answered(&mut self.facts, name, &mut self.heard)?;
            }
            client.ask(&Request { op: Op::new("closeSession", Vec::new()), xid: None, cut: 0 }, zxids);
            client.hear_replies(&mut self.facts, name, &mut self.heard)?;
        }
        self.clients.clear();
        self.heard.clear();
        Ok(())
    }

    /// Counts transactions from here on.
    pub fn restart(&mut self, label: &str) -> io::Result<()> {
        self.facts.restart(last_zxid(self.port)?, label);
        Ok(())
    }
}

impl Client {
    fn is_idle(&self) -> bool {
        self.connection.is_some() && self.open && self.pending.is_empty()
    }

    fn close(&mut self) {
        self.connection = None;
        self.open = false;
        self.pending.clear();
    }

    fn connect(&mut self, port: u16, connect: &Connect, zxids: Zxids) -> io::Result<()> {
        let mut connection = RawConnection::open(port)?;
        connection.send_bytes(&encode::connect(connect, self.session, &self.password, zxids))?;
        if connect.resume {
            self.old.extend(self.connection.take());
        }
        self.close();
        (self.connection, self.next_xid) = (Some(connection), 0);
        Ok(())
    }

    fn ask(&mut self, request: &Request, zxids: Zxids) {
        let xid = request.xid.or(request.op.spec.xid).unwrap_or_else(|| {
            self.next_xid += 1;
            self.next_xid
        });
        let frame = encode::request(request, xid, zxids);
        // A ping is answered with the xid of pings, whatever it asked with.
        let code = encode::code(&request.op);
        let answer = if code == OpCode::Ping.code() { xid::PING } else { xid };
        self.pending.push_back((answer, schema::coded(code).unwrap_or(request.op.spec)));
        if let Some(connection) = self.connection.as_mut() {
            // A connection that the server has closed is noticed when it is read.
            let _ = connection.send_bytes(&frame);
        }
    }

    /// Waits for the answer to the connect request.
    fn answered(&mut self, facts: &mut Facts, name: &str, heard: &mut Vec<Line>) -> io::Result<()> {
        let Some(frame) = self.frame()? else {
            heard.push(Line::new(name, "closed"));
            return Ok(());
        };
        let had = (self.session, self.password.as_ref());
        let (response, line) = answer::connected(facts, name, had, &frame).map_err(io::Error::other)?;
        heard.push(line);
        if response.session_id == 0 {
            // A session that is refused is not forgotten by its client: scripts may try again.
            return self.hear(facts, name, heard, |_| false);
        }
        self.session = response.session_id;
        self.password = response.password.unwrap_or_default();
        (self.open, self.alive) = (true, true);
        Ok(())
    }

    /// Listens until everything asked is answered, or can no longer be.
    fn hear_replies(&mut self, facts: &mut Facts, name: &str, heard: &mut Vec<Line>) -> io::Result<()> {
        let Some(last) = self.pending.back().copied() else { return Ok(()) };
        while self.connection.is_some() && self.pending.contains(&last) {
            let from = heard.len();
            self.hear(facts, name, heard, |line| line.kind == "reply")?;
            if heard[from..].iter().any(ends_the_connection) {
                // A sign of life might still be answered, or not: the reference closes in another thread.
                self.hear(facts, name, heard, |_| false)?;
            }
        }
        heard.extend(self.pending.drain(..).map(|(_, spec)| Line::new(name, "silence").with("to", spec.name)));
        Ok(())
    }

    /// Listens until `enough` says so of a line, or the server hangs up.
    fn hear(
        &mut self,
        facts: &mut Facts,
        name: &str,
        heard: &mut Vec<Line>,
        enough: impl Fn(&Line) -> bool,
    ) -> io::Result<()> {
        loop {
            let Some(frame) = self.frame()? else {
                if self.connection.is_some() {
                    heard.push(Line::new(name, "closed"));
                }
                self.connection = None;
                self.open = false;
                return Ok(());
            };
            let header = answer::header(&frame).map_err(io::Error::other)?;
            self.seen = self.seen.max(header.zxid.0);
            let line = if header.xid == xid::NOTIFICATION {
                answer::event(facts, name, &frame)
            } else if let Some((overtaken, spec)) = self.take_pending(header.xid) {
                let line = answer::reply(facts, name, spec, &frame);
                self.alive &= spec.code != OpCode::CloseSession.code();
                if overtaken > 0 { line.with("overtakes", overtaken) } else { line }
            } else if header.xid == xid::PING {
                Line::new(name, "ping")
            } else {
                Line::new(name, "stray").with("xid", header.xid)
            };
            let done = enough(&line);
            heard.push(line);
            if done {
                return Ok(());
            }
        }
    }

    /// The operation that a reply with this xid answers, and how many asked before it are not answered.
    fn take_pending(&mut self, xid: i32) -> Option<(usize, &'static Spec)> {
        let index = self.pending.iter().position(|(asked, _)| *asked == xid)?;
        self.pending.remove(index).map(|(_, spec)| (index, spec))
    }

    /// The next frame, or `None` when the server has hung up.
    fn frame(&mut self) -> io::Result<Option<Bytes>> {
        let Some(connection) = self.connection.as_mut() else { return Ok(None) };
        match connection.receive() {
            Ok(frame) => Ok(Some(frame)),
            Err(error) if is_hang_up(&error) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "the server neither answers nor hangs up"))
            }
            Err(error) => Err(error),
        }
    }

    /// The server closes connections whose session was resumed on another one.
    fn hear_old(&mut self, name: &str, heard: &mut Vec<Line>) -> io::Result<()> {
        for old in self.old.drain(..) {
            old.wait_for_hang_up()?;
            heard.push(Line::new(name, "old-closed"));
        }
        Ok(())
    }
}

/// Whether the server hangs up after this.
fn ends_the_connection(line: &Line) -> bool {
    let field = |name| line.get(name).unwrap_or_default();
    match (field("to"), field("err")) {
        ("closeSession", "OK") | ("auth", "AUTHFAILED") => true,
        (_, "UNIMPLEMENTED") => field("zxid") == "-1",
        _ => false,
    }
}

fn is_hang_up(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// The last transaction of the server on this port.
fn last_zxid(port: u16) -> io::Result<i64> {
    let answer = four_letter::ask(port, "srvr")?;
    let zxid = answer.lines().find_map(|line| line.strip_prefix("Zxid: 0x"));
    let zxid = zxid.and_then(|digits| i64::from_str_radix(digits, 16).ok());
    zxid.ok_or_else(|| io::Error::other(format!("srvr tells no zxid: {answer}")))
}
