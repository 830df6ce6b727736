//! A client's session as a machine without clock and sockets.
//!
//! The caller feeds it what happened and carries out what it says:
//!
//! 1. after construction and after every input, carry out [`Session::poll_output`] until it is empty, in order;
//! 2. while there is a connection and the last bytes are written, fetch more with [`Session::transmit`];
//! 3. call [`Session::handle_timeout`] when the moment of [`Session::poll_timeout`] has come (earlier does no harm).
//!
//! ```text
//!            Connect                opened()            received(): a session
//!  Waiting -----------> Connecting -----------> Handshake ----------------------> Up
//!     ^                     |                       |                             |
//!     '---- a whole round --'------ lost(), a deadline, nothing heard ------------'        received(): "expired", refused
//!           of hosts failed         (else straight to the next host)                       credentials, closed ---> Ended
//! ```
//!
//! Times are given as the time since the session's task began. The machine never decides by itself that a session has expired.

mod closing;
mod link;
mod moving;
mod replies;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use bytes::{Bytes, BytesMut};

use crate::wire::proto::{AuthPacket, PASSWORD_LENGTH, WatchesRequest, xid};
use crate::wire::{HostPort, OpCode, Zxid};

use super::error::Cause;
use super::event::{EventKind, WatchedEvent};
use super::hosts::Hosts;
use super::pending::Pending;
use super::request::{
    Answer, Command, NoRecord, Request, Special, Ticket, Time, WatchRequest, Watcher, append, frame_of,
};
use super::watch_table::{Outcome, Removal, WatchTable};
use super::{SessionCredentials, State};
use closing::Closing;
use moving::Search;

/// Bytes of requests that are handed to the socket at once. What is handed over can no longer be taken back by its caller, and a batch
/// of this size costs one system call.
const BATCH_BYTES: usize = 128 * 1024;

/// Bounds of the delay between two rounds of hosts, before its random part, and the first one where the timeout allows it.
const DELAY_MIN: Duration = Duration::from_millis(10);
const DELAY_FIRST: Duration = Duration::from_millis(20);
const DELAY_MAX: Duration = Duration::from_secs(5);

/// What a session is made of.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) hosts: Hosts,
    pub(super) session_timeout: Duration,
    pub(super) read_only: bool,
    pub(super) resume: Option<SessionCredentials>,
    pub(super) auths: Vec<(String, Bytes)>,
    pub(super) seed: u64,
}

/// What the caller has to do.
#[derive(Debug)]
pub(super) enum Output<T, W> {
    /// Open a connection to this host, then call [`Session::opened`] or [`Session::lost`]. There is no other connection.
    Connect(HostPort),
    /// Close the connection, or stop opening it. Bytes not yet written are void.
    Disconnect,
    /// Ask this host, on a connection of its own and instead of any asked before, whether it writes, then call [`Session::asked`].
    Ask(HostPort),
    /// Show this state, before anything that follows.
    State(State),
    /// Complete a call.
    Complete(T, Answer),
    /// Hand an event to a watch.
    Tell(W, WatchedEvent),
}

/// The session as others may know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) credentials: Option<SessionCredentials>,
    pub(super) timeout: Duration,
    pub(super) last_zxid: Zxid,
    pub(super) valid_until: Option<Time>,
    pub(super) queued: usize,
    pub(super) outstanding: usize,
    pub(super) watched_paths: usize,
    pub(super) connections: u64,
}

impl Snapshot {
    /// Before a session's task has said anything.
    pub(super) fn before(credentials: Option<SessionCredentials>, timeout: Duration) -> Self {
        let last_zxid = credentials.map_or(Zxid::ZERO, |credentials| credentials.last_zxid);
        Snapshot {
            credentials,
            timeout,
            last_zxid,
            valid_until: None,
            queued: 0,
            outstanding: 0,
            watched_paths: 0,
            connections: 0,
        }
    }
}

/// The machine. `T` is where a call's answer goes, `W` where a watch's events go.
#[derive(Debug)]
pub(super) struct Session<T, W> {
    hosts: Hosts,
    /// The host that was tried last.
    host: Option<HostPort>,
    /// The host to try next, out of turn.
    preferred: Option<HostPort>,
    read_only: bool,
    seed: u64,
    state: State,
    link: Link,
    /// The session's id, 0 before a server gave one.
    id: i64,
    password: [u8; PASSWORD_LENGTH],
    /// Whether the session is known to the whole ensemble, and not to a read-only server alone.
    global: bool,
    /// The timeout asked for until a server has agreed to one.
    timeout: Duration,
    requested_timeout: Duration,
    last_zxid: Zxid,
    /// When the last request was sent that a server has acknowledged.
    acknowledged: Option<Time>,
    /// Connections tried since a server last answered a request.
    attempts: usize,
    backoff: ExponentialBackoff,
    pending: Pending<T, W>,
    watches: WatchTable<W>,
    auths: Vec<Auth<T>>,
    /// What goes out before any request: the handshake, credentials, watches, pings.
    control: BytesMut,
    /// The requests behind the control bytes that wait for an answer, by kind, with the times they were sent.
    unanswered: Unanswered,
    /// Connections on which a server has served the session.
    connections: u64,
    search: Option<Search>,
    /// Until when at the latest the server, which is to be left, may still answer what it was sent.
    moving: Option<Time>,
    closing: Option<Closing<T>>,
    outputs: VecDeque<Output<T, W>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// All hosts have failed; the next round begins then.
    Waiting { until: Time },
    /// A connection is being opened.
    Connecting { deadline: Time },
    /// The connect request is on its way.
    Handshake { deadline: Time, sent_at: Time },
    /// A server serves the session.
    Up { last_sent: Time, last_heard: Time },
    /// The session is over.
    Ended,
}

