//! The checks of each write, in the order that decides its error, and what it will do (protocol §2.7).

use bytes::Bytes;

use super::outstanding::{Data, Node, Outstanding};
use super::quota::QuotaLog;
use super::{Config, Time};
use crate::auth;
use crate::tree::DataTree;
use crate::wire::proto::{CreateRequest, PathVersion, SetAclRequest, SetDataRequest};
use crate::wire::txn::{CreateTxn, Txn};
use crate::wire::{Acl, CreateMode, ErrorCode, Id, OpCode, Perms, StatPersisted, Ttl, Zxid, path};

/// Paths that no client can delete.
const SPECIAL: [&str; 4] = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];

/// One write in the making.
pub(super) struct Scope<'a> {
    pub(super) config: &'a Config,
    pub(super) tree: &'a DataTree,
    pub(super) pending: &'a mut Outstanding,
    pub(super) quota_log: &'a mut QuotaLog,
    pub(super) session: i64,
    pub(super) ids: &'a [Id],
    pub(super) zxid: Zxid,
    pub(super) now: Time,
}

impl Scope<'_> {
    pub(super) fn create(
        &mut self,
        op: OpCode,
        request: &CreateRequest,
        ttl_ms: Option<i64>,
    ) -> Result<Txn, ErrorCode> {
        let mode = self.mode(request.flags, ttl_ms)?;
        light_check(&request.path)?;
        let acl = self.normal_acl(&request.acl)?;
        let parent_path = path::parent(&request.path);
        let parent = self.node(parent_path).ok_or(ErrorCode::NoNode)?;
        self.permitted(&parent.acl, Perms::CREATE)?;
        let full_path =
            if mode.is_sequential() { sequential(&request.path, parent.stat.cversion) } else { request.path.clone() };
        path::validate(&full_path).map_err(|_| ErrorCode::BadArguments)?;
        if self.node(&full_path).is_some() {
            return Err(ErrorCode::NodeExists);
        }
        if is_ephemeral(parent.stat.ephemeral_owner) {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        self.check_quota(&full_path, 1, length(request.data.as_ref()))?;
        let parent_cversion = parent.stat.cversion.wrapping_add(1);
        self.change(parent_path, &parent, |after| {
            after.stat.cversion = parent_cversion;
            after.children += 1;
        });
        let container = op == OpCode::CreateContainer;
        let ephemeral = mode.is_ephemeral() && !container;
        let owner = match ttl_ms {
            _ if container => Ttl::CONTAINER_OWNER,
            _ if ephemeral => self.session,
            Some(ttl_ms) => Ttl::owner(ttl_ms),
            None => 0,
        };
        self.add(&full_path, request, &acl, owner);
        let create = CreateTxn { path: full_path, data: request.data.clone(), acl, ephemeral, parent_cversion };
        Ok(match ttl_ms {
            Some(ttl_ms) => Txn::CreateTtl(create, ttl_ms),
            None if container => Txn::CreateContainer(create),
            None => Txn::Create(op == OpCode::Create2, create),
        })
    }

    pub(super) fn delete(&mut self, request: &PathVersion) -> Result<Txn, ErrorCode> {
        let path = &request.path;
        light_check(path)?;
        if SPECIAL.contains(&path.as_str()) {
            return Err(ErrorCode::BadArguments);
        }
        let parent = self.node(path::parent(path)).ok_or(ErrorCode::NoNode)?;
        self.permitted(&parent.acl, Perms::DELETE)?;
        let node = self.node(path).ok_or(ErrorCode::NoNode)?;
        expect_version(request.version, node.stat.version)?;
        if node.children > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        Self::remove(self.pending, self.tree, self.zxid, path);
        Ok(Txn::Delete { path: path.clone() })
    }

    /// The server's own deletion of a container or TTL znode; nobody's permission is asked.
    pub(super) fn reap(&mut self, path: &str) -> Result<Txn, ErrorCode> {
        let node = self.node(path).ok_or(ErrorCode::NoNode)?;
        let owner = node.stat.ephemeral_owner;
        if owner != Ttl::CONTAINER_OWNER && Ttl::of_owner(owner).is_none() {
            return Err(ErrorCode::BadArguments);
        }
        if node.children > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        Self::remove(self.pending, self.tree, self.zxid, path);
        Ok(Txn::DeleteContainer { path: path.to_owned() })
    }

    pub(super) fn set_data(&mut self, request: SetDataRequest) -> Result<Txn, ErrorCode> {
        let SetDataRequest { path, data, version } = request;
        let node = self.checked_node(&path, Perms::WRITE)?;
        let before = node.data_length(self.tree, key(&path));
        self.check_quota(&path, 0, length(data.as_ref()) - before)?;
        expect_version(version, node.stat.version)?;
        let version = node.stat.version.wrapping_add(1);
        self.put(&path, &node, data.as_ref(), version);
        Ok(Txn::SetData { path, data, version })
    }

    /// Sets the data of a znode to which the caller may write, whatever its version, and gives it this one.
    pub(super) fn show(&mut self, path: &str, data: Option<&Bytes>, version: i32) -> Result<(), ErrorCode> {
        let node = self.checked_node(path, Perms::WRITE)?;
        self.put(path, &node, data, version);
        Ok(())
    }

    fn put(&mut self, path: &str, node: &Node, data: Option<&Bytes>, version: i32) {
        let (zxid, wall_ms) = (self.zxid, self.now.wall_ms);
        self.change(path, node, |after| {
            after.stat.version = version;
            after.stat.mzxid = zxid;
            after.stat.mtime = wall_ms;
            after.data = Data::Proposed(data.cloned());
        });
    }

    pub(super) fn set_acl(&mut self, request: SetAclRequest) -> Result<Txn, ErrorCode> {
        path::validate(&request.path).map_err(|_| ErrorCode::BadArguments)?;
        let acl = self.normal_acl(&request.acl)?;
        let node = self.checked_node(&request.path, Perms::ADMIN)?;
        expect_version(request.version, node.stat.aversion)?;
        let version = node.stat.aversion.wrapping_add(1);
        self.change(&request.path, &node, |after| {
            after.stat.aversion = version;
            after.acl = acl.clone().into();
        });
        Ok(Txn::SetAcl { path: request.path, acl, version })
    }

    pub(super) fn check(&mut self, request: PathVersion) -> Result<Txn, ErrorCode> {
        let node = self.checked_node(&request.path, Perms::READ)?;
        expect_version(request.version, node.stat.version)?;
        Ok(Txn::Check { path: request.path, version: node.stat.version.wrapping_add(1) })
    }

    /// Proposes that the znode at `path` is gone, and says so to its parent.
    pub(super) fn remove(pending: &mut Outstanding, tree: &DataTree, zxid: Zxid, path: &str) {
        let parent_path = path::parent(path);
        if let Some(parent) = pending.node(tree, key(parent_path)) {
            let mut after = parent.clone();
            after.children -= 1;
            after.stat.pzxid = zxid;
            pending.set(tree, zxid, key(parent_path), Some(&parent), Some(after));
        }
        let node = pending.node(tree, path);
        pending.set(tree, zxid, path, node.as_ref(), None);
    }

    /// A create whose path is null fails only after its flags were looked at.
    pub(super) fn flags_first(&self, null: bool, flags: i32, ttl_ms: Option<i64>) -> Result<(), ErrorCode> {
        if null { self.mode(flags, ttl_ms).and(Err(ErrorCode::MarshallingError)) } else { Ok(()) }
    }

    /// Of createContainer's flags only the sequence number counts.
    fn mode(&self, flags: i32, ttl_ms: Option<i64>) -> Result<CreateMode, ErrorCode> {
        let mode = CreateMode::from_flags(flags).ok_or(ErrorCode::BadArguments)?;
        if mode.is_ttl() && !self.config.extended_types_enabled {
            return Err(ErrorCode::Unimplemented);
        }
        match ttl_ms {
            Some(ttl_ms) if mode.is_ttl() && (1..=Ttl::MAX_MS).contains(&ttl_ms) => Ok(mode),
            None if mode.is_ttl() => Err(ErrorCode::BadArguments),
            Some(_) => Err(ErrorCode::BadArguments),
            None => Ok(mode),
        }
    }

    fn checked_node(&mut self, path: &str, needed: Perms) -> Result<Node, ErrorCode> {
        path::validate(path).map_err(|_| ErrorCode::BadArguments)?;
        let node = self.node(path).ok_or(ErrorCode::NoNode)?;
        self.permitted(&node.acl, needed)?;
        Ok(node)
    }

    fn normal_acl(&self, acl: &[Acl]) -> Result<Vec<Acl>, ErrorCode> {
        let normal = auth::normalise(&self.config.auth, acl, self.ids, self.config.max_txn_bytes);
        normal.map_err(|_| ErrorCode::InvalidAcl)
    }

    fn permitted(&self, acl: &[Acl], needed: Perms) -> Result<(), ErrorCode> {
        if auth::permits(&self.config.auth, acl, self.ids, needed) { Ok(()) } else { Err(ErrorCode::NoAuth) }
    }

    fn node(&self, path: &str) -> Option<Node> {
        self.pending.node(self.tree, key(path))
    }

    fn change(&mut self, path: &str, before: &Node, edit: impl FnOnce(&mut Node)) {
        let mut after = before.clone();
        edit(&mut after);
        if after.children > before.children {
            after.stat.pzxid = self.zxid;
        }
        self.pending.set(self.tree, self.zxid, key(path), Some(before), Some(after));
    }

    fn add(&mut self, path: &str, request: &CreateRequest, acl: &[Acl], owner: i64) {
        let stat = StatPersisted {
            czxid: self.zxid,
            mzxid: self.zxid,
            pzxid: self.zxid,
            ctime: self.now.wall_ms,
            mtime: self.now.wall_ms,
            ephemeral_owner: owner,
            ..StatPersisted::default()
        };
        let node = Node::new(stat, acl.into(), request.data.clone());
        self.pending.set(self.tree, self.zxid, path, None, Some(node));
    }
}

/// Bytes of data; null has none.
fn length(data: Option<&Bytes>) -> i64 {
    data.map_or(0, Bytes::len) as i64
}

/// The root is kept, and digested, under the empty path.
fn key(path: &str) -> &str {
    if path == "/" { "" } else { path }
}

/// What create and delete ask of a path before they look for its parent.
fn light_check(path: &str) -> Result<(), ErrorCode> {
    if path.contains('/') && !path.contains('\0') { Ok(()) } else { Err(ErrorCode::BadArguments) }
}

/// The counter is signed: after 2^31 − 1 it goes on below zero, as in the reference.
fn sequential(path: &str, counter: i32) -> String {
    format!("{path}{counter:010}")
}

fn expect_version(expected: i32, actual: i32) -> Result<(), ErrorCode> {
    if expected == -1 || expected == actual { Ok(()) } else { Err(ErrorCode::BadVersion) }
}

fn is_ephemeral(owner: i64) -> bool {
    owner != 0 && owner != Ttl::CONTAINER_OWNER && Ttl::of_owner(owner).is_none()
}
