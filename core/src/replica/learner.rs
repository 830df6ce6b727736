//! A member that follows: what only the leader can do is sent there, and answered when it comes back (protocol §5.8, §5.9).

use bytes::Bytes;

use super::commit::sync_reply;
use super::{Config, ConnId, Origin, Output, Owner, Replica, Request, Time};
use crate::jute::{Decode, Encode};
use crate::wire::proto::{MultiOp, MultiRequest};
use crate::wire::quorum::{ForwardedRequest, Touch};
use crate::wire::txn::{Txn, TxnHeader, TxnRecord};
use crate::wire::{ErrorCode, OpCode};
use crate::zab;

/// A client that waits for the leader's word on its session.
#[derive(Debug)]
pub(super) struct Revalidation {
    pub(super) conn: ConnId,
    pub(super) timeout_ms: i32,
    pub(super) read_only: Option<bool>,
}

/// A request that was forwarded, and waits for its transaction.
#[derive(Debug)]
pub(super) struct Forwarded {
    cxid: i32,
    origin: Origin,
    /// Which operations of a multi are create2: its transaction does not say it, and their results do.
    create2: Vec<usize>,
}

/// A sync that was forwarded.
#[derive(Debug)]
pub(super) struct ForwardedSync {
    conn: ConnId,
    xid: i32,
    /// Its path, or why it is refused.
    answer: Result<Option<String>, ErrorCode>,
}

/// When touches are to be given to consensus next, in monotonic milliseconds: twice a tick, as often as the leader asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct TouchTimer(pub(super) u64);

impl TouchTimer {
    pub(super) fn from(now: Time, config: &Config) -> Self {
        TouchTimer(now.monotonic_ms + (config.tick_ms / 2).max(1))
    }
}

impl Replica {
    /// Sends a request to the leader, and notes whom its transaction answers.
    pub(super) fn forward(&mut self, request: &Request) {
        let Request { conn, session, xid, op, .. } = *request;
        let create2 = if op == OpCode::Multi { create2_in(&request.body) } else { Vec::new() };
        let forwarded = Forwarded { cxid: xid, origin: Origin::Request { conn, xid, op }, create2 };
        self.forwarded.entry(session).or_default().push_back(forwarded);
        self.send_to_leader(session, xid, op, request.body.clone(), Some(request.ids.to_vec()));
    }

    /// A sync that cannot be read waits its turn like any other: only its answer is another.
    pub(super) fn forward_sync(&mut self, request: &Request, answer: Result<Option<String>, ErrorCode>) {
        let Request { conn, session, xid, op, .. } = *request;
        self.syncs.push_back(ForwardedSync { conn, xid, answer });
        self.send_to_leader(session, xid, op, request.body.clone(), Some(request.ids.to_vec()));
    }

    pub(super) fn forward_new_session(&mut self, session: i64, timeout_ms: i32, origin: Origin) {
        let forwarded = Forwarded { cxid: 0, origin, create2: Vec::new() };
        self.forwarded.entry(session).or_default().push_back(forwarded);
        self.send_to_leader(session, 0, OpCode::CreateSession, timeout_ms.to_bytes(), None);
    }

    fn send_to_leader(&mut self, session: i64, cxid: i32, op: OpCode, body: Bytes, ids: Option<Vec<crate::wire::Id>>) {
        let request = ForwardedRequest { session, cxid, op: op.code(), body, ids };
        self.peer.handle(self.now.monotonic_ms, zab::Input::Forward(request));
    }

    /// Whom the transaction of another member answers. Those of one session come in the order in which they were forwarded:
    /// only the oldest can be meant.
    pub(super) fn forwarded_origin(&mut self, record: &mut TxnRecord) -> Origin {
        let TxnHeader { client_id, cxid, .. } = record.header;
        let Some(waiting) = self.forwarded.get_mut(&client_id) else { return Origin::Internal };
        let found = waiting.pop_front_if(|forwarded| forwarded.cxid == cxid);
        if waiting.is_empty() {
            self.forwarded.remove(&client_id);
        }
        let Some(Forwarded { origin, create2, .. }) = found else { return Origin::Internal };
        if let Txn::Multi(txns) = &mut record.txn {
            for index in create2 {
                if let Some(Txn::Create(is_create2, _)) = txns.get_mut(index) {
                    *is_create2 = true;
                }
            }
        }
        origin
    }

    /// The oldest forwarded sync is done.
    pub(super) fn synced(&mut self) {
        if let Some(ForwardedSync { conn, xid, answer }) = self.syncs.pop_front() {
            self.shared.sink().reply(conn, sync_reply(xid, self.applied, &answer), false);
        }
    }

    /// Asks the leader whether a session lives that a client wants to resume here.
    pub(super) fn revalidate(&mut self, session: i64, asked: Revalidation) {
        let timeout_ms = asked.timeout_ms;
        if let Some(earlier) = self.revalidating.insert(session, asked) {
            self.outputs.push_back(Output::Close { conn: earlier.conn });
        }
        self.peer.handle(self.now.monotonic_ms, zab::Input::Revalidate { session, timeout_ms });
    }

    /// The leader's word. Without anybody who waits for it the client has gone, or has asked again.
    pub(super) fn revalidated(&mut self, session: i64, valid: bool) {
        let Some(Revalidation { conn, timeout_ms, read_only }) = self.revalidating.remove(&session) else { return };
        if valid {
            self.welcome(conn, session, timeout_ms, read_only);
        } else {
            self.turn_away(conn, session, read_only);
        }
    }

    /// When the clients of this learner were last heard of. Of one that has been silent since the leader was told of it the leader must
    /// not hear again: its session would never expire.
    pub(super) fn tell_leader_of(&mut self, touched: &[(i64, u64)]) {
        let mut touches = Vec::new();
        for (session, heard_ms) in touched {
            if let Some(Owner::Local { timeout_ms, told_ms, .. }) = self.owners.get_mut(session)
                && heard_ms > told_ms
            {
                *told_ms = *heard_ms;
                touches.push(Touch { session: *session, timeout_ms: *timeout_ms });
            }
        }
        self.peer.handle(self.now.monotonic_ms, zab::Input::Touched(touches));
    }
}

fn create2_in(body: &Bytes) -> Vec<usize> {
    // What cannot be read fails at the leader.
    let ops = MultiRequest::from_bytes(body).map(|request| request.ops).unwrap_or_default();
    let is_create2 = |op: &MultiOp| matches!(op, MultiOp::Create(OpCode::Create2, _));
    ops.iter().enumerate().filter(|(_, op)| is_create2(op)).map(|(index, _)| index).collect()
}
