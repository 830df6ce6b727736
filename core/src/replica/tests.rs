//! The member driven by hand: inputs in, outputs out, no disk and no socket.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ensemble;
mod read_only;
mod reconfig;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};

use super::read::{self, Caller};
use super::*;
use crate::jute::{Decode, Encode, Reader};
use crate::tree::DataTree;
use crate::watch::Watched;
use crate::wire::proto::{
    ConnectRequest, ConnectResponse, CreateRequest, MultiOp, MultiRequest, MultiResponse, MultiResult, PathOnly,
    PathRequest, PathVersion, ReconfigRequest, ReplyHeader, SetDataRequest, StatResponse, WatcherEvent,
};
use crate::wire::{Acl, ErrorCode, EventKind, Id};

/// Events and replies in their order.
#[derive(Default, Clone)]
struct Told(Arc<Mutex<Vec<Event>>>, Arc<Mutex<Vec<Reply>>>);

/// The frame of a reply, whether the connection is closed after it, and how many events were told before it.
struct Reply {
    frame: Bytes,
    close: bool,
    events_before: usize,
}

/// Whom the member told, and the frame.
type Event = (BTreeSet<ConnId>, Bytes);

impl EventSink for Told {
    fn deliver(&self, _: EventKind, connections: &BTreeSet<ConnId>, _: &[Acl], frame: Bytes) {
        self.0.lock().unwrap().push((connections.clone(), frame));
    }

    fn reply(&self, _: ConnId, frame: Bytes, close: bool) {
        let events_before = self.0.lock().unwrap().len();
        self.1.lock().unwrap().push(Reply { frame, close, events_before });
    }
}

struct Member {
    replica: Replica,
    shared: Arc<Shared>,
    told: Told,
    now: Time,
    xid: i32,
}

fn config(server_id: u8) -> Config {
    Config { extended_types_enabled: true, enforce_quota: true, ..Config::new(server_id) }
}

const CONN: ConnId = 7;

impl Member {
    fn new() -> Self {
        let told = Told::default();
        let shared = Arc::new(Shared::new(DataTree::new(), BTreeMap::new(), Box::new(told.clone())));
        let now = Time { monotonic_ms: 0, wall_ms: 1_000 };
        let config = config(1);
        Member { replica: Replica::new(config, Arc::clone(&shared), now), shared, told, now, xid: 0 }
    }

    /// Outputs, with everything persisted at once.
    fn settle(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        while let Some(output) = self.replica.poll_output() {
            if let Output::Persist { ticket, .. } = &output {
                let through = *ticket;
                self.replica.handle(self.now, Input::Persisted { through });
            }
            outputs.push(output);
        }
        // What validation foresaw is what was applied.
        assert_eq!(self.replica.pending.digest(), self.shared.tree().digest());
        outputs
    }

    fn connect(&mut self, conn: ConnId, session_id: i64, password: Option<Bytes>) -> ConnectResponse {
        let request = ConnectRequest { timeout_ms: 1, session_id, password, ..ConnectRequest::default() };
        self.replica.handle(self.now, Input::Connect { conn, request });
        let found = self.settle().into_iter().find_map(|output| match output {
            Output::Connected { conn: of, response } if of == conn => Some(response),
            _ => None,
        });
        found.unwrap()
    }

    fn send(&mut self, conn: ConnId, session: i64, op: OpCode, body: &impl Encode) {
        self.xid += 1;
        let ids = [Id::new("ip", "127.0.0.1")].into();
        let request = Request { conn, session, ids, xid: self.xid, op, body: body.to_bytes() };
        self.replica.handle(self.now, Input::Request(request));
    }

    fn call(&mut self, session: i64, op: OpCode, body: &impl Encode) -> (ReplyHeader, Bytes) {
        self.send(CONN, session, op, body);
        self.settle();
        split(&self.replies().first().unwrap().frame)
    }

    /// The replies since the last time.
    fn replies(&self) -> Vec<Reply> {
        std::mem::take(&mut *self.told.1.lock().unwrap())
    }

    fn read(&self, session: i64, op: OpCode, body: &impl Encode) -> (ReplyHeader, Bytes) {
        let mut out = BytesMut::new();
        let auth = AuthConfig::default();
        let caller = Caller { conn: CONN, session, ids: &[], auth: &auth };
        read::serve(&self.shared, &self.shared.tree(), caller, 1, op, &body.to_bytes(), &mut out);
        split(&out.freeze())
    }
}

