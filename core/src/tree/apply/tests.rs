//! One test for each rule of protocol §6.4.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::wire::{Acl, Perms};

const ALICE: i64 = 0x0100_0000_0000_00a1;

struct World {
    tree: DataTree,
    changes: Vec<Change>,
}

impl World {
    fn new() -> Self {
        World { tree: DataTree::new(), changes: Vec::new() }
    }

    fn apply(&mut self, zxid: i64, txn: &Txn) -> Outcome {
        self.changes.clear();
        let header =
            TxnHeader { client_id: ALICE, cxid: 1, zxid: Zxid(zxid), time_ms: 1000 + zxid, kind: txn.kind().code() };
        self.tree.apply(&header, txn, &mut self.changes)
    }

    fn persisted(&self, path: &str) -> StatPersisted {
        self.tree.node(path).unwrap().persisted().clone()
    }
}

fn create(path: &str, parent_cversion: i32) -> Txn {
    create_with(path, parent_cversion, false)
}

fn create_with(path: &str, parent_cversion: i32, ephemeral: bool) -> Txn {
    Txn::Create(
        true,
        CreateTxn { path: path.to_owned(), data: Some("hi".into()), acl: Acl::open(), ephemeral, parent_cversion },
    )
}

fn delete(path: &str) -> Txn {
    Txn::Delete { path: path.to_owned() }
}

fn set(path: &str, data: &'static str, version: i32) -> Txn {
    Txn::SetData { path: path.to_owned(), data: Some(data.into()), version }
}

fn open() -> Arc<[Acl]> {
    Acl::open().into()
}

#[test]
fn a_created_node_has_the_transactions_zxid_and_time_and_its_parent_counts_it() {
    let mut world = World::new();
    let outcome = world.apply(2, &create("/a", 1));
    let node = world.tree.node("/a").unwrap();
    assert_eq!(outcome, Outcome::Created { path: "/a".into(), stat: node.stat() });
    let stat = node.stat();
    assert_eq!((stat.czxid, stat.mzxid, stat.pzxid), (Zxid(2), Zxid(2), Zxid(2)));
    assert_eq!((stat.ctime, stat.mtime, stat.data_length), (1002, 1002, 2));
    let root = world.persisted("/");
    assert_eq!((root.cversion, root.pzxid, root.mzxid), (1, Zxid(2), Zxid(0)));
    assert_eq!(world.changes, [Change::Created { path: "/a".into(), acl: open(), parent_acl: open() }]);
    // Two creations (with /zookeeper's not counted) and two children: 2 * 1 - 2.
    assert_eq!(world.tree.node("/").unwrap().stat().cversion, 0);
}

/// Protocol §8.7, from the reference server's own log.
#[test]
fn the_digest_after_a_create_is_the_reference_servers() {
    let mut tree = DataTree::new();
    let header =
        TxnHeader { client_id: 0x0100_0016_371f_0000, cxid: 1, zxid: Zxid(2), time_ms: 0x01a2_0ab6_b993, kind: 15 };
    tree.apply(&header, &create("/a", 1), &mut Vec::new());
    assert_eq!(tree.digest(), 0x7b77_63f5);
}

#[test]
fn replaying_a_create_keeps_data_and_stat_but_takes_the_acl_and_counts_for_the_parent() {
    let mut world = World::new();
    world.apply(2, &create("/a", 1));
    world.apply(3, &set("/a", "later", 1));
    let mut txn = create("/a", 5);
    let read_only = Acl::read_only();
    if let Txn::Create(_, create) = &mut txn {
        create.acl.clone_from(&read_only);
    }
    assert_eq!(world.apply(4, &txn), Outcome::Failed(ErrorCode::NodeExists));
    let node = world.tree.node("/a").unwrap();
    assert_eq!(node.data(), Some(&b"later"[..]));
    assert_eq!((node.persisted().czxid, node.persisted().version), (Zxid(2), 1));
    assert_eq!(node.acl().as_ref(), read_only);
    assert_eq!((world.persisted("/").cversion, world.persisted("/").pzxid), (5, Zxid(4)));
    assert!(world.changes.is_empty());
}

#[test]
fn a_parents_cversion_never_falls_and_minus_one_counts_one_more() {
    let mut world = World::new();
    world.apply(2, &create("/a", 7));
    world.apply(3, &create("/b", 3));
    assert_eq!((world.persisted("/").cversion, world.persisted("/").pzxid), (7, Zxid(2)));
    world.apply(4, &create("/c", -1));
    assert_eq!((world.persisted("/").cversion, world.persisted("/").pzxid), (8, Zxid(4)));
}

