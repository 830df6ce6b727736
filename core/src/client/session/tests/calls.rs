//! What becomes of calls: order, loss, abandonment, credentials.

use std::time::Duration;

use super::harness::Harness;
use crate::client::State;
use crate::client::error::Cause;
use crate::wire::proto::xid;
use crate::wire::{ErrorCode, OpCode};

#[test]
fn replies_complete_calls_in_order() {
    let mut harness = Harness::connected(1);
    let (read, write) = (harness.read(), harness.write());
    let xids: Vec<i32> = harness.sent().into_iter().map(|got| got.xid).collect();
    assert_eq!(xids, [1, 2]);
    harness.reply(1, 3, 0);
    assert!(read.is_ok() && write.is_waiting());
    harness.reply(2, 4, -103);
    assert!(matches!(write.cause(), Cause::Code { code: ErrorCode::BadVersion, write: true }));
}

#[test]
fn a_lost_connection_fails_what_was_sent_and_keeps_what_was_queued() {
    let mut harness = Harness::connected(1);
    let (read, write) = (harness.read(), harness.write());
    harness.sent();
    let queued = harness.write();
    harness.lost();
    assert!(read.lost() && write.lost_and_unknown() && queued.is_waiting());
    harness.pass(Duration::from_secs(1));
    harness.accept();
    let sent = harness.sent();
    assert_eq!((sent.len(), sent[0].op, sent[0].xid), (1, OpCode::SetData, 3));
    harness.reply(3, 9, 0);
    assert!(queued.is_ok());
}

#[test]
fn a_reply_out_of_order_ends_the_connection() {
    let mut harness = Harness::connected(1);
    let (read, write) = (harness.read(), harness.write());
    harness.sent();
    harness.reply(2, 3, 0);
    assert!(read.lost() && write.lost_and_unknown());
    assert_eq!(harness.state(), State::Suspended);
}

#[test]
fn an_abandoned_call_is_not_sent_or_its_reply_is_ignored() {
    let mut harness = Harness::connected(1);
    let (sent, queued, other) = (harness.read(), harness.read(), harness.read());
    queued.abandon();
    assert_eq!(harness.sent().len(), 2);
    sent.abandon();
    harness.reply(1, 3, 0);
    harness.reply(2, 3, 0);
    assert!(queued.is_waiting() && other.is_ok());
    assert_eq!(harness.state(), State::Connected);
}

#[test]
fn calls_made_before_there_is_a_session_wait_for_it() {
    let mut harness = Harness::new(1);
    let call = harness.read();
    assert_eq!(harness.open().session_id, 0);
    assert_eq!(harness.ops(), [], "nothing but the greeting before the answer");
    harness.grant(Duration::from_secs(9), false);
    assert_eq!(harness.ops(), [OpCode::GetData]);
    assert!(call.is_waiting());
}

#[test]
fn credentials_are_presented_on_every_connection_before_all_else() {
    let mut harness = Harness::with(1, |config| config.auths = vec![("digest".into(), "bob:secret".into())]);
    harness.accept();
    harness.read();
    let later = harness.auth();
    assert_eq!(harness.ops(), [OpCode::Auth, OpCode::GetData, OpCode::Auth]);
    harness.reply(xid::AUTH, 0, 0);
    assert!(later.is_waiting(), "that was the first one's answer");
    harness.lost();
    assert!(later.is_waiting(), "it will be presented again");
    harness.pass(Duration::from_secs(1));
    harness.accept();
    harness.read();
    let sent = harness.sent();
    assert_eq!(sent.iter().map(|got| got.op).collect::<Vec<_>>(), [OpCode::Auth, OpCode::Auth, OpCode::GetData]);
    assert!(sent[..2].iter().all(|got| got.xid == xid::AUTH));
    harness.reply(xid::AUTH, 0, 0);
    harness.reply(xid::AUTH, 0, 0);
    assert!(later.is_ok());
}

#[test]
fn refused_credentials_end_the_session() {
    let mut harness = Harness::connected(1);
    let (auth, read, write) = (harness.auth(), harness.read(), harness.write());
    harness.sent();
    harness.reply(xid::AUTH, 0, -115);
    assert_eq!(harness.log(), ["AuthFailed", "disconnect"]);
    assert!(matches!(auth.cause(), Cause::AuthFailed));
    assert!(matches!(read.cause(), Cause::AuthFailed));
    assert!(write.lost_and_unknown(), "a write that was sent stays unknown");
}

#[test]
fn everything_queued_goes_out_in_one_batch() {
    let mut harness = Harness::connected(1);
    for _ in 0..100 {
        harness.read();
    }
    let mut out = bytes::BytesMut::new();
    harness.session.transmit(harness.now, &mut out);
    assert_eq!(out.len(), 100 * 12);
    assert!(!harness.session.wants_to_transmit());
}

#[test]
fn bytes_that_are_no_reply_end_the_connection() {
    let mut harness = Harness::connected(1);
    let read = harness.read();
    harness.sent();
    harness.receive(&7_i32);
    assert!(read.lost());
    assert_eq!(harness.state(), State::Suspended);
}