fn split(frame: &Bytes) -> (ReplyHeader, Bytes) {
    let body = frame.slice(4..);
    let mut reader = Reader::new(&body);
    let header = ReplyHeader::decode(&mut reader).unwrap();
    (header, reader.rest())
}

fn create(path: &str, flags: i32) -> CreateRequest {
    CreateRequest { path: path.into(), data: Some(Bytes::from_static(b"x")), acl: Acl::open(), flags }
}

fn err(reply: &(ReplyHeader, Bytes)) -> ErrorCode {
    ErrorCode::from_i32(reply.0.err)
}

#[test]
fn nothing_is_answered_before_it_is_on_disk() {
    let mut member = Member::new();
    let session = member.connect(CONN, 0, None).session_id;
    member.send(CONN, session, OpCode::Create, &create("/a", 0));
    let Some(Output::Persist { ticket, .. }) = member.replica.poll_output() else { panic!("not persisted first") };
    assert_eq!((member.replica.poll_output(), member.replies().len()), (None, 0));
    assert!(member.shared.tree().node("/a").is_none());
    member.replica.handle(member.now, Input::Persisted { through: ticket });
    assert_eq!(member.replies().len(), 1);
    assert!(member.shared.tree().node("/a").is_some());
}

#[test]
fn a_proposed_write_is_seen_by_the_next_one() {
    let mut member = Member::new();
    let session = member.connect(CONN, 0, None).session_id;
    member.send(CONN, session, OpCode::Create, &create("/a", 0));
    member.send(CONN, session, OpCode::Create, &create("/a/s", 2));
    member.send(CONN, session, OpCode::Create, &create("/a/s", 2));
    member.send(CONN, session, OpCode::Delete, &PathVersion { path: "/a".into(), version: -1 });
    member.settle();
    let replies: Vec<_> = member.replies().iter().map(|reply| split(&reply.frame)).collect();
    assert_eq!(PathOnly::from_bytes(&replies[2].1).unwrap().path, "/a/s0000000001");
    assert_eq!(err(&replies[3]), ErrorCode::NotEmpty);
    assert_eq!(member.shared.tree().node("/a").unwrap().stat().cversion, 2);
}

#[test]
fn the_first_failing_check_decides_the_error() {
    let mut member = Member::new();
    let session = member.connect(CONN, 0, None).session_id;
    let mut code = |op, body: &dyn Fn(&mut BytesMut)| {
        let mut bytes = BytesMut::new();
        body(&mut bytes);
        member.xid += 1;
        let ids = [Id::new("ip", "127.0.0.1")].into();
        let request = Request { conn: CONN, session, ids, xid: member.xid, op, body: bytes.freeze() };
        member.replica.handle(member.now, Input::Request(request));
        member.settle();
        err(&split(&member.replies().last().unwrap().frame))
    };
    let no_acl = CreateRequest { acl: Vec::new(), ..create("/b/c", 0) };
    assert_eq!(code(OpCode::Create, &|out| create("/a", 9).encode(out)), ErrorCode::BadArguments);
    assert_eq!(code(OpCode::Create, &|out| create("nothing", 0).encode(out)), ErrorCode::BadArguments);
    assert_eq!(code(OpCode::Create, &|out| no_acl.encode(out)), ErrorCode::InvalidAcl);
    assert_eq!(code(OpCode::Create, &|out| create("/a/..", 0).encode(out)), ErrorCode::NoNode);
    assert_eq!(code(OpCode::Create, &|out| create("/.", 0).encode(out)), ErrorCode::BadArguments);
    assert_eq!(code(OpCode::Create, &|out| create("/", 0).encode(out)), ErrorCode::NodeExists);
    assert_eq!(code(OpCode::Create, &|_| {}), ErrorCode::MarshallingError);
    assert_eq!(code(OpCode::Create, &|out| create("/e", 1).encode(out)), ErrorCode::Ok);
    assert_eq!(code(OpCode::Create, &|out| create("/e/c", 0).encode(out)), ErrorCode::NoChildrenForEphemerals);
    let delete = |path: &str, version| PathVersion { path: path.into(), version };
    assert_eq!(code(OpCode::Delete, &|out| delete("/zookeeper", -1).encode(out)), ErrorCode::BadArguments);
    assert_eq!(code(OpCode::Delete, &|out| delete("/e", 5).encode(out)), ErrorCode::BadVersion);
    assert_eq!(code(OpCode::Delete, &|out| delete("/x", 0).encode(out)), ErrorCode::NoNode);
}