#[derive(Debug)]
struct Auth<T> {
    /// The whole frame, as it is sent on every connection.
    frame: Bytes,
    ticket: Option<T>,
}

#[derive(Debug, Default)]
struct Unanswered {
    pings: VecDeque<Time>,
    rewatches: VecDeque<Time>,
    /// Also which of the credentials.
    auths: VecDeque<(Time, usize)>,
}

impl<T: Ticket, W: Watcher> Session<T, W> {
    /// A session that begins to look for a server.
    pub(super) fn new(config: Config, now: Time) -> Self {
        let Config { hosts, session_timeout, read_only, resume, auths, seed } = config;
        let auths = auths.into_iter().map(|(scheme, auth)| {
            let record = AuthPacket { kind: 0, scheme, auth: Some(auth) };
            Auth { frame: frame_of(xid::AUTH, OpCode::Auth, &record).freeze(), ticket: None }
        });
        let mut session = Session {
            hosts,
            host: None,
            preferred: None,
            read_only,
            seed,
            state: State::Connecting,
            link: Link::Waiting { until: now },
            id: resume.map_or(0, |resume| resume.id),
            password: resume.map_or([0; PASSWORD_LENGTH], |resume| resume.password),
            global: resume.is_some(),
            timeout: session_timeout,
            requested_timeout: session_timeout,
            last_zxid: resume.map_or(Zxid::ZERO, |resume| resume.last_zxid),
            acknowledged: None,
            attempts: 0,
            backoff: backoff(seed, session_timeout),
            pending: Pending::new(),
            watches: WatchTable::new(),
            auths: auths.collect(),
            control: BytesMut::new(),
            unanswered: Unanswered::default(),
            connections: 0,
            search: None,
            moving: None,
            closing: None,
            outputs: VecDeque::new(),
        };
        session.connect_next(now);
        session
    }

    /// Takes a message of a handle.
    pub(super) fn handle(&mut self, now: Time, command: Command<T, W>) {
        match command {
            Command::Submit(request) => self.submit(request),
            Command::Unwatch(id) => {
                let removal = self.watches.remove(&id);
                self.remove_from_server(removal);
            }
            Command::SetHosts(hosts) => self.set_hosts(now, hosts),
            Command::Close(ticket) => self.close(now, ticket),
            Command::Detach(ticket) => self.detach(ticket),
        }
    }

    /// What the caller has to do next.
    pub(super) fn poll_output(&mut self) -> Option<Output<T, W>> {
        self.outputs.pop_front()
    }

    /// Whether [`Session::transmit`] has something to write.
    pub(super) fn wants_to_transmit(&self) -> bool {
        !self.control.is_empty() || (self.is_up() && self.moving.is_none() && self.pending.queued() > 0)
    }

    /// Appends what is to be written now to `out`: a batch of everything that waits, in order.
    pub(super) fn transmit(&mut self, now: Time, out: &mut BytesMut) {
        let before = out.len();
        out.extend_from_slice(&self.control);
        self.control.clear();
        if let Link::Up { last_sent, .. } = &mut self.link {
            let mut dropped = Vec::new();
            while out.len() < BATCH_BYTES && self.moving.is_none() {
                let Some(request) = self.pending.next(&mut dropped) else { break };
                if request.special == Some(Special::Auth) {
                    request.ticket.iter().for_each(|ticket| ticket.sent(xid::AUTH));
                    append(out, &request.frame, xid::AUTH);
                    self.unanswered.auths.push_back((now, self.auths.len()));
                    let start = out.len() - request.frame.len();
                    self.auths.push(Auth { frame: Bytes::copy_from_slice(&out[start..]), ticket: request.ticket });
                } else {
                    self.pending.write(request, now, out);
                }
            }
            if out.len() > before {
                *last_sent = now;
            }
            self.settle_dropped(dropped);
        }
    }

