//! The first half of a write: validate it against what is and what is proposed, give it a zxid, propose it (protocol §7.2).
//! A write that fails uses a zxid too, as in the reference: every member answers it the same way.

use super::prepare_ops::Scope;
use super::request::{has_null, null_as_empty};
use super::{Barrier, Origin, Output, Proposal, Replica, Request, Time};
use crate::jute::{Decode, Encode};
use crate::wire::ensemble::Ensemble;
use crate::wire::proto::{
    CreateRequest, CreateTtlRequest, MultiRequest, PathOnly, PathVersion, ReconfigRequest, SetAclRequest,
    SetDataRequest,
};
use crate::wire::txn::{DIGEST_VERSION, Txn, TxnDigest, TxnHeader, TxnRecord};
use crate::wire::{ErrorCode, OpCode, Zxid};
use crate::zab::Role;

/// What a log's entry holds beside the record: its header and the digest.
const ENTRY_OVERHEAD: usize = 32 + 12;

impl Replica {
    pub(super) fn request(&mut self, now: Time, request: &Request) {
        let Request { conn, session, xid, op, .. } = *request;
        if self.local_owner(session) != Some(conn) {
            // The session has moved to another connection, or has ended: this one is closed without a reply.
            self.outputs.push_back(Output::Close { conn });
            return;
        }
        if self.role == Role::Looking {
            return self.request_of_reader(request);
        }
        if self.proposes_no_more {
            return;
        }
        if !self.leads() {
            return match op {
                OpCode::Sync => self.forward_sync(request, decoded::<Option<String>>(&request.body)),
                _ => self.forward(request),
            };
        }
        // A session that is closing answers its writes with SESSIONEXPIRED below.
        let _ = self.sessions.touch(session, now.monotonic_ms);
        let origin = Origin::Request { conn, xid, op };
        match op {
            OpCode::Sync => {
                // A path that is null is echoed as such: nobody looks at it.
                let path = decoded::<Option<String>>(&request.body);
                self.after_proposals(request, path);
            }
            OpCode::CloseSession => self.propose_close(now, session, xid, origin),
            // The one write that uses no zxid when it cannot be decoded.
            OpCode::Reconfig if decoded::<ReconfigRequest>(&request.body).is_err() => {
                self.after_proposals(request, Err(ErrorCode::MarshallingError));
            }
            _ => {
                let txn = self.prepare(now, request);
                self.propose(now, session, xid, txn, origin);
            }
        }
    }

    /// Validates a write and turns it into a transaction, an [`Txn::Error`] when it fails.
    pub(super) fn prepare(&mut self, now: Time, request: &Request) -> Txn {
        let digest = self.pending.begin();
        let prepared = self.try_prepare(now, request);
        prepared.unwrap_or_else(|code| {
            self.pending.roll_back(digest);
            Txn::Error { err: code.code() }
        })
    }

