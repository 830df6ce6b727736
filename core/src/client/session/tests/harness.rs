//! A session with a clock that stands still until it is told to move, and a server that says what the test wants.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::super::{Config, Output, Session};
use crate::client::error::Cause;
use crate::client::event::{EventKind, WatchedEvent};
use crate::client::hosts::Hosts;
use crate::client::request::{
    Answer, Command, NoRecord, Request, Ticket, Time, WatchId, WatchKind, WatchRequest, Watcher,
};
use crate::client::{SessionCredentials, State};
use crate::jute::{Decode, Encode, Reader};
use crate::wire::proto::{ConnectRequest, ConnectResponse, ReplyHeader, RequestHeader, WatcherEvent, xid};
use crate::wire::{HostPort, OpCode, Zxid, frame};

pub(super) const TIMEOUT: Duration = Duration::from_secs(9);
pub(super) const ID: i64 = 0x10;

/// A call of the test.
#[derive(Debug, Clone, Default)]
pub(super) struct Called {
    answer: Rc<RefCell<Option<Answer>>>,
    abandoned: Rc<Cell<bool>>,
}

impl Called {
    pub(super) fn abandon(&self) {
        self.abandoned.set(true);
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.answer.borrow().is_none()
    }

    pub(super) fn is_ok(&self) -> bool {
        matches!(*self.answer.borrow(), Some(Ok(_)))
    }

    pub(super) fn cause(&self) -> Cause {
        self.answer.borrow().clone().unwrap().unwrap_err()
    }

    pub(super) fn lost(&self) -> bool {
        matches!(self.cause(), Cause::ConnectionLoss { may_have_applied: false })
    }

    pub(super) fn lost_and_unknown(&self) -> bool {
        matches!(self.cause(), Cause::ConnectionLoss { may_have_applied: true })
    }
}

impl Ticket for Called {
    fn is_abandoned(&self) -> bool {
        self.abandoned.get()
    }

    fn complete(self, answer: Answer) {
        assert!(self.answer.replace(Some(answer)).is_none(), "completed twice");
    }
}

/// A watch of the test.
#[derive(Debug, Clone, Default)]
pub(super) struct Watched {
    events: Rc<RefCell<Vec<WatchedEvent>>>,
    abandoned: Rc<Cell<bool>>,
}

impl Watched {
    pub(super) fn abandon(&self) {
        self.abandoned.set(true);
    }

    /// The kinds told since the last look.
    pub(super) fn take(&self) -> Vec<EventKind> {
        self.events.take().into_iter().map(|event| event.kind).collect()
    }
}

impl Watcher for Watched {
    fn is_abandoned(&self) -> bool {
        self.abandoned.get()
    }

    fn tell(&self, event: WatchedEvent) {
        self.events.borrow_mut().push(event);
    }
}

/// A request as a server reads it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Got {
    pub(super) xid: i32,
    pub(super) op: OpCode,
    pub(super) record: Bytes,
}

pub(super) struct Harness {
    pub(super) session: Session<Called, Watched>,
    pub(super) now: Time,
    /// What the session said since the last look: states, connects, disconnects.
    log: Vec<String>,
    serial: u64,
}

impl Harness {
    pub(super) fn new(hosts: u16) -> Self {
        Self::with(hosts, |_| {})
    }

    pub(super) fn with(hosts: u16, change: impl FnOnce(&mut Config)) -> Self {
        let hosts = (1..=hosts).map(|port| HostPort { host: "h".into(), port }).collect();
        let mut config = Config {
            hosts: Hosts::new(hosts, 1),
            session_timeout: TIMEOUT,
            read_only: false,
            resume: None,
            auths: Vec::new(),
            seed: 1,
        };
        change(&mut config);
        let mut harness =
            Harness { session: Session::new(config, Time::ZERO), now: Time::ZERO, log: Vec::new(), serial: 0 };
        harness.carry_out();
        harness
    }

