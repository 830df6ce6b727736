//! The end of a session at the application's wish.

use std::time::Duration;

use super::harness::{Harness, ID, TIMEOUT};
use crate::client::error::Cause;
use crate::client::event::EventKind;
use crate::client::request::{Command, WatchKind};
use crate::client::{SessionCredentials, State};
use crate::wire::{OpCode, Zxid};

#[test]
fn closing_answers_what_was_called_before_and_refuses_what_comes_after() {
    let mut harness = Harness::connected(1);
    let before = harness.read();
    let close = harness.close();
    let again = harness.close();
    let after = harness.read();
    assert!(matches!(after.cause(), Cause::Closed));
    assert_eq!(harness.ops(), [OpCode::GetData, OpCode::CloseSession]);
    harness.reply(1, 1, 0);
    assert!(before.is_ok() && close.is_waiting());
    harness.reply(2, 2, 0);
    assert!(close.is_ok() && again.is_ok());
    assert_eq!(harness.log(), ["Closed", "disconnect"]);
    assert!(harness.close().is_ok());
}

#[test]
fn closing_while_cut_off_keeps_nobody_waiting_for_more_than_one_round() {
    let mut harness = Harness::connected(2);
    harness.lost();
    let close = harness.close();
    harness.accept();
    assert_eq!(harness.ops(), [OpCode::CloseSession]);
    harness.lost();
    harness.accept();
    assert_eq!(harness.ops(), [OpCode::CloseSession], "said again on the next connection");
    harness.lost();
    harness.lost();
    harness.lost();
    assert!(close.lost());
    assert_eq!(harness.state(), State::Closed);
    assert_eq!(harness.valid_until(), None);
    assert!(harness.close().is_ok(), "closed is closed");
    assert!(matches!(harness.read().cause(), Cause::Closed));
}

/// A server that was restarted just when its client was dropped never heard of the end, and kept the ephemeral znodes until the session
/// timed out.
#[test]
fn closing_goes_on_behind_the_callers_backs_until_a_server_has_heard_it() {
    let mut harness = Harness::connected(1);
    let (_, watched, _) = harness.watch(WatchKind::Data);
    harness.sent();
    harness.reply(1, 1, 0);
    harness.lost();
    harness.lost();
    harness.log();
    let close = harness.close();
    harness.lost();
    assert!(close.lost());
    assert_eq!(watched.take(), [EventKind::Closed]);
    assert_eq!(harness.log(), ["connect 1", "Closed"]);
    for _ in 0..3 {
        harness.pass(TIMEOUT / 6);
        harness.lost();
    }
    harness.pass(TIMEOUT / 3);
    harness.log();
    let greeting = harness.accept();
    assert_eq!(greeting.session_id, ID);
    assert_eq!(harness.ops(), [OpCode::CloseSession], "no watches, no credentials");
    assert!(!harness.session.is_ended());
    harness.reply(2, 2, 0);
    assert!(harness.session.is_ended());
    assert_eq!(harness.log(), ["disconnect"], "closed it was already");
}

#[test]
fn closing_is_given_up_when_the_session_has_timed_out_anyway() {
    let mut harness = Harness::connected(1);
    harness.lost();
    harness.lost();
    let close = harness.close();
    let began = harness.now;
    harness.lost();
    assert!(close.lost());
    while !harness.session.is_ended() {
        let due = harness.session.poll_timeout().unwrap() - harness.now;
        harness.pass(due);
        harness.lost();
    }
    assert_eq!(harness.now, began + TIMEOUT);
}

/// The server may have granted a session whose client was gone before it knew: that session was left to time out.
#[test]
fn a_client_closed_in_its_first_handshake_closes_the_session_it_is_given() {
    let mut harness = Harness::new(1);
    let call = harness.read();
    harness.open();
    call.abandon();
    let close = harness.close();
    assert!(close.is_waiting() && !harness.session.is_ended());
    harness.grant(TIMEOUT, false);
    assert_eq!(harness.ops(), [OpCode::CloseSession]);
    harness.reply(1, 1, 0);
    assert!(close.is_ok() && harness.session.is_ended());
}

