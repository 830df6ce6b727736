//! Leaving a server for a better one: the search for one that writes, and new lists of hosts.

use std::time::Duration;

use super::harness::{Harness, TIMEOUT};
use crate::client::State;
use crate::client::event::EventKind;
use crate::client::request::{Command, WatchKind};
use crate::wire::{HostPort, OpCode};

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(1);

/// A session at a server that only reads.
fn read_only(hosts: u16) -> Harness {
    let mut harness = Harness::with(hosts, |config| config.read_only = true);
    harness.open();
    harness.grant(TIMEOUT, true);
    harness.log();
    harness
}

/// Lets time pass at a server that answers pings; what the session says, and in which second.
fn pass(harness: &mut Harness, time: Duration, mut on_each: impl FnMut(&mut Harness)) -> Vec<(u64, String)> {
    let (began, mut said) = (harness.now, Vec::new());
    while harness.now < began + time {
        harness.pass(SECOND);
        for ping in harness.sent() {
            harness.reply(ping.xid, 1, 0);
        }
        let second = (harness.now - began).as_secs();
        for line in harness.log() {
            on_each(harness);
            said.push((second, line));
        }
    }
    said
}

fn hosts(ports: &[u16]) -> Vec<HostPort> {
    ports.iter().map(|port| HostPort { host: "h".into(), port: *port }).collect()
}

#[test]
fn a_server_that_writes_is_looked_for_more_and_more_seldom() {
    let mut harness = read_only(2);
    let asked = pass(&mut harness, Duration::from_secs(400), |harness| {
        harness.session.asked(harness.now, false);
    });
    let times: Vec<u64> = asked.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [1, 2, 4, 6, 10, 14, 22, 30, 46, 62, 94, 126, 186, 246, 306, 366]);
    let ports = |port| asked.iter().filter(|(_, line)| line == port).count();
    assert_eq!((ports("ask 1"), ports("ask 2")), (8, 8), "one host after the other");
    assert_eq!(harness.state(), State::ConnectedReadOnly);
}

#[test]
fn a_host_that_does_not_answer_is_given_up() {
    let mut harness = read_only(1);
    let said = pass(&mut harness, Duration::from_secs(20), |_| {});
    // It may take as long as a connection may take to be opened: with one host, the session timeout of 9 s.
    assert_eq!(said, [(1, "ask 1".to_owned()), (12, "ask 1".to_owned())]);
}

#[test]
fn the_client_moves_to_the_host_that_writes_once_its_calls_are_answered() {
    let mut harness = read_only(3);
    let (_, watched, _) = harness.watch(WatchKind::Persistent);
    harness.sent();
    harness.reply(1, 1, 0);
    let under_way = harness.read();
    harness.sent();
    harness.pass(SECOND);
    let host = harness.log()[0].strip_prefix("ask ").unwrap().to_owned();
    harness.session.asked(harness.now, true);
    let later = harness.write();
    assert_eq!(harness.ops(), [], "what comes now is for the next server");
    assert_eq!(harness.state(), State::ConnectedReadOnly);
    harness.reply(2, 1, 0);
    assert!(under_way.is_ok() && later.is_waiting());
    assert_eq!(harness.log(), ["disconnect".to_owned(), "Suspended".to_owned(), format!("connect {host}")]);
    let greeting = harness.open();
    assert_eq!((greeting.session_id, greeting.read_only), (0, Some(true)), "the ensemble gives a session of its own");
    harness.grant(TIMEOUT, false);
    assert_eq!(harness.state(), State::Connected);
    assert_eq!(watched.take(), [EventKind::Resynced]);
    assert_eq!(harness.ops(), [OpCode::SetWatches2, OpCode::SetData]);
    harness.log();
    harness.pass(TIMEOUT / 3);
    assert_eq!(harness.log(), Vec::<String>::new(), "nobody is asked any more");
}

#[test]
fn a_call_that_is_never_answered_holds_the_move_up_for_a_while_only() {
    let mut harness = read_only(2);
    let call = harness.read();
    harness.sent();
    harness.pass(SECOND);
    harness.session.asked(harness.now, true);
    harness.log();
    harness.pass(TIMEOUT / 3 - MOMENT);
    assert!(call.is_waiting());
    harness.pass(MOMENT);
    assert!(call.lost());
    assert_eq!(harness.log()[..2], ["disconnect", "Suspended"]);
}

#[test]
fn an_answer_that_comes_too_late_moves_nobody() {
    let mut harness = read_only(2);
    harness.pass(SECOND);
    harness.lost();
    harness.log();
    harness.session.asked(harness.now, true);
    assert_eq!(harness.log(), Vec::<String>::new());
    harness.open();
    harness.grant(TIMEOUT, false);
    harness.session.asked(harness.now, true);
    assert_eq!(harness.state(), State::Connected);
}

#[test]
fn a_client_whose_server_was_removed_moves_and_no_call_fails() {
    let mut harness = Harness::new(1);
    harness.accept();
    harness.log();
    let call = harness.read();
    harness.sent();
    harness.command(Command::SetHosts(hosts(&[2, 3])));
    let later = harness.read();
    assert_eq!(harness.log(), Vec::<String>::new());
    harness.reply(1, 7, 0);
    assert!(call.is_ok());
    let log = harness.log();
    assert!(log[2] == "connect 2" || log[2] == "connect 3", "{log:?}");
    assert_eq!(harness.accept().last_zxid_seen.0, 7);
    harness.sent();
    harness.reply(2, 7, 0);
    assert!(later.is_ok());
}

#[test]
fn a_client_whose_server_stays_stays_when_servers_go() {
    let mut harness = Harness::new(3);
    let port: u16 = harness.log()[0].strip_prefix("connect ").unwrap().parse().unwrap();
    harness.accept();
    harness.log();
    harness.command(Command::SetHosts(hosts(&[port])));
    assert_eq!(harness.log(), Vec::<String>::new());
    harness.read();
    harness.sent();
    harness.reply(1, 1, 0);
    harness.lost();
    assert_eq!(harness.log(), ["Suspended".to_owned(), format!("connect {port}")]);
}

#[test]
fn a_host_that_is_being_tried_is_left_when_it_is_not_in_the_new_list() {
    let mut harness = Harness::new(1);
    harness.log();
    harness.command(Command::SetHosts(hosts(&[9])));
    assert_eq!(harness.log(), ["disconnect", "connect 9"]);
    harness.lost();
    harness.log();
    harness.command(Command::SetHosts(hosts(&[4])));
    harness.pass(SECOND);
    assert_eq!(harness.log(), ["connect 4"], "after the delay that was on");
}
