//! Reads what a server sent: the frame of a reply or an event becomes a [`Line`] with every field of its record. It never
//! knows which server it was.

use bytes::Bytes;
use menagerie_core::jute::{Decode, DecodeError, Reader};
use menagerie_core::wire::proto::{ClientInfo, ConnectResponse, MultiHeader, ReplyHeader, WatcherEvent};
use menagerie_core::wire::{Acl, ErrorCode, EventKind, Stat};

use super::facts::Facts;
use super::line::{Line, Value};
use super::schema::{self, Part, Spec};
use super::text;

/// What stands for null, where a string could be.
const NULL: &str = "(null)";

/// Adds fields to a line.
struct Writer<'a> {
    facts: &'a mut Facts,
    line: Line,
    /// What stands before the name of each field: the number of a multi's result.
    prefix: String,
}

/// The header of a reply or an event.
///
/// # Errors
/// A frame that is too short for one.
pub fn header(frame: &Bytes) -> Result<ReplyHeader, DecodeError> {
    ReplyHeader::from_bytes(frame)
}

/// The reply to an operation.
pub fn reply(facts: &mut Facts, session: &str, spec: &Spec, frame: &Bytes) -> Line {
    let read = |reader: &mut Reader<'_>, writer: &mut Writer<'_>| {
        let header = ReplyHeader::decode(reader)?;
        writer.add("to", spec.name);
        writer.zxid("zxid", header.zxid.0);
        writer.add("err", ErrorCode::from_i32(header.err));
        if header.err == 0 { spec.reply.iter().try_for_each(|part| writer.part(reader, *part)) } else { Ok(()) }
    };
    whole(facts, Line::new(session, "reply"), frame, read)
}

/// A watch event.
pub fn event(facts: &mut Facts, session: &str, frame: &Bytes) -> Line {
    let read = |reader: &mut Reader<'_>, writer: &mut Writer<'_>| {
        let header = ReplyHeader::decode(reader)?;
        let event = WatcherEvent::decode(reader)?;
        writer.zxid("zxid", header.zxid.0);
        writer.add("err", ErrorCode::from_i32(header.err));
        let kind = EventKind::from_i32(event.kind);
        writer.add("type", kind.map_or_else(|| event.kind.to_string(), |kind| format!("{kind:?}")));
        writer.add("state", event.state);
        writer.add("path", event.path);
        Ok(())
    };
    whole(facts, Line::new(session, "event"), frame, read)
}

/// The answer to a connect request. `session` is its client, whose session and password these were.
pub fn connected(
    facts: &mut Facts,
    session: &str,
    had: (i64, &[u8]),
    frame: &Bytes,
) -> Result<(ConnectResponse, Line), DecodeError> {
    let response = ConnectResponse::from_bytes(frame)?;
    let (id, password) = (response.session_id, response.password.clone());
    if id != 0 {
        facts.name(id, session);
    }
    let password = match password.as_deref() {
        None => "null".to_owned(),
        Some(bytes) if bytes == had.1 && id == had.0 => "same".to_owned(),
        Some(bytes) if bytes.iter().all(|byte| *byte == 0) => format!("zeros{}", bytes.len()),
        Some(bytes) => format!("new{}", bytes.len()),
    };
    let read_only = response.read_only.map_or_else(|| "absent".to_owned(), |read_only| read_only.to_string());
    let line = Line::new(session, "connected")
        .with("version", response.protocol_version)
        .with("timeout", response.timeout_ms)
        .with("session", facts.session(id))
        .with("password", password)
        .with("readonly", read_only);
    Ok((response, line))
}

fn whole(
    facts: &mut Facts,
    line: Line,
    frame: &Bytes,
    read: impl FnOnce(&mut Reader<'_>, &mut Writer<'_>) -> Result<(), DecodeError>,
) -> Line {
    let mut reader = Reader::new(frame);
    let mut writer = Writer { facts, line, prefix: String::new() };
    if let Err(error) = read(&mut reader, &mut writer) {
        writer.add("unreadable", error);
    } else if reader.remaining() > 0 {
        writer.add("rest", text::data(Some(&reader.rest())));
    }
    writer.line
}

