//! What a server says on a connection: the handshake's answer, replies, notifications (protocol §2.2).

use bytes::{Bytes, BytesMut};

use crate::jute::{Decode, DecodeError, Reader};
use crate::wire::proto::{ConnectResponse, ReplyHeader, WatcherEvent, xid};
use crate::wire::{ErrorCode, Zxid, frame};

use super::{Link, Session};
use crate::client::State;
use crate::client::error::Cause;
use crate::client::event::EventKind;
use crate::client::pending::Outstanding;
use crate::client::request::{Answer, Special, Ticket, Time, WatchKind, Watcher};
use crate::client::watch_table::Outcome;

/// The longest frame accepted from a server. Servers do not limit replies by their `jute.maxbuffer`: a znode may have millions of children.
const MAX_REPLY_BYTES: usize = 256 * 1024 * 1024;

impl<T: Ticket, W: Watcher> Session<T, W> {
    /// Bytes have come. Takes the whole frames out of `input` and leaves the rest.
    pub(in crate::client) fn received(&mut self, now: Time, input: &mut BytesMut) {
        if let Link::Up { last_heard, .. } = &mut self.link {
            *last_heard = now;
        }
        while matches!(self.link, Link::Handshake { .. } | Link::Up { .. }) {
            match frame::take(input, MAX_REPLY_BYTES) {
                Ok(None) => return,
                Ok(Some(frame)) => {
                    if let Err(error) = self.on_frame(now, &frame) {
                        self.lose(now, &format!("unreadable frame: {error}"));
                    }
                }
                Err(error) => self.lose(now, &error.to_string()),
            }
            self.leave_if_answered(now);
        }
    }

    fn on_frame(&mut self, now: Time, frame: &Bytes) -> Result<(), DecodeError> {
        let mut reader = Reader::new(frame);
        if let Link::Handshake { sent_at, .. } = self.link {
            let response = ConnectResponse::decode(&mut reader)?;
            self.shake_hands(now, sent_at, &response);
            return Ok(());
        }
        let header = ReplyHeader::decode(&mut reader)?;
        match header.xid {
            xid::NOTIFICATION => self.on_event(&WatcherEvent::decode(&mut reader)?),
            xid::PING => {
                let sent_at = self.unanswered.pings.pop_front();
                self.acknowledge(sent_at);
            }
            xid::AUTH => self.on_auth(header.err),
            xid::SET_WATCHES => self.on_rewatch(now, &header),
            xid => match self.pending.answered(xid) {
                Some(request) => {
                    self.acknowledge(Some(request.sent_at));
                    self.see(header.zxid);
                    request.ticket.iter().for_each(|ticket| ticket.replied(header.zxid));
                    self.on_reply(request, header.err, reader.rest());
                }
                None => self.lose(now, &format!("the reply {xid} is out of order")),
            },
        }
        Ok(())
    }

    fn on_reply(&mut self, request: Outstanding<T, W>, err: i32, record: Bytes) {
        let code = ErrorCode::from_i32(err);
        if let Some(watch) = request.watch {
            let outcome = match code {
                ErrorCode::Ok => Outcome::Set,
                // Of all reads, only exists sets a watch on a znode that is not there.
                ErrorCode::NoNode if watch.id.kind == WatchKind::Exist => Outcome::SetOnMissing,
                _ => Outcome::NotSet,
            };
            let removal = self.watches.settle(watch, outcome);
            self.remove_from_server(removal);
        }
        match request.special {
            Some(Special::Close) => return self.finish(State::Closed, true),
            // A server that does not know the watch, or the operation, has nothing to remove.
            Some(Special::RemoveWatch) if err != 0 => tracing::debug!(%code, "watch not removed from the server"),
            _ => {}
        }
        let answer: Answer = match code {
            ErrorCode::Ok => Ok(record),
            code => Err(Cause::Code { code, write: request.write }),
        };
        self.complete(request.ticket, answer);
    }

    fn on_event(&mut self, event: &WatcherEvent) {
        // The zxid of a notification is not taken as seen: other events of the same transaction may still be on their way, and a
        // reconnect must ask for them (protocol §2.9).
        let Some(kind) = EventKind::of_wire(event.kind) else {
            tracing::debug!(kind = event.kind, path = event.path, "notification of no known kind");
            return;
        };
        for watcher in self.watches.fire(kind, &event.path) {
            self.tell(watcher, kind, &event.path);
        }
    }

    /// A server that refuses to set watches is of no use: they would never tell anything.
    fn on_rewatch(&mut self, now: Time, header: &ReplyHeader) {
        if header.err != 0 {
            let code = ErrorCode::from_i32(header.err);
            tracing::warn!(%code, "watches were not registered again: another connection has to do it");
            return self.lose(now, &format!("watches were not registered again: {code}"));
        }
        let sent_at = self.unanswered.rewatches.pop_front();
        self.acknowledge(sent_at);
        self.see(header.zxid);
    }

    /// Credentials are answered in their own order, and at once (protocol §2.10).
    fn on_auth(&mut self, err: i32) {
        if err != 0 {
            return self.finish(State::AuthFailed, false);
        }
        if let Some((sent_at, index)) = self.unanswered.auths.pop_front() {
            self.acknowledge(Some(sent_at));
            let ticket = self.auths.get_mut(index).and_then(|auth| auth.ticket.take());
            self.complete(ticket, Ok(Bytes::new()));
        }
    }

    /// A request sent then has been answered.
    fn acknowledge(&mut self, sent_at: Option<Time>) {
        if self.unanswered.rewatches.is_empty() {
            self.proven();
        }
        self.acknowledged = self.acknowledged.max(sent_at);
    }

    /// A reply has carried this zxid; 0 and below carry none. While some watches are not set again, what happened before it may not be
    /// reported yet, and the next connection must still ask for it.
    fn see(&mut self, zxid: Zxid) {
        if self.unanswered.rewatches.is_empty() {
            self.last_zxid = self.last_zxid.max(zxid);
        }
    }
}
