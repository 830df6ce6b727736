//! What each change of a tree does to the statistics of its quotas.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::tree::{DataTree, Outcome, SnapshotCursor, TreeLoader};
use crate::wire::quota::{Quota, QuotaNode};
use crate::wire::txn::{CreateTxn, Txn, TxnHeader};
use crate::wire::{Acl, Stat, Zxid};

struct World {
    tree: DataTree,
    zxid: i64,
}

impl World {
    /// A tree in which `/p`, with three bytes, and `/p/a`, with two, were made before the quota of `/p`.
    fn with_quota() -> Self {
        let mut world = World { tree: DataTree::new(), zxid: 0 };
        world.create("/p", "123");
        world.create("/p/a", "12");
        world.make_quota("/p");
        world
    }

    fn apply(&mut self, txn: &Txn) -> Outcome {
        self.zxid += 1;
        let header = TxnHeader { client_id: 7, cxid: 1, zxid: Zxid(self.zxid), time_ms: 1, kind: txn.kind().code() };
        self.tree.apply(&header, txn, &mut Vec::new())
    }

    fn create(&mut self, path: &str, data: &'static str) -> Stat {
        self.create_as(path, data, false)
    }

    fn create_as(&mut self, path: &str, data: &'static str, ephemeral: bool) -> Stat {
        let acl = Acl::open();
        let create = CreateTxn { path: path.into(), data: Some(data.into()), acl, ephemeral, parent_cversion: -1 };
        match self.apply(&Txn::Create(false, create)) {
            Outcome::Created { stat, .. } => stat,
            other => panic!("{path}: {other:?}"),
        }
    }

    fn set(&mut self, path: &str, data: &'static str) {
        self.apply(&Txn::SetData { path: path.into(), data: Some(data.into()), version: 1 });
    }

    fn delete(&mut self, path: &str) {
        assert_eq!(self.apply(&Txn::Delete { path: path.into() }), Outcome::Deleted);
    }

    fn make_quota(&mut self, subject: &str) {
        let mut at = String::from("/zookeeper/quota");
        for name in subject[1..].split('/') {
            at = format!("{at}/{name}");
            if self.tree.node(&at).is_none() {
                self.create(&at, "");
            }
        }
        self.create(&QuotaNode::Limits.path(subject), "count=10,bytes=-1");
        self.create(&QuotaNode::Stats.path(subject), "count=-1,bytes=-1");
    }

    fn used(&self, subject: &str) -> String {
        let node = self.tree.node(&QuotaNode::Stats.path(subject)).unwrap();
        String::from_utf8(node.data().unwrap().to_vec()).unwrap()
    }
}

#[test]
fn the_statistics_are_counted_when_they_are_made_and_follow_every_change() {
    let mut world = World::with_quota();
    assert_eq!(world.used("/p"), "count=2,bytes=5");
    world.create("/p/a/b", "1234");
    assert_eq!(world.used("/p"), "count=3,bytes=9");
    world.create_as("/p/e", "1", true);
    world.set("/p/a", "");
    assert_eq!(world.used("/p"), "count=4,bytes=8");
    world.set("/p", "1234567");
    assert_eq!(world.used("/p"), "count=4,bytes=12");
    world.delete("/p/a/b");
    assert_eq!(world.used("/p"), "count=3,bytes=8");
    world.apply(&Txn::CloseSession { paths: Some(vec!["/p/e".into()]) });
    assert_eq!(world.used("/p"), "count=2,bytes=7");
    world.create("/pq", "beside it, not below");
    assert_eq!(world.used("/p"), "count=2,bytes=7");
}

#[test]
fn the_statistics_change_without_a_transaction_of_their_own() {
    let mut world = World::with_quota();
    let path = QuotaNode::Stats.path("/p");
    let before = world.tree.node(&path).unwrap().stat();
    let digest = world.tree.digest();
    world.create("/p/x", "");
    world.delete("/p/x");
    world.set("/p", "1234567890");
    let after = world.tree.node(&path).unwrap().stat();
    assert_eq!(after, Stat { data_length: "count=2,bytes=12".len() as i32, ..before });
    assert_ne!(world.tree.digest(), digest);
    let real: u64 = real_size(&world.tree, "/");
    assert_eq!(world.tree.approximate_data_size(), real + 1);
}

