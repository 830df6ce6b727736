//! Histories by hand: a right one passes, and each planted violation is named.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use menagerie_core::wire::txn::{CreateTxn, Txn, TxnHeader, TxnRecord};
use menagerie_core::wire::{Acl, CreateMode, ErrorCode, EventKind, Zxid};

use super::*;

const ONE: i64 = 0x0100_0000_0000_0001;
const TWO: i64 = 0x0200_0000_0000_0001;

fn record(zxid: i64, client_id: i64, cxid: i32, txn: Txn) -> TxnRecord {
    let header = TxnHeader { client_id, cxid, zxid: Zxid(zxid), time_ms: 0, kind: txn.kind().code() };
    TxnRecord { header, txn, digest: None }
}

fn created(path: &str, ephemeral: bool) -> Txn {
    let data = Some(Bytes::from_static(b"0"));
    Txn::Create(true, CreateTxn { path: path.into(), data, acl: Acl::open(), ephemeral, parent_cversion: 1 })
}

fn set(path: &str, version: i32) -> Txn {
    Txn::SetData { path: path.into(), data: Some(Bytes::from_static(b"1")), version }
}

fn ask(at: u64, xid: i32, action: Action) -> Step {
    Step { at, what: What::Asked { xid, action } }
}

fn answer(at: u64, xid: i32, zxid: i64, answer: Answer) -> Step {
    Step { at, what: What::Answered { xid, zxid: Zxid(zxid), answer } }
}

fn connected(at: u64, session: i64) -> Step {
    Step { at, what: What::Connected { session } }
}

fn node(czxid: i64, mzxid: i64, version: i32, owner: i64) -> NodeView {
    NodeView { czxid: Zxid(czxid), mzxid: Zxid(mzxid), pzxid: Zxid(czxid), version, owner, children: 0 }
}

fn create_a(mode: CreateMode) -> Action {
    Action::Create { path: "/a".into(), data: Bytes::from_static(b"0"), mode }
}

fn set_a() -> Action {
    Action::SetData { path: "/a".into(), data: Bytes::from_static(b"1"), version: -1 }
}

fn get_a(watch: bool) -> Action {
    Action::GetData { path: "/a".into(), watch }
}

fn data(bytes: &'static [u8], node: NodeView) -> Answer {
    Answer::Data { data: Bytes::from_static(bytes), node }
}

fn event(at: u64, zxid: i64, kind: EventKind) -> Step {
    Step { at, what: What::Event { zxid: Zxid(zxid), kind, path: "/a".into() } }
}

/// One client creates `/a` and sets it; another reads it with a watch, and again after the event.
fn right() -> History {
    let first = vec![
        connected(1, ONE),
        ask(2, 1, create_a(CreateMode::Persistent)),
        answer(4, 1, 3, Answer::Created { path: "/a".into(), node: node(3, 3, 0, 0) }),
        ask(9, 2, set_a()),
        answer(12, 2, 4, Answer::Node(node(3, 4, 1, 0))),
    ];
    let second = vec![
        connected(1, TWO),
        ask(5, 1, Action::Sync { path: "/a".into() }),
        answer(6, 1, 3, Answer::Done),
        ask(6, 2, get_a(true)),
        answer(7, 2, 3, data(b"0", node(3, 3, 0, 0))),
        event(12, 4, EventKind::NodeDataChanged),
        ask(13, 3, get_a(false)),
        answer(14, 3, 4, data(b"1", node(3, 4, 1, 0))),
    ];
    let log = |name: &str, steps| ClientLog { name: name.into(), steps };
    let committed = vec![
        record(1, ONE, 0, Txn::CreateSession { timeout_ms: 4000 }),
        record(2, TWO, 0, Txn::CreateSession { timeout_ms: 4000 }),
        record(3, ONE, 1, created("/a", false)),
        record(4, ONE, 2, set("/a", 1)),
    ];
    History { clients: vec![log("one", first), log("two", second)], committed }
}

#[track_caller]
fn assert_broken(promise: &str, plant: impl FnOnce(&mut History)) {
    let mut history = right();
    plant(&mut history);
    match check(&history) {
        Err(broken) => assert_eq!(broken.promise, promise, "{broken}"),
        Ok(_) => panic!("`{promise}` is broken, and nothing was found"),
    }
}

#[test]
fn a_right_history_passes() {
    let summary = check(&right()).unwrap();
    assert_eq!(summary, Summary { writes: 2, reads: 2, events: 1, stale_syncs: 0 });
}

#[test]
fn an_acknowledged_write_that_is_lost_is_found() {
    assert_broken("reads show their zxid", |history| {
        history.committed.pop();
    });
    assert_broken("acknowledged writes last", |history| {
        history.committed.pop();
        history.clients[1].steps.truncate(5);
    });
}

#[test]
fn a_write_that_is_answered_with_what_it_did_not_do_is_found() {
    assert_broken("writes do what they say", |history| {
        history.clients[0].steps[4] = answer(12, 2, 4, Answer::Error(ErrorCode::BadVersion));
    });
    assert_broken("writes do what they say", |history| {
        history.committed[3].txn = Txn::Error { err: ErrorCode::BadVersion.code() };
    });
}

#[test]
fn a_write_that_takes_effect_twice_is_found() {
    assert_broken("writes of a client in order, once", |history| {
        history.committed.push(record(5, ONE, 2, set("/a", 2)));
    });
}

