//! Hosts, handshakes, pings, silence, expiry, the end.

use std::time::Duration;

use bytes::Bytes;

use super::harness::{Harness, ID, TIMEOUT};
use crate::client::error::Cause;
use crate::client::{SessionCredentials, State};
use crate::wire::proto::xid;
use crate::wire::{OpCode, Zxid};

const MOMENT: Duration = Duration::from_millis(1);

#[test]
fn a_new_session_says_hello_with_nothing_known() {
    let mut harness = Harness::new(1);
    assert_eq!(harness.log(), ["connect 1"]);
    let greeting = harness.accept();
    assert_eq!((greeting.session_id, greeting.last_zxid_seen, greeting.timeout_ms), (0, Zxid::ZERO, 9000));
    assert_eq!((greeting.password, greeting.read_only), (Some(Bytes::from_static(&[0; 16])), Some(false)));
    assert_eq!(harness.log(), ["Connected"]);
    assert_eq!(harness.credentials().unwrap().id, ID);
}

#[test]
fn a_ping_goes_out_after_a_third_of_the_timeout_without_requests() {
    let mut harness = Harness::connected(1);
    harness.pass(TIMEOUT / 3 - MOMENT);
    assert_eq!(harness.ops(), []);
    harness.pass(MOMENT);
    let sent = harness.sent();
    assert_eq!((sent.len(), sent[0].xid, sent[0].op), (1, xid::PING, OpCode::Ping));
    harness.reply(xid::PING, 5, 0);
    harness.pass(TIMEOUT / 3 - MOMENT);
    harness.read();
    assert_eq!(harness.ops(), [OpCode::GetData], "a request is as good as a ping");
    harness.pass(TIMEOUT / 3 - MOMENT);
    assert_eq!(harness.ops(), []);
}

#[test]
fn another_server_is_looked_for_after_two_thirds_of_silence() {
    let mut harness = Harness::connected(2);
    harness.pass(TIMEOUT * 2 / 3 - MOMENT);
    assert_eq!(harness.log(), Vec::<String>::new());
    harness.pass(MOMENT);
    assert_eq!(harness.state(), State::Suspended);
    let log = harness.log();
    assert_eq!((log.len(), log[0].as_str(), log[1].as_str()), (3, "disconnect", "Suspended"));
    assert!(log[2].starts_with("connect"));
}

#[test]
fn the_negotiated_timeout_rules_and_not_the_wish() {
    let mut harness = Harness::new(1);
    harness.open();
    harness.grant(Duration::from_secs(30), false);
    harness.pass(Duration::from_secs(10) - MOMENT);
    assert_eq!(harness.ops(), []);
    harness.pass(MOMENT);
    assert_eq!(harness.ops(), [OpCode::Ping]);
}

#[test]
fn a_session_is_resumed_with_what_was_seen() {
    let mut harness = Harness::connected(1);
    harness.read();
    harness.sent();
    harness.reply(1, 0x77, 0);
    harness.lost();
    let greeting = harness.accept();
    assert_eq!((greeting.session_id, greeting.last_zxid_seen), (ID, Zxid(0x77)));
    assert_eq!(greeting.password, Some(Bytes::from_static(&[7; 16])));
    assert_eq!(harness.state(), State::Connected);
}

#[test]
fn credentials_from_elsewhere_resume_a_session() {
    let resume = SessionCredentials { id: 0x99, password: [3; 16], last_zxid: Zxid(4) };
    let mut harness = Harness::with(1, |config| config.resume = Some(resume));
    let greeting = harness.open();
    assert_eq!((greeting.session_id, greeting.last_zxid_seen), (0x99, Zxid(4)));
    harness.grant(Duration::ZERO, false);
    assert_eq!(harness.state(), State::Expired);
}

/// A server that gives another session says that the one asked for is no more. It was taken for the old one: whoever held a lock through
/// an ephemeral znode was `Connected` and told of nothing.
#[test]
fn another_session_than_the_one_asked_for_means_that_it_has_expired() {
    let resume = SessionCredentials { id: ID + 1, password: [3; 16], last_zxid: Zxid(4) };
    let mut harness = Harness::with(1, |config| config.resume = Some(resume));
    let call = harness.read();
    harness.accept();
    assert_eq!(harness.log()[1..], ["Expired", "disconnect"]);
    assert!(matches!(call.cause(), Cause::SessionExpired));
    assert_eq!((harness.credentials().unwrap().id, harness.valid_until()), (ID + 1, None));
}