    fn try_prepare(&mut self, now: Time, request: &Request) -> Result<Txn, ErrorCode> {
        if request.op == OpCode::Reconfig && !self.config.reconfig_enabled {
            return Err(ErrorCode::ReconfigDisabled);
        }
        if self.sessions.check(request.session).is_err() && request.op != OpCode::DeleteContainer {
            return Err(ErrorCode::SessionExpired);
        }
        let members = match request.op {
            OpCode::Reconfig => self.next_members(&decoded(&request.body)?)?,
            _ => Ensemble::default(),
        };
        let shared = std::sync::Arc::clone(&self.shared);
        let tree = shared.tree();
        let mut scope = Scope {
            config: &self.config,
            tree: &tree,
            pending: &mut self.pending,
            quota_log: &mut self.quota_log,
            session: request.session,
            ids: &request.ids,
            zxid: self.peer.next_zxid(),
            now,
        };
        let body = &request.body;
        let txn = match request.op {
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => {
                let create = decoded::<CreateRequest>(&null_as_empty(body))?;
                scope.flags_first(has_null(body), create.flags, None)?;
                scope.create(request.op, &create, None)
            }
            OpCode::CreateTtl => {
                let (create, ttl_ms) = decoded::<CreateTtlRequest>(&null_as_empty(body))?.split();
                scope.flags_first(has_null(body), create.flags, Some(ttl_ms))?;
                scope.create(request.op, &create, Some(ttl_ms))
            }
            OpCode::Delete => scope.delete(&decoded::<PathVersion>(body)?),
            OpCode::SetData => scope.set_data(decoded::<SetDataRequest>(&null_as_empty(body))?),
            OpCode::SetAcl => scope.set_acl(decoded::<SetAclRequest>(&null_as_empty(body))?),
            OpCode::DeleteContainer => scope.reap(&decoded::<PathOnly>(body)?.path),
            OpCode::Reconfig => scope.reconfig(&members),
            OpCode::Multi => Ok(scope.multi(decoded::<MultiRequest>(body)?)?),
            _ => Err(ErrorCode::Unimplemented),
        }?;
        // A transaction that could not be read back would keep every member from starting again.
        if txn.to_bytes().len() + ENTRY_OVERHEAD > self.config.max_txn_bytes {
            Err(ErrorCode::MarshallingError)
        } else {
            Ok(txn)
        }
    }

    /// Closes a session: its ephemeral znodes go with it.
    pub(super) fn propose_close(&mut self, now: Time, session: i64, cxid: i32, origin: Origin) {
        self.sessions.set_closing(session);
        let zxid = self.peer.next_zxid();
        let shared = std::sync::Arc::clone(&self.shared);
        let tree = shared.tree();
        self.pending.begin();
        let mut paths = self.pending.ephemerals(&tree, session);
        for path in &paths {
            Scope::remove(&mut self.pending, &tree, zxid, path);
        }
        // What does not fit is not listed: applying it deletes whatever the session still owns.
        let mut bytes = ENTRY_OVERHEAD + 4;
        let fit = paths.iter().take_while(|path| {
            bytes += 4 + path.len();
            bytes <= self.config.max_txn_bytes
        });
        paths.truncate(fit.count());
        drop(tree);
        let paths = self.config.close_session_txn_enabled.then_some(paths);
        self.propose(now, session, cxid, Txn::CloseSession { paths }, origin);
    }

    pub(super) fn propose(&mut self, now: Time, session: i64, cxid: i32, txn: Txn, origin: Origin) {
        let zxid = self.peer.next_zxid();
        let header = TxnHeader { client_id: session, cxid, zxid, time_ms: now.wall_ms, kind: txn.kind().code() };
        let digest = (self.config.digest_enabled && !matches!(txn, Txn::Error { .. }))
            .then(|| TxnDigest { version: DIGEST_VERSION, tree_digest: self.pending.digest() as i64 });
        let record = TxnRecord { header, txn, digest };
        let entry = record.to_bytes();
        match self.peer.propose(now.monotonic_ms, &entry) {
            Ok(_) => self.proposals.push_back(Proposal { record, origin }),
            // The reign ends here or soon, and with it every connection.
            Err(why) => {
                tracing::info!(%why, "a write was not proposed");
                self.proposes_no_more = true;
            }
        }
    }

    /// The newest transaction that is applied or proposed here. What consensus calls so is, as a reign begins, a number that no
    /// transaction has.
    pub(super) fn last_proposed(&self) -> Zxid {
        self.proposals.back().map_or(self.applied, |last| last.record.header.zxid)
    }

    /// Answers when everything proposed so far is answered (protocol §7.5).
    fn after_proposals(&mut self, request: &Request, answer: Result<Option<String>, ErrorCode>) {
        let after = self.last_proposed();
        self.barriers.push_back(Barrier { after, conn: request.conn, xid: request.xid, answer });
        self.release_barriers(self.applied);
    }
}

fn decoded<T: Decode>(body: &bytes::Bytes) -> Result<T, ErrorCode> {
    T::from_bytes(body).map_err(|_| ErrorCode::MarshallingError)
}
