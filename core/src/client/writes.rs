//! Operations that change the tree, the connection's identities, or what the client is told of.

use bytes::Bytes;

use crate::wire::proto::{
    AddWatchRequest, AuthPacket, Create2Response, CreateRequest, CreateTtlRequest, GetDataResponse, PathVersion,
    ReconfigRequest, SetAclRequest, SetDataRequest, StatResponse,
};
use crate::wire::{Acl, AddWatchMode, CreateMode, OpCode, Stat};

use super::call::{Call, Meta};
use super::handle::Outgoing;
use super::reads::own_data;
use super::request::{Answer, Special, WatchKind};
use super::{Client, CreateOptions, Error, PersistentWatch, Version};

/// A znode that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Its path, with the number of a sequential name.
    pub path: String,
    /// Its Stat; `czxid` is the transaction that created it.
    pub stat: Stat,
}

/// Writes. They fail with NOAUTH without the permission, and with [`Error::may_have_applied`] when the connection is lost between request and
/// reply.
impl Client {
    /// Creates a znode. Fails with NODEEXISTS, with NONODE when the parent does not exist, with NOCHILDRENFOREPHEMERALS, INVALIDACL. The
    /// path of a sequential znode may end with `/`: its name is the number alone. Servers since 3.5.
    pub fn create(&self, path: &str, data: impl Into<Bytes>, options: impl Into<CreateOptions>) -> Call<Created> {
        fn finish(meta: &mut Meta, answer: Answer) -> Result<Created, Error> {
            let Create2Response { path, stat } = meta.decode(answer)?;
            Ok(Created { path: meta.chroot.inward(path), stat })
        }
        match self.create_record(path, data.into(), options.into()) {
            Ok((op, CreateRecord::Plain(record))) => self.write(op, path, record, finish),
            Ok((op, CreateRecord::Ttl(record))) => self.write(op, path, record, finish),
            Err(error) => Call::failed(error),
        }
    }

    /// Deletes a znode. Fails with NONODE, BADVERSION, NOTEMPTY.
    pub fn delete(&self, path: &str, version: impl Into<Version>) -> Call<()> {
        match self.path(OpCode::Delete, path) {
            Ok(wire) => {
                let record = PathVersion { path: wire, version: version.into().code() };
                self.write(OpCode::Delete, path, record, no_record)
            }
            Err(failed) => failed,
        }
    }

    /// Sets a znode's data and returns its new Stat. Fails with NONODE, BADVERSION.
    pub fn set_data(&self, path: &str, data: impl Into<Bytes>, version: impl Into<Version>) -> Call<Stat> {
        match self.path(OpCode::SetData, path) {
            Ok(wire) => {
                let record = SetDataRequest { path: wire, data: Some(data.into()), version: version.into().code() };
                self.write(OpCode::SetData, path, record, stat)
            }
            Err(failed) => failed,
        }
    }

    /// Sets a znode's ACL and returns its new Stat; `version` is the ACL's (`aversion`). Fails with NONODE, BADVERSION, INVALIDACL.
    pub fn set_acl(&self, path: &str, acl: Vec<Acl>, version: impl Into<Version>) -> Call<Stat> {
        match self.path(OpCode::SetAcl, path) {
            Ok(wire) => {
                let record = SetAclRequest { path: wire, acl, version: version.into().code() };
                self.write(OpCode::SetAcl, path, record, stat)
            }
            Err(failed) => failed,
        }
    }

    /// [`Client::reconfigure`] as text, in the form of `zoo.cfg` with commas between the servers: either `joining` and `leaving`, or
    /// `new_members`; `config_version` −1 accepts any present one. Returns the new configuration's text and its znode's Stat.
    pub fn reconfig(
        &self,
        joining: Option<&str>,
        leaving: Option<&str>,
        new_members: Option<&str>,
        config_version: i64,
    ) -> Call<(Bytes, Stat)> {
        let record = ReconfigRequest {
            joining: joining.map(str::to_owned),
            leaving: leaving.map(str::to_owned),
            new_members: new_members.map(str::to_owned),
            config_version,
        };
        self.write(OpCode::Reconfig, "", record, |meta, answer| {
            meta.decode::<GetDataResponse>(answer).map(|response| (own_data(response.data), response.stat))
        })
    }
}

