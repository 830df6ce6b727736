//! Watches: set by replies, told by notifications, set again on the next connection, removed when nobody waits.

use std::time::Duration;

use bytes::Bytes;

use super::harness::{Got, Harness};
use crate::client::event::EventKind;
use crate::client::request::{Command, WatchKind};
use crate::jute::Decode;
use crate::wire::proto::{SetWatches, SetWatches2, WatchesRequest, xid};
use crate::wire::{OpCode, Zxid};

const CREATED: i32 = 1;
const DELETED: i32 = 2;
const CHANGED: i32 = 3;

fn reconnect(harness: &mut Harness) -> Vec<Got> {
    harness.lost();
    harness.pass(Duration::from_secs(1));
    harness.accept();
    harness.sent()
}

#[test]
fn a_watch_is_set_by_a_successful_reply_alone() {
    let mut harness = Harness::connected(1);
    let (_, set, _) = harness.watch(WatchKind::Data);
    let (_, failed, _) = harness.watch(WatchKind::Child);
    let (_, missing, _) = harness.watch(WatchKind::Exist);
    harness.sent();
    harness.reply(1, 1, 0);
    harness.reply(2, 1, -101);
    harness.reply(3, 1, -101);
    harness.notify(DELETED, "/a", 2);
    assert_eq!(set.take(), [EventKind::NodeDeleted]);
    assert_eq!(missing.take(), [EventKind::NodeDeleted]);
    assert_eq!(failed.take(), []);
    harness.notify(CREATED, "/a", 2);
    assert_eq!(set.take(), [], "a one-shot watch is told once");
}

#[test]
fn watches_are_set_again_from_the_last_zxid_that_a_reply_has_carried() {
    let mut harness = Harness::connected(1);
    let (_, watched, _) = harness.watch(WatchKind::Data);
    harness.sent();
    harness.reply(1, 0x50, 0);
    harness.notify(CHANGED, "/other", 0x60);
    let sent = reconnect(&mut harness);
    assert_eq!((sent.len(), sent[0].xid, sent[0].op), (1, xid::SET_WATCHES, OpCode::SetWatches));
    let record = SetWatches::from_bytes(&sent[0].record).unwrap();
    assert_eq!((record.relative_zxid, record.data), (Zxid(0x50), vec!["/a".to_owned()]));
    harness.notify(CHANGED, "/a", -1);
    harness.reply(xid::SET_WATCHES, 0x61, 0);
    assert_eq!(watched.take(), [EventKind::NodeDataChanged]);
    assert_eq!(reconnect(&mut harness), [], "told, and so not set again");
}

/// So many watches that they take two requests, and a connection that was lost between the two replies. The first reply moved the zxid
/// from which all were set again on the next connection, so a change before it to what the second request watches was never reported.
#[test]
fn no_zxid_counts_as_seen_before_all_watches_are_set_again() {
    let mut harness = Harness::connected(1);
    let watched: Vec<_> = (0..200).map(|n| harness.watch_at(&format!("/{n:0>1000}"), WatchKind::Data).1).collect();
    for xid in harness.sent().into_iter().map(|got| got.xid) {
        harness.reply(xid, 0x50, 0);
    }
    let relative = |sent: &[Got]| -> Vec<Zxid> {
        sent.iter().map(|got| SetWatches::from_bytes(&got.record).unwrap().relative_zxid).collect()
    };
    assert_eq!(relative(&reconnect(&mut harness)), [Zxid(0x50), Zxid(0x50)]);
    harness.reply(xid::SET_WATCHES, 0x60, 0);
    harness.lost();
    harness.pass(Duration::from_secs(1));
    assert_eq!(harness.accept().last_zxid_seen, Zxid(0x50));
    assert_eq!(relative(&harness.sent()), [Zxid(0x50), Zxid(0x50)]);
    harness.reply(xid::SET_WATCHES, 0x60, 0);
    harness.notify(CHANGED, &format!("/{:0>1000}", 199), -1);
    harness.reply(xid::SET_WATCHES, 0x61, 0);
    assert_eq!(watched[199].take(), [EventKind::NodeDataChanged]);
    assert_eq!(relative(&reconnect(&mut harness)), [Zxid(0x61), Zxid(0x61)], "now everything before is reported");
}

/// A server that refused to set watches again was kept, and the watches never told anything any more.
#[test]
fn a_server_that_refuses_watches_is_left_and_not_asked_again_at_once() {
    let mut harness = Harness::with(1, |config| config.auths = vec![("digest".into(), Bytes::new())]);
    harness.accept();
    let (_, watched, _) = harness.watch(WatchKind::Data);
    harness.sent();
    harness.reply(xid::AUTH, 0, 0);
    harness.reply(1, 0x50, 0);
    assert_eq!(reconnect(&mut harness).len(), 2);
    harness.log();
    harness.reply(xid::AUTH, 0, 0);
    harness.reply(xid::SET_WATCHES, 0x60, -5);
    assert_eq!(harness.log(), ["disconnect", "Suspended"], "after a delay, or it would be asked over and over");
    harness.pass(Duration::from_secs(1));
    assert_eq!(harness.accept().last_zxid_seen, Zxid(0x50));
    assert_eq!(harness.ops(), [OpCode::Auth, OpCode::SetWatches]);
    harness.notify(CHANGED, "/a", -1);
    harness.reply(xid::SET_WATCHES, 0x60, 0);
    assert_eq!(watched.take(), [EventKind::NodeDataChanged]);
}

