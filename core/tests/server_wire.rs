//! The server on real sockets and files, spoken to in frames: what the protocol promises that no client can be trusted to
//! check for itself.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use menagerie_core::embedded::Server;
use menagerie_core::jute::{Decode, Encode, Reader};
use menagerie_core::wire::proto::{
    AddWatchRequest, AuthPacket, ConnectRequest, ConnectResponse, CreateRequest, GetDataResponse, PathRequest,
    PathVersion, ReplyHeader, RequestHeader, SetDataRequest, WatcherEvent, xid,
};
use menagerie_core::wire::{Acl, AddWatchMode, ErrorCode, OpCode, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than any answer takes on the slowest machine.
const PATIENCE: Duration = Duration::from_mins(1);

struct Wire {
    stream: TcpStream,
    input: BytesMut,
    session: ConnectResponse,
}

impl Wire {
    async fn connect(server: &Server, request: ConnectRequest) -> Wire {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(&frame::of(&request)).await.unwrap();
        let mut wire = Wire { stream, input: BytesMut::new(), session: ConnectResponse::default() };
        let answer = wire.next().await.unwrap();
        wire.session = ConnectResponse::from_bytes(&answer).unwrap();
        wire
    }

    async fn open(server: &Server) -> Wire {
        let request = ConnectRequest { timeout_ms: 10_000, read_only: Some(false), ..ConnectRequest::default() };
        Wire::connect(server, request).await
    }

    /// The next frame, or `None` at the end of the stream.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = frame::take(&mut self.input, 1 << 24).unwrap() {
                return Some(frame);
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await.unwrap();
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    async fn reply(&mut self) -> (ReplyHeader, Bytes) {
        let frame = self.next().await.unwrap();
        let mut reader = Reader::new(&frame);
        (ReplyHeader::decode(&mut reader).unwrap(), reader.rest())
    }

    async fn send(&mut self, requests: &[Bytes]) {
        self.stream.write_all(&requests.concat()).await.unwrap();
    }
}

fn request(xid: i32, op: OpCode, body: &impl Encode) -> Bytes {
    let mut out = BytesMut::new();
    frame::put(&mut out, |out| {
        RequestHeader { xid, op: op.code() }.encode(out);
        body.encode(out);
    });
    out.freeze()
}

fn create(xid: i32, path: &str, flags: i32) -> Bytes {
    let data = Some(Bytes::from_static(b"0"));
    request(xid, OpCode::Create, &CreateRequest { path: path.into(), data, acl: Acl::open(), flags })
}

fn set(xid: i32, path: &str, data: &'static [u8]) -> Bytes {
    let data = Some(Bytes::from_static(data));
    request(xid, OpCode::SetData, &SetDataRequest { path: path.into(), data, version: -1 })
}

fn get(xid: i32, path: &str, watch: bool) -> Bytes {
    request(xid, OpCode::GetData, &PathRequest { path: path.into(), watch })
}

/// Protocol §2.1: the byte is there only for clients that sent theirs.
#[tokio::test]
async fn old_clients_get_an_answer_without_the_read_only_byte() {
    let server = Server::start().await.unwrap();
    let old = ConnectRequest { timeout_ms: 10_000, ..ConnectRequest::default() };
    let old = Wire::connect(&server, old).await;
    assert_eq!((old.session.read_only, old.session.timeout_ms), (None, 10_000));
    assert_eq!(Wire::open(&server).await.session.read_only, Some(false));
    server.stop().await;
}

/// Protocol §2.15, 1 and 2: pipelined requests are answered in order, and reads see the writes before them. They did see
/// the writes behind them too, when those were committed in one batch: such a write is now held back until the read is
/// answered.
#[tokio::test]
async fn a_pipelined_read_sees_the_write_before_it() {
    let server = Server::start().await.unwrap();
    let mut wire = Wire::open(&server).await;
    let mut requests = vec![create(1, "/a", 0)];
    for round in 0..50 {
        requests.push(set(2 + 2 * round, "/a", b"new"));
        requests.push(get(3 + 2 * round, "/a", false));
    }
    wire.send(&requests).await;
    for expected in 1..=101 {
        let (header, body) = wire.reply().await;
        assert_eq!((header.xid, header.err), (expected, 0));
        if expected > 2 && expected % 2 == 1 {
            let reply = GetDataResponse::from_bytes(&body).unwrap();
            assert_eq!(reply.stat.version, (expected - 1) / 2);
        }
    }
    server.stop().await;
}

/// Protocol §2.15, 3: the event comes before any reply that shows the change, and after the reply that set the watch.
#[tokio::test]
async fn no_reply_shows_a_change_before_its_event() {
    let server = Server::start().await.unwrap();
    let (mut writer, mut watcher) = (Wire::open(&server).await, Wire::open(&server).await);
    writer.send(&[create(1, "/a", 0)]).await;
    writer.reply().await;
    for round in 0..100 {
        // The watch is set; then the write and further reads race.
        watcher.send(&[get(1, "/a", true)]).await;
        let (header, body) = watcher.reply().await;
        assert_eq!(header.xid, 1);
        let seen = GetDataResponse::from_bytes(&body).unwrap().stat.version;
        assert_eq!(seen, round);
        writer.send(&[set(2, "/a", b"1")]).await;
        watcher.send(&[get(2, "/a", false), get(3, "/a", false), get(4, "/a", false)]).await;
        let (mut told, mut replies) = (false, 0);
        while replies < 3 || !told {
            let (header, body) = watcher.reply().await;
            if header.xid == xid::NOTIFICATION {
                assert_eq!(WatcherEvent::from_bytes(&body).unwrap().path, "/a");
                told = true;
            } else {
                replies += 1;
                let version = GetDataResponse::from_bytes(&body).unwrap().stat.version;
                assert!(told || version == seen, "version {version} was shown before its event");
            }
        }
        writer.reply().await;
    }
    server.stop().await;
}

/// Protocol §2.3: an unknown op is answered by UNIMPLEMENTED and the connection closed, but in its turn (§2.15, 1).
#[tokio::test]
async fn an_unknown_request_does_not_overtake_the_replies_before_it() {
    let server = Server::start().await.unwrap();
    let mut wire = Wire::open(&server).await;
    wire.send(&[create(1, "/a", 0), get(2, "/a", false), request(3, OpCode::CreateSession, &0), create(4, "/b", 0)])
        .await;
    for expected in [(1, 0), (2, 0), (3, ErrorCode::Unimplemented.code())] {
        let (header, _) = wire.reply().await;
        assert_eq!((header.xid, header.err), expected);
    }
    assert_eq!(wire.next().await, None);
    let mut wire = Wire::open(&server).await;
    wire.send(&[get(1, "/b", false)]).await;
    assert_eq!(wire.reply().await.0.err, ErrorCode::NoNode.code(), "nothing behind it was done");
    server.stop().await;
}

/// Protocol §2.9, the delivery filter: names and changes of znodes that a client may not read were told to it all the same.
#[tokio::test]
async fn a_watcher_is_not_told_of_what_it_may_not_read() {
    let server = Server::start().await.unwrap();
    let (mut bob, mut stranger) = (Wire::open(&server).await, Wire::open(&server).await);
    let auth = AuthPacket { kind: 0, scheme: "digest".into(), auth: Some(Bytes::from_static(b"bob:secret")) };
    bob.send(&[request(xid::AUTH, OpCode::Auth, &auth)]).await;
    assert_eq!(bob.reply().await.0.err, 0);
    let watch = AddWatchRequest { path: "/".into(), mode: AddWatchMode::PersistentRecursive.code() };
    for wire in [&mut bob, &mut stranger] {
        wire.send(&[request(1, OpCode::AddWatch, &watch)]).await;
        assert_eq!(wire.reply().await.0.err, 0);
    }
    let secret = CreateRequest { path: "/secret".into(), data: None, acl: Acl::creator_all(), flags: 0 };
    let delete = request(4, OpCode::Delete, &PathVersion { path: "/secret".into(), version: -1 });
    let requests = [request(2, OpCode::Create, &secret), set(3, "/secret", b"1"), delete, create(5, "/open", 0)];
    bob.send(&requests).await;
    let (mut told, mut replies) = (Vec::new(), 0);
    while replies < 4 {
        let (header, body) = bob.reply().await;
        match header.xid {
            xid::NOTIFICATION => told.push(WatcherEvent::from_bytes(&body).unwrap().path),
            _ => replies += 1,
        }
    }
    assert_eq!(told, ["/secret", "/secret", "/secret", "/open"]);
    let (_, body) = stranger.reply().await;
    assert_eq!(WatcherEvent::from_bytes(&body).unwrap().path, "/open");
    server.stop().await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::builder().data_dir(directory.path()).snap_count(20).start().await.unwrap();
    let mut wire = Wire::open(&server).await;
    let requests: Vec<Bytes> = (1..=100).map(|xid| create(xid, "/n", 2)).collect();
    wire.send(&requests).await;
    wire.send(&[create(101, "/mine", 1)]).await;
    for _ in 0..101 {
        assert_eq!(wire.reply().await.0.err, 0);
    }
    let session = wire.session.clone();
    server.stop().await;
    let server = Server::builder().data_dir(directory.path()).start().await.unwrap();
    let resume = ConnectRequest {
        timeout_ms: 10_000,
        session_id: session.session_id,
        password: session.password,
        ..ConnectRequest::default()
    };
    let mut wire = Wire::connect(&server, resume).await;
    assert_eq!(wire.session.session_id, session.session_id, "the session outlives the server");
    wire.send(&[get(1, "/n0000000099", false), get(2, "/mine", false), create(3, "/n", 2)]).await;
    for _ in 0..3 {
        assert_eq!(wire.reply().await.0.err, 0);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_understood_closes_its_connection_and_no_other() {
    let server = Server::start().await.unwrap();
    let mut healthy = Wire::open(&server).await;
    for hostile in [&[0xff, 0xff, 0xff, 0xff][..], &[0x7f, 0xff, 0xff, 0xff], &[0, 0, 0, 2, 1, 2]] {
        let mut wire = Wire::open(&server).await;
        wire.send(&[Bytes::copy_from_slice(hostile)]).await;
        assert_eq!(wire.next().await, None);
    }
    let mut wire = Wire::open(&server).await;
    wire.send(&[request(1, OpCode::CreateSession, &0)]).await;
    assert_eq!(wire.reply().await.0.err, ErrorCode::Unimplemented.code());
    assert_eq!(wire.next().await, None);
    healthy.send(&[create(1, "/a", 0), request(2, OpCode::CloseSession, &Vec::<i32>::new())]).await;
    assert_eq!((healthy.reply().await.0.err, healthy.reply().await.0.xid), (0, 2));
    assert_eq!(healthy.next().await, None);
    server.stop().await;
}

/// A few short requests that ask for much data are answered, in order, by a server that holds little of it at a time.
#[tokio::test]
async fn many_large_replies_to_one_read_of_the_socket() {
    let server = Server::start().await.unwrap();
    let mut wire = Wire::open(&server).await;
    let data = Some(Bytes::from(vec![7; 500_000]));
    let large = CreateRequest { path: "/large".into(), data, acl: Acl::open(), flags: 0 };
    wire.send(&[request(1, OpCode::Create, &large)]).await;
    wire.reply().await;
    let requests: Vec<Bytes> = (1..=60).map(|xid| get(xid, "/large", false)).collect();
    wire.send(&requests).await;
    for expected in 1..=60 {
        let (header, body) = wire.reply().await;
        assert_eq!((header.xid, body.len() > 500_000), (expected, true));
    }
    server.stop().await;
}