impl Client {
    /// Presents credentials, `user:password` for the scheme `digest`. They hold for the whole session: they are presented again after every
    /// reconnect, and a call that was cut off waits for that. Refused credentials end the client ([`State::AuthFailed`](super::State::AuthFailed)).
    pub fn add_auth(&self, scheme: &str, credentials: impl Into<Bytes>) -> Call<()> {
        let record = AuthPacket { kind: 0, scheme: scheme.to_owned(), auth: Some(credentials.into()) };
        let special = Some(Special::Auth);
        self.submit(Outgoing { op: OpCode::Auth, write: false, special, path: "", record, watch: None }, no_record)
    }

    /// Watches `path`, whether it exists or not, or with [`AddWatchMode::PersistentRecursive`] everything below it too, until the returned
    /// stream is dropped. Servers since 3.6. Servers before 3.9 keep one kind of watch per
    /// path and client: there, a persistent watch and a one-shot watch on the same path replace each other.
    pub fn watch(&self, path: &str, mode: AddWatchMode) -> Call<PersistentWatch> {
        let record = match self.path(OpCode::AddWatch, path) {
            Ok(wire) => AddWatchRequest { path: wire, mode: mode.code() },
            Err(failed) => return failed,
        };
        let kind = match mode {
            AddWatchMode::Persistent => WatchKind::Persistent,
            AddWatchMode::PersistentRecursive => WatchKind::PersistentRecursive,
        };
        self.watching(OpCode::AddWatch, kind, path, record, |meta, answer| {
            answer.map_err(|cause| meta.error(cause))?;
            Ok(PersistentWatch::new(meta.take_registration()?))
        })
    }
}

/// The two forms of a create request.
pub(super) enum CreateRecord {
    /// create2 and createContainer.
    Plain(CreateRequest),
    /// createTTL.
    Ttl(CreateTtlRequest),
}

impl Client {
    /// The request that creates `path`, or why there can be none.
    pub(super) fn create_record(
        &self,
        path: &str,
        data: Bytes,
        options: CreateOptions,
    ) -> Result<(OpCode, CreateRecord), Error> {
        let ttl_ms = options.ttl_ms()?;
        let mode = options.mode;
        // The number that the server appends completes a name that ends with a slash.
        let validity = match path.strip_suffix('/') {
            Some("") if mode.is_sequential() => Ok(()),
            Some(parent) if mode.is_sequential() => crate::wire::path::validate(parent),
            _ => crate::wire::path::validate(path),
        };
        validity.map_err(|error| Error::invalid(format_args!("Create {path}: {error}")))?;
        let path = if path == "/" && mode.is_sequential() {
            crate::wire::path::join(&self.chroot.outward("/"), "")
        } else {
            self.chroot.outward(path).into_owned()
        };
        let (data, acl, flags) = (Some(data), options.acl.unwrap_or_else(Acl::open), mode.flags());
        Ok(match (ttl_ms, mode) {
            (Some(ttl_ms), _) => {
                (OpCode::CreateTtl, CreateRecord::Ttl(CreateTtlRequest { path, data, acl, flags, ttl_ms }))
            }
            (None, CreateMode::Container) => {
                (OpCode::CreateContainer, CreateRecord::Plain(CreateRequest { path, data, acl, flags }))
            }
            (None, _) => (OpCode::Create2, CreateRecord::Plain(CreateRequest { path, data, acl, flags })),
        })
    }
}

fn no_record(meta: &mut Meta, answer: Answer) -> Result<(), Error> {
    answer.map(|_| ()).map_err(|cause| meta.error(cause))
}

fn stat(meta: &mut Meta, answer: Answer) -> Result<Stat, Error> {
    meta.decode::<StatResponse>(answer).map(|response| response.stat)
}
