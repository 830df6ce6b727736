//! Containers that lost their last child, and TTL znodes that were not written in time, are deleted (protocol §7.6).

use super::{Origin, Replica, Request, Time};
use crate::jute::Encode;
use crate::tree::NodeKind;
use crate::wire::OpCode;
use crate::wire::proto::PathOnly;

/// The most znodes reaped in one look.
const MOST: usize = 10_000;

impl Replica {
    pub(super) fn reap(&mut self, now: Time) {
        for path in self.candidates(now) {
            tracing::info!(path, "reaping");
            let request = Request {
                conn: 0,
                session: 0,
                ids: [].into(),
                xid: 0,
                op: OpCode::DeleteContainer,
                body: PathOnly { path }.to_bytes(),
            };
            let txn = self.prepare(now, &request);
            self.propose(now, 0, 0, txn, Origin::Internal);
        }
    }

    fn candidates(&self, now: Time) -> Vec<String> {
        let tree = self.shared.tree();
        let empty = tree.containers().chain(tree.ttl_nodes()).filter_map(|path| tree.node(path));
        empty
            .filter(|node| node.child_count() == 0)
            .filter(|node| match node.kind() {
                NodeKind::Container => node.persisted().cversion > 0,
                NodeKind::Ttl { ms } => now.wall_ms - node.persisted().mtime > ms,
                NodeKind::Persistent | NodeKind::Ephemeral(_) => false,
            })
            .take(MOST)
            .map(|node| node.path().to_owned())
            .collect()
    }
}