    /// The moment of the next [`Session::handle_timeout`]; `None` once the session is over.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        let next = match self.link {
            Link::Waiting { until } => until,
            Link::Connecting { deadline } | Link::Handshake { deadline, .. } => deadline,
            Link::Up { last_sent, last_heard } => (last_sent + self.ping_after()).min(last_heard + self.lost_after()),
            Link::Ended => return None,
        };
        let closing = self.closing.as_ref().map(Closing::deadline);
        let search = self.search.as_ref().map(Search::next_timeout);
        [closing, search, self.moving].into_iter().flatten().min().map_or(Some(next), |other| Some(next.min(other)))
    }

    /// Does what is due: connects, pings, gives up on a silent server.
    pub(super) fn handle_timeout(&mut self, now: Time) {
        if self.closing.as_ref().is_some_and(|closing| now >= closing.deadline()) {
            return self.finish(State::Closed, false);
        }
        self.leave_if_answered(now);
        self.search_on(now);
        match self.link {
            Link::Waiting { until } if now >= until => self.connect_next(now),
            Link::Connecting { deadline } if now >= deadline => self.lose(now, "the connect timeout passed"),
            Link::Handshake { deadline, .. } if now >= deadline => self.lose(now, "no answer to the connect request"),
            Link::Up { last_heard, .. } if now >= last_heard + self.lost_after() => {
                self.lose(now, "nothing heard for two thirds of the session timeout");
            }
            Link::Up { last_sent, last_heard } if now >= last_sent + self.ping_after() => {
                let ping = frame_of(xid::PING, OpCode::Ping, &NoRecord);
                self.control.extend_from_slice(&ping);
                self.unanswered.pings.push_back(now);
                self.link = Link::Up { last_sent: now, last_heard };
            }
            _ => {}
        }
    }

    /// Whether the session is over: every call is answered, every watch told, and no output follows those that are left.
    pub(super) fn is_ended(&self) -> bool {
        self.link == Link::Ended
    }

    /// The session as others may know it now.
    pub(super) fn snapshot(&self) -> Snapshot {
        let credentials = SessionCredentials { id: self.id, password: self.password, last_zxid: self.last_zxid };
        let acknowledged = self.acknowledged.filter(|_| !self.state.is_final());
        Snapshot {
            credentials: (self.id != 0).then_some(credentials),
            timeout: self.timeout,
            last_zxid: self.last_zxid,
            valid_until: acknowledged.map(|sent_at| sent_at + self.timeout),
            queued: self.pending.queued(),
            outstanding: self.pending.outstanding(),
            watched_paths: self.watches.paths(),
            connections: self.connections,
        }
    }

    /// Ends the session without a word to the server: its caller cannot go on.
    pub(super) fn abort(&mut self) {
        if !self.is_ended() {
            self.finish(State::Closed, false);
        }
    }
}

impl<T: Ticket, W: Watcher> Session<T, W> {
    fn submit(&mut self, request: Request<T, W>) {
        if self.is_ended() || self.closing.is_some() {
            let cause = Cause::of_final(if self.is_ended() { self.state } else { State::Closed });
            return self.complete(request.ticket, Err(cause));
        }
        if let Some(watch) = &request.watch {
            self.watches.expect(&watch.id);
        }
        self.pending.enqueue(request);
        if !self.is_up() {
            let dropped = self.pending.sweep();
            self.settle_dropped(dropped);
        }
    }

    fn is_up(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    /// How long nothing may be sent before a ping is due.
    fn ping_after(&self) -> Duration {
        self.timeout / 3
    }

    /// How long nothing may be heard before another server is looked for; a third of the timeout is left for that.
    fn lost_after(&self) -> Duration {
        self.timeout * 2 / 3
    }

    fn complete(&mut self, ticket: Option<T>, answer: Answer) {
        self.outputs.extend(ticket.map(|ticket| Output::Complete(ticket, answer)));
    }

    fn tell(&mut self, watcher: W, kind: EventKind, path: &str) {
        self.outputs.push_back(Output::Tell(watcher, WatchedEvent { kind, path: path.to_owned(), state: self.state }));
    }

    fn show(&mut self, state: State) {
        if self.state != state && !self.state.is_final() {
            tracing::info!(session = format_args!("0x{:x}", self.id), from = ?self.state, to = ?state, "session state");
            self.state = state;
            self.outputs.push_back(Output::State(state));
        }
    }

    /// Watches of requests that were never sent.
    fn settle_dropped(&mut self, dropped: Vec<WatchRequest<W>>) {
        for watch in dropped {
            let removal = self.watches.settle(watch, Outcome::NotSet);
            self.remove_from_server(removal);
        }
    }

    /// Tells the server to forget a watch, if there is a server that holds it.
    fn remove_from_server(&mut self, removal: Option<Removal>) {
        if let Some(Removal { path, kind }) = removal
            && self.is_up()
            && self.closing.is_none()
        {
            let record = WatchesRequest { path: path.to_string(), kind: kind.code() };
            let special = Some(Special::RemoveWatch);
            self.pending.enqueue(Request::new(OpCode::RemoveWatches, false, special, &record));
        }
    }
}

/// The delays between rounds: from 20 ms, in which an ensemble can replace its leader, to 5 s, and as much again at random, so that the clients of a restarted ensemble do not all
/// come at once. All in all no more than a third of the session timeout, or a short session would expire in its client's sleep.
fn backoff(seed: u64, timeout: Duration) -> ExponentialBackoff {
    let max = (timeout / 6).clamp(DELAY_MIN, DELAY_MAX);
    ExponentialBuilder::default()
        .with_min_delay(DELAY_FIRST.min(max))
        .with_max_delay(max)
        .with_jitter()
        .with_jitter_seed(seed)
        .without_max_times()
        .build()
}
