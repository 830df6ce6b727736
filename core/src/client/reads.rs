//! Operations that read, and those that set a watch while they do. A read is served by the server the client is connected to,
//! and may be behind the others; [`Client::sync`] first makes it catch up.

use bytes::Bytes;

use crate::jute::Encode;
use crate::wire::proto::{
    ClientInfo, GetAclResponse, GetAllChildrenNumberResponse, GetChildren2Response, GetChildrenResponse,
    GetDataResponse, GetEphemeralsRequest, GetEphemeralsResponse, PathOnly, PathRequest, StatResponse, WhoAmIResponse,
};
use crate::wire::{Acl, OpCode, Stat};

use super::call::{Call, Finish, missing_is_none};
use super::error::Cause;
use super::handle::Outgoing;
use super::request::{NoRecord, WatchKind};
use super::{Client, Error, OneshotWatch};

/// Data up to this length are copied out of the read buffer, so that a small value kept for long does not keep a large buffer.
const COPY_LIMIT: usize = 16 * 1024;

/// Reads. Beside what is said of each, they fail with NOAUTH without the permission to read.
impl Client {
    /// The znode's Stat, or `None` when it does not exist.
    pub fn exists(&self, path: &str) -> Call<Option<Stat>> {
        self.path_read(OpCode::Exists, path, |meta, answer| match missing_is_none(answer) {
            Ok(None) => Ok(None),
            Ok(Some(record)) => meta.decode::<StatResponse>(Ok(record)).map(|response| Some(response.stat)),
            Err(cause) => Err(meta.error(cause)),
        })
    }

    /// The znode's data and Stat. Null data read as empty. Fails with NONODE.
    pub fn get_data(&self, path: &str) -> Call<(Bytes, Stat)> {
        self.path_read(OpCode::GetData, path, |meta, answer| {
            meta.decode::<GetDataResponse>(answer).map(|response| (own_data(response.data), response.stat))
        })
    }

    /// The names of the znode's children, in no particular order. Fails with NONODE.
    pub fn get_children(&self, path: &str) -> Call<Vec<String>> {
        self.path_read(OpCode::GetChildren, path, |meta, answer| {
            meta.decode::<GetChildrenResponse>(answer).map(|response| response.children)
        })
    }

    /// The names of the znode's children, in no particular order, and its Stat. Fails with NONODE.
    pub fn get_children_with_stat(&self, path: &str) -> Call<(Vec<String>, Stat)> {
        self.path_read(OpCode::GetChildren2, path, |meta, answer| {
            meta.decode::<GetChildren2Response>(answer).map(|response| (response.children, response.stat))
        })
    }

    /// The znode's ACL and Stat. Fails with NONODE. Digests are hidden from those who may not set the ACL.
    pub fn get_acl(&self, path: &str) -> Call<(Vec<Acl>, Stat)> {
        self.path_only(OpCode::GetAcl, path, |meta, answer| {
            meta.decode::<GetAclResponse>(answer).map(|response| (response.acl, response.stat))
        })
    }

    /// The number of znodes below `path`, at any depth. Fails with NONODE. Servers since 3.6.
    pub fn get_all_children_number(&self, path: &str) -> Call<i32> {
        self.path_only(OpCode::GetAllChildrenNumber, path, |meta, answer| {
            meta.decode::<GetAllChildrenNumberResponse>(answer).map(|response| response.total)
        })
    }

    /// The paths of this session's ephemeral znodes that start with `prefix`, letter by letter; `/` for all. `prefix` begins with `/`; with
    /// another `/` at its end it is a whole path's. Those outside of this client's chroot are not told. Servers since 3.6.
    pub fn get_ephemerals(&self, prefix: &str) -> Call<Vec<String>> {
        if !prefix.starts_with('/') {
            let error = Cause::Invalid("a prefix of paths begins with /".into());
            return Call::failed(Error::of_call(error, OpCode::GetEphemerals, prefix));
        }
        let record = GetEphemeralsRequest { prefix: Some(self.chroot.outward(prefix).into_owned()) };
        self.read(OpCode::GetEphemerals, prefix, record, |meta, answer| {
            let response = meta.decode::<GetEphemeralsResponse>(answer)?;
            Ok(response.ephemerals.iter().filter_map(|path| meta.chroot.inside(path)).map(str::to_owned).collect())
        })
    }

