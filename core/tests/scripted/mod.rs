//! A scripted server: a listener on the loopback interface that accepts, answers, lies and hangs up exactly as the test says.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(unreachable_pub, reason = "shared by test files")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use menagerie_core::client::{Client, ClientBuilder};
use menagerie_core::jute::{Decode, Encode, Reader};
use menagerie_core::wire::proto::{
    ConnectRequest, ConnectResponse, GetDataResponse, ReplyHeader, RequestHeader, WatcherEvent, xid,
};
use menagerie_core::wire::{OpCode, Stat, Zxid, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longer than any step takes on a slow machine.
pub const PATIENCE: Duration = Duration::from_mins(1);
pub const TIMEOUT_MS: i32 = 20_000;

pub struct Server {
    pub listener: TcpListener,
}

/// One connection, seen from the server.
pub struct Connection {
    pub stream: TcpStream,
    pub input: BytesMut,
}

pub struct Request {
    pub xid: i32,
    pub op: OpCode,
    pub record: Bytes,
}

impl Server {
    pub async fn start() -> Self {
        Server { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub fn builder(&self) -> ClientBuilder {
        Client::builder().hosts(self.listener.local_addr().unwrap().to_string()).connect_timeout(PATIENCE).seed(1)
    }

    pub async fn accept(&self) -> (Connection, ConnectRequest) {
        let (stream, _) = tokio::time::timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap();
        let mut connection = Connection { stream, input: BytesMut::new() };
        let greeting = ConnectRequest::from_bytes(&connection.frame().await.unwrap()).unwrap();
        (connection, greeting)
    }

    /// Accepts, and grants the session 7.
    pub async fn serve(&self) -> (Connection, ConnectRequest) {
        let (mut connection, greeting) = self.accept().await;
        connection.grant(TIMEOUT_MS).await;
        (connection, greeting)
    }

    /// Accepts a client, and answers `isro` to whoever asks before it comes.
    pub async fn accept_saying(&self, isro: &str) -> (Connection, ConnectRequest) {
        loop {
            let (mut stream, _) = tokio::time::timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap();
            let mut first = [0; 4];
            stream.read_exact(&mut first).await.unwrap();
            if &first == b"isro" {
                stream.write_all(isro.as_bytes()).await.unwrap();
                continue;
            }
            let mut connection = Connection { stream, input: BytesMut::from(&first[..]) };
            let greeting = ConnectRequest::from_bytes(&connection.frame().await.unwrap()).unwrap();
            return (connection, greeting);
        }
    }

    /// A client and the server's end of its connection.
    pub async fn connect(&self) -> (Client, Connection) {
        let (client, (connection, _)) = tokio::join!(self.builder().connect(), self.serve());
        (client.unwrap(), connection)
    }
}

impl Connection {
    pub async fn frame(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = frame::take(&mut self.input, 1 << 20).unwrap() {
                return Some(frame);
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await.unwrap();
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The next request that is not a ping.
    pub async fn request(&mut self) -> Request {
        loop {
            let frame = self.frame().await.unwrap();
            let mut reader = Reader::new(&frame);
            let RequestHeader { xid, op } = RequestHeader::decode(&mut reader).unwrap();
            if xid == xid::PING {
                self.reply(xid, 0, 0, &[]).await;
            } else {
                return Request { xid, op: OpCode::from_i32(op).unwrap(), record: reader.rest() };
            }
        }
    }

    pub async fn expect(&mut self, op: OpCode) -> Request {
        let request = self.request().await;
        assert_eq!(request.op, op);
        request
    }

    pub async fn grant(&mut self, timeout_ms: i32) {
        self.grant_as(if timeout_ms > 0 { 7 } else { 0 }, timeout_ms, false).await;
    }

    pub async fn grant_as(&mut self, session_id: i64, timeout_ms: i32, read_only: bool) {
        let response = ConnectResponse {
            protocol_version: 0,
            timeout_ms,
            session_id,
            password: Some(Bytes::from_static(&[9; 16])),
            read_only: Some(read_only),
        };
        self.stream.write_all(&frame::of(&response)).await.unwrap();
    }

    pub async fn reply(&mut self, xid: i32, zxid: i64, err: i32, record: &[u8]) {
        let mut out = BytesMut::new();
        frame::put(&mut out, |out| {
            ReplyHeader { xid, zxid: Zxid(zxid), err }.encode(out);
            out.extend_from_slice(record);
        });
        self.stream.write_all(&out).await.unwrap();
    }

    pub async fn answer(&mut self, request: &Request, zxid: i64, record: &impl Encode) {
        self.reply(request.xid, zxid, 0, &record.to_bytes()).await;
    }

    pub async fn notify(&mut self, kind: i32, path: &str) {
        let event = WatcherEvent { kind, state: 3, path: path.to_owned() };
        self.reply(xid::NOTIFICATION, -1, 0, &event.to_bytes()).await;
    }
}

pub fn data(data: &'static str) -> GetDataResponse {
    GetDataResponse { data: Some(Bytes::from_static(data.as_bytes())), stat: Stat::default() }
}