/// Bytes of all paths and data, looked at one by one.
fn real_size(tree: &DataTree, path: &str) -> u64 {
    let node = tree.node(path).unwrap();
    let own = if path == "/" { 0 } else { path.len() } + node.data().map_or(0, <[u8]>::len);
    let below = node.children().map(|child| real_size(tree, &crate::wire::path::join(path, child)));
    own as u64 + below.sum::<u64>()
}

#[test]
fn only_the_nearest_quota_counts_a_change() {
    let mut world = World::with_quota();
    world.make_quota("/p/a");
    world.create("/p/a/b", "1");
    assert_eq!((world.used("/p").as_str(), world.used("/p/a").as_str()), ("count=2,bytes=5", "count=2,bytes=3"));
    // The reference forgets the quota below until its next start.
    world.delete(&QuotaNode::Limits.path("/p"));
    world.create("/p/a/c", "1");
    world.create("/p/c", "1");
    assert_eq!((world.used("/p").as_str(), world.used("/p/a").as_str()), ("count=2,bytes=5", "count=3,bytes=4"));
}

#[test]
fn whoever_makes_the_statistics_is_told_the_length_that_was_given() {
    let mut world = World::with_quota();
    world.delete(&QuotaNode::Stats.path("/p"));
    let stat = world.create(&QuotaNode::Stats.path("/p"), "count=-1,bytes=-1");
    assert_eq!(stat.data_length, 17);
    assert_eq!(world.used("/p"), "count=2,bytes=5");
}

/// The reference's server ends when the statistics are no statistics.
#[test]
fn statistics_that_are_none_are_counted_anew() {
    let mut world = World::with_quota();
    world.set(&QuotaNode::Stats.path("/p"), "much");
    assert_eq!(world.tree.quota("/p/a").unwrap().unwrap().used, None);
    world.create("/p/x", "123456");
    assert_eq!(world.used("/p"), "count=3,bytes=11");
}

#[test]
fn a_quota_of_the_root_is_kept_and_counts_nothing() {
    let mut world = World::with_quota();
    world.create("/zookeeper/quota/zookeeper_limits", "count=1,bytes=1");
    world.create("/zookeeper/quota/zookeeper_stats", "");
    let at_first = world.used("");
    world.create("/x", "1");
    assert_eq!((world.used(""), world.tree.quota("/x")), (at_first, Ok(None)));
}

#[test]
fn limits_and_use_are_told_for_every_path_at_or_below() {
    let mut world = World::with_quota();
    for path in ["/p", "/p/a", "/p/a/not/there"] {
        let quota = world.tree.quota(path).unwrap().unwrap();
        assert_eq!((quota.path.as_str(), quota.limits.count(), quota.used), ("/p", 10, Some(Quota::used(2, 5))));
    }
    assert_eq!(world.tree.quota("/pa"), Ok(None));
    world.set(&QuotaNode::Limits.path("/p"), "few");
    assert_eq!(world.tree.quota("/p").unwrap_err().part, "few");
}

/// Node data in a snapshot may be newer than the statistics in it.
#[test]
fn a_loaded_tree_counts_anew() {
    let mut world = World::with_quota();
    world.set(&QuotaNode::Stats.path("/p"), "count=70,bytes=70");
    let mut loader = TreeLoader::new(0);
    SnapshotCursor::new(&world.tree).next_batch(&world.tree, usize::MAX, |visited| {
        let node = visited.node;
        let path = if node.path() == "/" { "" } else { node.path() };
        loader.node(path, node.data(), -1, node.persisted().clone()).is_ok()
    });
    world.tree = loader.finish(Zxid(world.zxid)).unwrap();
    assert_eq!(world.used("/p"), "count=2,bytes=5");
    world.create("/p/x", "");
    assert_eq!(world.used("/p"), "count=3,bytes=5");
}