#[test]
fn a_failed_multi_changes_nothing_and_says_where_it_failed() {
    let mut member = Member::new();
    let session = member.connect(CONN, 0, None).session_id;
    let multi = MultiRequest {
        ops: vec![
            MultiOp::Create(OpCode::Create2, create("/a", 0)),
            MultiOp::Check(PathVersion { path: "/a".into(), version: 3 }),
            MultiOp::Delete(PathVersion { path: "/a".into(), version: -1 }),
        ],
    };
    let (header, body) = member.call(session, OpCode::Multi, &multi);
    assert_eq!(header.err, 0);
    let codes: Vec<_> = MultiResponse::from_bytes(&body).unwrap().results;
    let expected = [0, ErrorCode::BadVersion.code(), ErrorCode::RuntimeInconsistency.code()];
    assert_eq!(codes, expected.map(|err| MultiResult::Error { err }));
    assert!(member.shared.tree().node("/a").is_none());
    assert_eq!(err(&member.call(session, OpCode::Create, &create("/a", 0))), ErrorCode::Ok);
}

#[test]
fn a_multi_sees_its_own_changes_and_answers_each_create_in_its_form() {
    let mut member = Member::new();
    let session = member.connect(CONN, 0, None).session_id;
    let multi = MultiRequest {
        ops: vec![
            MultiOp::Create(OpCode::Create, create("/a", 0)),
            MultiOp::Create(OpCode::Create2, create("/a/b-", 3)),
            MultiOp::SetData(SetDataRequest { path: "/a".into(), data: None, version: 0 }),
        ],
    };
    let (_, body) = member.call(session, OpCode::Multi, &multi);
    let results = MultiResponse::from_bytes(&body).unwrap().results;
    assert_eq!(results[0], MultiResult::Created { path: "/a".into(), stat: None });
    assert!(matches!(&results[1], MultiResult::Created { path, stat: Some(stat) }
        if path == "/a/b-0000000000" && stat.ephemeral_owner == session));
    assert!(matches!(&results[2], MultiResult::DataSet { stat } if stat.version == 1 && stat.num_children == 1));
}

#[test]
fn a_watch_is_told_once_and_before_the_reply_can_be() {
    let mut member = Member::new();
    let session = member.connect(CONN, 0, None).session_id;
    let exists = PathRequest { path: "/a".into(), watch: true };
    assert_eq!(err(&member.read(session, OpCode::Exists, &exists)), ErrorCode::NoNode);
    let reply = member.call(session, OpCode::Create, &create("/a", 0));
    let told = std::mem::take(&mut *member.told.0.lock().unwrap());
    let (header, event) = split(&told[0].1);
    let event = WatcherEvent::from_bytes(&event).unwrap();
    assert_eq!((header.xid, header.zxid, event.kind, event.path.as_str()), (-1, reply.0.zxid, 1, "/a"));
    assert_eq!((told.len(), &told[0].0), (1, &BTreeSet::from([CONN])));
}

#[test]
fn an_expired_session_takes_its_ephemerals_along() {
    let mut member = Member::new();
    let response = member.connect(CONN, 0, None);
    let session = response.session_id;
    assert_eq!(response.timeout_ms, 4_000, "raised to the shortest");
    member.call(session, OpCode::Create, &create("/e", 1));
    member.now.monotonic_ms = 3_000;
    member.replica.handle(member.now, Input::Touched(vec![(session, 3_000)]));
    member.now.monotonic_ms = 6_000;
    member.replica.handle(member.now, Input::Tick);
    assert!(member.settle().is_empty() && member.shared.tree().node("/e").is_some());
    member.now.monotonic_ms = 8_000;
    member.replica.handle(member.now, Input::Tick);
    assert!(member.settle().contains(&Output::Close { conn: CONN }));
    assert!(member.shared.tree().node("/e").is_none() && member.shared.sessions().is_empty());
    let refused = member.connect(8, session, response.password);
    assert_eq!((refused.timeout_ms, refused.session_id), (0, 0));
}

