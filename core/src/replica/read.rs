//! Requests that a connection's own task serves from the shared state, without asking the member: reads, watches, pings
//! (protocol §2.7, §2.9). A connection calls this only when none of its writes is on its way.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

use super::commit::event_frame;
use super::request::null_as_empty;
use super::{ConnId, Shared};
use crate::auth::{self, AuthConfig};
use crate::jute::{Decode, DecodeError, Encode, Put, Reader};
use crate::tree::{DataTree, NodeRef};
use crate::watch::Watched;
use crate::wire::proto::{
    AddWatchRequest, ClientInfo, ErrorResponse, GetEphemeralsRequest, MultiOp, MultiRequest, MultiResponse,
    MultiResult, ReplyHeader, SetWatches, SetWatches2, WatchesRequest, xid::PING,
};
use crate::wire::{Acl, AddWatchMode, ErrorCode, EventKind, Id, OpCode, Perms, WatcherKind, Zxid, frame};

/// The longest reply to a multiRead, in bytes. No client of the protocol takes one of more than a few megabytes.
const MOST_MULTI_READ: usize = 16 << 20;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The connection: the owner of watches.
    pub conn: ConnId,
    /// Its session.
    pub session: i64,
    /// Its identities.
    pub ids: &'a [Id],
    /// How permissions are judged.
    pub auth: &'a AuthConfig,
}

/// Serves one request and appends the framed reply; events of setWatches come before it.
///
/// `tree` is the lock of [`Shared::tree`]. Take it, then send every event that was delivered before, then serve: a
/// reply never overtakes the event of a change it shows, nor is overtaken by an event of the watch it sets.
pub fn serve(
    shared: &Shared,
    tree: &DataTree,
    caller: Caller<'_>,
    xid: i32,
    op: OpCode,
    body: &Bytes,
    out: &mut BytesMut,
) {
    if matches!(op, OpCode::SetWatches | OpCode::SetWatches2) {
        set_watches(shared, tree, caller, xid, op, body, out);
        return;
    }
    let zxid = tree.last_zxid();
    let start = out.len();
    // The one request whose number is not looked at.
    let xid = if op == OpCode::Ping { PING } else { xid };
    let mut result = Ok(());
    frame::put(out, |out| {
        ReplyHeader { xid, zxid, err: 0 }.encode(out);
        result = read(shared, tree, caller, op, body, out);
    });
    if let Err(code) = result {
        out.truncate(start);
        frame::put(out, |out| ReplyHeader { xid, zxid, err: code.code() }.encode(out));
    }
}

fn read(
    shared: &Shared,
    tree: &DataTree,
    caller: Caller<'_>,
    op: OpCode,
    body: &Bytes,
    out: &mut BytesMut,
) -> Result<(), ErrorCode> {
    match op {
        OpCode::Ping => Ok(()),
        OpCode::Exists => exists(shared, tree, caller, body, out),
        OpCode::GetData => {
            let (path, watch) = path_and_watch(body)?;
            let node = readable(tree, caller, &path)?;
            out.put_buffer(node.data());
            node.stat().encode(out);
            set_watch(shared, caller, watch, Watched::Data, &path);
            Ok(())
        }
        OpCode::GetChildren | OpCode::GetChildren2 => {
            let (path, watch) = path_and_watch(body)?;
            let node = readable(tree, caller, &path)?;
            put_children(&node, out);
            if op == OpCode::GetChildren2 {
                node.stat().encode(out);
            }
            set_watch(shared, caller, watch, Watched::Children, &path);
            Ok(())
        }
        OpCode::GetAcl => get_acl(tree, caller, body, out),
        OpCode::GetAllChildrenNumber => {
            let path = decode_str(body)?;
            readable(tree, caller, &path)?;
            out.put_int(tree.descendants_count(&path).unwrap_or(0) as i32);
            Ok(())
        }
        OpCode::GetEphemerals => {
            let prefix = decoded::<GetEphemeralsRequest>(body)?.prefix.unwrap_or_default();
            let all = prefix.trim().is_empty() || prefix == "/";
            let paths = tree.ephemerals(caller.session).filter(|path| all || path.starts_with(&prefix));
            let paths: Vec<String> = paths.map(str::to_owned).collect();
            out.put_vector(&paths);
            Ok(())
        }
        OpCode::MultiRead => multi_read(tree, caller, body, out),
        OpCode::WhoAmI => {
            let info = |id: &Id| ClientInfo { auth_scheme: id.scheme.clone(), user: auth::user_name(id).to_owned() };
            let infos: Vec<ClientInfo> = caller.ids.iter().map(info).collect();
            out.put_vector(&infos);
            Ok(())
        }
        OpCode::AddWatch | OpCode::CheckWatches | OpCode::RemoveWatches => watches(shared, caller, op, body, out),
        _ => Err(ErrorCode::Unimplemented),
    }
}