#[test]
fn a_write_of_nobody_is_found() {
    assert_broken("no write of nobody", |history| history.committed.push(record(5, ONE, 7, set("/a", 2))));
}

#[test]
fn writes_out_of_the_order_of_time_are_found() {
    assert_broken("writes are linearizable", |history| {
        // The second client's write begins after the first one's set was answered, and stands before it.
        history.committed[3].header.zxid = Zxid(5);
        history.committed.insert(3, record(4, TWO, 4, Txn::Delete { path: "/b".into() }));
        history.committed[3].txn = Txn::Error { err: ErrorCode::NoNode.code() };
        history.clients[0].steps[4] = answer(12, 2, 5, Answer::Node(node(3, 5, 1, 0)));
        history.clients[1].steps.truncate(5);
        history.clients[1].steps.push(ask(20, 4, Action::Delete { path: "/b".into(), version: -1 }));
        history.clients[1].steps.push(answer(21, 4, 4, Answer::Error(ErrorCode::NoNode)));
    });
}

#[test]
fn a_read_of_another_time_than_its_zxid_is_found() {
    assert_broken("reads show their zxid", |history| {
        history.clients[1].steps[4] = answer(7, 2, 3, data(b"1", node(3, 4, 1, 0)));
    });
}

#[test]
fn a_client_that_goes_back_is_found() {
    assert_broken("a client never goes back", |history| {
        history.clients[1].steps.push(ask(15, 4, get_a(false)));
        history.clients[1].steps.push(answer(16, 4, 3, data(b"0", node(3, 3, 0, 0))));
    });
}

#[test]
fn answers_out_of_order_are_found() {
    assert_broken("answers in order", |history| history.clients[1].steps.swap(1, 3));
}

#[test]
fn a_watch_that_fires_late_twice_never_or_without_a_cause_is_found() {
    let late = "an event comes before what shows its change";
    assert_broken(late, |history| {
        history.clients[1].steps.remove(5);
    });
    assert_broken(late, |history| {
        let steps = &mut history.clients[1].steps;
        let event = steps.remove(5);
        steps.push(event);
    });
    assert_broken("watches fire once", |history| {
        let twice = history.clients[1].steps[5].clone();
        history.clients[1].steps.insert(6, twice);
    });
    assert_broken("watches fire once", |history| {
        history.clients[1].steps[5] = event(12, 4, EventKind::NodeDeleted);
    });
}

#[test]
fn a_sync_that_does_not_show_what_was_answered_is_found() {
    assert_broken("a sync shows what was answered", |history| {
        history.clients[1].steps[2] = answer(6, 1, 2, Answer::Done);
    });
}

#[test]
fn watches_set_again_tell_what_was_missed() {
    let mut history = right();
    let steps = &mut history.clients[1].steps;
    steps.truncate(5);
    let (path, since) = (String::from("/a"), Zxid(3));
    let again = Action::SetWatches { since, data: vec![path.clone()], exist: vec![], child: vec![] };
    steps.push(Step { at: 8, what: What::Lost });
    steps.push(connected(13, TWO));
    steps.push(ask(13, -8, again));
    steps.push(answer(14, -8, 4, Answer::Rewatched(vec![(EventKind::NodeDataChanged, path)])));
    check(&history).unwrap();
    history.clients[1].steps.pop();
    history.clients[1].steps.push(answer(14, -8, 4, Answer::Rewatched(vec![])));
    assert_eq!(check(&history).unwrap_err().promise, "reads show their zxid");
}

#[test]
fn a_session_that_lives_again_or_is_answered_after_its_end_is_found() {
    let end = || record(5, TWO, 0, Txn::CloseSession { paths: None });
    assert_broken("sessions end once", |history| {
        history.committed.push(end());
        history.committed.push(record(6, TWO, 0, Txn::CreateSession { timeout_ms: 4000 }));
    });
    assert_broken("sessions end once", |history| {
        history.committed.push(end());
        history.committed.push(record(6, ONE, 0, Txn::CloseSession { paths: None }));
        history.clients[1].steps.push(ask(15, 4, get_a(false)));
        history.clients[1].steps.push(answer(16, 4, 6, data(b"1", node(3, 4, 1, 0))));
    });
    assert_broken("sessions are unique", |history| {
        history.committed.push(record(5, ONE, 0, Txn::CreateSession { timeout_ms: 4000 }));
    });
}

#[test]
fn an_ephemeral_of_a_session_that_has_ended_is_found() {
    let mut history = right();
    history.committed[2].txn = created("/a", true);
    history.clients[0].steps[1] = ask(2, 1, create_a(CreateMode::Ephemeral));
    history.clients[0].steps[2] = answer(4, 1, 3, Answer::Created { path: "/a".into(), node: node(3, 3, 0, ONE) });
    history.clients[0].steps.truncate(3);
    history.clients[1].steps.truncate(1);
    history.committed.truncate(3);
    history.committed.push(record(4, ONE, 0, Txn::CloseSession { paths: None }));
    check(&history).unwrap();
    let gone = Answer::Error(ErrorCode::NoNode);
    history.clients[1].steps.extend([ask(5, 1, get_a(false)), answer(6, 1, 4, data(b"0", node(3, 3, 0, ONE)))]);
    assert_eq!(check(&history).unwrap_err().promise, "reads show their zxid");
    history.clients[1].steps[2] = answer(6, 1, 4, gone);
    check(&history).unwrap();
}