#[test]
fn a_resumed_session_moves_and_its_old_connection_is_closed() {
    let mut member = Member::new();
    let response = member.connect(CONN, 0, None);
    let session = response.session_id;
    let wrong = member.connect(8, session, Some(Bytes::from_static(&[1; 16])));
    assert_eq!(wrong.timeout_ms, 0);
    let request = ConnectRequest {
        timeout_ms: 5_000,
        session_id: session,
        password: response.password,
        ..ConnectRequest::default()
    };
    member.replica.handle(member.now, Input::Connect { conn: 9, request });
    let outputs = member.settle();
    assert!(
        outputs
            .iter()
            .any(|output| matches!(output, Output::Connected { conn: 9, response } if response.timeout_ms == 5_000))
    );
    member.send(CONN, session, OpCode::Create, &create("/a", 0));
    assert_eq!(member.settle(), [Output::Close { conn: CONN }]);
}

#[test]
fn a_client_that_has_seen_more_is_sent_elsewhere() {
    let mut member = Member::new();
    let request = ConnectRequest { last_zxid_seen: Zxid(99), ..ConnectRequest::default() };
    member.replica.handle(member.now, Input::Connect { conn: 1, request });
    assert_eq!(member.settle(), [Output::Close { conn: 1 }]);
}

/// The xids of the replies, in their order, when everything was persisted by one sync of the disk; and the number of
/// events before each.
fn group_commit(member: &mut Member) -> Vec<(i32, usize)> {
    let mut last = None;
    loop {
        match member.replica.poll_output() {
            Some(Output::Persist { ticket, .. }) => last = Some(ticket),
            Some(_) => {}
            None => match last.take() {
                Some(through) => member.replica.handle(member.now, Input::Persisted { through }),
                None => break,
            },
        }
    }
    member.replies().iter().map(|reply| (split(&reply.frame).0.xid, reply.events_before)).collect()
}

fn replies_of_one_group_commit(member: &mut Member) -> Vec<i32> {
    group_commit(member).into_iter().map(|(xid, _)| xid).collect()
}

/// When one sync of the disk persisted several writes, the events of all of them came before the replies: a client heard of
/// its third write before its second was answered.
#[test]
fn an_event_does_not_overtake_the_reply_to_an_earlier_write() {
    let mut member = Member::new();
    let session = member.connect(CONN, 0, None).session_id;
    member.call(session, OpCode::Create, &create("/a", 0));
    member.shared.watches().add(Watched::Data, "/a", CONN);
    member.send(CONN, session, OpCode::Create, &create("/a", 0));
    member.send(CONN, session, OpCode::SetData, &SetDataRequest { path: "/a".into(), data: None, version: -1 });
    assert_eq!(group_commit(&mut member), [(2, 0), (3, 1)]);
}

/// A sync's reply came after those of the writes behind it when one group commit held all of them; the clients took it for
/// a reply out of order and gave the connection up.
#[test]
fn sync_is_answered_after_what_was_proposed_before_it_and_before_what_came_after() {
    let mut member = Member::new();
    let session = member.connect(CONN, 0, None).session_id;
    member.send(CONN, session, OpCode::Create, &create("/a", 0));
    member.send(CONN, session, OpCode::Sync, &PathOnly { path: "/x".into() });
    member.send(CONN, session, OpCode::Create, &create("/b", 0));
    member.send(CONN, session, OpCode::Sync, &PathOnly { path: "/x".into() });
    assert_eq!(replies_of_one_group_commit(&mut member), [1, 2, 3, 4]);
}

/// What is refused without a transaction waits its turn too.
#[test]
fn a_refusal_does_not_overtake_the_writes_before_it() {
    let mut member = Member::new();
    let session = member.connect(CONN, 0, None).session_id;
    member.send(CONN, session, OpCode::Create, &create("/a", 0));
    member.send(CONN, session, OpCode::Reconfig, &0);
    member.send(CONN, session, OpCode::Sync, &-7);
    member.send(CONN, session, OpCode::Create, &create("/b", 0));
    assert_eq!(replies_of_one_group_commit(&mut member), [1, 2, 3, 4]);
}