fn exists(
    shared: &Shared,
    tree: &DataTree,
    caller: Caller<'_>,
    body: &Bytes,
    out: &mut BytesMut,
) -> Result<(), ErrorCode> {
    let (path, watch) = path_and_watch(body)?;
    if path.contains('\0') {
        return Err(ErrorCode::BadArguments);
    }
    let node = tree.node(&path);
    if let Some(node) = &node {
        permitted(caller, node.acl(), Perms::READ)?;
    }
    set_watch(shared, caller, watch, Watched::Data, &path);
    node.ok_or(ErrorCode::NoNode)?.stat().encode(out);
    Ok(())
}

fn get_acl(tree: &DataTree, caller: Caller<'_>, body: &Bytes, out: &mut BytesMut) -> Result<(), ErrorCode> {
    let path = decode_str(body)?;
    let node = tree.node(&path).ok_or(ErrorCode::NoNode)?;
    permitted(caller, node.acl(), Perms::READ.union(Perms::ADMIN))?;
    let sees_all = permitted(caller, node.acl(), Perms::ADMIN).is_ok();
    let shown = |entry: &Acl| {
        let mut entry = entry.clone();
        if !sees_all && entry.id.scheme == "digest" {
            let user = entry.id.id.split(':').next().unwrap_or_default();
            entry.id.id = format!("{user}:x");
        }
        entry
    };
    let acl: Vec<Acl> = node.acl().iter().map(shown).collect();
    out.put_vector(&acl);
    node.stat().encode(out);
    Ok(())
}

fn multi_read(tree: &DataTree, caller: Caller<'_>, body: &Bytes, out: &mut BytesMut) -> Result<(), ErrorCode> {
    let request: MultiRequest = decoded(body)?;
    if !request.ops.iter().all(MultiOp::is_read) {
        return Err(ErrorCode::MarshallingError);
    }
    let one = |op: &MultiOp| match op {
        MultiOp::GetData(request) => readable(tree, caller, &request.path)
            .map(|node| MultiResult::Data { data: node.data().map(Bytes::copy_from_slice), stat: node.stat() }),
        MultiOp::GetChildren(request) => readable(tree, caller, &request.path)
            .map(|node| MultiResult::Children { children: node.children().map(str::to_owned).collect() }),
        _ => Err(ErrorCode::MarshallingError),
    };
    let start = out.len();
    for op in &request.ops {
        one(op).unwrap_or_else(|code| MultiResult::Error { err: code.code() }).encode(out);
        if out.len() - start > MOST_MULTI_READ {
            return Err(ErrorCode::MarshallingError);
        }
    }
    MultiResponse::default().encode(out);
    Ok(())
}

fn watches(shared: &Shared, caller: Caller<'_>, op: OpCode, body: &Bytes, out: &mut BytesMut) -> Result<(), ErrorCode> {
    if op == OpCode::AddWatch {
        let request: AddWatchRequest = decoded(body)?;
        let mode = AddWatchMode::from_i32(request.mode).ok_or(ErrorCode::MarshallingError)?;
        shared.watches().add_persistent(mode, &request.path, caller.conn);
        ErrorResponse { err: 0 }.encode(out);
        return Ok(());
    }
    // Nobody watches a path that is null: there is nothing to remove.
    let body = if op == OpCode::RemoveWatches { &null_as_empty(body) } else { body };
    let request: WatchesRequest = decoded(body)?;
    let kind = WatcherKind::from_i32(request.kind).ok_or(ErrorCode::MarshallingError)?;
    // The reference goes up from a path in search of recursive watches, and stumbles where there is no slash.
    if op == OpCode::CheckWatches && !request.path.is_empty() && !request.path.contains('/') {
        return Err(ErrorCode::MarshallingError);
    }
    let mut table = shared.watches();
    let found = if op == OpCode::RemoveWatches {
        table.remove(kind, &request.path, caller.conn)
    } else {
        table.contains(kind, &request.path, caller.conn)
    };
    if found { Ok(()) } else { Err(ErrorCode::NoWatcher) }
}