#[test]
fn watches_come_after_credentials_and_before_calls() {
    let mut harness = Harness::with(1, |config| config.auths = vec![("digest".into(), Bytes::new())]);
    harness.accept();
    harness.watch(WatchKind::Data);
    harness.sent();
    harness.reply(1, 1, 0);
    harness.lost();
    harness.read();
    harness.accept();
    assert_eq!(harness.ops(), [OpCode::Auth, OpCode::SetWatches, OpCode::GetData]);
}

#[test]
fn persistent_watches_are_told_to_look_again_after_a_reconnect() {
    let mut harness = Harness::connected(1);
    let (_, watched, _) = harness.watch(WatchKind::PersistentRecursive);
    harness.sent();
    harness.reply(1, 1, 0);
    assert_eq!(watched.take(), []);
    let sent = reconnect(&mut harness);
    assert_eq!(sent[0].op, OpCode::SetWatches2);
    assert_eq!(SetWatches2::from_bytes(&sent[0].record).unwrap().persistent_recursive, ["/a"]);
    assert_eq!(watched.take(), [EventKind::Resynced]);
    harness.notify(CREATED, "/a/b", 3);
    harness.notify(CHANGED, "/a/b", 3);
    assert_eq!(watched.take(), [EventKind::NodeCreated, EventKind::NodeDataChanged]);
}

#[test]
fn a_watch_whose_reply_was_lost_is_not_set_again() {
    let mut harness = Harness::connected(1);
    let (call, watched, _) = harness.watch(WatchKind::Data);
    harness.sent();
    assert_eq!(reconnect(&mut harness), []);
    assert!(call.lost());
    harness.notify(CHANGED, "/a", 3);
    assert_eq!(watched.take(), []);
}

#[test]
fn the_last_watch_dropped_is_removed_from_the_server() {
    let mut harness = Harness::connected(1);
    let (_, first, first_id) = harness.watch(WatchKind::Data);
    let (_, _second, second_id) = harness.watch(WatchKind::Exist);
    harness.sent();
    harness.reply(1, 1, 0);
    harness.reply(2, 1, 0);
    first.abandon();
    harness.command(Command::Unwatch(first_id));
    assert_eq!(harness.ops(), [], "another one waits");
    harness.command(Command::Unwatch(second_id));
    let sent = harness.sent();
    assert_eq!((sent.len(), sent[0].op, sent[0].xid), (1, OpCode::RemoveWatches, 3));
    let record = WatchesRequest::from_bytes(&sent[0].record).unwrap();
    assert_eq!((record.path.as_str(), record.kind), ("/a", 2));
    harness.reply(3, 1, -121);
    let call = harness.read();
    harness.sent();
    harness.reply(4, 1, 0);
    assert!(call.is_ok(), "a server that knows no such watch does no harm");
}

#[test]
fn a_watch_dropped_while_its_call_is_under_way_is_removed_with_the_reply() {
    let mut harness = Harness::connected(1);
    let (call, watched, id) = harness.watch(WatchKind::Child);
    harness.sent();
    call.abandon();
    watched.abandon();
    harness.command(Command::Unwatch(id));
    assert_eq!(harness.ops(), []);
    harness.reply(1, 1, 0);
    assert_eq!(harness.ops(), [OpCode::RemoveWatches]);
}

#[test]
fn a_watch_dropped_while_cut_off_needs_no_request() {
    let mut harness = Harness::connected(1);
    let (_, watched, id) = harness.watch(WatchKind::Data);
    harness.sent();
    harness.reply(1, 1, 0);
    harness.lost();
    watched.abandon();
    harness.command(Command::Unwatch(id));
    harness.accept();
    assert_eq!(harness.ops(), []);
}

#[test]
fn a_removal_does_not_outlive_its_connection() {
    let mut harness = Harness::connected(1);
    let (_, _watched, id) = harness.watch(WatchKind::Data);
    harness.sent();
    harness.reply(1, 1, 0);
    harness.command(Command::Unwatch(id));
    assert_eq!(reconnect(&mut harness), []);
}

#[test]
fn every_watch_learns_of_the_sessions_end() {
    for (state, kind) in [("expired", EventKind::SessionExpired), ("closed", EventKind::Closed)] {
        let mut harness = Harness::connected(1);
        let (_, one_shot, _) = harness.watch(WatchKind::Data);
        let (_, persistent, _) = harness.watch(WatchKind::Persistent);
        harness.sent();
        harness.reply(1, 1, 0);
        harness.reply(2, 1, 0);
        if state == "expired" {
            harness.lost();
            harness.open();
            harness.grant(Duration::ZERO, false);
        } else {
            harness.close();
            harness.sent();
            harness.reply(3, 1, 0);
        }
        assert_eq!(one_shot.take(), [kind]);
        assert_eq!(persistent.take(), [kind]);
    }
}