/// A session could own more ephemerals than one transaction may list. Its end could not be logged: the server stopped,
/// and stopped again after every start.
#[test]
fn the_end_of_a_session_with_many_ephemerals_fits_into_the_log() {
    let mut member = Member::new();
    member.replica.config.max_txn_bytes = 400;
    let session = member.connect(CONN, 0, None).session_id;
    for number in 0..20 {
        member.call(session, OpCode::Create, &create(&format!("/{number:060}"), 1));
    }
    member.send(CONN, session, OpCode::CloseSession, &Vec::<i32>::new());
    let outputs = member.settle();
    assert!(member.replies().iter().any(|reply| reply.close));
    for output in outputs {
        if let Output::Persist { write: zab::Write::Append { payload, .. }, .. } = output {
            assert!(payload.len() <= 400, "{} bytes", payload.len());
        }
    }
    assert_eq!(member.shared.tree().ephemeral_count(), 0);
}

/// The log measures header and digest too.
#[test]
fn no_write_is_proposed_that_the_log_cannot_hold() {
    let mut member = Member::new();
    member.replica.config.max_txn_bytes = 300;
    let session = member.connect(CONN, 0, None).session_id;
    let mut codes = BTreeSet::new();
    for length in 100..300 {
        let data = Some(Bytes::from(vec![0; length]));
        member.send(CONN, session, OpCode::Create, &CreateRequest { data, ..create("/s", 2) });
        for output in member.settle() {
            if let Output::Persist { write: zab::Write::Append { payload, .. }, .. } = output {
                assert!(payload.len() <= 300, "{} bytes", payload.len());
            }
        }
        codes.extend(member.replies().iter().map(|reply| split(&reply.frame).0.err));
    }
    assert_eq!(codes, BTreeSet::from([0, ErrorCode::MarshallingError.code()]));
}

#[test]
fn empty_containers_and_stale_ttl_znodes_are_reaped() {
    use crate::wire::proto::CreateTtlRequest;
    let mut member = Member::new();
    let session = member.connect(CONN, 0, None).session_id;
    member.call(session, OpCode::CreateContainer, &create("/c", 4));
    member.call(session, OpCode::CreateContainer, &create("/unused", 4));
    member.call(session, OpCode::Create, &create("/c/child", 0));
    member.call(session, OpCode::Delete, &PathVersion { path: "/c/child".into(), version: -1 });
    let ttl = CreateTtlRequest { path: "/t".into(), data: None, acl: Acl::open(), flags: 5, ttl_ms: 100 };
    let (_, body) = member.call(session, OpCode::CreateTtl, &ttl);
    assert!(PathOnly::from_bytes(&body).is_ok());
    member.replica.handle(member.now, Input::Touched(vec![(session, 60_000)]));
    // Ten thousand a minute: one each six milliseconds.
    for monotonic_ms in [60_000, 60_006] {
        member.now = Time { monotonic_ms, wall_ms: 61_000 };
        member.replica.handle(member.now, Input::Tick);
        member.settle();
    }
    let tree = member.shared.tree();
    assert!(tree.node("/c").is_none() && tree.node("/t").is_none() && tree.node("/unused").is_some());
}

/// Two a minute: one when they are found, and one after each half of a minute.
#[test]
fn containers_are_reaped_no_faster_than_configured_and_unused_ones_in_their_time() {
    let mut member = Member::new();
    member.replica.config.container_max_per_minute = 2;
    member.replica.config.container_max_never_used_ms = 59_000;
    member.replica.reaper = Reaper::new(member.now, &member.replica.config);
    let session = member.connect(CONN, 0, None).session_id;
    for path in ["/a", "/b", "/c"] {
        member.call(session, OpCode::CreateContainer, &create(path, 4));
    }
    member.now.wall_ms += 10_000;
    member.call(session, OpCode::CreateContainer, &create("/later", 4));
    let mut left = Vec::new();
    for at_ms in [59_999, 60_000, 89_999, 90_000, 119_999, 120_000, 149_999, 150_000] {
        member.now = Time { monotonic_ms: at_ms, wall_ms: 1_000 + at_ms as i64 };
        member.replica.handle(member.now, Input::Touched(vec![(session, at_ms)]));
        while member.replica.poll_timeout() <= at_ms {
            member.replica.handle(member.now, Input::Tick);
        }
        member.settle();
        left.push(member.shared.tree().containers().count());
    }
    // `/later` is found when the others are gone, and waits for its turn.
    assert_eq!(left, [4, 3, 3, 2, 2, 1, 1, 0]);
}