#[test]
fn only_a_server_expires_a_session() {
    let mut harness = Harness::connected(1);
    let call = harness.read();
    for _ in 0..100 {
        harness.lost();
        harness.pass(TIMEOUT * 100);
        assert_eq!(harness.state(), State::Suspended);
    }
    assert!(call.is_waiting(), "it was never sent, so it waits");
    harness.open();
    harness.grant(Duration::ZERO, false);
    assert_eq!(harness.state(), State::Expired);
    assert!(matches!(call.cause(), Cause::SessionExpired));
    assert!(matches!(harness.read().cause(), Cause::SessionExpired));
    assert_eq!(harness.valid_until(), None);
    assert!(harness.session.poll_timeout().is_none() && harness.session.is_ended());
}

#[test]
fn a_round_goes_through_all_hosts_before_any_delay() {
    let mut harness = Harness::new(3);
    let mut ports = harness.log();
    for _ in 0..2 {
        harness.lost();
        ports.extend(harness.log());
    }
    ports.sort();
    assert_eq!(ports, ["connect 1", "connect 2", "connect 3"]);
    harness.lost();
    assert_eq!(harness.connects(), 0, "the round has failed");
    let mut delays = Vec::new();
    for _ in 0..12 {
        let delay = harness.session.poll_timeout().unwrap() - harness.now;
        delays.push(delay);
        harness.pass(delay);
        for _ in 0..3 {
            harness.lost();
        }
        assert_eq!(harness.connects(), 3);
    }
    assert!(delays[0] >= Duration::from_millis(20) && delays[0] < Duration::from_millis(100));
    assert!(delays.iter().all(|delay| *delay <= TIMEOUT / 3));
    assert!(delays[11] >= TIMEOUT / 6);
}

/// A server was restarted, and the session was lost for nothing: the client of a short session slept for longer than that between two
/// rounds.
#[test]
fn a_delay_is_no_longer_than_a_third_of_the_session_timeout() {
    let granted = Duration::from_secs(4);
    for seed in 0..20 {
        let mut harness = Harness::with(1, |config| config.seed = seed);
        harness.open();
        harness.grant(granted, false);
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            harness.lost();
            let delay = harness.session.poll_timeout().unwrap() - harness.now;
            longest = longest.max(delay);
            harness.pass(delay);
        }
        assert!(longest <= granted / 3 && longest >= granted / 6, "{longest:?}");
    }
}

#[test]
fn every_host_gets_its_share_of_the_timeout() {
    let mut harness = Harness::new(3);
    harness.connects();
    harness.pass(TIMEOUT / 3 - MOMENT);
    assert_eq!(harness.connects(), 0);
    harness.pass(MOMENT);
    assert_eq!(harness.connects(), 1);
    harness.open();
    harness.pass(TIMEOUT / 3);
    assert_eq!(harness.connects(), 1, "an open connection that does not answer the handshake is no better");
}

#[test]
fn a_server_that_only_accepts_does_not_reset_the_delays() {
    let mut harness = Harness::new(1);
    harness.accept();
    harness.log();
    harness.lost();
    assert_eq!(harness.connects(), 0);
    harness.pass(Duration::from_secs(1));
    harness.accept();
    harness.read();
    harness.sent();
    harness.reply(1, 1, 0);
    harness.log();
    harness.lost();
    assert_eq!(harness.connects(), 1, "one that answers does");
}

#[test]
fn a_read_only_server_gives_a_session_of_its_own() {
    let mut harness = Harness::with(1, |config| config.read_only = true);
    assert_eq!(harness.open().read_only, Some(true));
    harness.grant(TIMEOUT, true);
    assert_eq!(harness.state(), State::ConnectedReadOnly);
    harness.lost();
    harness.pass(Duration::from_secs(1));
    assert_eq!(harness.open().session_id, 0, "the ensemble does not know it");
    harness.grant(TIMEOUT, false);
    assert_eq!(harness.state(), State::Connected);
}

#[test]
fn the_session_is_valid_a_timeout_after_the_last_request_acknowledged() {
    let mut harness = Harness::new(1);
    assert_eq!(harness.valid_until(), None);
    harness.accept();
    assert_eq!(harness.valid_until(), Some(TIMEOUT));
    harness.pass(Duration::from_secs(1));
    harness.read();
    harness.sent();
    harness.pass(Duration::from_secs(1));
    harness.notify(1, "/x", 5);
    assert_eq!(harness.valid_until(), Some(TIMEOUT), "an event acknowledges nothing");
    harness.reply(1, 5, -101);
    assert_eq!(harness.valid_until(), Some(TIMEOUT + Duration::from_secs(1)), "from when it was sent");
    harness.lost();
    assert_eq!(harness.valid_until(), Some(TIMEOUT + Duration::from_secs(1)));
}
