//! The session's connections: which host next, the handshake, what a lost connection and the end of the session mean.

use std::time::Duration;

use bytes::Bytes;

use crate::wire::frame;
use crate::wire::proto::{ConnectRequest, ConnectResponse, PASSWORD_LENGTH};

use super::closing::close_request;
use super::moving::Search;
use super::{Link, Output, Session, Unanswered, backoff};
use crate::client::State;
use crate::client::error::Cause;
use crate::client::event::EventKind;
use crate::client::request::{Special, Ticket, Time, Watcher};
use crate::client::rewatch;
use crate::client::watch_table::Outcome;

/// Bounds of the time one host gets to open a connection and to answer the handshake.
const CONNECT_TIMEOUT_MIN: Duration = Duration::from_millis(500);
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(10);

impl<T: Ticket, W: Watcher> Session<T, W> {
    /// The connection asked for is open: says hello.
    pub(in crate::client) fn opened(&mut self, now: Time) {
        let Link::Connecting { deadline } = self.link else { return };
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout_ms: i32::try_from(self.requested_timeout.as_millis()).unwrap_or(i32::MAX),
            session_id: if self.global { self.id } else { 0 },
            password: Some(Bytes::copy_from_slice(if self.global { &self.password } else { &[0; PASSWORD_LENGTH] })),
            read_only: Some(self.read_only),
        };
        self.control.extend_from_slice(&frame::of(&request));
        self.link = Link::Handshake { deadline, sent_at: now };
    }

    /// The connection is closed, or could not be opened.
    pub(in crate::client) fn lost(&mut self, now: Time, why: &str) {
        if !matches!(self.link, Link::Waiting { .. } | Link::Ended) {
            self.lose_with(now, why, false);
        }
    }

    /// Gives the connection up.
    pub(super) fn lose(&mut self, now: Time, why: &str) {
        self.lose_with(now, why, true);
    }

    fn lose_with(&mut self, now: Time, why: &str, disconnect: bool) {
        tracing::debug!(session = format_args!("0x{:x}", self.id), zxid = %self.last_zxid, why, "connection lost");
        if disconnect {
            self.outputs.push_back(Output::Disconnect);
        }
        self.control.clear();
        self.unanswered = Unanswered::default();
        self.search = None;
        self.moving = None;
        if self.state.is_connected() {
            self.show(State::Suspended);
        }
        if self.is_up() && self.closing.is_some() {
            // A closing session gets one more round to say so, even if the server never answered anything.
            self.attempts = 0;
        }
        // Not up any more, so that nothing below asks the lost server for anything.
        self.link = Link::Waiting { until: now };
        self.fail_outstanding(&Cause::ConnectionLoss { may_have_applied: false });
        self.watches.disarm();
        if self.closing.is_some() && !self.is_worth_closing() {
            return self.finish(State::Closed, false);
        }
        if self.attempts < self.hosts.len() {
            self.connect_next(now);
        } else {
            if self.closing.is_some() {
                self.close_behind_their_backs();
            }
            self.attempts = 0;
            let delay = self.backoff.next().unwrap_or(CONNECT_TIMEOUT_MAX);
            self.link = Link::Waiting { until: now + delay };
        }
    }

    /// Turns to the next host.
    pub(super) fn connect_next(&mut self, now: Time) {
        self.attempts += 1;
        let host = self.preferred.take().unwrap_or_else(|| self.hosts.advance());
        self.host = Some(host.clone());
        tracing::debug!(session = format_args!("0x{:x}", self.id), %host, attempt = self.attempts, "connecting");
        self.link = Link::Connecting { deadline: now + self.patience() };
        self.outputs.push_back(Output::Connect(host));
    }

    /// How long one host may take to open a connection and to answer.
    pub(super) fn patience(&self) -> Duration {
        let hosts = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
        (self.timeout / hosts).clamp(CONNECT_TIMEOUT_MIN, CONNECT_TIMEOUT_MAX)
    }

    /// The server has answered the handshake.
    pub(super) fn shake_hands(&mut self, now: Time, sent_at: Time, response: &ConnectResponse) {
        // Whoever asks for a session and is given another one has lost it, and all that it kept.
        let is_another = self.global && response.session_id != self.id;
        if response.timeout_ms <= 0 || is_another {
            // While closing, "expired" says that there is nothing left to close.
            return self.finish(if self.closing.is_some() { State::Closed } else { State::Expired }, true);
        }
        let read_only = response.read_only == Some(true);
        let again = self.acknowledged.is_some();
        self.id = response.session_id;
        self.password =
            response.password.as_deref().and_then(|password| password.try_into().ok()).unwrap_or([0; PASSWORD_LENGTH]);
        self.global |= !read_only;
        let timeout = Duration::from_millis(response.timeout_ms.unsigned_abs().into());
        if timeout != self.timeout {
            self.timeout = timeout;
            self.backoff = backoff(self.seed, timeout);
        }
        self.acknowledged = Some(sent_at);
        self.link = Link::Up { last_sent: now, last_heard: now };
        self.connections += 1;
        self.search = (read_only && self.closing.is_none()).then(|| Search::begin(now));
        self.show(if read_only { State::ConnectedReadOnly } else { State::Connected });
        self.restore(now);
        if again {
            for (path, watcher) in self.watches.persistent() {
                self.tell(watcher, EventKind::Resynced, &path);
            }
        }
    }

    /// Gives a new connection what the last one had: identities first, since watches may need them, then watches.
    fn restore(&mut self, now: Time) {
        for (index, auth) in self.auths.iter().enumerate() {
            self.control.extend_from_slice(&auth.frame);
            self.unanswered.auths.push_back((now, index));
        }
        let lists = self.watches.rearm();
        for frame in rewatch::frames(lists, self.last_zxid) {
            self.control.extend_from_slice(&frame);
            self.unanswered.rewatches.push_back(now);
        }
    }

    /// A server answers requests, and has set all watches again: the next failure begins a new round, without delay.
    pub(super) fn proven(&mut self) {
        if self.attempts > 0 {
            self.attempts = 0;
            self.backoff = backoff(self.seed, self.timeout);
        }
    }

    /// Answers every request whose reply will not come. What became of a write is unknown, whatever the cause.
    pub(super) fn fail_outstanding(&mut self, reads: &Cause) {
        for lost in self.pending.lose() {
            if let Some(watch) = lost.watch {
                // Not up: there is nothing to remove from a server.
                self.watches.settle(watch, Outcome::NotSet);
            }
            if lost.special == Some(Special::Close) && !self.is_ended() {
                self.pending.enqueue(close_request());
            }
            let cause = if lost.write { Cause::ConnectionLoss { may_have_applied: true } } else { reads.clone() };
            self.complete(lost.ticket, Err(cause));
        }
    }
}