/// And a turn is not lost to a look that finds nothing.
#[test]
fn what_is_used_again_before_its_turn_is_not_reaped() {
    use crate::wire::proto::CreateTtlRequest;
    let mut member = Member::new();
    member.replica.config.container_max_per_minute = 1;
    member.replica.config.container_check_interval_ms = 30_000;
    member.replica.reaper = Reaper::new(member.now, &member.replica.config);
    let session = member.connect(CONN, 0, None).session_id;
    let at = |member: &mut Member, at_ms: u64| {
        member.now = Time { monotonic_ms: at_ms, wall_ms: 1_000 + at_ms as i64 };
        member.replica.handle(member.now, Input::Touched(vec![(session, at_ms)]));
        member.replica.handle(member.now, Input::Tick);
        member.settle();
    };
    at(&mut member, 30_000);
    for path in ["/a", "/b"] {
        let ttl = CreateTtlRequest { path: path.into(), data: None, acl: Acl::open(), flags: 5, ttl_ms: 10_000 };
        member.call(session, OpCode::CreateTtl, &ttl);
    }
    at(&mut member, 60_000);
    assert_eq!(member.shared.tree().ttl_nodes().collect::<Vec<_>>(), ["/b"], "one, as nothing was reaped before");
    at(&mut member, 119_000);
    let write = SetDataRequest { path: "/b".into(), data: None, version: -1 };
    member.call(session, OpCode::SetData, &write);
    let last = member.shared.tree().last_zxid();
    at(&mut member, 120_000);
    assert_eq!(member.shared.tree().ttl_nodes().count(), 1, "it was written a second ago");
    assert_eq!(member.shared.tree().last_zxid(), last);
    at(&mut member, 150_000);
    assert_eq!(member.shared.tree().ttl_nodes().count(), 0);
}

/// A negative one with the flags of a plain znode ends the reference.
#[test]
fn a_time_to_live_that_is_none_is_refused_whatever_the_flags() {
    use crate::wire::proto::CreateTtlRequest;
    let mut member = Member::new();
    let session = member.connect(CONN, 0, None).session_id;
    for flags in 0..7 {
        for ttl_ms in [i64::MIN, -1, 0, 1 << 40, i64::MAX] {
            let request = CreateTtlRequest { path: "/t".into(), data: None, acl: Acl::open(), flags, ttl_ms };
            let refused = err(&member.call(session, OpCode::CreateTtl, &request));
            assert_eq!(refused, ErrorCode::BadArguments, "{flags} {ttl_ms}");
        }
    }
}

/// Of its flags only the sequence number counts; the reference answers the same.
#[test]
fn create_container_makes_a_container_whatever_its_flags() {
    let mut member = Member::new();
    let session = member.connect(CONN, 0, None).session_id;
    for (flags, name) in [(0, "/c"), (1, "/c"), (2, "/c0000000002"), (3, "/c0000000003"), (4, "/c")] {
        let (header, body) = member.call(session, OpCode::CreateContainer, &create("/c", flags));
        assert_eq!((header.err, PathOnly::from_bytes(&body).unwrap().path.as_str()), (0, name), "{flags}");
        assert_eq!(member.shared.tree().node(name).unwrap().kind(), crate::tree::NodeKind::Container);
        member.call(session, OpCode::Delete, &PathVersion { path: name.into(), version: -1 });
    }
}

#[test]
fn set_data_answers_with_the_new_stat() {
    let mut member = Member::new();
    let session = member.connect(CONN, 0, None).session_id;
    member.call(session, OpCode::Create, &create("/a", 0));
    member.now.wall_ms = 2_000;
    let set = SetDataRequest { path: "/a".into(), data: Some(Bytes::from_static(b"long")), version: 0 };
    let (header, body) = member.call(session, OpCode::SetData, &set);
    let stat = StatResponse::from_bytes(&body).unwrap().stat;
    assert_eq!((stat.version, stat.mzxid, stat.mtime, stat.data_length), (1, header.zxid, 2_000, 4));
    assert_eq!(err(&member.call(session, OpCode::SetData, &set)), ErrorCode::BadVersion);
}

