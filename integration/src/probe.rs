//! One session on a raw connection whose every answer becomes one line of text, so that two servers' answers to the same
//! requests can be compared as two lists of lines. What must differ from server to server (times, session ids) is left out
//! of the lines; everything else, zxids included, is in them. It has no opinion on what the right answer is.
//!
//! [`compare`] runs one [`Script`] against the reference and against ours.

use std::io;

use bytes::{Bytes, BytesMut};
use menagerie_core::jute::{Decode, DecodeError, Encode, Reader};
use menagerie_core::wire::proto::{
    AuthPacket, Create2Response, ErrorResponse, GetAclResponse, GetAllChildrenNumberResponse, GetChildren2Response,
    GetChildrenResponse, GetDataResponse, GetEphemeralsResponse, MultiResponse, MultiResult, PathOnly, ReplyHeader,
    RequestHeader, StatResponse, WatcherEvent, WhoAmIResponse, xid,
};
use menagerie_core::wire::proto::{CreateRequest, PathRequest, PathVersion, SetDataRequest};
use menagerie_core::wire::{Acl, ErrorCode, EventKind, OpCode, Stat, frame};

use crate::TestResult;
use crate::raw::RawConnection;
use crate::server::Server;
use crate::software::Software;

/// A session that asks one thing at a time.
#[derive(Debug)]
pub struct Probe {
    connection: RawConnection,
    session: i64,
    xid: i32,
    events: Vec<String>,
}

impl Probe {
    /// Opens a session at 127.0.0.1:`port`. It is never closed: it ends with its timeout, or with the server.
    pub fn open(port: u16) -> io::Result<Self> {
        let mut connection = RawConnection::open(port)?;
        let session = connection.open_session()?.session_id;
        Ok(Self { connection, session, xid: 0, events: Vec::new() })
    }

    /// Sends a request and returns its answer as a line: the zxid, the error's name, the record. `closed` when the server
    /// hangs up instead. Events that arrive meanwhile are kept for [`Probe::take_events`].
    pub fn ask(&mut self, op: OpCode, body: &impl Encode) -> io::Result<String> {
        self.xid += 1;
        self.ask_as(self.xid, op.code(), body)
    }

    /// The same with an xid and an op code of the caller's choice.
    pub fn ask_as(&mut self, xid: i32, op: i32, body: &impl Encode) -> io::Result<String> {
        let mut out = BytesMut::new();
        frame::put(&mut out, |out| {
            RequestHeader { xid, op }.encode(out);
            body.encode(out);
        });
        self.connection.send_bytes(&out)?;
        loop {
            let reply = match self.connection.receive() {
                Ok(reply) => reply,
                Err(error) if is_hang_up(&error) => return Ok("closed".to_owned()),
                Err(error) => return Err(error),
            };
            let mut reader = Reader::new(&reply);
            let header = ReplyHeader::decode(&mut reader).map_err(invalid)?;
            let body = reply.slice(reply.len() - reader.remaining()..);
            if header.xid == xid::NOTIFICATION {
                self.note_event(&body)?;
            } else if header.xid != xid {
                return Err(io::Error::other(format!("asked {xid}, answered {header:?}")));
            } else {
                return self.line(&header, op, &body);
            }
        }
    }

    /// Presents credentials, and returns the answer's line.
    pub fn authenticate(&mut self, scheme: &str, credentials: &'static str) -> io::Result<String> {
        let packet = AuthPacket { kind: 0, scheme: scheme.to_owned(), auth: Some(credentials.into()) };
        self.ask_as(xid::AUTH, OpCode::Auth.code(), &packet)
    }

    /// The events since the last call, in the order of their arrival, each as `kind path`. Pings the server first: what it
    /// had to tell before that has arrived then.
    pub fn take_events(&mut self) -> io::Result<Vec<String>> {
        self.ask_as(xid::PING, OpCode::Ping.code(), &Empty)?;
        Ok(std::mem::take(&mut self.events))
    }

    fn note_event(&mut self, body: &Bytes) -> io::Result<()> {
        let event = WatcherEvent::from_bytes(body).map_err(invalid)?;
        let kind = EventKind::from_i32(event.kind).map_or_else(|| event.kind.to_string(), |kind| format!("{kind:?}"));
        self.events.push(format!("{kind} {}", event.path));
        Ok(())
    }

