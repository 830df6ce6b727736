//! One turn of a connection, with what it finds in its queue and its line put there by hand.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::AtomicI64;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::auth::AuthConfig;
use crate::replica::{EventSink, Shared};
use crate::server::ServerConfig;
use crate::server::clock::Clock;
use crate::server::config::ThrottleConfig;
use crate::server::metrics::Metrics;
use crate::server::registry::Registry;
use crate::server::throttle::{LargeRequests, NewSessions, RequestThrottle, Turn};
use crate::wire::proto::PathRequest;
use crate::wire::{Acl, EventKind};

struct Nobody;

impl EventSink for Nobody {
    fn deliver(&self, _: EventKind, _: &BTreeSet<ConnId>, _: &[Acl], _: Bytes) {}

    fn reply(&self, _: ConnId, _: Bytes, _: bool) {}
}

fn context(throttle: &ThrottleConfig) -> (Arc<Context>, std::sync::mpsc::Receiver<Event>) {
    let (events, received) = std::sync::mpsc::channel();
    let context = Context {
        config: ServerConfig { throttle: throttle.clone(), ..ServerConfig::default() },
        auth: AuthConfig::default(),
        shared: Arc::new(Shared::new(DataTree::new(), BTreeMap::new(), Box::new(Nobody))),
        registry: Arc::new(Registry::default()),
        metrics: Arc::new(Metrics::default()),
        clock: Clock::start(),
        events,
        outstanding: Arc::default(),
        requests: RequestThrottle::new(throttle),
        large: Arc::new(LargeRequests::new(throttle)),
        new_sessions: NewSessions::new(throttle.new_sessions.clone()),
        read_only: Arc::default(),
        roles: tokio::sync::watch::channel(crate::zab::Role::Leading { epoch: 0 }).1,
        trace_mask: AtomicI64::new(0),
        stop: CancellationToken::new(),
        tasks: TaskTracker::new(),
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        snapshot_dir: std::path::PathBuf::new(),
        log_dir: std::path::PathBuf::new(),
    };
    (Arc::new(context), received)
}

fn frame_of(xid: i32) -> Bytes {
    frame::of(&ReplyHeader { xid, zxid: Zxid::ZERO, err: 0 })
}

/// The xids of the frames that the turn wrote.
fn written(connection: &mut Connection) -> Vec<i32> {
    let mut xids = Vec::new();
    while let Some(frame) = frame::take(&mut connection.out, usize::MAX).unwrap() {
        xids.push(ReplyHeader::from_bytes(&frame).unwrap().xid);
    }
    xids
}

fn connection(context: Arc<Context>) -> (Connection, Arc<Handle>, mpsc::UnboundedReceiver<Outgoing>) {
    let (sender, outgoing) = mpsc::unbounded_channel();
    let (cancel, metrics) = (CancellationToken::new(), Arc::clone(&context.metrics));
    let handle = Arc::new(Handle::new(context.address, sender, cancel, context.clock, metrics));
    (Connection::new(context, 1, 1, Arc::clone(&handle), BytesMut::new()), handle, outgoing)
}

fn waiting(xid: i32, op: OpCode, body: Bytes, place: Place) -> Waiting {
    let bytes = body.len();
    Waiting { xid, op: Some(op), body, since_ms: 0, bytes, _large: None, place }
}

fn a_read(xid: i32) -> Waiting {
    let body = PathRequest { path: "/".into(), watch: false }.to_bytes();
    waiting(xid, OpCode::GetData, body, Place::Read)
}

/// The frame of a request.
fn request(xid: i32, op: OpCode, body: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    frame::put(&mut out, |out| {
        RequestHeader { xid, op: op.code() }.encode(out);
        out.extend_from_slice(body);
    });
    out.freeze()
}

/// The xids of the requests that went to the member.
fn forwarded(events: &std::sync::mpsc::Receiver<Event>) -> Vec<i32> {
    let requests = |event| if let Event::Requests { requests, .. } = event { requests } else { Vec::new() };
    events.try_iter().flat_map(requests).map(|request| request.xid).collect()
}

/// A write was answered, and another connection's change came after it; the read behind the write shows that change. It was
/// served as soon as the write's reply was taken from the queue, ahead of the event that stood behind the reply.
#[test]
fn a_read_in_line_waits_until_the_queue_is_empty() {
    for reply_was_taken in [false, true] {
        let (context, _events) = context(&ThrottleConfig::default());
        let (mut connection, handle, mut outgoing) = connection(context);
        let place = Place::Member { _turn: Turn::default() };
        connection.line.push(waiting(1, OpCode::SetData, Bytes::new(), place));
        connection.line.push(a_read(2));
        handle.send(Outgoing::Reply { frame: frame_of(1), close: false });
        handle.send(Outgoing::Event(frame_of(-1)));
        let first = if reply_was_taken { outgoing.try_recv().ok() } else { None };
        connection.turn(first, &mut outgoing);
        assert_eq!(written(&mut connection), [1, -1, 2]);
        assert!(connection.line.is_empty());
    }
}

