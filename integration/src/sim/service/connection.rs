//! A client's connection as a server serves it: reads from the shared state in their turn, everything else by the member; events and
//! replies in the order in which they were told.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use menagerie_core::auth::AuthConfig;
use menagerie_core::jute::{Decode, Encode};
use menagerie_core::replica::read::{self, Caller};
use menagerie_core::replica::{ConnId, EventSink, Request, Route, Shared, route};
use menagerie_core::tree::DataTree;
use menagerie_core::wire::proto::{ReplyHeader, RequestHeader};
use menagerie_core::wire::{Acl, EventKind, OpCode};

use super::options::Sabotage;

/// What the member has told connections and they have not taken yet.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<Vec<(ConnId, Sent)>>>);

/// What a connection is told.
#[derive(Clone, Debug)]
pub enum Sent {
    /// An event.
    Event(Bytes),
    /// A reply, and whether the connection is closed after it.
    Reply(Bytes, bool),
}

impl Told {
    /// Everything since the last time.
    pub fn take(&self) -> Vec<(ConnId, Sent)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, conn: ConnId, sent: Sent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((conn, sent));
    }
}

impl EventSink for Told {
    fn deliver(&self, _: EventKind, connections: &BTreeSet<ConnId>, _: &[Acl], frame: Bytes) {
        for conn in connections {
            self.push(*conn, Sent::Event(frame.slice(4..)));
        }
    }

    fn reply(&self, conn: ConnId, frame: Bytes, close: bool) {
        self.push(conn, Sent::Reply(frame.slice(4..), close));
    }
}

#[derive(Debug)]
enum Place {
    /// At the member.
    Member,
    /// Behind a write: served when that is answered.
    Read,
    /// Served already, which is wrong; sent in its turn.
    Early(Bytes),
    /// Behind a read.
    Held,
}

#[derive(Debug)]
struct Waiting {
    xid: i32,
    op: OpCode,
    body: Bytes,
    place: Place,
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    id: ConnId,
    /// 0 until the session is open.
    pub session: i64,
    /// Whether the greeting has come.
    pub greeted: bool,
    line: VecDeque<Waiting>,
    told: VecDeque<Sent>,
    input: VecDeque<Bytes>,
    /// Whether a turn is in the queue of events.
    pub turning: bool,
}

/// What a turn of a connection gives.
#[derive(Debug, Default)]
pub struct Turn {
    /// What is sent to the client, in order.
    pub out: Vec<Bytes>,
    /// What is asked of the member, in order.
    pub requests: Vec<Request>,
    /// Whether the connection is closed then.
    pub close: bool,
}

impl Connection {
    /// A connection on which nothing has come.
    pub fn new(id: ConnId) -> Self {
        let (line, told, input) = Default::default();
        Connection { id, session: 0, greeted: false, line, told, input, turning: false }
    }

    /// The member has told something.
    pub fn told(&mut self, sent: Sent) {
        self.told.push_back(sent);
    }

    /// Whether it was told of the end of its session, and has only to send that on.
    pub fn is_ended(&self) -> bool {
        self.told.iter().any(|sent| matches!(sent, Sent::Reply(_, true)))
    }

    /// A frame has come from the client.
    pub fn came(&mut self, frame: Bytes) {
        self.input.push_back(frame);
    }

    /// One turn, as a server's connection takes it: the tree is locked, then what was told is sent, then reads are served, then
    /// requests are taken.
    pub fn turn(&mut self, shared: &Shared, sabotage: Option<Sabotage>) -> Turn {
        let tree = shared.tree();
        let mut turn = Turn::default();
        let mut late = Vec::new();
        while let Some(sent) = self.told.pop_front() {
            match sent {
                Sent::Event(frame) if sabotage == Some(Sabotage::WatchAfterReply) => late.push(frame),
                Sent::Event(frame) => turn.out.push(frame),
                Sent::Reply(frame, close) => {
                    turn.out.push(frame);
                    turn.close |= close;
                    self.line.pop_front_if(|waiting| matches!(waiting.place, Place::Member));
                }
            }
        }
        if turn.close {
            // Whatever was asked behind the end of a session is not answered.
            return turn;
        }
        self.serve(shared, &tree, &mut turn);
        while let Some(frame) = self.input.pop_front() {
            self.request(shared, &tree, &frame, sabotage, &mut turn);
        }
        turn.out.append(&mut late);
        turn
    }

    /// Serves what stands at the head of the line and is not the member's, and sends on what was held behind it.
    fn serve(&mut self, shared: &Shared, tree: &DataTree, turn: &mut Turn) {
        while let Some(waiting) = self.line.pop_front_if(|it| matches!(it.place, Place::Read | Place::Early(_))) {
            let frame = match waiting.place {
                Place::Early(frame) => frame,
                _ => self.read(shared, tree, waiting.xid, waiting.op, &waiting.body, turn),
            };
            turn.out.push(frame);
        }
        let (id, session) = (self.id, self.session);
        for waiting in &mut self.line {
            match waiting.place {
                Place::Member => {}
                Place::Held => {
                    waiting.place = Place::Member;
                    let (xid, op, body) = (waiting.xid, waiting.op, waiting.body.clone());
                    turn.requests.push(Request { conn: id, session, ids: [].into(), xid, op, body });
                }
                Place::Read | Place::Early(_) => break,
            }
        }
    }

    /// The reply; events of watches that are set again go before it.
    fn read(&self, shared: &Shared, tree: &DataTree, xid: i32, op: OpCode, body: &Bytes, turn: &mut Turn) -> Bytes {
        let auth = AuthConfig::default();
        let caller = Caller { conn: self.id, session: self.session, ids: &[], auth: &auth };
        let mut out = BytesMut::new();
        read::serve(shared, tree, caller, xid, op, body, &mut out);
        let mut frames = Vec::new();
        while let Ok(Some(frame)) = menagerie_core::wire::frame::take(&mut out, usize::MAX) {
            frames.push(frame);
        }
        let reply = frames.pop().unwrap_or_default();
        turn.out.append(&mut frames);
        reply
    }

    fn request(
        &mut self,
        shared: &Shared,
        tree: &DataTree,
        frame: &Bytes,
        sabotage: Option<Sabotage>,
        turn: &mut Turn,
    ) {
        let Ok(RequestHeader { xid, op }) = RequestHeader::from_bytes(frame) else { return };
        let body = frame.slice(8..);
        let (route, Some(op)) = route(op) else { return };
        let place = match route {
            Route::Read if self.line.is_empty() => {
                let frame = self.read(shared, tree, xid, op, &body, turn);
                return turn.out.push(frame);
            }
            Route::Read if sabotage == Some(Sabotage::ReadOvertakesWrite) => {
                Place::Early(self.read(shared, tree, xid, op, &body, turn))
            }
            Route::Member if op == OpCode::Sync && sabotage == Some(Sabotage::SyncAtOnce) => {
                let mut early = BytesMut::new();
                ReplyHeader { xid, zxid: tree.last_zxid(), err: 0 }.encode(&mut early);
                early.extend_from_slice(&body);
                Place::Early(early.freeze())
            }
            Route::Read => Place::Read,
            _ => Place::Held,
        };
        self.line.push_back(Waiting { xid, op, body, place });
        self.serve(shared, tree, turn);
    }
}
