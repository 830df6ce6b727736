//! One turn of a connection, with what it finds in its queue and its line put there by hand.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicUsize;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::auth::AuthConfig;
use crate::replica::{EventSink, Shared};
use crate::server::ServerConfig;
use crate::server::clock::Clock;
use crate::server::registry::Registry;
use crate::server::stats::Stats;
use crate::wire::Acl;
use crate::wire::proto::PathRequest;

struct Nobody;

impl EventSink for Nobody {
    fn deliver(&self, _: &BTreeSet<ConnId>, _: &[Acl], _: Bytes) {}
}

fn context() -> (Arc<Context>, std::sync::mpsc::Receiver<Event>) {
    let (events, received) = std::sync::mpsc::channel();
    let context = Context {
        config: ServerConfig::default(),
        auth: AuthConfig::default(),
        shared: Arc::new(Shared::new(DataTree::new(), BTreeMap::new(), Box::new(Nobody))),
        registry: Arc::new(Registry::default()),
        stats: Stats::default(),
        clock: Clock::start(),
        events,
        outstanding: AtomicUsize::new(1),
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

/// A write was answered, and another connection's change came after it; the read behind the write shows that change. It was
/// served as soon as the write's reply was taken from the queue, ahead of the event that stood behind the reply.
#[test]
fn a_read_in_line_waits_until_the_queue_is_empty() {
    for reply_was_taken in [false, true] {
        let (context, _events) = context();
        let (sender, mut outgoing) = mpsc::unbounded_channel();
        let handle = Arc::new(Handle::new(context.address, sender, CancellationToken::new()));
        let mut connection = Connection::new(context, 1, 1, Arc::clone(&handle), BytesMut::new());
        connection.line.push_back(InLine::Member { since_ms: 0 });
        let body = PathRequest { path: "/".into(), watch: false }.to_bytes();
        connection.line.push_back(InLine::Read { xid: 2, op: OpCode::GetData, body, since_ms: 0 });
        handle.send(Outgoing::Reply { frame: frame_of(1), close: false });
        handle.send(Outgoing::Event(frame_of(-1)));
        let first = if reply_was_taken { outgoing.try_recv().ok() } else { None };
        connection.turn(first, &mut outgoing);
        assert_eq!(written(&mut connection), [1, -1, 2]);
        assert!(connection.line.is_empty());
    }
}