    fn line(&self, header: &ReplyHeader, op: i32, body: &Bytes) -> io::Result<String> {
        let zxid = header.zxid.0;
        if header.err != 0 {
            return Ok(format!("{zxid} {:?}", ErrorCode::from_i32(header.err)));
        }
        let op = OpCode::from_i32(op).ok_or_else(|| io::Error::other("an unknown op was answered with success"))?;
        let record = self.record(op, body).map_err(invalid)?;
        Ok(format!("{zxid} Ok {record}").trim_end().to_owned())
    }

    fn record(&self, op: OpCode, body: &Bytes) -> Result<String, DecodeError> {
        Ok(match op {
            OpCode::Create | OpCode::Sync => PathOnly::from_bytes(body)?.path,
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                let Create2Response { path, stat } = Create2Response::from_bytes(body)?;
                format!("{path} {}", self.stat(&stat))
            }
            OpCode::Exists | OpCode::SetData | OpCode::SetAcl => self.stat(&StatResponse::from_bytes(body)?.stat),
            OpCode::GetData | OpCode::Reconfig => {
                let GetDataResponse { data, stat } = GetDataResponse::from_bytes(body)?;
                format!("{data:?} {}", self.stat(&stat))
            }
            OpCode::GetAcl => {
                let GetAclResponse { acl, stat } = GetAclResponse::from_bytes(body)?;
                format!("{acl:?} {}", self.stat(&stat))
            }
            OpCode::GetChildren => sorted(GetChildrenResponse::from_bytes(body)?.children),
            OpCode::GetChildren2 => {
                let GetChildren2Response { children, stat } = GetChildren2Response::from_bytes(body)?;
                format!("{} {}", sorted(children), self.stat(&stat))
            }
            OpCode::GetEphemerals => sorted(GetEphemeralsResponse::from_bytes(body)?.ephemerals),
            OpCode::GetAllChildrenNumber => GetAllChildrenNumberResponse::from_bytes(body)?.total.to_string(),
            OpCode::WhoAmI => {
                let ids = WhoAmIResponse::from_bytes(body)?.client_info;
                sorted(ids.into_iter().map(|id| format!("{}:{}", id.auth_scheme, id.user)).collect())
            }
            OpCode::AddWatch => format!("{}", ErrorResponse::from_bytes(body)?.err),
            OpCode::Multi | OpCode::MultiRead => {
                let results = MultiResponse::from_bytes(body)?.results;
                results.into_iter().map(|result| self.result(result)).collect::<Vec<_>>().join(" | ")
            }
            _ => format!("{body:?}").replace("b\"\"", ""),
        })
    }

    fn result(&self, result: MultiResult) -> String {
        match result {
            MultiResult::Created { path, .. } => format!("Created {path}"),
            MultiResult::DataSet { stat } => format!("DataSet {}", self.stat(&stat)),
            MultiResult::Data { data, stat } => format!("Data {data:?} {}", self.stat(&stat)),
            MultiResult::Children { children } => format!("Children {}", sorted(children)),
            MultiResult::Error { err } => format!("{:?}", ErrorCode::from_i32(err)),
            MultiResult::Deleted | MultiResult::Checked => format!("{result:?}"),
        }
    }

    /// Without its times, and with `mine` for this session's id.
    fn stat(&self, stat: &Stat) -> String {
        let owner = match stat.ephemeral_owner {
            0 => "",
            owner if owner == self.session => " mine",
            _ => " another's",
        };
        let Stat { czxid, mzxid, pzxid, version, cversion, aversion, data_length, num_children, .. } = stat;
        let [czxid, mzxid, pzxid] = [czxid, mzxid, pzxid].map(|zxid| zxid.0);
        format!(
            "(c{czxid} m{mzxid} p{pzxid} v{version} cv{cversion} av{aversion} {data_length}b {num_children}n{owner})"
        )
    }
}

/// One session's requests, each with its answer as a line that begins with what was asked.
#[derive(Debug)]
pub struct Script {
    port: u16,
    probe: Probe,
    lines: Vec<String>,
}

impl Script {
    /// Opens a session.
    pub fn new(server: &Server) -> TestResult<Self> {
        let port = server.port();
        Ok(Self { port, probe: Probe::open(port)?, lines: Vec::new() })
    }

