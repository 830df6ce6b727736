//! Serving readers without a leader (protocol §2.13): who asks for it gets a session of this member alone, which reads and watches
//! what the member has, and ends as soon as there is a leader again.

use super::commit::{close_reply, refusal};
use super::connect::accepted;
use super::{ConnId, Output, Replica, Request};
use crate::session::SessionTracker;
use crate::wire::proto::ConnectRequest;
use crate::wire::quorum::ServerState;
use crate::wire::{ErrorCode, OpCode};

/// A member serves nobody for this long before it serves readers, in milliseconds; for a tick if that is longer.
const PATIENCE_MS: u64 = 2_000;

/// Whether readers are served.
#[derive(Debug, Default)]
pub(super) struct ReadOnly {
    /// Since when the member looks for a leader, in monotonic milliseconds.
    looking_since_ms: Option<u64>,
    pub(super) serving: bool,
}

impl Replica {
    /// Whether this member, which has no leader, serves clients that only read.
    pub fn serves_read_only(&self) -> bool {
        self.read_only.serving
    }

    /// Begins or ends to serve readers, as an input has made it right.
    pub(super) fn heed_read_only(&mut self) {
        if !self.config.read_only_mode_enabled {
            return;
        }
        if self.peer.server_state() != ServerState::Looking {
            self.read_only.looking_since_ms = None;
            if std::mem::take(&mut self.read_only.serving) {
                self.end_read_only();
            }
            return;
        }
        self.read_only.looking_since_ms.get_or_insert(self.now.monotonic_ms);
        if !self.read_only.serving && self.read_only_due_ms() <= self.now.monotonic_ms {
            self.read_only.serving = true;
            self.outputs.push_back(Output::ReadOnly(true));
        }
    }

    /// When there is something to do for readers, in monotonic milliseconds.
    pub(super) fn read_only_due_ms(&self) -> u64 {
        if self.read_only.serving {
            return self.sessions.next_due_ms().unwrap_or(u64::MAX);
        }
        let patience_ms = self.config.tick_ms.max(PATIENCE_MS);
        self.read_only.looking_since_ms.map_or(u64::MAX, |since_ms| since_ms.saturating_add(patience_ms))
    }

    fn end_read_only(&mut self) {
        for conn in std::mem::take(&mut self.connections).into_keys() {
            self.outputs.push_back(Output::Close { conn });
        }
        self.owners.clear();
        self.sessions = SessionTracker::new(self.config.tick_ms);
        self.outputs.push_back(Output::ReadOnly(false));
    }

    /// A client comes while there is no leader. A session that it had elsewhere cannot be resumed here.
    pub(super) fn connect_reader(&mut self, conn: ConnId, request: &ConnectRequest, timeout_ms: i32) {
        if !self.read_only.serving || request.read_only != Some(true) || request.session_id != 0 {
            self.outputs.push_back(Output::Close { conn });
            return;
        }
        let session = self.session_ids.next_id();
        self.adopt(conn, session, timeout_ms);
        self.sessions.open(session, u64::try_from(timeout_ms).unwrap_or(0), self.now.monotonic_ms);
        let mut response = accepted(session, timeout_ms, request.read_only);
        response.read_only = Some(true);
        self.outputs.push_back(Output::Connected { conn, response });
    }

    /// Readers may do nothing but end their sessions.
    pub(super) fn request_of_reader(&mut self, request: &Request) {
        let Request { conn, session, xid, op, .. } = *request;
        if op != OpCode::CloseSession {
            let frame = refusal(xid, self.applied, ErrorCode::NotReadOnly);
            return self.shared.sink().reply(conn, frame, false);
        }
        self.sessions.forget(session);
        self.owners.remove(&session);
        self.connections.remove(&conn);
        self.shared.sink().reply(conn, close_reply(xid, self.applied), true);
    }

    /// Sessions of which nothing was heard in time end with their connections.
    pub(super) fn expire_readers(&mut self) {
        for session in self.sessions.due(self.now.monotonic_ms) {
            self.sessions.forget(session);
            if let Some(conn) = self.local_owner(session) {
                self.outputs.push_back(Output::Close { conn });
                self.connections.remove(&conn);
            }
            self.owners.remove(&session);
        }
    }
}