/// Protocol §4.4, 1: which of the two errors a standalone server gives is the configuration's to say. The refusal is a
/// transaction that failed; one that cannot be decoded is none.
#[test]
fn a_reconfig_is_refused_by_what_the_configuration_says() {
    for (enabled, expected) in [(false, ErrorCode::ReconfigDisabled), (true, ErrorCode::Unimplemented)] {
        let mut member = Member::new();
        member.replica.config.reconfig_enabled = enabled;
        let session = member.connect(CONN, 0, None).session_id;
        let refused = member.call(session, OpCode::Reconfig, &ReconfigRequest::default());
        assert_eq!((err(&refused), refused.0.zxid), (expected, Zxid(2)));
        let nonsense = member.call(session, OpCode::Reconfig, &0);
        assert_eq!((err(&nonsense), nonsense.0.zxid), (ErrorCode::MarshallingError, Zxid(2)));
    }
}

/// A multiRead of a few kilobytes could ask for gigabytes, all of them copied before anything was sent.
#[test]
fn a_multi_read_that_asks_for_too_much_is_refused() {
    let mut member = Member::new();
    let session = member.connect(CONN, 0, None).session_id;
    let data = Some(Bytes::from(vec![0; 500_000]));
    member.call(session, OpCode::Create, &CreateRequest { data, ..create("/large", 0) });
    let ask = |times: usize| {
        let get = MultiOp::GetData(PathRequest { path: "/large".into(), watch: false });
        member.read(session, OpCode::MultiRead, &MultiRequest { ops: vec![get; times] })
    };
    let (header, body) = ask(10);
    assert_eq!((header.err, MultiResponse::from_bytes(&body).unwrap().results.len()), (0, 10));
    let (header, body) = ask(10_000);
    assert_eq!((header.err, body.len()), (ErrorCode::MarshallingError.code(), 0));
}

/// Protocol §2.12: a hard limit is one only where limits are enforced, and what is proposed does not count yet.
#[test]
fn a_hard_limit_of_a_quota_refuses_only_where_it_is_enforced() {
    for (enforced, expected) in [(true, ErrorCode::QuotaExceeded), (false, ErrorCode::Ok)] {
        let mut member = Member::new();
        member.replica.config.enforce_quota = enforced;
        let session = member.connect(CONN, 0, None).session_id;
        let mut make = |path: &str, data: &'static str| {
            let request = CreateRequest { data: Some(data.into()), ..create(path, 0) };
            err(&member.call(session, OpCode::Create, &request))
        };
        assert_eq!(make("/p", ""), ErrorCode::Ok);
        assert_eq!(make("/zookeeper/quota/p", ""), ErrorCode::Ok);
        assert_eq!(make("/zookeeper/quota/p/zookeeper_limits", "countHardLimit=2"), ErrorCode::Ok);
        assert_eq!(make("/zookeeper/quota/p/zookeeper_stats", ""), ErrorCode::Ok);
        let ops = vec![
            MultiOp::Create(OpCode::Create, create("/p/a", 0)),
            MultiOp::Create(OpCode::Create, create("/p/b", 0)),
        ];
        let (header, body) = member.call(session, OpCode::Multi, &MultiRequest { ops });
        assert_eq!((header.err, MultiResponse::from_bytes(&body).unwrap().results.len()), (0, 2));
        assert!(member.shared.tree().node("/p/b").is_some(), "each of the two alone keeps within the limit");
        assert_eq!(err(&member.call(session, OpCode::Create, &create("/p/c", 0))), expected);
    }
}

#[test]
fn the_end_of_a_session_names_its_znodes_unless_told_not_to() {
    for enabled in [true, false] {
        let mut member = Member::new();
        member.replica.config.close_session_txn_enabled = enabled;
        let session = member.connect(CONN, 0, None).session_id;
        member.call(session, OpCode::Create, &create("/e", 1));
        member.send(CONN, session, OpCode::CloseSession, &0);
        let outputs = member.settle();
        let entry = outputs.iter().find_map(|output| match output {
            Output::Persist { write: zab::Write::Append { payload, .. }, .. } => Some(payload.clone()),
            _ => None,
        });
        let record = TxnRecord::from_bytes(&entry.unwrap()).unwrap();
        let named = enabled.then(|| vec!["/e".to_owned()]);
        assert_eq!(record.txn, crate::wire::txn::Txn::CloseSession { paths: named });
        assert!(member.shared.tree().node("/e").is_none());
    }
}
