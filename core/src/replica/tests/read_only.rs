//! A member without a leader that serves readers (protocol §2.13).

use super::ensemble::Ensemble;
use super::*;

/// The last of three members, and a session that was opened while there were three.
fn last_of_three(read_only_mode_enabled: bool) -> (Ensemble, i64, i64) {
    let mut ensemble = Ensemble::with(|config| config.read_only_mode_enabled = read_only_mode_enabled);
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    let session = ensemble.connect(leader, 1, 0).unwrap().session_id;
    ensemble.member(leader).send(1, session, OpCode::Create, &create("/a", 0));
    ensemble.settle();
    assert_eq!(ensemble.codes(leader), [0]);
    ensemble.members.retain(|id, _| *id == leader || *id == follower);
    ensemble.kill(follower);
    for _ in 0..100 {
        if matches!(ensemble.members[&leader].replica.role(), Role::Looking) {
            break;
        }
        ensemble.pass(500);
    }
    (ensemble, leader, session)
}

#[test]
fn who_only_reads_is_served_after_a_while_without_a_leader() {
    let (mut ensemble, last, session) = last_of_three(true);
    assert_eq!(ensemble.connect_as(last, 2, 0, Some(true)), None, "it may find a leader yet");
    ensemble.pass(2_000);
    assert!(ensemble.members[&last].replica.serves_read_only());
    assert!(ensemble.answers.contains(&(last, Output::ReadOnly(true))));
    let reader = ensemble.connect_as(last, CONN, 0, Some(true)).unwrap();
    assert_eq!((reader.read_only, reader.timeout_ms), (Some(true), 4_000));
    for (conn, resumed, read_only) in [(3, 0, Some(false)), (4, 0, None), (5, session, Some(true))] {
        assert_eq!(ensemble.connect_as(last, conn, resumed, read_only), None);
        assert!(ensemble.was_closed(last, conn));
    }
    let member = ensemble.member(last);
    let found = member.read(reader.session_id, OpCode::GetData, &PathRequest { path: "/a".into(), watch: false });
    assert_eq!(err(&found), ErrorCode::Ok);
    member.send(CONN, reader.session_id, OpCode::Create, &create("/b", 0));
    member.send(CONN, reader.session_id, OpCode::Sync, &PathOnly { path: "/a".into() });
    ensemble.settle();
    assert_eq!(ensemble.codes(last), [ErrorCode::NotReadOnly.code(); 2]);
    assert!(!ensemble.members[&last].shared.sessions().contains_key(&reader.session_id), "it is this member's alone");
    ensemble.member(last).send(CONN, reader.session_id, OpCode::CloseSession, &0);
    let replies = ensemble.members[&last].replies();
    assert!(replies.len() == 1 && replies[0].close);
}

#[test]
fn a_reader_that_is_not_heard_of_loses_its_connection() {
    let (mut ensemble, last, _) = last_of_three(true);
    ensemble.pass(2_000);
    let session = ensemble.connect_as(last, CONN, 0, Some(true)).unwrap().session_id;
    for _ in 0..10 {
        let at_ms = ensemble.now.monotonic_ms;
        ensemble.input(last, Input::Touched(vec![(session, at_ms)]));
        ensemble.pass(1_000);
    }
    assert!(!ensemble.was_closed(last, CONN), "it is heard of");
    for _ in 0..10 {
        ensemble.pass(1_000);
    }
    assert!(ensemble.was_closed(last, CONN));
}

#[test]
fn readers_go_when_there_may_be_a_leader() {
    let (mut ensemble, last, _) = last_of_three(true);
    ensemble.pass(2_000);
    ensemble.connect_as(last, CONN, 0, Some(true)).unwrap();
    // Another server votes for it: it begins to gather a quorum.
    ensemble.echo_votes = true;
    for _ in 0..100 {
        ensemble.pass(500);
    }
    ensemble.echo_votes = false;
    assert!(!ensemble.members[&last].replica.serves_read_only());
    assert!(ensemble.was_closed(last, CONN) && ensemble.answers.contains(&(last, Output::ReadOnly(false))));
}

#[test]
fn nobody_is_served_where_it_is_not_enabled() {
    let (mut ensemble, last, _) = last_of_three(false);
    ensemble.pass(60_000);
    assert!(!ensemble.members[&last].replica.serves_read_only());
    assert_eq!(ensemble.connect_as(last, CONN, 0, Some(true)), None);
}
