//! Opening and resuming sessions (protocol §2.1, §2.11).

use bytes::Bytes;

use super::{ConnId, Origin, Output, Owner, Replica, Revalidation, Time};
use crate::session::{password, password_matches};
use crate::wire::proto::{ConnectRequest, ConnectResponse, PASSWORD_LENGTH};
use crate::wire::txn::Txn;
use crate::zab::Role;

impl Replica {
    pub(super) fn connect(&mut self, now: Time, conn: ConnId, request: &ConnectRequest) {
        let last_processed = self.applied;
        if request.last_zxid_seen > last_processed {
            tracing::info!(conn, seen = %request.last_zxid_seen, ours = %last_processed, "client has seen a newer state; refused");
            self.outputs.push_back(Output::Close { conn });
            return;
        }
        let timeout_ms =
            request.timeout_ms.clamp(self.config.min_session_timeout_ms, self.config.max_session_timeout_ms);
        if self.role == Role::Looking {
            return self.connect_reader(conn, request, timeout_ms);
        }
        if self.leads() && !self.config.leader_serves {
            // Whoever leads has enough to do; the client tries another member.
            self.outputs.push_back(Output::Close { conn });
            return;
        }
        if request.session_id == 0 {
            let session = self.session_ids.next_id();
            self.adopt(conn, session, timeout_ms);
            let origin = Origin::Connect { conn, timeout_ms, read_only: request.read_only };
            if !self.leads() {
                return self.forward_new_session(session, timeout_ms, origin);
            }
            self.sessions.open(session, timeout_ms as u64, now.monotonic_ms);
            self.propose(now, session, 0, Txn::CreateSession { timeout_ms }, origin);
        } else {
            self.resume(now, conn, request, timeout_ms);
        }
    }

    fn resume(&mut self, now: Time, conn: ConnId, request: &ConnectRequest, timeout_ms: i32) {
        let session = request.session_id;
        if let Some(old) = self.local_owner(session).filter(|old| *old != conn) {
            self.owners.remove(&session);
            self.connections.remove(&old);
            self.outputs.push_back(Output::Close { conn: old });
        }
        let read_only = request.read_only;
        if !password_matches(session, request.password.as_deref().unwrap_or_default()) {
            self.turn_away(conn, session, read_only);
        } else if !self.leads() {
            self.revalidate(session, Revalidation { conn, timeout_ms, read_only });
        } else if self.sessions.touch(session, now.monotonic_ms).is_ok() {
            self.sessions.open(session, timeout_ms as u64, now.monotonic_ms);
            self.welcome(conn, session, timeout_ms, read_only);
        } else {
            self.turn_away(conn, session, read_only);
        }
    }

    pub(super) fn welcome(&mut self, conn: ConnId, session: i64, timeout_ms: i32, read_only: Option<bool>) {
        self.adopt(conn, session, timeout_ms);
        let response = accepted(session, timeout_ms, read_only);
        self.outputs.push_back(Output::Connected { conn, response });
    }

    pub(super) fn turn_away(&mut self, conn: ConnId, session: i64, read_only: Option<bool>) {
        tracing::info!(conn, session = format_args!("0x{session:x}"), "session is gone; resume refused");
        let password = Some(Bytes::from_static(&[0; PASSWORD_LENGTH]));
        let read_only = read_only.map(|_| false);
        let response = ConnectResponse { password, read_only, ..ConnectResponse::default() };
        self.outputs.push_back(Output::Connected { conn, response });
    }

    pub(super) fn adopt(&mut self, conn: ConnId, session: i64, timeout_ms: i32) {
        self.owners.insert(session, Owner::Local { conn, timeout_ms, told_ms: 0 });
        self.connections.insert(conn, session);
    }
}

/// The answer to a session that is open now. A member that has a leader is not read-only, and says so to clients that asked.
pub(super) fn accepted(session_id: i64, timeout_ms: i32, asked_read_only: Option<bool>) -> ConnectResponse {
    ConnectResponse {
        protocol_version: 0,
        timeout_ms,
        session_id,
        password: Some(Bytes::copy_from_slice(&password(session_id))),
        read_only: asked_read_only.map(|_| false),
    }
}