    /// A session that is connected.
    pub(super) fn connected(hosts: u16) -> Self {
        let mut harness = Self::new(hosts);
        harness.accept();
        harness.log.clear();
        harness
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Connect(host) => self.log.push(format!("connect {}", host.port)),
                Output::Disconnect => self.log.push("disconnect".into()),
                Output::Ask(host) => self.log.push(format!("ask {}", host.port)),
                Output::State(state) => self.log.push(format!("{state:?}")),
                Output::Complete(ticket, answer) => ticket.complete(answer),
                Output::Tell(watcher, event) => watcher.tell(event),
            }
        }
    }

    pub(super) fn log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// The number of connects since the last look.
    pub(super) fn connects(&mut self) -> usize {
        self.log().iter().filter(|line| line.starts_with("connect")).count()
    }

    /// Lets time pass, with every timeout at its moment.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.session.handle_timeout(self.now);
            self.carry_out();
        }
        self.now = end;
    }

    pub(super) fn lost(&mut self) {
        self.session.lost(self.now, "the test says so");
        self.carry_out();
    }

    /// Opens the connection and returns the session's greeting.
    pub(super) fn open(&mut self) -> ConnectRequest {
        self.session.opened(self.now);
        self.carry_out();
        let bytes = self.bytes();
        ConnectRequest::from_bytes(&bytes.slice(4..)).unwrap()
    }

    /// Opens the connection and grants the session.
    pub(super) fn accept(&mut self) -> ConnectRequest {
        let greeting = self.open();
        self.grant(TIMEOUT, false);
        greeting
    }

    pub(super) fn grant(&mut self, timeout: Duration, read_only: bool) {
        self.receive(&ConnectResponse {
            protocol_version: 0,
            timeout_ms: timeout.as_millis() as i32,
            session_id: if timeout.is_zero() { 0 } else { ID },
            password: Some(Bytes::from_static(&[7; 16])),
            read_only: Some(read_only),
        });
    }

    fn bytes(&mut self) -> Bytes {
        let mut out = BytesMut::new();
        while self.session.wants_to_transmit() {
            self.session.transmit(self.now, &mut out);
        }
        out.freeze()
    }

    /// What the server reads now.
    pub(super) fn sent(&mut self) -> Vec<Got> {
        let mut bytes = BytesMut::from(&self.bytes()[..]);
        let mut sent = Vec::new();
        while let Some(frame) = frame::take(&mut bytes, usize::MAX).unwrap() {
            let mut reader = Reader::new(&frame);
            let RequestHeader { xid, op } = RequestHeader::decode(&mut reader).unwrap();
            sent.push(Got { xid, op: OpCode::from_i32(op).unwrap(), record: reader.rest() });
        }
        sent
    }

    /// The op codes the server reads now.
    pub(super) fn ops(&mut self) -> Vec<OpCode> {
        self.sent().into_iter().map(|got| got.op).collect()
    }

    pub(super) fn receive(&mut self, record: &impl Encode) {
        let mut input = BytesMut::from(&frame::of(record)[..]);
        self.session.received(self.now, &mut input);
        self.carry_out();
    }

    /// The server answers a request, with no record.
    pub(super) fn reply(&mut self, xid: i32, zxid: i64, err: i32) {
        self.receive(&ReplyHeader { xid, zxid: Zxid(zxid), err });
    }

    pub(super) fn notify(&mut self, kind: i32, path: &str, zxid: i64) {
        let mut frame = BytesMut::new();
        frame::put(&mut frame, |out| {
            ReplyHeader { xid: xid::NOTIFICATION, zxid: Zxid(zxid), err: 0 }.encode(out);
            WatcherEvent { kind, state: 3, path: path.to_owned() }.encode(out);
        });
        self.session.received(self.now, &mut frame);
        self.carry_out();
    }

    pub(super) fn command(&mut self, command: Command<Called, Watched>) {
        self.session.handle(self.now, command);
        self.carry_out();
    }

    fn submit(&mut self, mut request: Request<Called, Watched>) -> Called {
        let call = Called::default();
        request.ticket = Some(call.clone());
        self.command(Command::Submit(request));
        call
    }

    pub(super) fn read(&mut self) -> Called {
        self.submit(Request::new(OpCode::GetData, false, None, &NoRecord))
    }

    pub(super) fn write(&mut self) -> Called {
        self.submit(Request::new(OpCode::SetData, true, None, &NoRecord))
    }

    pub(super) fn auth(&mut self) -> Called {
        self.submit(Request::new(OpCode::Auth, false, Some(crate::client::request::Special::Auth), &NoRecord))
    }

    /// A request that sets a watch on `/a`.
    pub(super) fn watch(&mut self, kind: WatchKind) -> (Called, Watched, WatchId) {
        self.watch_at("/a", kind)
    }

    /// A request that sets a watch.
    pub(super) fn watch_at(&mut self, path: &str, kind: WatchKind) -> (Called, Watched, WatchId) {
        self.serial += 1;
        let id = WatchId { path: path.into(), kind, serial: self.serial };
        let watched = Watched::default();
        let mut request = Request::new(OpCode::GetData, false, None, &NoRecord);
        request.watch = Some(WatchRequest { id: id.clone(), watcher: watched.clone() });
        (self.submit(request), watched, id)
    }

    pub(super) fn close(&mut self) -> Called {
        let call = Called::default();
        self.command(Command::Close(Some(call.clone())));
        call
    }

    pub(super) fn detach(&mut self) -> Called {
        let call = Called::default();
        self.command(Command::Detach(Some(call.clone())));
        call
    }

    pub(super) fn valid_until(&self) -> Option<Time> {
        self.session.snapshot().valid_until
    }

    pub(super) fn credentials(&self) -> Option<SessionCredentials> {
        self.session.snapshot().credentials
    }

    pub(super) fn state(&self) -> State {
        self.session.state
    }
}