#[test]
fn a_first_handshake_that_fails_leaves_nothing_to_close() {
    let mut harness = Harness::new(3);
    harness.open();
    let close = harness.close();
    harness.log();
    harness.lost();
    assert!(close.lost() && harness.session.is_ended(), "there may be a session, and nobody knows its id");
    assert_eq!(harness.connects(), 0);
}

#[test]
fn the_session_of_a_read_only_server_needs_no_other_server_to_be_closed() {
    let mut harness = Harness::with(2, |config| config.read_only = true);
    harness.open();
    harness.grant(TIMEOUT, true);
    let close = harness.close();
    assert_eq!(harness.ops(), [OpCode::CloseSession]);
    harness.log();
    harness.lost();
    assert!(close.lost() && harness.session.is_ended());
    assert_eq!(harness.connects(), 0);
}

#[test]
fn closing_ends_with_the_timeout_at_the_latest() {
    let mut harness = Harness::connected(1);
    let close = harness.close();
    harness.sent();
    harness.pass(TIMEOUT * 2);
    assert!(close.lost() && harness.session.is_ended());
}

#[test]
fn closing_before_there_is_a_session_asks_nobody() {
    let mut harness = Harness::new(1);
    let call = harness.read();
    assert!(harness.close().is_ok());
    assert!(matches!(call.cause(), Cause::Closed));
}

#[test]
fn a_session_that_expired_while_closing_is_closed() {
    let mut harness = Harness::connected(1);
    harness.lost();
    let close = harness.close();
    harness.pass(Duration::from_secs(1));
    harness.open();
    harness.grant(Duration::ZERO, false);
    assert!(close.is_ok());
    assert_eq!(harness.state(), State::Closed);
}

/// A program that could not resume its session in time tried again, and its first attempt closed the session behind its back.
#[test]
fn a_client_dropped_before_its_session_was_resumed_leaves_that_session_alone() {
    let resume = SessionCredentials { id: ID, password: [3; 16], last_zxid: Zxid(4) };
    for opens in [false, true] {
        let mut harness = Harness::with(2, |config| config.resume = Some(resume));
        if opens {
            harness.open();
        }
        harness.command(Command::Close(None));
        assert!(harness.session.is_ended());
        assert_eq!(harness.connects(), 1, "the one from before");
    }
    let mut harness = Harness::with(2, |config| config.resume = Some(resume));
    let close = harness.close();
    harness.accept();
    assert_eq!(harness.ops(), [OpCode::CloseSession], "whoever says so means it");
    harness.reply(1, 5, 0);
    assert!(close.is_ok());
}

/// A client whose session was resumed elsewhere took it back, again and again, when it only was forgotten and not told to end.
#[test]
fn a_detached_client_ends_and_its_session_does_not() {
    let mut harness = Harness::connected(1);
    let read = harness.read();
    harness.sent();
    harness.command(Command::Detach(None));
    assert_eq!((harness.state(), harness.ops()), (State::Closed, vec![]), "nobody is told of an end");
    assert!(harness.session.is_ended());
    assert!(!read.is_waiting());
    assert_eq!(harness.credentials().unwrap().id, ID, "what it takes to resume it");
}

/// A session under its way to the end was handed on as if somebody could resume it.
#[test]
fn a_session_that_is_being_closed_is_handed_to_nobody() {
    let mut harness = Harness::connected(1);
    let close = harness.close();
    let detach = harness.detach();
    assert!(matches!(detach.cause(), Cause::Closed), "it is on its way to the end");
    assert!(close.is_waiting(), "and goes on to it");
    assert_eq!(harness.ops(), [OpCode::CloseSession]);
    harness.reply(1, 5, 0);
    assert!(close.is_ok());
    assert!(matches!(harness.detach().cause(), Cause::Closed));
}