impl Writer<'_> {
    fn add(&mut self, name: &str, value: impl std::fmt::Display) {
        self.line.fields.push((format!("{}{name}", self.prefix), Value::One(value.to_string())));
    }

    fn list(&mut self, name: &str, list: Vec<String>) {
        self.line.fields.push((format!("{}{name}", self.prefix), Value::List(list)));
    }

    fn zxid(&mut self, name: &str, zxid: i64) {
        let zxid = self.facts.zxid(zxid);
        self.add(name, zxid);
    }

    fn part(&mut self, reader: &mut Reader<'_>, part: Part) -> Result<(), DecodeError> {
        match part {
            Part::Path => {
                let path = reader.str()?;
                self.add("path", path.as_deref().unwrap_or(NULL));
            }
            Part::Data => {
                let data = reader.buffer()?;
                self.add("data", plain(data.as_deref()));
            }
            Part::Stat => {
                let stat = Stat::decode(reader)?;
                self.stat(&stat);
            }
            Part::Int(name) => {
                let number = reader.int()?;
                self.add(name, number);
            }
            Part::Names(name) => {
                let names: Vec<Option<String>> = Vec::decode(reader)?;
                self.list(name, names.into_iter().map(|name| name.unwrap_or_else(|| NULL.to_owned())).collect());
            }
            Part::Acl => {
                let acl: Vec<Acl> = Vec::decode(reader)?;
                self.list("acl", acl.iter().map(text::acl_entry).collect());
            }
            Part::Identities => {
                let identities: Vec<ClientInfo> = Vec::decode(reader)?;
                let text = |info: &ClientInfo| format!("{}:{}", info.auth_scheme, info.user);
                self.list("identities", identities.iter().map(text).collect());
            }
            Part::Results => self.results(reader)?,
        }
        Ok(())
    }

    fn stat(&mut self, stat: &Stat) {
        self.zxid("czxid", stat.czxid.0);
        self.zxid("mzxid", stat.mzxid.0);
        let (ctime, mtime) = (self.facts.time(stat.czxid.0, stat.ctime), self.facts.time(stat.mzxid.0, stat.mtime));
        self.add("ctime", ctime);
        self.add("mtime", mtime);
        self.add("version", stat.version);
        self.add("cversion", stat.cversion);
        self.add("aversion", stat.aversion);
        let owner = self.facts.session(stat.ephemeral_owner);
        self.add("owner", owner);
        self.add("length", stat.data_length);
        self.add("children", stat.num_children);
        self.zxid("pzxid", stat.pzxid.0);
    }

    fn results(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        for number in 1.. {
            let MultiHeader { op, done, err } = MultiHeader::decode(reader)?;
            self.prefix = format!("{number}.");
            if done {
                self.prefix = String::new();
                self.add("end", format!("{op},{err}"));
                return Ok(());
            }
            let spec = schema::coded(op);
            self.add("type", spec.map_or_else(|| op.to_string(), |spec| spec.name.to_owned()));
            self.add("err", ErrorCode::from_i32(err));
            if op == -1 {
                let again = ErrorCode::from_i32(reader.int()?);
                self.add("again", again);
            } else if let Some(spec) = spec {
                spec.reply.iter().try_for_each(|part| self.part(reader, *part))?;
            } else {
                return Err(DecodeError::BadValue { what: "a result inside a multi", value: op.into() });
            }
        }
        Ok(())
    }
}

/// Data as a value: text as it is when it can be told from bytes.
fn plain(data: Option<&[u8]>) -> String {
    let text = text::data(data);
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) if data.is_some_and(|data| data == inner.as_bytes()) && text::is_unlike_bytes(inner) => {
            inner.to_owned()
        }
        _ => text,
    }
}
