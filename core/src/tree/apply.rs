//! What each transaction does to the tree (protocol §6.4). Every rule is idempotent, because a fuzzy snapshot may already
//! hold what its log replays; none ever fails, because all was checked before the transaction was made.

use std::sync::Arc;

use super::arena::ROOT;
use super::edit::NewNode;
use super::node::NodeKind;
use super::{Change, DataTree, NodeRef, Outcome};
use crate::wire::txn::{CreateTxn, Txn, TxnHeader};
use crate::wire::{Acl, ErrorCode, Stat, StatPersisted, Zxid};

impl DataTree {
    /// Applies one transaction and appends what changed to `changes`.
    ///
    /// A transaction that does not fit the tree (a missing parent, a node that is there already) is
    /// [`Outcome::Failed`]; it is never an error of the caller's.
    pub fn apply(&mut self, header: &TxnHeader, txn: &Txn, changes: &mut Vec<Change>) -> Outcome {
        let outcome = match txn {
            Txn::Multi(txns) => self.multi(header, txns, changes),
            Txn::CreateSession { timeout_ms } => Outcome::SessionCreated { timeout_ms: *timeout_ms },
            Txn::CloseSession { paths } => {
                self.close_session(header, paths.as_deref().unwrap_or_default(), changes);
                Outcome::SessionClosed
            }
            single => self.single(header, single, changes),
        };
        self.last_zxid = self.last_zxid.max(header.zxid);
        self.digest_log.record(header.zxid, self.digest);
        outcome
    }

    /// The kinds that also stand inside a multi.
    fn single(&mut self, header: &TxnHeader, txn: &Txn, changes: &mut Vec<Change>) -> Outcome {
        match txn {
            Txn::Create(_, create) if create.ephemeral => {
                self.create(header, create, NodeKind::Ephemeral(header.client_id).owner(), changes)
            }
            Txn::Create(_, create) => self.create(header, create, 0, changes),
            Txn::CreateContainer(create) => self.create(header, create, NodeKind::Container.owner(), changes),
            Txn::CreateTtl(create, ms) => self.create(header, create, NodeKind::Ttl { ms: *ms }.owner(), changes),
            Txn::Delete { path } | Txn::DeleteContainer { path } => self.delete(header.zxid, path, changes),
            Txn::SetData { path, data, version } | Txn::Reconfig { path, data, version } => {
                self.set_data(header, path, data.as_deref(), *version, changes)
            }
            Txn::SetAcl { path, acl, version } => {
                let Some(slot) = self.slot(path) else {
                    return Outcome::Failed(ErrorCode::NoNode);
                };
                self.permit(slot, acl);
                self.restat(slot, |stat| stat.aversion = *version);
                changes.push(Change::AclChanged { path: client_path(path) });
                Outcome::AclSet { stat: self.stat(slot) }
            }
            Txn::Check { .. } => Outcome::Checked,
            Txn::Error { err } => Outcome::Failed(ErrorCode::from_i32(*err)),
            // Neither a nested multi nor a session's start or end can be read from a log; were one built, nothing happens.
            _ => Outcome::Failed(ErrorCode::Unimplemented),
        }
    }

    /// One error undoes all. A leader of the reference leaves what stands before it as it was asked for; our own writes an error of
    /// code 0 there. Both are answered by OK, and what stands after it as not tried.
    fn multi(&mut self, header: &TxnHeader, txns: &[Txn], changes: &mut Vec<Change>) -> Outcome {
        let failure = txns.iter().position(|txn| matches!(txn, Txn::Error { .. }));
        let outcomes = txns.iter().enumerate().map(|(index, txn)| match (txn, failure) {
            (Txn::Error { err }, _) => Outcome::Failed(ErrorCode::from_i32(*err)),
            (_, Some(failure)) if index < failure => Outcome::Failed(ErrorCode::Ok),
            (_, Some(_)) => Outcome::Failed(ErrorCode::RuntimeInconsistency),
            (txn, None) => self.single(header, txn, changes),
        });
        Outcome::Multi(outcomes.collect())
    }

