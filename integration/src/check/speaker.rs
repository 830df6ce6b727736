//! A client as a pure machine: it makes frames of actions, reads frames that come, and writes down both. A simulation or a socket
//! carries the frames, which are without their lengths here.

use std::collections::{BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};
use menagerie_core::jute::{Decode, DecodeError, Encode, Reader};
use menagerie_core::wire::proto::{
    ConnectRequest, ConnectResponse, Create2Response, CreateRequest, GetChildrenResponse, GetDataResponse, MultiOp,
    MultiRequest, MultiResponse, MultiResult, PathOnly, PathRequest, PathVersion, ReplyHeader, RequestHeader,
    SetDataRequest, SetWatches, StatResponse, WatcherEvent, xid,
};
use menagerie_core::wire::{Acl, ErrorCode, EventKind, OpCode, Stat, Zxid};

use super::history::{Action, Answer, ClientLog, NodeView, Step, What};

/// What came to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// The session is open on this connection.
    Open,
    /// The session is gone; the next greeting opens another one.
    Refused,
    /// An answer to this.
    Answer(
        /// What was asked for.
        Action,
        /// The answer.
        Answer,
    ),
    /// Anything else.
    Other,
}

/// A client.
#[derive(Debug)]
pub struct Speaker {
    log: ClientLog,
    timeout_ms: i32,
    session: i64,
    password: Option<Bytes>,
    seen: Zxid,
    xid: i32,
    open: bool,
    in_flight: VecDeque<(i32, Action)>,
    data: BTreeSet<String>,
    exist: BTreeSet<String>,
    child: BTreeSet<String>,
    /// While watches are being set again: what was told of them.
    rewatched: Option<Vec<(EventKind, String)>>,
}

impl Speaker {
    /// A client that has no session yet and asks for this timeout.
    pub fn new(name: String, timeout_ms: i32) -> Self {
        Speaker {
            log: ClientLog { name, steps: Vec::new() },
            timeout_ms,
            session: 0,
            password: None,
            seen: Zxid::ZERO,
            xid: 0,
            open: false,
            in_flight: VecDeque::new(),
            data: BTreeSet::new(),
            exist: BTreeSet::new(),
            child: BTreeSet::new(),
            rewatched: None,
        }
    }

    /// The session, or 0.
    pub fn session(&self) -> i64 {
        self.session
    }

    /// Whether the session is open on a connection.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// How many requests are not answered, pings not counted.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// What it did and saw until now.
    pub fn log(&self) -> &ClientLog {
        &self.log
    }

    fn note(&mut self, at: u64, what: What) {
        self.log.steps.push(Step { at, what });
    }

