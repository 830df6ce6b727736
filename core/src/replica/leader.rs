//! A member that leads: what learners ask for on behalf of their clients (protocol §5.8, §5.9).

use super::request::{Route, route};
use super::{Origin, Output, Owner, Replica, Request};
use crate::jute::Decode;
use crate::wire::quorum::{ForwardedRequest, Touch};
use crate::wire::txn::Txn;
use crate::wire::{ErrorCode, OpCode, Zxid};
use crate::zab::{self, LinkId};

/// An answer to a learner that waits until `after` is applied.
#[derive(Debug)]
pub(super) struct Verdict {
    after: Zxid,
    link: LinkId,
    session: i64,
    valid: bool,
}

impl Replica {
    /// Every forwarded write becomes one transaction, if only one that says why it is refused: the learner waits for it.
    pub(super) fn forwarded_request(&mut self, link: LinkId, forwarded: ForwardedRequest) {
        if self.proposes_no_more {
            return;
        }
        let ForwardedRequest { session, cxid, op, body, ids } = forwarded;
        let now = self.now;
        let _ = self.sessions.touch(session, now.monotonic_ms);
        match OpCode::from_i32(op) {
            Some(OpCode::CreateSession) => match i32::from_bytes(&body) {
                Ok(timeout_ms) => {
                    self.sessions.open(session, u64::try_from(timeout_ms).unwrap_or(0), now.monotonic_ms);
                    self.owners.insert(session, Owner::Learner(link));
                    self.propose(now, session, cxid, Txn::CreateSession { timeout_ms }, Origin::Internal);
                }
                Err(_) => self.refuse_forwarded(session, cxid, ErrorCode::MarshallingError),
            },
            Some(OpCode::Sync) => self.peer.handle(now.monotonic_ms, zab::Input::AnswerSync { link }),
            _ if self.owners.get(&session).is_some_and(|owner| *owner != Owner::Learner(link)) => {
                self.refuse_forwarded(session, cxid, ErrorCode::SessionMoved);
            }
            Some(OpCode::CloseSession) => self.propose_close(now, session, cxid, Origin::Internal),
            Some(op) if route(op.code()).0 == Route::Member => {
                let ids = ids.unwrap_or_default().into();
                let txn = self.prepare(now, &Request { conn: 0, session, ids, xid: cxid, op, body });
                self.propose(now, session, cxid, txn, Origin::Internal);
            }
            _ => self.refuse_forwarded(session, cxid, ErrorCode::Unimplemented),
        }
    }

    fn refuse_forwarded(&mut self, session: i64, cxid: i32, code: ErrorCode) {
        self.propose(self.now, session, cxid, Txn::Error { err: code.code() }, Origin::Internal);
    }

    /// A learner has heard of these sessions.
    pub(super) fn sessions_touched(&mut self, touches: Vec<Touch>) {
        for Touch { session, timeout_ms } in touches {
            // A touch of a session that has just ended says nothing.
            let _ = self.sessions.touch_for(session, u64::try_from(timeout_ms).unwrap_or(0), self.now.monotonic_ms);
        }
    }

    /// A client resumes its session at a learner. The answer waits for everything proposed until now: were it to overtake, the
    /// learner could take a transaction of the session's earlier connection for the answer to a request of the new one.
    pub(super) fn revalidate_session(&mut self, link: LinkId, session: i64, timeout_ms: i32) {
        let timeout_ms = u64::try_from(timeout_ms).unwrap_or(0);
        let valid = self.sessions.touch_for(session, timeout_ms, self.now.monotonic_ms).is_ok();
        if valid && let Some(Owner::Local { conn, .. }) = self.owners.insert(session, Owner::Learner(link)) {
            self.connections.remove(&conn);
            self.outputs.push_back(Output::Close { conn });
        }
        let after = self.last_proposed();
        self.verdicts.push_back(Verdict { after, link, session, valid });
        self.release_verdicts(self.applied);
    }

    pub(super) fn release_verdicts(&mut self, applied: Zxid) {
        while let Some(verdict) = self.verdicts.pop_front_if(|verdict| verdict.after <= applied) {
            let Verdict { link, session, valid, .. } = verdict;
            self.peer.handle(self.now.monotonic_ms, zab::Input::SessionRevalidated { link, session, valid });
        }
    }
}