    /// The lines so far.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Sends a request; `what` is how its line begins. Where the server hangs up on it, the next one is another session's.
    pub fn ask(&mut self, what: &str, op: OpCode, body: &impl Encode) -> TestResult {
        let answer = self.probe.ask_as(self.lines.len() as i32 + 1, op.code(), body)?;
        if answer == "closed" {
            self.probe = Probe::open(self.port)?;
        }
        self.lines.push(format!("{what}: {answer}"));
        Ok(())
    }

    /// Sends a request after which the server must hang up, and goes on with another session.
    pub fn ask_in_vain(&mut self, what: &str, op: i32, body: &impl Encode) -> TestResult {
        let answer = self.probe.ask_as(self.lines.len() as i32 + 1, op, body)?;
        self.be_left(what, &answer)
    }

    /// Presents credentials. Where they are refused, the server must hang up, and the script goes on with another session.
    pub fn authenticate(&mut self, scheme: &str, credentials: &'static str) -> TestResult {
        let answer = self.probe.authenticate(scheme, credentials)?;
        let what = format!("auth {scheme} {credentials}");
        if answer.ends_with("AuthFailed") {
            return self.be_left(&what, &answer);
        }
        self.lines.push(format!("{what}: {answer}"));
        Ok(())
    }

    /// create2 of a persistent znode that everybody may do everything with.
    pub fn create(&mut self, path: &str, data: &'static str) -> TestResult {
        self.ask(&format!("create {path}"), OpCode::Create2, &creation(path, data))
    }

    /// setData, whatever the version.
    pub fn set(&mut self, path: &str, data: &'static str) -> TestResult {
        self.ask(&format!("set {path}"), OpCode::SetData, &change(path, data))
    }

    /// delete, whatever the version.
    pub fn delete(&mut self, path: &str) -> TestResult {
        self.ask(&format!("delete {path}"), OpCode::Delete, &PathVersion { path: path.into(), version: -1 })
    }

    /// getData, without a watch.
    pub fn get(&mut self, path: &str) -> TestResult {
        self.ask(&format!("get {path}"), OpCode::GetData, &PathRequest { path: path.into(), watch: false })
    }

    /// Notes the events since the last time as a line.
    pub fn note_events(&mut self) -> TestResult {
        let events = self.probe.take_events()?;
        self.lines.push(format!("events: {events:?}"));
        Ok(())
    }

    fn be_left(&mut self, what: &str, answer: &str) -> TestResult {
        let next = Probe::open(self.port)?;
        std::mem::replace(&mut self.probe, next).connection.wait_for_hang_up()?;
        self.lines.push(format!("{what}: {answer}, then closed"));
        Ok(())
    }
}

/// A create of a persistent znode that everybody may do everything with.
pub fn creation(path: &str, data: &'static str) -> CreateRequest {
    CreateRequest { path: path.into(), data: Some(data.into()), acl: Acl::open(), flags: 0 }
}

/// A setData, whatever the version.
pub fn change(path: &str, data: &'static str) -> SetDataRequest {
    SetDataRequest { path: path.into(), data: Some(data.into()), version: -1 }
}

/// Runs a script against ours and, where it is installed, against the reference, each on an empty directory with further
/// lines of `zoo.cfg`, and holds every answer of ours to the reference's. Returns ours.
///
/// # Panics
/// When an answer differs.
pub fn compare(settings: &[(&str, &str)], script: impl Fn(&mut Script) -> TestResult) -> TestResult<Vec<String>> {
    let run = |software: Software| -> TestResult<Vec<String>> {
        let server = Server::start_with(software, settings)?;
        let mut steps = Script::new(&server)?;
        script(&mut steps).map_err(|error| format!("after {:#?}: {error}\n{}", steps.lines, server.log_end()))?;
        Ok(steps.lines)
    };
    let ours = run(Software::menagerie()?)?;
    if let Some(reference) = Software::reference()? {
        let theirs = run(reference)?;
        let differ: Vec<_> = ours.iter().zip(&theirs).filter(|(ours, theirs)| ours != theirs).collect();
        assert!(differ.is_empty(), "ours, then the reference's: {differ:#?}");
        assert_eq!(ours.len(), theirs.len());
    }
    Ok(ours)
}

/// A request without a record.
#[derive(Debug, Clone, Copy)]
pub struct Empty;

impl Encode for Empty {
    fn encode(&self, _: &mut BytesMut) {}
}

fn sorted(mut names: Vec<String>) -> String {
    names.sort_unstable();
    format!("{names:?}")
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

fn invalid(error: DecodeError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