    /// The first frame on a new connection.
    pub fn greet(&self) -> Bytes {
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.seen,
            timeout_ms: self.timeout_ms,
            session_id: self.session,
            password: Some(self.password.clone().unwrap_or_else(|| Bytes::from_static(&[0; 16]))),
            read_only: Some(false),
        };
        request.to_bytes()
    }

    /// A ping.
    pub fn ping(&self) -> Bytes {
        RequestHeader { xid: xid::PING, op: OpCode::Ping.code() }.to_bytes()
    }

    /// The frame that asks for something.
    pub fn ask(&mut self, at: u64, action: Action) -> Bytes {
        let xid = if matches!(action, Action::SetWatches { .. }) {
            xid::SET_WATCHES
        } else {
            self.xid += 1;
            self.xid
        };
        let frame = frame_of(xid, &action);
        self.in_flight.push_back((xid, action.clone()));
        self.note(at, What::Asked { xid, action });
        frame
    }

    /// The watches that it has, as a request to set them again; `None` when there are none. To be asked first of all on a
    /// connection on which a session was resumed.
    pub fn watches(&mut self) -> Option<Action> {
        if self.data.is_empty() && self.exist.is_empty() && self.child.is_empty() {
            return None;
        }
        self.rewatched = Some(Vec::new());
        let list = |paths: &BTreeSet<String>| paths.iter().cloned().collect();
        let (data, exist, child) = (list(&self.data), list(&self.exist), list(&self.child));
        Some(Action::SetWatches { since: self.seen, data, exist, child })
    }

    /// The connection is lost.
    pub fn lost(&mut self, at: u64) {
        if self.open {
            self.note(at, What::Lost);
        }
        self.open = false;
        self.rewatched = None;
        self.in_flight.clear();
    }

    /// It has closed its session: the next greeting opens another one.
    pub fn forget(&mut self) {
        (self.session, self.password, self.open) = (0, None, false);
        self.data.clear();
        self.exist.clear();
        self.child.clear();
    }

    /// A frame came.
    ///
    /// # Errors
    /// It cannot be read, or answers nothing that was asked.
    pub fn take(&mut self, at: u64, frame: &Bytes) -> Result<Came, DecodeError> {
        if !self.open {
            return self.greeted(at, frame);
        }
        let mut reader = Reader::new(frame);
        let ReplyHeader { xid, zxid, err } = ReplyHeader::decode(&mut reader)?;
        match xid {
            xid::NOTIFICATION => {
                let WatcherEvent { kind, path, .. } = WatcherEvent::decode(&mut reader)?;
                self.event(at, zxid, EventKind::from_i32(kind).unwrap_or(EventKind::None), path);
                Ok(Came::Other)
            }
            xid::PING => {
                self.seen = self.seen.max(zxid);
                self.note(at, What::Heard { zxid });
                Ok(Came::Other)
            }
            _ => self.reply(at, xid, zxid, ErrorCode::from_i32(err), &mut reader),
        }
    }

    fn greeted(&mut self, at: u64, frame: &Bytes) -> Result<Came, DecodeError> {
        let response = ConnectResponse::from_bytes(frame)?;
        if response.timeout_ms <= 0 {
            self.note(at, What::Refused);
            self.forget();
            return Ok(Came::Refused);
        }
        self.open = true;
        (self.session, self.password) = (response.session_id, response.password);
        self.note(at, What::Connected { session: self.session });
        Ok(Came::Open)
    }

    fn event(&mut self, at: u64, zxid: Zxid, kind: EventKind, path: String) {
        if kind != EventKind::NodeChildrenChanged {
            self.data.remove(&path);
            self.exist.remove(&path);
        }
        if matches!(kind, EventKind::NodeChildrenChanged | EventKind::NodeDeleted) {
            self.child.remove(&path);
        }
        match &mut self.rewatched {
            Some(told) => told.push((kind, path)),
            None => self.note(at, What::Event { zxid, kind, path }),
        }
    }

    fn reply(
        &mut self,
        at: u64,
        xid: i32,
        zxid: Zxid,
        code: ErrorCode,
        reader: &mut Reader<'_>,
    ) -> Result<Came, DecodeError> {
        // Whether it is this one's turn is not judged here: the log says it.
        let place = self.in_flight.iter().position(|(asked, _)| *asked == xid);
        let Some((_, action)) = place.and_then(|place| self.in_flight.remove(place)) else {
            return Err(DecodeError::BadValue { what: "the number of a reply", value: xid.into() });
        };
        let answer = if code == ErrorCode::Ok { self.answer(&action, reader)? } else { Answer::Error(code) };
        self.seen = self.seen.max(zxid);
        self.remember_watch(&action, &answer);
        self.note(at, What::Answered { xid, zxid, answer: answer.clone() });
        Ok(Came::Answer(action, answer))
    }

    fn answer(&mut self, action: &Action, reader: &mut Reader<'_>) -> Result<Answer, DecodeError> {
        Ok(match action {
            Action::Create { .. } => {
                let Create2Response { path, stat } = Decode::decode(reader)?;
                Answer::Created { path, node: view(&stat) }
            }
            Action::SetData { .. } | Action::Exists { .. } => Answer::Node(view(&StatResponse::decode(reader)?.stat)),
            Action::GetData { .. } => {
                let GetDataResponse { data, stat } = Decode::decode(reader)?;
                Answer::Data { data: data.unwrap_or_default(), node: view(&stat) }
            }
            Action::GetChildren { .. } => {
                let mut names = GetChildrenResponse::decode(reader)?.children;
                names.sort_unstable();
                Answer::Children(names)
            }
            Action::Multi(_) => {
                let results = MultiResponse::decode(reader)?.results;
                Answer::Multi(results.into_iter().map(result).collect())
            }
            Action::SetWatches { .. } => Answer::Rewatched(self.rewatched.take().unwrap_or_default()),
            Action::Delete { .. } | Action::Check { .. } | Action::Sync { .. } | Action::Close => Answer::Done,
        })
    }

    fn remember_watch(&mut self, action: &Action, answer: &Answer) {
        let found = !matches!(answer, Answer::Error(_));
        match action {
            Action::GetData { path, watch: true } if found => self.data.insert(path.clone()),
            Action::Exists { path, watch: true } if found => self.data.insert(path.clone()),
            Action::Exists { path, watch: true } => self.exist.insert(path.clone()),
            Action::GetChildren { path, watch: true } if found => self.child.insert(path.clone()),
            _ => false,
        };
    }
}

