//! Changes of members, asked of three members (protocol §4.4).

use super::ensemble::Ensemble;
use super::*;
use crate::tree::CONFIG_PATH;
use crate::wire::proto::GetDataResponse;

fn changeable() -> Ensemble {
    Ensemble::with(|config| {
        config.reconfig_enabled = true;
        config.auth.skip_acl = true;
    })
}

fn joining(servers: &str) -> ReconfigRequest {
    ReconfigRequest { joining: Some(servers.into()), config_version: -1, ..ReconfigRequest::default() }
}

fn leaving(ids: &str) -> ReconfigRequest {
    ReconfigRequest { leaving: Some(ids.into()), config_version: -1, ..ReconfigRequest::default() }
}

/// Asks at `id`, in a session of its own.
fn ask(ensemble: &mut Ensemble, id: i64, request: &ReconfigRequest) -> (ReplyHeader, Bytes) {
    let session = ensemble.connect(id, CONN, 0).unwrap().session_id;
    ensemble.member(id).send(CONN, session, OpCode::Reconfig, request);
    ensemble.settle();
    split(&ensemble.members[&id].replies().first().unwrap().frame)
}

fn shown(ensemble: &Ensemble, id: i64) -> (String, Zxid) {
    let tree = ensemble.members[&id].shared.tree();
    let node = tree.node(CONFIG_PATH).unwrap();
    (String::from_utf8(node.data().unwrap().to_vec()).unwrap(), node.persisted().mzxid)
}

#[test]
fn every_member_shows_the_members_in_force() {
    let ensemble = Ensemble::new();
    let first = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:participant\nversion=0";
    for id in [1, 2, 3] {
        assert_eq!(shown(&ensemble, id), (first.to_owned(), Zxid::ZERO));
    }
    let ensemble = changeable();
    for id in [1, 2, 3] {
        assert_eq!(shown(&ensemble, id), (first.replace("version=0", "version=100000000"), Zxid::new(1, 0)));
    }
}

#[test]
fn a_member_joins_by_a_request_to_a_follower() {
    let mut ensemble = changeable();
    let follower = ensemble.follower();
    let watcher = PathRequest { path: CONFIG_PATH.into(), watch: true };
    ensemble.member(follower).read(0, OpCode::GetData, &watcher);
    let (header, body) = ask(&mut ensemble, follower, &joining("server.4=d:1:2:observer;d:2181"));
    assert_eq!(header.err, 0);
    let GetDataResponse { data, stat } = GetDataResponse::from_bytes(&body).unwrap();
    let text = String::from_utf8(data.unwrap().to_vec()).unwrap();
    assert!(text.contains("server.4=d:1:2:observer;d:2181\n"), "{text}");
    assert!(text.ends_with(&format!("version={:x}", header.zxid.0)), "{text}");
    assert_eq!((stat.mzxid, stat.version), (header.zxid, -1));
    for id in [1, 2, 3] {
        assert_eq!(shown(&ensemble, id), (text.clone(), header.zxid));
        assert_eq!(ensemble.members[&id].replica.peer.members().members.len(), 4);
    }
    let events = std::mem::take(&mut *ensemble.members[&follower].told.0.lock().unwrap());
    assert_eq!(events.len(), 1, "the watch fires once");
    ensemble.assert_equal();
}

#[test]
fn all_members_are_named_at_once() {
    let mut ensemble = changeable();
    let leader = ensemble.leader();
    let all = "server.1=a:1:2,server.2=b:1:2,server.3=c:1:2:participant,server.4=d:1:2:observer";
    let request = ReconfigRequest { new_members: Some(all.into()), config_version: -1, ..ReconfigRequest::default() };
    let (header, _) = ask(&mut ensemble, leader, &request);
    assert_eq!(header.err, 0);
    assert_eq!(ensemble.members[&leader].replica.peer.members().members.len(), 4);
}

#[test]
fn the_leader_itself_leaves_and_another_takes_over() {
    let mut ensemble = changeable();
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    let (header, _) = ask(&mut ensemble, follower, &leaving(&leader.to_string()));
    assert_eq!(header.err, 0);
    for _ in 0..30 {
        ensemble.pass(100);
    }
    let next = ensemble.leader();
    assert!(next != leader && ensemble.members[&next].replica.peer.members().members.len() == 2);
    let (header, _) = ask(&mut ensemble, next, &joining("server.9=x:1:2:observer;2181"));
    assert_eq!(header.err, 0, "the next leader serves");
}

#[test]
fn what_cannot_be_is_refused() {
    let table = [
        (ReconfigRequest { config_version: 7, ..joining("server.4=d:1:2:observer;2181") }, ErrorCode::BadVersion),
        (joining("server.4=d:1:2:observer"), ErrorCode::BadArguments),
        (joining("server.4=a:1:3:observer;2181"), ErrorCode::BadArguments),
        (joining("peter.4=d:1:2:observer;2181"), ErrorCode::BadArguments),
        (joining("nonsense"), ErrorCode::BadArguments),
        (leaving("one"), ErrorCode::BadArguments),
        (leaving("1,2"), ErrorCode::BadArguments),
        (joining("server.4=d:1:2;1,server.5=e:1:2;1,server.6=f:1:2;1,server.7=g:1:2;1"), ErrorCode::NewConfigNoQuorum),
    ];
    let mut ensemble = changeable();
    let leader = ensemble.leader();
    for (request, expected) in table {
        assert_eq!(err(&ask(&mut ensemble, leader, &request)), expected, "{request:?}");
    }
    assert_eq!(ensemble.members[&leader].replica.peer.members().version, 0x1_0000_0000, "the first reign's");
}

#[test]
fn one_voter_may_remain_where_no_server_stands_alone() {
    for (standalone_enabled, expected) in [(true, ErrorCode::BadArguments), (false, ErrorCode::Ok)] {
        let mut ensemble = Ensemble::with(|config| {
            config.reconfig_enabled = true;
            config.standalone_enabled = standalone_enabled;
            config.auth.skip_acl = true;
        });
        let leader = ensemble.leader();
        let others: Vec<String> = [1, 2, 3].iter().filter(|id| **id != leader).map(i64::to_string).collect();
        assert_eq!(err(&ask(&mut ensemble, leader, &leaving(&others.join(",")))), expected);
    }
}

#[test]
fn only_who_may_write_the_znode_changes_members_and_only_where_it_is_enabled() {
    let request = joining("server.4=d:1:2:observer;2181");
    let mut ensemble = Ensemble::with(|config| config.reconfig_enabled = true);
    let leader = ensemble.leader();
    assert_eq!(err(&ask(&mut ensemble, leader, &request)), ErrorCode::NoAuth);
    let mut ensemble = Ensemble::new();
    let follower = ensemble.follower();
    assert_eq!(err(&ask(&mut ensemble, follower, &request)), ErrorCode::ReconfigDisabled);
}

#[test]
fn a_second_change_waits_for_the_first() {
    let mut ensemble = changeable();
    let leader = ensemble.leader();
    let session = ensemble.connect(leader, CONN, 0).unwrap().session_id;
    let member = ensemble.member(leader);
    member.send(CONN, session, OpCode::Reconfig, &joining("server.4=d:1:2:observer;2181"));
    member.send(CONN, session, OpCode::Reconfig, &joining("server.5=e:1:2:observer;2181"));
    ensemble.settle();
    assert_eq!(ensemble.codes(leader), [0, ErrorCode::ReconfigInProgress.code()]);
}
