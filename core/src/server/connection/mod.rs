//! One client connection: frames in, replies and events out, in the protocol's order (protocol §2.15).
//!
//! Reads are served here, from the shared tree; everything else goes to the member. A read that follows a write of the
//! same connection waits in line until the write is answered, and a write behind that read waits with it: the read must
//! not see what came after it. While too much is in flight the socket is not read, and while the client does not take what
//! it was sent nothing more is made for it.

mod credentials;
mod line;
mod sent;
mod socket;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Buf, Bytes, BytesMut};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::Context;
use super::connection_stats::{Answered, NOTHING, name_of};
use super::event_loop::Event;
use super::metrics::Tally;
use super::registry::{Handle, Outgoing};
use super::throttle::{Queue, Reserved, Verdict};
use crate::jute::{Decode, Encode};
use crate::replica::read::{self, Caller};
use crate::replica::{ConnId, Request, Route, route};
use crate::tree::DataTree;
use crate::wire::proto::{ReplyHeader, RequestHeader};
use crate::wire::{ErrorCode, Id, OpCode, Zxid, frame};
use line::{Line, Place, Waiting};

/// Replies are written out before more are made when there is this much: a few short requests can ask for much data.
const MOST_OUT: usize = 256 * 1024;
/// A frame's length and a request's header, in bytes.
const LENGTH: usize = 4;
const HEADER: usize = 8;

/// A connection with an open session.
pub(super) struct Connection {
    context: Arc<Context>,
    conn: ConnId,
    session: i64,
    handle: Arc<Handle>,
    ids: Arc<[Id]>,
    line: Line,
    /// Where its writes wait for their turn.
    turns: Queue,
    input: BytesMut,
    /// For a large request of which only the beginning is here.
    large: Option<Reserved>,
    out: BytesMut,
    to_member: Vec<Request>,
    tally: Tally,
    closing: bool,
    /// When this turn began: the clock is read once a turn, not once a request.
    now_ms: u64,
}

/// Who ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The client, or the network, without a word.
    ByClient,
    /// This server, or a session that was closed.
    ByServer,
}

impl Connection {
    pub(super) fn new(context: Arc<Context>, conn: ConnId, session: i64, handle: Arc<Handle>, input: BytesMut) -> Self {
        let ids = handle.ids();
        let (out, to_member, tally) = (BytesMut::new(), Vec::new(), Tally::default());
        let (line, turns) = (Line::new(Arc::clone(&context.outstanding)), context.requests.queue());
        let (large, closing, now_ms) = (None, false, 0);
        Connection {
            context,
            conn,
            session,
            handle,
            ids,
            line,
            turns,
            input,
            large,
            out,
            to_member,
            tally,
            closing,
            now_ms,
        }
    }