fn view(stat: &Stat) -> NodeView {
    NodeView {
        czxid: stat.czxid,
        mzxid: stat.mzxid,
        pzxid: stat.pzxid,
        version: stat.version,
        owner: stat.ephemeral_owner,
        children: stat.num_children,
    }
}

fn result(result: MultiResult) -> Answer {
    match result {
        MultiResult::Created { path, stat } => {
            Answer::Created { path, node: stat.as_ref().map(view).unwrap_or_default() }
        }
        MultiResult::DataSet { stat } => Answer::Node(view(&stat)),
        MultiResult::Error { err } => Answer::Error(ErrorCode::from_i32(err)),
        _ => Answer::Done,
    }
}

fn frame_of(xid: i32, action: &Action) -> Bytes {
    let (op, body) = body_of(action);
    let mut frame = BytesMut::new();
    RequestHeader { xid, op: op.code() }.encode(&mut frame);
    frame.extend_from_slice(&body);
    frame.freeze()
}

fn body_of(action: &Action) -> (OpCode, Bytes) {
    let read = |path: &String, watch: &bool| PathRequest { path: path.clone(), watch: *watch }.to_bytes();
    match action {
        Action::Create { .. } => (OpCode::Create2, create(action).to_bytes()),
        Action::SetData { path, data, version } => (OpCode::SetData, set_data(path, data, *version).to_bytes()),
        Action::Delete { path, version } => (OpCode::Delete, path_version(path, *version).to_bytes()),
        Action::Check { path, version } => (OpCode::Check, path_version(path, *version).to_bytes()),
        Action::Multi(actions) => {
            (OpCode::Multi, MultiRequest { ops: actions.iter().map(multi_op).collect() }.to_bytes())
        }
        Action::GetData { path, watch } => (OpCode::GetData, read(path, watch)),
        Action::Exists { path, watch } => (OpCode::Exists, read(path, watch)),
        Action::GetChildren { path, watch } => (OpCode::GetChildren, read(path, watch)),
        Action::SetWatches { since, data, exist, child } => {
            let (data, exist, child) = (data.clone(), exist.clone(), child.clone());
            (OpCode::SetWatches, SetWatches { relative_zxid: *since, data, exist, child }.to_bytes())
        }
        Action::Sync { path } => (OpCode::Sync, PathOnly { path: path.clone() }.to_bytes()),
        Action::Close => (OpCode::CloseSession, Bytes::new()),
    }
}

fn create(action: &Action) -> CreateRequest {
    match action {
        Action::Create { path, data, mode } => {
            CreateRequest { path: path.clone(), data: Some(data.clone()), acl: Acl::open(), flags: mode.flags() }
        }
        _ => CreateRequest::default(),
    }
}

fn set_data(path: &str, data: &Bytes, version: i32) -> SetDataRequest {
    SetDataRequest { path: path.to_owned(), data: Some(data.clone()), version }
}

fn path_version(path: &str, version: i32) -> PathVersion {
    PathVersion { path: path.to_owned(), version }
}

fn multi_op(action: &Action) -> MultiOp {
    match action {
        Action::SetData { path, data, version } => MultiOp::SetData(set_data(path, data, *version)),
        Action::Delete { path, version } => MultiOp::Delete(path_version(path, *version)),
        Action::Check { path, version } => MultiOp::Check(path_version(path, *version)),
        _ => MultiOp::Create(OpCode::Create2, create(action)),
    }
}
