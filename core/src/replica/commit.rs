//! The second half of a write: when it is on a quorum's disks, apply it, tell the watchers, answer (protocol §7.3).

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};

use super::connect::accepted;
use super::{Barrier, Origin, Output, Owner, Proposal, Replica, Shared};
use crate::jute::{Encode, Put};
use crate::tree::{Change, DataTree, Outcome};
use crate::watch::WatchEvent;
use crate::wire::proto::{MultiResponse, MultiResult, ReplyHeader, WatcherEvent, xid};
use crate::wire::txn::{Txn, TxnRecord};
use crate::wire::{ErrorCode, EventKind, KeeperState, OpCode, Zxid, frame};

impl Replica {
    /// Applies what is committed: one lock of the tree for all of it. Each is answered before the next is applied, so that no
    /// event overtakes the reply to what came before its cause.
    pub(super) fn commit(&mut self, batch: Vec<Proposal>) {
        let Some(last) = batch.last().map(|proposal| proposal.record.header.zxid) else { return };
        let shared = std::sync::Arc::clone(&self.shared);
        let mut tree = shared.tree_mut();
        for Proposal { record, origin } in batch {
            let outcome = apply(&shared, &mut tree, &record, self.is_exact);
            self.answer(&record, &origin, outcome);
            self.release_barriers(record.header.zxid);
            self.release_verdicts(record.header.zxid);
        }
        drop(tree);
        self.applied = last;
        self.pending.applied(last);
    }

    /// Answers what waited for the transactions up to `applied` and for no later one.
    pub(super) fn release_barriers(&mut self, applied: Zxid) {
        while let Some(barrier) = self.barriers.pop_front_if(|barrier| barrier.after <= applied) {
            let Barrier { after, conn, xid, answer } = barrier;
            self.shared.sink().reply(conn, sync_reply(xid, after, &answer), false);
        }
    }

    fn answer(&mut self, record: &TxnRecord, origin: &Origin, outcome: Outcome) {
        let zxid = record.header.zxid;
        let session = record.header.client_id;
        let closed = matches!(record.txn, Txn::CloseSession { .. });
        if closed {
            self.sessions.forget(session);
            if let Some(Owner::Local { conn, .. }) = self.owners.remove(&session) {
                self.connections.remove(&conn);
                // The connection that asked for it gets its reply below; any other is closed without a word.
                if !matches!(origin, Origin::Request { conn: asked, .. } if *asked == conn) {
                    self.outputs.push_back(Output::Close { conn });
                }
            }
        }
        match *origin {
            Origin::Internal => {}
            Origin::Connect { conn, timeout_ms, read_only } => {
                let response = accepted(session, timeout_ms, read_only);
                self.outputs.push_back(Output::Connected { conn, response });
            }
            // The session lives at another member now: the old connection is closed without a word.
            Origin::Request { conn, .. } if !self.leads() && moved(&record.txn) => {
                self.outputs.push_back(Output::Close { conn });
            }
            // A session that has ended is answered no more: its connection is about to be closed.
            Origin::Request { conn, .. } if !closed && !self.connections.contains_key(&conn) => {}
            Origin::Request { conn, xid, op } => {
                let frame = reply_to(xid, zxid, op, &record.txn, outcome);
                self.shared.sink().reply(conn, frame, closed);
            }
        }
    }
}

fn moved(txn: &Txn) -> bool {
    matches!(txn, Txn::Error { err } if *err == ErrorCode::SessionMoved.code())
}

/// The answer to a sync with this path, or why a request is refused.
pub(super) fn sync_reply(xid: i32, zxid: Zxid, answer: &Result<Option<String>, ErrorCode>) -> Bytes {
    match answer {
        Ok(path) => reply(xid, zxid, ErrorCode::Ok.code(), |out| out.put_opt_str(path.as_deref())),
        Err(code) => refusal(xid, zxid, *code),
    }
}

/// The answer to a request that is refused.
pub(super) fn refusal(xid: i32, zxid: Zxid, code: ErrorCode) -> Bytes {
    reply(xid, zxid, code.code(), |_| {})
}

/// The answer to a session that ends without a transaction.
pub(super) fn close_reply(xid: i32, zxid: Zxid) -> Bytes {
    refusal(xid, zxid, ErrorCode::Ok)
}

