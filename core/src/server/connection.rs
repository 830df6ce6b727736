//! One client connection: frames in, replies and events out, in the protocol's order (protocol §2.15).
//!
//! Reads are served here, from the shared tree; everything else goes to the member. A read that follows a write of the
//! same connection waits in line until the write is answered, and a write behind that read waits with it: the read must
//! not see what came after it. While too much is in flight the socket is not read.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::Context;
use super::event_loop::Event;
use super::registry::{Handle, Outgoing};
use crate::auth;
use crate::jute::{Decode, Encode};
use crate::replica::read::{self, Caller};
use crate::replica::{ConnId, Request, Route, route};
use crate::tree::DataTree;
use crate::wire::proto::{AuthPacket, ReplyHeader, RequestHeader, SaslToken};
use crate::wire::{ErrorCode, Id, OpCode, Zxid, frame};

/// Requests of one connection that may be in line; then its socket is not read until some are answered.
const MOST_IN_LINE: usize = 1024;
/// What is read from the socket at once, at most, when nothing longer is announced.
const READ_CHUNK: usize = 16 * 1024;
/// Replies are written out before more are made when there is this much: a few short requests can ask for much data.
const MOST_OUT: usize = 256 * 1024;

/// What stands in line for its reply, since the monotonic millisecond in which it was read.
#[derive(Debug)]
enum InLine {
    /// At the member.
    Member { since_ms: u64 },
    /// Here, behind a write.
    Read { xid: i32, op: OpCode, body: Bytes, since_ms: u64 },
    /// Here, behind a read that is behind a write.
    Held { xid: i32, op: OpCode, body: Bytes, since_ms: u64 },
    /// An operation there is none of: refused in its turn, and nothing behind it is done.
    Unknown { xid: i32 },
}

/// A connection with an open session.
pub(super) struct Connection {
    context: Arc<Context>,
    conn: ConnId,
    session: i64,
    handle: Arc<Handle>,
    ids: Arc<[Id]>,
    line: VecDeque<InLine>,
    input: BytesMut,
    out: BytesMut,
    to_member: Vec<Request>,
    closing: bool,
    /// When this turn began: the clock is read once a turn, not once a request.
    now_ms: u64,
}

impl Connection {
    pub(super) fn new(context: Arc<Context>, conn: ConnId, session: i64, handle: Arc<Handle>, input: BytesMut) -> Self {
        let ids = handle.ids();
        let (line, out, to_member) = (VecDeque::new(), BytesMut::new(), Vec::new());
        Connection { context, conn, session, handle, ids, line, input, out, to_member, closing: false, now_ms: 0 }
    }