    fn create(&mut self, header: &TxnHeader, create: &CreateTxn, owner: i64, changes: &mut Vec<Change>) -> Outcome {
        let zxid = header.zxid;
        let path = create.path.as_str();
        let Some((parent_path, name)) = path.rsplit_once('/') else {
            return Outcome::Failed(ErrorCode::BadArguments);
        };
        if name.is_empty() {
            // Only bytes that no server checked hold such a path.
            return Outcome::Failed(ErrorCode::BadArguments);
        }
        let Some(parent) = self.arena.find(parent_path) else {
            return Outcome::Failed(ErrorCode::NoNode);
        };
        let existing = self.arena.find(path);
        // A replay that finds the node still counts it for the parent: the snapshot may hold the parent as it was before.
        self.restat(parent, |stat| count_child(stat, create.parent_cversion, zxid));
        if let Some(slot) = existing {
            self.permit(slot, &create.acl);
            return Outcome::Failed(ErrorCode::NodeExists);
        }
        let slot = self.insert(NewNode {
            path,
            parent,
            data: create.data.as_deref(),
            acl: &create.acl,
            stat: StatPersisted {
                czxid: zxid,
                mzxid: zxid,
                pzxid: zxid,
                ctime: header.time_ms,
                mtime: header.time_ms,
                ephemeral_owner: owner,
                ..StatPersisted::default()
            },
        });
        let path: Arc<str> = path.into();
        let (acl, parent_acl) = (self.acl(slot), self.acl(parent));
        changes.push(Change::Created { path: path.clone(), acl, parent_acl });
        // The statistics of a quota are counted at their creation; whoever made them is told of what was given.
        let data_length = create.data.as_ref().map_or(0, |data| data.len() as i32);
        Outcome::Created { path, stat: Stat { data_length, ..self.stat(slot) } }
    }

    fn delete(&mut self, zxid: Zxid, path: &str, changes: &mut Vec<Change>) -> Outcome {
        let slot = self.slot(path);
        let parent_path = path.rfind('/').map(|slash| &path[..slash]);
        if slot != Some(ROOT)
            && let Some(parent) = parent_path.and_then(|parent| self.arena.find(parent))
        {
            self.restat(parent, |stat| stat.pzxid = stat.pzxid.max(zxid));
        }
        match slot {
            None => Outcome::Failed(ErrorCode::NoNode),
            Some(ROOT) => Outcome::Failed(ErrorCode::BadArguments),
            Some(slot) => {
                self.remove(slot, |path, acl, parent_acl| {
                    changes.push(Change::Deleted { path: path.into(), acl, parent_acl });
                });
                Outcome::Deleted
            }
        }
    }

    fn set_data(
        &mut self,
        header: &TxnHeader,
        path: &str,
        data: Option<&[u8]>,
        version: i32,
        changes: &mut Vec<Change>,
    ) -> Outcome {
        let Some(slot) = self.slot(path) else {
            return Outcome::Failed(ErrorCode::NoNode);
        };
        self.rewrite(slot, data, |stat| {
            stat.version = version;
            stat.mzxid = header.zxid;
            stat.mtime = header.time_ms;
        });
        changes.push(Change::DataChanged { path: client_path(path), acl: self.acl(slot) });
        Outcome::DataSet { stat: self.stat(slot) }
    }

    /// Deletes what the record lists, then whatever the session still owns: records from before 3.6 list nothing.
    fn close_session(&mut self, header: &TxnHeader, listed: &[String], changes: &mut Vec<Change>) {
        for path in listed {
            self.delete(header.zxid, path, changes);
        }
        let left: Vec<String> = self.ephemerals(header.client_id).map(str::to_owned).collect();
        for path in left {
            self.delete(header.zxid, &path, changes);
        }
    }

    /// The list of a node; of a slot that holds none, one that permits nobody.
    pub(super) fn acl(&self, slot: u32) -> Arc<[Acl]> {
        let node = self.arena.get(slot).map(|node| NodeRef::new(self, node));
        node.map_or_else(|| Arc::from([Acl::default()]), |node| Arc::clone(node.acl()))
    }

    fn slot(&self, path: &str) -> Option<u32> {
        self.arena.find(if path == "/" { "" } else { path })
    }

    fn stat(&self, slot: u32) -> Stat {
        let node = self.arena.get(slot).map(|node| NodeRef::new(self, node));
        node.map_or_else(Stat::default, |node| node.stat())
    }
}

/// A parent's cversion only ever rises, so that a replay cannot take it back; its pzxid goes with it.
fn count_child(parent: &mut StatPersisted, cversion: i32, zxid: Zxid) {
    let cversion = if cversion == -1 { parent.cversion.wrapping_add(1) } else { cversion };
    if cversion > parent.cversion {
        parent.cversion = cversion;
        parent.pzxid = zxid;
    }
}

fn client_path(path: &str) -> Arc<str> {
    if path.is_empty() { "/".into() } else { path.into() }
}

#[cfg(test)]
mod tests;