#[test]
fn a_create_below_a_missing_parent_or_with_an_impossible_path_does_nothing() {
    let mut world = World::new();
    let before = world.tree.digest();
    for (path, code) in [
        ("/x/y", ErrorCode::NoNode),
        ("//x", ErrorCode::NoNode),
        ("", ErrorCode::BadArguments),
        ("x", ErrorCode::BadArguments),
        ("/", ErrorCode::BadArguments),
        ("/zookeeper/", ErrorCode::BadArguments),
    ] {
        assert_eq!(world.apply(2, &create(path, 1)), Outcome::Failed(code), "{path}");
    }
    assert_eq!((world.tree.digest(), world.tree.len()), (before, 4));
    assert_eq!(world.tree.last_zxid(), Zxid(2));
}

#[test]
fn the_kinds_of_nodes_are_found_again() {
    let mut world = World::new();
    world.apply(1, &create_with("/e", 1, true));
    let container = CreateTxn { path: "/c".into(), acl: Acl::open(), parent_cversion: 2, ..CreateTxn::default() };
    world.apply(2, &Txn::CreateContainer(container.clone()));
    let ttl = CreateTxn { path: "/t".into(), ..container };
    world.apply(3, &Txn::CreateTtl(ttl, 5000));
    assert_eq!(world.tree.ephemerals(ALICE).collect::<Vec<_>>(), ["/e"]);
    assert_eq!(world.tree.sessions_with_ephemerals().collect::<Vec<_>>(), [ALICE]);
    assert_eq!(world.tree.containers().collect::<Vec<_>>(), ["/c"]);
    assert_eq!(world.tree.ttl_nodes().collect::<Vec<_>>(), ["/t"]);
    let kinds = ["/e", "/c", "/t"].map(|path| {
        let node = world.tree.node(path).unwrap();
        (node.kind(), node.stat().ephemeral_owner)
    });
    assert_eq!(kinds, [(NodeKind::Ephemeral(ALICE), ALICE), (NodeKind::Container, 0), (NodeKind::Ttl { ms: 5000 }, 0)]);
    assert_eq!(world.tree.node("/c").unwrap().data(), None);
    for (zxid, path) in [(4, "/e"), (5, "/c"), (6, "/t")] {
        world.apply(zxid, &delete(path));
    }
    assert_eq!(world.tree.ephemeral_count(), 0);
    assert_eq!(world.tree.containers().count() + world.tree.ttl_nodes().count(), 0);
}

#[test]
fn a_delete_raises_the_parents_pzxid_even_when_the_node_is_gone() {
    let mut world = World::new();
    world.apply(2, &create("/a", 1));
    assert_eq!(world.apply(5, &delete("/a")), Outcome::Deleted);
    assert_eq!(world.changes, [Change::Deleted { path: "/a".into(), acl: open(), parent_acl: open() }]);
    assert_eq!((world.persisted("/").pzxid, world.persisted("/").cversion), (Zxid(5), 1));
    assert_eq!(world.apply(7, &delete("/a")), Outcome::Failed(ErrorCode::NoNode));
    assert_eq!(world.persisted("/").pzxid, Zxid(7));
    world.apply(6, &delete("/a"));
    assert_eq!(world.persisted("/").pzxid, Zxid(7), "only ever up");
    assert_eq!(world.apply(8, &delete("/")), Outcome::Failed(ErrorCode::BadArguments));
}

#[test]
fn replaying_a_delete_takes_what_was_created_below_later() {
    let mut world = World::new();
    let fresh = world.tree.digest();
    world.apply(2, &create("/p", 1));
    world.apply(3, &create("/p/c", 1));
    world.apply(4, &create("/p/c/d", 1));
    world.apply(5, &delete("/p"));
    let paths: Vec<_> = world.changes.iter().map(|change| change.path().to_string()).collect();
    assert_eq!(paths, ["/p/c/d", "/p/c", "/p"]);
    assert_eq!(world.tree.len(), 4);
    assert_ne!(world.tree.digest(), fresh, "the root's stat changed");
}