/// A client could have 1024 writes of a megabyte each in work, and a few such clients all memory.
#[test]
fn a_connection_is_not_read_while_its_line_holds_megabytes() {
    let (context, events) = context(&ThrottleConfig::default());
    let (mut connection, handle, mut outgoing) = connection(context);
    for xid in 1..=10 {
        connection.input.extend_from_slice(&request(xid, OpCode::SetData, &vec![0; 512 << 10]));
    }
    connection.turn(None, &mut outgoing);
    assert_eq!(forwarded(&events), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(connection.is_paused() && handle.in_line_bytes.load(Ordering::Relaxed) >= 4 << 20);
    handle.send(Outgoing::Reply { frame: frame_of(1), close: false });
    connection.turn(None, &mut outgoing);
    assert_eq!(forwarded(&events), [9]);
}

/// `globalOutstandingLimit`: who has nothing in work is still read from.
#[test]
fn above_the_limit_of_the_server_only_who_has_requests_in_work_is_not_read() {
    let (context, _events) = context(&ThrottleConfig::default());
    let outstanding = Arc::clone(&context.outstanding);
    outstanding.store(context.config.global_outstanding_limit as usize + 1, Ordering::Relaxed);
    let (mut connection, handle, mut outgoing) = connection(context);
    assert!(!connection.is_paused());
    for xid in 1..=3 {
        connection.input.extend_from_slice(&request(xid, OpCode::SetData, b""));
    }
    connection.turn(None, &mut outgoing);
    assert_eq!((connection.line.len(), connection.is_paused()), (1, true), "two are left in the input");
    handle.send(Outgoing::Reply { frame: frame_of(1), close: false });
    connection.turn(None, &mut outgoing);
    assert_eq!((written(&mut connection), connection.line.len()), (vec![1], 1));
    outstanding.store(0, Ordering::Relaxed);
    connection.turn(None, &mut outgoing);
    assert_eq!(connection.line.len(), 2);
    outstanding.store(2, Ordering::Relaxed);
}

#[test]
fn a_write_waits_for_its_turn_and_is_refused_when_that_took_long() {
    let throttle = ThrottleConfig { max_requests: Some(1), op_wait_ms: Some(20), ..ThrottleConfig::default() };
    let (context, events) = context(&throttle);
    let metrics = Arc::clone(&context.metrics);
    let (mut connection, handle, mut outgoing) = connection(context);
    for xid in 1..=3 {
        connection.input.extend_from_slice(&request(xid, OpCode::SetData, b""));
    }
    connection.input.extend_from_slice(&request(4, OpCode::CloseSession, b""));
    connection.turn(None, &mut outgoing);
    assert_eq!((forwarded(&events), connection.turns.is_waiting()), (vec![1], true));
    std::thread::sleep(std::time::Duration::from_millis(25));
    handle.send(Outgoing::Reply { frame: frame_of(1), close: false });
    connection.turn(None, &mut outgoing);
    assert_eq!(written(&mut connection), [1, 2, 3], "two are refused in their turn");
    assert_eq!(forwarded(&events), [4], "the end of a session is never refused");
    assert_eq!((metrics.throttled_ops.get(), metrics.throttle_waits.get()), (2, 1));
}

/// It was refused while a later request was taken in, and answered only when something else happened to its connection.
#[test]
fn a_write_that_is_refused_when_another_comes_is_answered_in_that_turn() {
    let throttle = ThrottleConfig { max_requests: Some(1), op_wait_ms: Some(20), ..ThrottleConfig::default() };
    let (context, events) = context(&throttle);
    let others = context.requests.queue().try_take().unwrap();
    let (mut connection, _handle, mut outgoing) = connection(Arc::clone(&context));
    connection.input.extend_from_slice(&request(1, OpCode::SetData, b""));
    connection.turn(None, &mut outgoing);
    assert!(connection.turns.is_waiting() && forwarded(&events).is_empty());
    drop(others);
    connection.now_ms += 1000;
    connection.request(&context.shared.tree(), &request(2, OpCode::SetData, b"").slice(LENGTH..));
    connection.forward();
    assert_eq!((written(&mut connection), forwarded(&events)), (vec![1], vec![2]));
}

#[test]
fn a_stale_write_closes_its_connection_and_what_waits_is_forgotten() {
    let throttle = ThrottleConfig { max_requests: Some(1), stale_latency_check: true, ..ThrottleConfig::default() };
    let (context, events) = context(&throttle);
    let (metrics, outstanding) = (Arc::clone(&context.metrics), Arc::clone(&context.outstanding));
    let (mut connection, handle, mut outgoing) = connection(context);
    handle.timeout_ms.store(5, Ordering::Relaxed);
    for xid in 1..=3 {
        connection.input.extend_from_slice(&request(xid, OpCode::SetData, b""));
    }
    connection.turn(None, &mut outgoing);
    std::thread::sleep(std::time::Duration::from_millis(10));
    handle.send(Outgoing::Reply { frame: frame_of(1), close: false });
    connection.turn(None, &mut outgoing);
    assert_eq!((forwarded(&events), written(&mut connection), connection.closing), (vec![1], vec![1], true));
    assert_eq!((metrics.stale_requests_dropped.get(), outstanding.load(Ordering::Relaxed)), (1, 2));
    drop(connection);
    assert_eq!(outstanding.load(Ordering::Relaxed), 0);
}

#[test]
fn large_requests_beyond_their_limit_close_the_connection() {
    let throttle = ThrottleConfig { large_threshold: Some(100), large_max_bytes: 1500, ..ThrottleConfig::default() };
    let (context, events) = context(&throttle);
    let metrics = Arc::clone(&context.metrics);
    let (mut first, _handle, mut outgoing) = connection(Arc::clone(&context));
    first.input.extend_from_slice(&request(1, OpCode::SetData, &[0; 1000]));
    first.input.extend_from_slice(&request(2, OpCode::SetData, &[0; 50]));
    first.turn(None, &mut outgoing);
    assert_eq!((forwarded(&events), first.closing), (vec![1, 2], false));
    let (mut second, _handle, mut outgoing) = connection(Arc::clone(&context));
    // Its length is enough.
    second.input.extend_from_slice(&request(1, OpCode::SetData, &[0; 1000])[..4]);
    second.turn(None, &mut outgoing);
    assert_eq!((second.closing, metrics.large_requests_rejected.get()), (true, 1));
    drop(first);
    let (mut third, _handle, mut outgoing) = connection(context);
    third.input.extend_from_slice(&request(1, OpCode::SetData, &[0; 1000])[..4]);
    third.turn(None, &mut outgoing);
    assert!(!third.closing, "what the first one held was given back");
}

#[test]
fn requests_are_counted_under_their_names() {
    let (context, _events) = context(&ThrottleConfig::default());
    let metrics = Arc::clone(&context.metrics);
    let (mut connection, handle, mut outgoing) = connection(context);
    connection.input.extend_from_slice(&request(-2, OpCode::Ping, b""));
    connection.turn(None, &mut outgoing);
    let stats = handle.stats().clone();
    assert_eq!((stats.received, stats.sent, stats.last_op, stats.last_cxid), (1, 1, "PING", -1));
    assert_eq!((metrics.bytes_received.get(), metrics.response_bytes.get()), (12, 0));
    connection.input.extend_from_slice(&request(7, OpCode::SetData, b""));
    connection.turn(None, &mut outgoing);
    let refused = frame::of(&ReplyHeader { xid: 7, zxid: Zxid(9), err: ErrorCode::NoNode.code() });
    handle.send(Outgoing::Reply { frame: refused, close: false });
    connection.turn(None, &mut outgoing);
    let stats = handle.stats().clone();
    assert_eq!((stats.last_op, stats.last_cxid, stats.last_zxid), ("NA", 7, Zxid(9)));
    assert_eq!((metrics.read_latency.read().count, metrics.update_latency.read().count), (1, 1));
    assert_eq!((metrics.packets_received.get(), metrics.packets_sent.get()), (2, 2));
    assert_eq!(metrics.response_bytes.get(), 16);
}

/// A client that took a long reply slowly lost its session, though it was alive: its pings stood in the socket, unread.
#[tokio::test]
async fn a_client_that_takes_what_it_is_sent_is_alive() {
    use tokio::io::AsyncReadExt;
    let (context, _events) = context(&ThrottleConfig::default());
    let (mut connection, handle, _outgoing) = connection(context);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let length = 32 << 20;
    connection.out.extend_from_slice(&vec![7; length]);
    handle.heard_ms.store(0, Ordering::Relaxed);
    let taking = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let mut taken = vec![0; length];
        client.read_exact(&mut taken).await.map(|_| client)
    });
    connection.write_out(&stream, &CancellationToken::new()).await.unwrap();
    taking.await.unwrap().unwrap();
    assert!(handle.heard_ms.load(Ordering::Relaxed) > 0 && !handle.writing.load(Ordering::Relaxed));
}
