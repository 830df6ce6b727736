//! The end of a session at the application's wish: which server is told, for how long that is tried, and who learns of it.
//!
//! ```text
//!  close() --- no server can know of a session -------------------------------------------------> ended
//!     '------- calls made before, then closeSession, on this connection or the next --- answer -> ended
//!                          '--- a round of hosts fails: callers are told, the rest is tried behind their backs
//!                                                  '--- an answer, or the session timeout ------> ended
//! ```

use bytes::Bytes;

use super::{Link, Session};
use crate::client::State;
use crate::client::error::Cause;
use crate::client::event::EventKind;
use crate::client::request::{NoRecord, Request, Special, Ticket, Time, Watcher};
use crate::wire::OpCode;

/// A session that is being closed.
#[derive(Debug)]
pub(super) struct Closing<T> {
    deadline: Time,
    /// Those who wait for the end; nobody any more once a round of hosts has failed.
    tickets: Vec<T>,
}

impl<T> Closing<T> {
    /// When it is given up. The ensemble expires a session it has not heard of for so long.
    pub(super) fn deadline(&self) -> Time {
        self.deadline
    }
}

impl<T: Ticket, W: Watcher> Session<T, W> {
    pub(super) fn close(&mut self, now: Time, ticket: Option<T>) {
        if self.state.is_final() {
            return self.complete(ticket, Ok(Bytes::new()));
        }
        if let Some(closing) = &mut self.closing {
            closing.tickets.extend(ticket);
            return;
        }
        if ticket.is_none() && self.is_not_resumed() && self.pending.queued() == 0 {
            // Its owner has given up for now and may try again: the session is left as it is.
            return self.finish(State::Closed, false);
        }
        self.closing = Some(Closing { deadline: now + self.timeout, tickets: ticket.into_iter().collect() });
        self.search = None;
        self.moving = None;
        if !self.is_worth_closing() && !matches!(self.link, Link::Handshake { .. } | Link::Up { .. }) {
            // No server knows of a session. One that has been asked for it may, and has to be told once it answers.
            return self.finish(State::Closed, true);
        }
        self.pending.enqueue(close_request());
        if matches!(self.link, Link::Waiting { .. }) {
            self.connect_next(now);
        }
    }

    /// Ends the client and leaves the session to whoever resumes it. One that is being closed, or has ended, is left to nobody.
    pub(super) fn detach(&mut self, ticket: Option<T>) {
        let end = if self.closing.is_some() { State::Closed } else { self.state };
        if end.is_final() {
            return self.complete(ticket, Err(Cause::of_final(end)));
        }
        self.finish(State::Closed, true);
        self.complete(ticket, Ok(Bytes::new()));
    }

    /// A round of hosts has failed to close the session. Whoever waits need not wait for more, and the session looks closed from now on;
    /// what remains to be said is tried until the deadline, so that a server that is just being restarted still hears it.
    pub(super) fn close_behind_their_backs(&mut self) {
        if self.state.is_final() {
            return;
        }
        let Some(Closing { deadline, .. }) = self.closing else { return };
        self.settle(State::Closed, false);
        self.closing = Some(Closing { deadline, tickets: Vec::new() });
        self.pending.enqueue(close_request());
    }

    /// Whether this is a session from elsewhere that no server has let this client have yet.
    fn is_not_resumed(&self) -> bool {
        self.id != 0 && self.acknowledged.is_none()
    }

    /// Whether a server may still hold the session that is being closed. The one of a read-only server goes with its connection.
    pub(super) fn is_worth_closing(&self) -> bool {
        self.id != 0 && self.global
    }

    /// Enters a final state and closes the connection. `told` says whether no server has to find out by itself, which is what those who wait
    /// for a close want to know.
    pub(super) fn finish(&mut self, state: State, told: bool) {
        self.show(state);
        self.link = Link::Ended;
        self.outputs.push_back(super::Output::Disconnect);
        self.settle(state, told);
    }

    /// Shows a final state, answers every call and tells every watch.
    fn settle(&mut self, state: State, told: bool) {
        self.show(state);
        self.control.clear();
        let tickets = self.closing.take().map(|closing| closing.tickets).unwrap_or_default();
        let cause = Cause::of_final(state);
        self.fail_outstanding(&cause);
        for request in self.pending.drain_queued() {
            self.complete(request.ticket, Err(cause.clone()));
        }
        let auths = std::mem::take(&mut self.auths);
        for auth in auths {
            self.complete(auth.ticket, Err(cause.clone()));
        }
        let kind = EventKind::of_final(state);
        for (path, watcher) in self.watches.drain() {
            self.tell(watcher, kind, &path);
        }
        for ticket in tickets {
            let answer = if told { Ok(Bytes::new()) } else { Err(Cause::ConnectionLoss { may_have_applied: false }) };
            self.complete(Some(ticket), answer);
        }
    }
}

/// The request that ends a session.
pub(super) fn close_request<T, W>() -> Request<T, W> {
    Request::new(OpCode::CloseSession, false, Some(Special::Close), &NoRecord)
}