#[test]
fn set_data_takes_version_zxid_and_time_and_may_set_null() {
    let mut world = World::new();
    world.apply(2, &create("/a", 1));
    let outcome = world.apply(9, &set("/a", "longer", 4));
    let stat = world.tree.node("/a").unwrap().stat();
    assert_eq!((stat.version, stat.mzxid, stat.mtime, stat.czxid), (4, Zxid(9), 1009, Zxid(2)));
    assert_eq!(outcome, Outcome::DataSet { stat });
    let null = Txn::SetData { path: "/a".into(), data: None, version: 5 };
    world.apply(10, &null);
    assert_eq!(world.tree.node("/a").unwrap().data(), None);
    assert_eq!(world.apply(11, &set("/b", "x", 1)), Outcome::Failed(ErrorCode::NoNode));
}

#[test]
fn set_acl_changes_the_list_and_its_version_only() {
    let mut world = World::new();
    world.apply(2, &create("/a", 1));
    let acl = vec![Acl::new(Perms::READ, "ip", "127.0.0.1")];
    world.apply(3, &Txn::SetAcl { path: "/a".into(), acl: acl.clone(), version: 1 });
    let node = world.tree.node("/a").unwrap();
    assert_eq!((node.acl().as_ref(), node.stat().aversion), (&acl[..], 1));
    assert_eq!((node.stat().mzxid, node.stat().mtime), (Zxid(2), 1002));
}

#[test]
fn a_failed_multi_changes_nothing() {
    let mut world = World::new();
    let before = world.tree.digest();
    let outcome = world.apply(2, &Txn::Multi(vec![create("/a", 1), Txn::Error { err: -103 }, create("/b", 1)]));
    assert_eq!(
        outcome,
        Outcome::Multi(
            [ErrorCode::Ok, ErrorCode::BadVersion, ErrorCode::RuntimeInconsistency].map(Outcome::Failed).to_vec()
        )
    );
    assert_eq!((world.tree.digest(), world.tree.last_zxid()), (before, Zxid(2)));
}

#[test]
fn a_multi_applies_its_parts_in_order_under_one_zxid() {
    let mut world = World::new();
    let check = Txn::Check { path: "/a".into(), version: 1 };
    let outcome = world.apply(2, &Txn::Multi(vec![create("/a", 1), check, create("/a/b", 1), delete("/a/b")]));
    let Outcome::Multi(outcomes) = outcome else { panic!("not a multi") };
    assert!(matches!(
        outcomes[..],
        [Outcome::Created { .. }, Outcome::Checked, Outcome::Created { .. }, Outcome::Deleted]
    ));
    assert_eq!(world.changes.len(), 3);
    assert_eq!(world.persisted("/a").pzxid, Zxid(2));
}

#[test]
fn closing_a_session_deletes_the_listed_paths_and_whatever_it_still_owns() {
    let mut world = World::new();
    world.apply(1, &create_with("/listed", 1, true));
    world.apply(2, &create_with("/unlisted", 2, true));
    let close = Txn::CloseSession { paths: Some(vec!["/listed".into(), "/gone".into()]) };
    assert_eq!(world.apply(3, &close), Outcome::SessionClosed);
    assert_eq!((world.tree.len(), world.tree.ephemeral_count()), (4, 0));
    assert_eq!(world.persisted("/").pzxid, Zxid(3));
}

#[test]
fn children_survive_any_order_of_deletes() {
    let mut world = World::new();
    for n in 0..200 {
        world.apply(n + 1, &create(&format!("/{n}"), n as i32 + 1));
    }
    for n in (0..200).filter(|n| n % 3 != 1) {
        world.apply(n + 300, &delete(&format!("/{n}")));
    }
    let mut left: Vec<_> = world.tree.node("/").unwrap().children().map(str::to_owned).collect();
    left.sort();
    let mut expected: Vec<_> = (0..200).filter(|n| n % 3 == 1).map(|n| n.to_string()).collect();
    expected.push("zookeeper".into());
    expected.sort();
    assert_eq!(left, expected);
}

#[test]
fn the_configuration_is_written_without_a_transaction() {
    let mut world = World::new();
    let digest = world.tree.digest();
    world.tree.set_config(b"server.1=...", Zxid(0x1_0000_0000), 77);
    let stat = world.tree.node(crate::tree::CONFIG_PATH).unwrap().stat();
    assert_eq!((stat.version, stat.mzxid, stat.mtime), (-1, Zxid(0x1_0000_0000), 77));
    assert_eq!((world.tree.digest(), world.tree.last_zxid()), (digest, Zxid(0)));
}