/// Registers what a client watched on another connection; what it missed since is told at once and not registered.
fn set_watches(
    shared: &Shared,
    tree: &DataTree,
    caller: Caller<'_>,
    xid: i32,
    op: OpCode,
    body: &Bytes,
    out: &mut BytesMut,
) {
    let request = match op {
        OpCode::SetWatches => decoded::<SetWatches>(body).map(SetWatches2::from),
        _ => decoded::<SetWatches2>(body),
    };
    let zxid = tree.last_zxid();
    let err = match request {
        Err(code) => code.code(),
        Ok(request) => {
            catch_up(shared, tree, caller.conn, &request, out);
            0
        }
    };
    frame::put(out, |out| ReplyHeader { xid, zxid, err }.encode(out));
}

fn catch_up(shared: &Shared, tree: &DataTree, conn: ConnId, request: &SetWatches2, out: &mut BytesMut) {
    let mut table = shared.watches();
    let since = request.relative_zxid;
    let mut tell = |kind: EventKind, path: &str| out.extend_from_slice(&event_frame(Zxid(-1), kind.code(), path));
    for path in &request.data {
        match tree.node(path) {
            None => tell(EventKind::NodeDeleted, path),
            Some(node) if node.persisted().mzxid > since => tell(EventKind::NodeDataChanged, path),
            Some(_) => table.add(Watched::Data, path, conn),
        }
    }
    for path in &request.exist {
        match tree.node(path) {
            Some(_) => tell(EventKind::NodeCreated, path),
            None => table.add(Watched::Data, path, conn),
        }
    }
    for path in &request.child {
        match tree.node(path) {
            None => tell(EventKind::NodeDeleted, path),
            Some(node) if node.persisted().pzxid > since => tell(EventKind::NodeChildrenChanged, path),
            Some(_) => table.add(Watched::Children, path, conn),
        }
    }
    for path in &request.persistent {
        table.add_persistent(AddWatchMode::Persistent, path, conn);
    }
    for path in &request.persistent_recursive {
        table.add_persistent(AddWatchMode::PersistentRecursive, path, conn);
    }
}

fn put_children(node: &NodeRef<'_>, out: &mut BytesMut) {
    out.put_int(node.child_count() as i32);
    for child in node.children() {
        out.put_str(child);
    }
}

fn set_watch(shared: &Shared, caller: Caller<'_>, wanted: bool, watched: Watched, path: &str) {
    if wanted {
        shared.watches().add(watched, path, caller.conn);
    }
}

fn readable<'t>(tree: &'t DataTree, caller: Caller<'_>, path: &str) -> Result<NodeRef<'t>, ErrorCode> {
    let node = tree.node(path).ok_or(ErrorCode::NoNode)?;
    permitted(caller, node.acl(), Perms::READ)?;
    Ok(node)
}

fn permitted(caller: Caller<'_>, acl: &[Acl], needed: Perms) -> Result<(), ErrorCode> {
    if auth::permits(caller.auth, acl, caller.ids, needed) { Ok(()) } else { Err(ErrorCode::NoAuth) }
}

/// The hot path of every read: nothing is copied.
fn path_and_watch(body: &Bytes) -> Result<(Cow<'_, str>, bool), ErrorCode> {
    let read = || -> Result<_, DecodeError> {
        let mut reader = Reader::new(body);
        Ok((reader.needed_str()?, reader.bool()?))
    };
    read().map_err(|_| ErrorCode::MarshallingError)
}

fn decode_str(body: &Bytes) -> Result<Cow<'_, str>, ErrorCode> {
    Reader::new(body).needed_str().map_err(|_| ErrorCode::MarshallingError)
}

fn decoded<T: Decode>(body: &Bytes) -> Result<T, ErrorCode> {
    T::from_bytes(body).map_err(|_| ErrorCode::MarshallingError)
}