/// `is_exact` says whether the tree is some moment's, so that its digest must be the one that was foreseen.
fn apply(shared: &Shared, tree: &mut DataTree, record: &TxnRecord, is_exact: bool) -> Outcome {
    let header = &record.header;
    let mut changes = Vec::new();
    let outcome = tree.apply(header, &record.txn, &mut changes);
    match record.txn {
        Txn::CreateSession { timeout_ms } => {
            shared.session_table().insert(header.client_id, timeout_ms);
        }
        Txn::CloseSession { .. } => {
            shared.session_table().remove(&header.client_id);
        }
        _ => {}
    }
    if let Some(digest) = &record.digest
        && is_exact
        && digest.tree_digest as u64 != tree.digest()
    {
        shared.tallies().count_mismatch();
        tracing::error!(zxid = %header.zxid, expected = digest.tree_digest, actual = tree.digest(), "tree digest mismatch");
    }
    tell(shared, header.zxid, &changes);
    outcome
}

fn tell(shared: &Shared, zxid: Zxid, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    let mut watches = shared.watches();
    if watches.is_empty() {
        return;
    }
    let sink = shared.sink();
    for change in changes {
        let (Change::Created { acl, .. } | Change::Deleted { acl, .. } | Change::DataChanged { acl, .. }) = change
        else {
            continue;
        };
        // What happened to a znode is told to who may read it; that a parent's children changed, to who may read the parent.
        let mut deliver = |watchers: &BTreeSet<u64>, event: WatchEvent<'_>| {
            let acl = match (event.kind, change) {
                (
                    EventKind::NodeChildrenChanged,
                    Change::Created { parent_acl, .. } | Change::Deleted { parent_acl, .. },
                ) => parent_acl,
                _ => acl,
            };
            sink.deliver(event.kind, watchers, acl, event_frame(zxid, event.kind.code(), event.path));
        };
        match change {
            Change::Created { path, .. } => watches.created(path, &mut deliver),
            Change::Deleted { path, .. } => watches.deleted(path, &mut deliver),
            Change::DataChanged { path, .. } => watches.data_changed(path, &mut deliver),
            Change::AclChanged { .. } => {}
        }
    }
}

/// The frame of a watch event; `zxid` is the transaction that caused it, as 3.9 and later send it.
pub(super) fn event_frame(zxid: Zxid, kind: i32, path: &str) -> Bytes {
    reply(xid::NOTIFICATION, zxid, 0, |out| {
        WatcherEvent { kind, state: KeeperState::SyncConnected.code(), path: path.to_owned() }.encode(out);
    })
}

fn reply(xid: i32, zxid: Zxid, err: i32, body: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::new();
    frame::put(&mut out, |out| {
        ReplyHeader { xid, zxid, err }.encode(out);
        body(out);
    });
    out.freeze()
}

fn reply_to(xid: i32, zxid: Zxid, op: OpCode, txn: &Txn, outcome: Outcome) -> Bytes {
    if let Outcome::Failed(err) = outcome {
        return reply(xid, zxid, err.code(), |_| {});
    }
    reply(xid, zxid, 0, |out| match outcome {
        Outcome::Created { path, .. } if op == OpCode::Create => out.put_str(&path),
        Outcome::Created { path, stat } => {
            out.put_str(&path);
            stat.encode(out);
        }
        Outcome::DataSet { stat } | Outcome::AclSet { stat } => {
            if let Txn::Reconfig { data, .. } = txn {
                out.put_buffer(data.as_deref());
            }
            stat.encode(out);
        }
        Outcome::Multi(results) => {
            let txns = if let Txn::Multi(txns) = txn { txns.as_slice() } else { &[] };
            let results = results.into_iter().zip(txns).map(|(outcome, txn)| result_of(txn, outcome));
            MultiResponse { results: results.collect() }.encode(out);
        }
        Outcome::Deleted
        | Outcome::Checked
        | Outcome::Failed(_)
        | Outcome::SessionCreated { .. }
        | Outcome::SessionClosed => {}
    })
}

/// A plain create answers with the path alone; every other create with the Stat too, as 3.8.2 and later do.
fn result_of(txn: &Txn, outcome: Outcome) -> MultiResult {
    match outcome {
        Outcome::Created { path, stat } => MultiResult::Created {
            path: path.to_string(),
            stat: (!matches!(txn, Txn::Create(false, _))).then_some(stat),
        },
        Outcome::DataSet { stat } | Outcome::AclSet { stat } => MultiResult::DataSet { stat },
        Outcome::Deleted => MultiResult::Deleted,
        Outcome::Failed(err) => MultiResult::Error { err: err.code() },
        Outcome::Checked | Outcome::Multi(_) | Outcome::SessionCreated { .. } | Outcome::SessionClosed => {
            MultiResult::Checked
        }
    }
}