    /// Serves until the client or the server closes the connection. The reply of what is in flight may be lost then.
    pub(super) async fn run(mut self, stream: &mut TcpStream, outgoing: &mut mpsc::UnboundedReceiver<Outgoing>) {
        let cancel = self.handle.cancel.clone();
        let mut first = None;
        loop {
            self.turn(first.take(), outgoing);
            let unfinished = self.is_full();
            if !self.out.is_empty() {
                let written = tokio::select! {
                    biased;
                    written = stream.write_all_buf(&mut self.out) => written,
                    () = cancel.cancelled() => return,
                };
                if written.is_err() {
                    return;
                }
                if self.out.capacity() > 4 * READ_CHUNK {
                    self.out = BytesMut::new();
                }
            }
            if self.closing {
                return;
            }
            if unfinished {
                continue;
            }
            let paused = self.is_paused();
            tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                message = outgoing.recv() => match message {
                    Some(message) => first = Some(message),
                    None => return,
                },
                ready = stream.readable(), if !paused => {
                    if ready.is_err() || !self.fill(stream) {
                        return;
                    }
                }
            }
        }
    }

    /// Reads what the socket has; false when the client has closed it.
    fn fill(&mut self, stream: &TcpStream) -> bool {
        self.input.reserve(READ_CHUNK);
        match stream.try_read_buf(&mut self.input) {
            Ok(0) => false,
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }

    /// One turn: the events and replies that wait, `first` before those in the queue, then the reads in line, then the
    /// requests that are here. The tree is locked once, before the queue is emptied, and nothing is read before it is empty:
    /// no event of a change can be left behind a reply that shows the change.
    fn turn(&mut self, first: Option<Outgoing>, outgoing: &mut mpsc::UnboundedReceiver<Outgoing>) {
        if first.is_none() && self.input.len() < 4 && outgoing.is_empty() && self.line.is_empty() {
            return;
        }
        self.now_ms = self.context.clock.monotonic_ms();
        let shared = Arc::clone(&self.context.shared);
        let tree = shared.tree();
        if let Some(message) = first {
            self.absorb(message);
        }
        while !self.is_full()
            && let Ok(message) = outgoing.try_recv()
        {
            self.absorb(message);
        }
        self.serve_line(&tree);
        let mut requests = 0;
        while !self.closing && !self.is_full() && !self.is_paused() {
            match frame::take(&mut self.input, self.context.config.jute_maxbuffer) {
                Ok(Some(frame)) => {
                    requests += 1;
                    self.request(&tree, &frame);
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(remote = %self.handle.remote, %error, "closing a connection that sent a bad frame");
                    self.closing = true;
                }
            }
        }
        drop(tree);
        if self.input.is_empty() {
            // An idle connection keeps no buffer.
            self.input = BytesMut::new();
        }
        if requests > 0 {
            self.handle.heard_ms.store(self.now_ms, Ordering::Relaxed);
            self.handle.received.fetch_add(requests, Ordering::Relaxed);
            self.context.stats.add_received(requests);
        }
        self.forward();
    }

    /// Serves what stands at the head of the line and is not the member's: nothing of this connection is before it.
    fn serve_line(&mut self, tree: &DataTree) {
        while !self.is_full() && !self.closing {
            match self.line.pop_front() {
                Some(InLine::Read { xid, op, body, since_ms }) => self.read(tree, xid, op, &body, since_ms),
                Some(InLine::Unknown { xid }) => self.refuse(xid),
                Some(other) => {
                    self.line.push_front(other);
                    break;
                }
                None => break,
            }
        }
        if !self.closing {
            self.release_held();
        }
    }

    /// Sends those requests to the member that have no read before them.
    fn release_held(&mut self) {
        // What is at the member stands at the head of the line.
        let first_here = self.line.partition_point(|waiting| matches!(waiting, InLine::Member { .. }));
        for waiting in self.line.range_mut(first_here..) {
            let InLine::Held { xid, op, body, since_ms } = waiting else { return };
            let (conn, session, ids) = (self.conn, self.session, Arc::clone(&self.ids));
            let (xid, op, body, since_ms) = (*xid, *op, std::mem::take(body), *since_ms);
            self.to_member.push(Request { conn, session, ids, xid, op, body });
            *waiting = InLine::Member { since_ms };
        }
    }

    fn is_full(&self) -> bool {
        self.out.len() >= MOST_OUT
    }

    fn forward(&mut self) {
        if self.to_member.is_empty() {
            return;
        }
        let requests = std::mem::take(&mut self.to_member);
        self.context.outstanding.fetch_add(requests.len(), Ordering::Relaxed);
        if self.context.events.send(Event::Requests(requests)).is_err() {
            self.closing = true;
        }
    }

    fn is_paused(&self) -> bool {
        let limit = self.context.config.global_outstanding_limit as usize;
        self.line.len() >= MOST_IN_LINE
            || (!self.line.is_empty() && self.context.outstanding.load(Ordering::Relaxed) > limit)
    }

    fn request(&mut self, tree: &DataTree, frame: &Bytes) {
        let Ok(RequestHeader { xid, op }) = RequestHeader::from_bytes(frame) else {
            tracing::warn!(remote = %self.handle.remote, bytes = frame.len(), "closing a connection that sent no header");
            self.closing = true;
            return;
        };
        let body = frame.slice(8..);
        let since_ms = self.now_ms;
        match route(op) {
            (Route::Auth, Some(OpCode::Sasl)) => self.sasl(xid, &body),
            (Route::Auth, _) => self.authenticate(xid, &body),
            (Route::Read, Some(op)) if self.line.is_empty() => self.read(tree, xid, op, &body, since_ms),
            (Route::Read, Some(op)) => self.line.push_back(InLine::Read { xid, op, body, since_ms }),
            (Route::Member, Some(op)) => {
                self.line.push_back(InLine::Held { xid, op, body, since_ms });
                self.release_held();
            }
            (_, known) => {
                tracing::warn!(remote = %self.handle.remote, op, ?known, "closing a connection that asked for what clients cannot");
                if self.line.is_empty() { self.refuse(xid) } else { self.line.push_back(InLine::Unknown { xid }) }
            }
        }
    }

    fn refuse(&mut self, xid: i32) {
        self.reply(&ReplyHeader { xid, zxid: Zxid(-1), err: ErrorCode::Unimplemented.code() });
        self.closing = true;
    }

    fn read(&mut self, tree: &DataTree, xid: i32, op: OpCode, body: &Bytes, since_ms: u64) {
        let caller = Caller { conn: self.conn, session: self.session, ids: &self.ids, auth: &self.context.auth };
        read::serve(&self.context.shared, tree, caller, xid, op, body, &mut self.out);
        self.count_sent(self.now_ms.saturating_sub(since_ms));
    }

    /// Answered at once, ahead of what stands in line, as the reference does.
    fn authenticate(&mut self, xid: i32, body: &Bytes) {
        let remote = self.handle.remote.ip().to_string();
        let Ok(AuthPacket { scheme, auth: credentials, .. }) = AuthPacket::from_bytes(body) else {
            tracing::warn!(remote = %self.handle.remote, "closing a connection that sent credentials of no form");
            self.closing = true;
            return;
        };
        let proved = credentials.and_then(|proof| auth::authenticate(&self.context.auth, &scheme, &proof, &remote));
        let err = if let Some(proved) = proved {
            let mut ids = self.ids.to_vec();
            ids.extend(proved.into_iter().filter(|id| !self.ids.contains(id)));
            self.ids = ids.into();
            self.handle.set_ids(Arc::clone(&self.ids));
            ErrorCode::Ok
        } else {
            tracing::warn!(remote = %self.handle.remote, "closing a connection whose credentials were refused");
            self.closing = true;
            ErrorCode::AuthFailed
        };
        self.reply(&ReplyHeader { xid, zxid: Zxid::ZERO, err: err.code() });
    }

    /// No mechanism is configured. The answer is then a null token, as the reference's is: a client that is set up for SASL
    /// goes on without it, where a refusal would keep it from ever connecting.
    fn sasl(&mut self, xid: i32, body: &Bytes) {
        if let Ok(SaslToken { token: Some(_) }) = SaslToken::from_bytes(body) {
            let (header, none) = (ReplyHeader { xid, zxid: Zxid::ZERO, err: 0 }, SaslToken { token: None });
            frame::put(&mut self.out, |out| {
                header.encode(out);
                none.encode(out);
            });
            self.count_sent(0);
        } else {
            tracing::warn!(remote = %self.handle.remote, "closing a connection that sent no SASL token");
            self.closing = true;
        }
    }

    fn absorb(&mut self, message: Outgoing) {
        self.handle.taken(&message);
        match message {
            Outgoing::Event(frame) => self.out.extend_from_slice(&frame),
            Outgoing::Reply { frame, close } => {
                self.out.extend_from_slice(&frame);
                self.closing |= close;
                if let Some(InLine::Member { since_ms }) = self.line.pop_front() {
                    self.context.outstanding.fetch_sub(1, Ordering::Relaxed);
                    self.count_sent(self.now_ms.saturating_sub(since_ms));
                }
            }
            // A second answer to the connect request cannot be: the connection has its session.
            Outgoing::Connected(_) => self.closing = true,
        }
    }

    fn reply(&mut self, header: &ReplyHeader) {
        frame::put(&mut self.out, |out| header.encode(out));
        self.count_sent(0);
    }

    fn count_sent(&self, latency_ms: u64) {
        self.handle.sent.fetch_add(1, Ordering::Relaxed);
        self.context.stats.add_sent(1);
        self.context.stats.add_latency(1, latency_ms);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let at_member = self.line.iter().filter(|waiting| matches!(waiting, InLine::Member { .. })).count();
        self.context.outstanding.fetch_sub(at_member, Ordering::Relaxed);
    }
}

/// Where a connection comes from, in the form the four-letter words print.
pub(super) fn display(remote: &SocketAddr) -> String {
    format!("/{remote}")
}

/// Takes the first four bytes of a new connection, if they are a four-letter word's.
pub(super) fn take_word(input: &mut BytesMut) -> Option<[u8; 4]> {
    let word = *input.first_chunk::<4>()?;
    if !word.iter().all(u8::is_ascii_lowercase) {
        return None;
    }
    input.advance(4);
    Some(word)
}

#[cfg(test)]
mod tests;