    /// Serves until the client or the server closes the connection. The reply of what is in flight may be lost then.
    pub(super) async fn run(
        mut self,
        stream: &mut TcpStream,
        outgoing: &mut mpsc::UnboundedReceiver<Outgoing>,
    ) -> Ended {
        let cancel = self.handle.cancel.clone();
        let mut first = None;
        loop {
            self.turn(first.take(), outgoing);
            let unfinished = self.is_full();
            if let Err(ended) = self.write_out(stream, &cancel).await {
                return ended;
            }
            if self.closing {
                return Ended::ByServer;
            }
            if unfinished {
                continue;
            }
            let paused = self.is_paused();
            self.handle.reading.store(!paused, Ordering::Relaxed);
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Ended::ByServer,
                message = outgoing.recv() => match message {
                    Some(message) => first = Some(message),
                    None => return Ended::ByServer,
                },
                () = self.turns.ready(), if self.turns.is_waiting() => {}
                ready = stream.readable(), if !paused => {
                    if ready.is_err() || !self.fill(stream) {
                        return Ended::ByClient;
                    }
                }
            }
        }
    }

    /// One turn: the events and replies that wait, `first` before those in the queue, then the reads in line, then the
    /// requests that are here. The tree is locked once, before the queue is emptied, and nothing is read before it is empty:
    /// no event of a change can be left behind a reply that shows the change.
    fn turn(&mut self, first: Option<Outgoing>, outgoing: &mut mpsc::UnboundedReceiver<Outgoing>) {
        if first.is_none() && self.input.len() < LENGTH && outgoing.is_empty() && self.line.is_empty() {
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
        self.take_requests(&tree);
        drop(tree);
        if self.input.is_empty() {
            // An idle connection keeps no buffer.
            self.input = BytesMut::new();
        }
        self.forward();
        self.tally.flush(&self.context.metrics);
        self.handle.in_line.store(self.line.len(), Ordering::Relaxed);
        self.handle.in_line_bytes.store(self.line.bytes(), Ordering::Relaxed);
        self.handle.input_bytes.store(self.input.len(), Ordering::Relaxed);
    }

    /// Takes whole requests from the input while there is room for them.
    fn take_requests(&mut self, tree: &DataTree) {
        let (mut requests, mut bytes) = (0, 0);
        while !self.closing && !self.is_full() && !self.is_paused() && self.reserve_large() {
            match frame::take(&mut self.input, self.context.config.jute_maxbuffer) {
                Ok(Some(frame)) => {
                    requests += 1;
                    bytes += (LENGTH + frame.len()) as u64;
                    self.request(tree, &frame);
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(remote = %self.handle.remote, %error, "closing a connection that sent a bad frame");
                    self.closing = true;
                }
            }
        }
        if requests > 0 {
            self.handle.heard_ms.store(self.now_ms, Ordering::Relaxed);
            self.handle.stats().received += requests;
            self.context.metrics.packets_received.add(requests);
            self.context.metrics.bytes_received.add(bytes);
        }
    }

    /// Reserves the bytes of the next request as soon as its length is here; false when there is no room.
    fn reserve_large(&mut self) -> bool {
        let Some(length) = self.input.first_chunk::<LENGTH>() else { return true };
        let length = u32::from_be_bytes(*length) as usize;
        if length > self.context.config.jute_maxbuffer || !self.context.large.is_large(length) || self.large.is_some() {
            return true;
        }
        self.large = self.context.large.reserve(length);
        if self.large.is_none() {
            self.context.metrics.large_requests_rejected.add(1);
            tracing::warn!(
                remote = %self.handle.remote,
                bytes = length,
                limit = self.context.config.throttle.large_max_bytes,
                "closing a connection: large requests hold largeRequestMaxBytes already"
            );
            self.closing = true;
        }
        !self.closing
    }

    /// Serves what stands at the head of the line and is not the member's: nothing of this connection is before it.
    fn serve_line(&mut self, tree: &DataTree) {
        self.serve_here(tree);
        // A write that was refused is served like a read, and another may stand behind it.
        while !self.closing && self.release_held() {
            self.serve_here(tree);
        }
    }

    fn serve_here(&mut self, tree: &DataTree) {
        while !self.is_full()
            && !self.closing
            && let Some(waiting) = self.line.pop_if(|place| !matches!(place, Place::Member { .. } | Place::Held))
        {
            match (&waiting.place, waiting.op) {
                (Place::Read, Some(op)) => self.read(tree, waiting.xid, op, &waiting.body, waiting.since_ms),
                (Place::Throttled, _) => self.answer_header(waiting.xid, tree.last_zxid(), ErrorCode::ThrottledOp),
                _ => self.refuse_unknown(waiting.xid),
            }
        }
    }

    /// Sends those requests to the member that have no read before them, as far as there are turns for them. True when
    /// one was refused, and is to be served here.
    fn release_held(&mut self) -> bool {
        let timeout_ms = self.handle.timeout_ms.load(Ordering::Relaxed);
        let metrics = &self.context.metrics;
        while let Some(waiting) = self.line.first_held() {
            let waited_for_others = self.turns.is_waiting();
            let Some(turn) = self.turns.try_take() else {
                metrics.throttle_waits.add(u64::from(!waited_for_others));
                return false;
            };
            let waited_ms = self.now_ms.saturating_sub(waiting.since_ms);
            metrics.throttle_time.add(waited_ms);
            let Some(op) = waiting.op else { return false };
            match self.context.requests.judge(waited_ms, timeout_ms, op != OpCode::CloseSession) {
                Verdict::Execute => {}
                Verdict::Stale => metrics.stale_requests.add(1),
                Verdict::DropStale => {
                    metrics.stale_requests.add(1);
                    metrics.stale_requests_dropped.add(1);
                    tracing::warn!(remote = %self.handle.remote, waited_ms, "closing a connection whose request is stale");
                    self.closing = true;
                    return false;
                }
                Verdict::Refuse => {
                    metrics.throttled_ops.add(1);
                    waiting.place = Place::Throttled;
                    return true;
                }
            }
            let (conn, session, ids) = (self.conn, self.session, Arc::clone(&self.ids));
            let (xid, body) = (waiting.xid, std::mem::take(&mut waiting.body));
            waiting.place = Place::Member { _turn: turn };
            self.to_member.push(Request { conn, session, ids, xid, op, body });
        }
        false
    }

    fn is_full(&self) -> bool {
        self.out.len() >= MOST_OUT
    }

    fn forward(&mut self) {
        if self.to_member.is_empty() {
            return;
        }
        let requests = std::mem::take(&mut self.to_member);
        let metrics = &self.context.metrics;
        metrics.member_requests.add(requests.len() as u64);
        metrics.member_queue.fetch_add(requests.len(), Ordering::Relaxed);
        if self.context.events.send(Event::Requests { requests, sent_ms: self.now_ms }).is_err() {
            self.closing = true;
        }
    }

    fn is_paused(&self) -> bool {
        let limit = self.context.config.global_outstanding_limit as usize;
        self.line.is_full() || (!self.line.is_empty() && self.context.outstanding.load(Ordering::Relaxed) > limit)
    }

    fn request(&mut self, tree: &DataTree, frame: &Bytes) {
        let large = self.large.take();
        let Ok(RequestHeader { xid, op }) = RequestHeader::from_bytes(frame) else {
            tracing::warn!(remote = %self.handle.remote, bytes = frame.len(), "closing a connection that sent no header");
            self.closing = true;
            return;
        };
        let body = frame.slice(HEADER..);
        let (route, known) = route(op);
        let place = match (route, known) {
            (Route::Auth, Some(OpCode::Sasl)) => return self.sasl(xid, &body),
            (Route::Auth, _) => return self.authenticate(xid, &body),
            _ if !self.context.auth.admits(&self.ids) => return self.turn_away(xid),
            (Route::Read, Some(op)) if self.line.is_empty() => return self.read(tree, xid, op, &body, self.now_ms),
            (Route::Read, Some(_)) => Place::Read,
            (Route::Member, Some(_)) => Place::Held,
            _ => {
                tracing::warn!(remote = %self.handle.remote, op, ?known, "closing a connection that asked for what clients cannot");
                if self.line.is_empty() {
                    return self.refuse_unknown(xid);
                }
                Place::Unknown
            }
        };
        let (since_ms, bytes) = (self.now_ms, frame.len());
        self.line.push(Waiting { xid, op: known, body, since_ms, bytes, _large: large, place });
        if self.release_held() {
            self.serve_line(tree);
        }
    }

    fn refuse_unknown(&mut self, xid: i32) {
        self.answer_header(xid, Zxid(-1), ErrorCode::Unimplemented);
        self.closing = true;
    }

    fn answer_header(&mut self, xid: i32, zxid: Zxid, code: ErrorCode) {
        self.reply(&ReplyHeader { xid, zxid, err: code.code() }, |_| {});
    }

    fn read(&mut self, tree: &DataTree, xid: i32, op: OpCode, body: &Bytes, since_ms: u64) {
        let caller = Caller { conn: self.conn, session: self.session, ids: &self.ids, auth: &self.context.auth };
        let start = self.out.len();
        read::serve(&self.context.shared, tree, caller, xid, op, body, &mut self.out);
        // Watches that are set again have events before their reply.
        let (mut packets, mut bytes) = (0, 0);
        for frame in sent::frames(self.out.get(start..).unwrap_or_default()) {
            (packets, bytes) = (packets + 1, frame.len() as u64);
        }
        self.tally.packets(packets - 1);
        self.tally.reply(bytes, op == OpCode::Ping);
        self.tally.read(&self.context.metrics, self.now_ms.saturating_sub(since_ms));
        let mut stats = self.handle.stats();
        stats.sent += packets;
        stats.answered(Answered { op: name_of(op), xid, zxid: tree.last_zxid(), since_ms, now_ms: self.now_ms });
    }

    fn absorb(&mut self, message: Outgoing) {
        self.handle.taken(&message);
        match message {
            Outgoing::Event(frame) => {
                self.out.extend_from_slice(&frame);
                self.tally.packets(1);
                self.handle.stats().sent += 1;
            }
            Outgoing::Reply { frame, close } => {
                self.out.extend_from_slice(&frame);
                self.closing |= close;
                if let Some(waiting) = self.line.pop_if(|place| matches!(place, Place::Member { .. })) {
                    self.count_answer(&waiting, &frame);
                }
            }
            // A second answer to the connect request cannot be: the connection has its session.
            Outgoing::Connected(_) => self.closing = true,
        }
    }

    /// Counts the member's answer to a request.
    fn count_answer(&mut self, waiting: &Waiting, frame: &Bytes) {
        let latency_ms = self.now_ms.saturating_sub(waiting.since_ms);
        self.tally.reply(frame.len().saturating_sub(LENGTH) as u64, false);
        let is_sync = waiting.op == Some(OpCode::Sync);
        if is_sync {
            self.tally.read(&self.context.metrics, latency_ms);
        } else {
            self.tally.update(&self.context.metrics, latency_ms);
        }
        let header = sent::header(frame);
        let failed = header.as_ref().is_none_or(|header| header.err != 0);
        let mut stats = self.handle.stats();
        stats.sent += 1;
        stats.answered(Answered {
            op: waiting.op.filter(|_| is_sync || !failed).map_or(NOTHING, name_of),
            xid: waiting.xid,
            zxid: header.map_or(Zxid(-1), |header| header.zxid),
            since_ms: waiting.since_ms,
            now_ms: self.now_ms,
        });
    }

    /// Answers with a header and what `body` appends.
    fn reply(&mut self, header: &ReplyHeader, body: impl FnOnce(&mut BytesMut)) {
        frame::put(&mut self.out, |out| {
            header.encode(out);
            body(out);
        });
        self.tally.packets(1);
        self.handle.stats().sent += 1;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Nobody waits for these any more, and their turn has not come: they are never executed.
        if self.turns.is_waiting() {
            let stale = self.line.held() as u64;
            self.context.metrics.stale_requests.add(stale);
            self.context.metrics.stale_requests_dropped.add(stale);
        }
    }
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