    /// The identities the connection is authenticated as. Servers since 3.7.
    pub fn who_am_i(&self) -> Call<Vec<ClientInfo>> {
        self.read(OpCode::WhoAmI, "", NoRecord, |meta, answer| {
            meta.decode::<WhoAmIResponse>(answer).map(|response| response.client_info)
        })
    }

    /// Waits until the server has caught up with the leader: reads called after this one see every write that any client had been told
    /// of before this call (protocol §7.5). Need not be awaited before the read, since the order of calls is kept. The path is not looked at.
    pub fn sync(&self, path: &str) -> Call<()> {
        self.path_only(OpCode::Sync, path, |meta, answer| meta.decode::<PathOnly>(answer).map(|_| ()))
    }
}

/// Reads that set a one-shot watch.
impl Client {
    /// The znode's Stat, or `None`, and a watch for its next creation, change or deletion.
    pub fn exists_and_watch(&self, path: &str) -> Call<(Option<Stat>, OneshotWatch)> {
        self.watching_read(OpCode::Exists, WatchKind::Exist, path, |meta, answer| {
            let stat = match missing_is_none(answer) {
                Ok(None) => None,
                Ok(Some(record)) => Some(meta.decode::<StatResponse>(Ok(record))?.stat),
                Err(cause) => return Err(meta.error(cause)),
            };
            Ok((stat, OneshotWatch::new(meta.take_registration()?)))
        })
    }

    /// The znode's data and Stat, and a watch for its next change or deletion. Fails with NONODE, and sets no watch then.
    pub fn get_data_and_watch(&self, path: &str) -> Call<(Bytes, Stat, OneshotWatch)> {
        self.watching_read(OpCode::GetData, WatchKind::Data, path, |meta, answer| {
            let response = meta.decode::<GetDataResponse>(answer)?;
            Ok((own_data(response.data), response.stat, OneshotWatch::new(meta.take_registration()?)))
        })
    }

    /// The names of the znode's children, its Stat, and a watch for the next child created or deleted, or its own deletion. Fails with
    /// NONODE, and sets no watch then.
    pub fn get_children_and_watch(&self, path: &str) -> Call<(Vec<String>, Stat, OneshotWatch)> {
        self.watching_read(OpCode::GetChildren2, WatchKind::Child, path, |meta, answer| {
            let response = meta.decode::<GetChildren2Response>(answer)?;
            Ok((response.children, response.stat, OneshotWatch::new(meta.take_registration()?)))
        })
    }
}

impl Client {
    fn path_read<T>(&self, op: OpCode, path: &str, finish: Finish<T>) -> Call<T> {
        match self.path(op, path) {
            Ok(wire) => self.read(op, path, PathRequest { path: wire, watch: false }, finish),
            Err(failed) => failed,
        }
    }

    fn path_only<T>(&self, op: OpCode, path: &str, finish: Finish<T>) -> Call<T> {
        match self.path(op, path) {
            Ok(wire) => self.read(op, path, PathOnly { path: wire }, finish),
            Err(failed) => failed,
        }
    }

    fn watching_read<T>(&self, op: OpCode, kind: WatchKind, path: &str, finish: Finish<T>) -> Call<T> {
        let record = match self.path(op, path) {
            Ok(wire) => PathRequest { path: wire, watch: true },
            Err(failed) => return failed,
        };
        self.watching(op, kind, path, record, finish)
    }

    /// Queues a request whose success sets a watch.
    pub(super) fn watching<T>(
        &self,
        op: OpCode,
        kind: WatchKind,
        path: &str,
        record: impl Encode,
        finish: Finish<T>,
    ) -> Call<T> {
        self.submit(Outgoing { op, write: false, special: None, path, record, watch: Some(kind) }, finish)
    }
}

/// Data as the application gets them: never null.
pub(super) fn own_data(data: Option<Bytes>) -> Bytes {
    match data {
        None => Bytes::new(),
        Some(data) if data.len() <= COPY_LIMIT => Bytes::copy_from_slice(&data),
        Some(data) => data,
    }
}
