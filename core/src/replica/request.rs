//! Requests, and which of them a connection serves itself.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::ConnId;
use crate::wire::{Id, OpCode};

/// A request for the member.
#[derive(Debug, Clone)]
pub struct Request {
    /// The connection it came from.
    pub conn: ConnId,
    /// The connection's session.
    pub session: i64,
    /// The connection's identities.
    pub ids: Arc<[Id]>,
    /// The client's number of it.
    pub xid: i32,
    /// What it asks for.
    pub op: OpCode,
    /// Its record.
    pub body: Bytes,
}

/// Who serves a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The connection's own task, from [`super::Shared`].
    Read,
    /// The member: writes, sync and closeSession.
    Member,
    /// The connection itself, at once: credentials.
    Auth,
    /// Nobody: answered by UNIMPLEMENTED, and the connection is closed.
    Unknown,
}

/// Who serves a request with this op code. Ops that are internal, or exist only inside a multi, are unknown to clients
/// (protocol §10, Q3–Q5).
pub fn route(op: i32) -> (Route, Option<OpCode>) {
    let Some(op) = OpCode::from_i32(op) else { return (Route::Unknown, None) };
    let route = match op {
        OpCode::Exists
        | OpCode::GetData
        | OpCode::GetAcl
        | OpCode::GetChildren
        | OpCode::GetChildren2
        | OpCode::Ping
        | OpCode::MultiRead
        | OpCode::SetWatches
        | OpCode::SetWatches2
        | OpCode::AddWatch
        | OpCode::CheckWatches
        | OpCode::RemoveWatches
        | OpCode::GetEphemerals
        | OpCode::GetAllChildrenNumber
        | OpCode::WhoAmI => Route::Read,
        OpCode::Create
        | OpCode::Create2
        | OpCode::CreateContainer
        | OpCode::CreateTtl
        | OpCode::Delete
        | OpCode::SetData
        | OpCode::SetAcl
        | OpCode::Multi
        | OpCode::Reconfig
        | OpCode::Sync
        | OpCode::CloseSession => Route::Member,
        OpCode::Auth | OpCode::Sasl => Route::Auth,
        OpCode::Notification | OpCode::Check | OpCode::DeleteContainer | OpCode::CreateSession | OpCode::Error => {
            Route::Unknown
        }
    };
    (route, Some(op))
}

/// Whether a record that begins with a path begins with null.
pub(super) fn has_null(body: &Bytes) -> bool {
    body.starts_with(&[0xff; 4])
}

/// A record that begins with a path, with an empty one in place of null: where the reference looks at both alike.
pub(super) fn null_as_empty(body: &Bytes) -> Bytes {
    if !has_null(body) {
        return body.clone();
    }
    let mut body = BytesMut::from(body.as_ref());
    body[..4].fill(0);
    body.freeze()
}
