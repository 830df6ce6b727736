//! One line of an export: a znode, the head, or the end. Only text in and out.

use serde::{Deserialize, Deserializer, Serialize};

use super::json::{DataJson, acl as acl_text, hex};
use super::{acl, contents::Znode};
use crate::wire::{Acl, CreateMode, path};

/// The version of the form.
const FORM: u32 = 1;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Head(Head),
    Znode(Record),
    End(End),
}

/// The first line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    /// The version of the form.
    export: u32,
    /// The path that was exported: all others are this one or below it.
    pub(super) root: String,
}

/// The last line: without it, the file was cut.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    end: bool,
    /// How many znodes there are.
    pub(super) znodes: u64,
}

/// A znode.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) path: String,
    #[serde(default, skip_serializing_if = "Kind::is_persistent")]
    pub(super) kind: Kind,
    /// The time to live, in milliseconds, of a znode that has one.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub(super) ttl: Option<u64>,
    /// The session of an ephemeral znode.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// The data, where it is text.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    /// The data, where it is none.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    /// Each entry as it is typed; none: everybody may do everything.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    acl: Option<Vec<String>>,
    /// How many children it has had: the next number of a sequential name below it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) counter: u32,
}

/// What kind of znode it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    #[default]
    Persistent,
    Ephemeral,
    Container,
    Ttl,
}

impl Kind {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
    fn is_persistent(&self) -> bool {
        *self == Self::Persistent
    }
}

/// A field that may be left out, but not be null: a slip must not become an empty znode, or one that is open to everybody.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Head {
    pub(super) fn new(root: &str) -> Self {
        Self { export: FORM, root: root.to_owned() }
    }
}

impl End {
    pub(super) fn new(znodes: u64) -> Self {
        Self { end: true, znodes }
    }
}

impl From<&Znode> for Record {
    fn from(znode: &Znode) -> Self {
        let owner = znode.stat.ephemeral_owner;
        let (data, base64) = match DataJson::of(&znode.data) {
            _ if znode.data.is_empty() => (None, None),
            DataJson::Data(text) => (Some(text), None),
            DataJson::Base64(text) => (None, Some(text)),
        };
        Self {
            path: znode.path.clone(),
            kind: if owner == 0 { Kind::Persistent } else { Kind::Ephemeral },
            ttl: None,
            owner: (owner != 0).then(|| hex(owner)),
            data,
            base64,
            acl: Some(acl_text(&znode.acl)).filter(|_| znode.acl != Acl::open()),
            counter: counter(znode.stat.cversion, znode.stat.num_children),
        }
    }
}

/// How many children were created: a Stat's cversion counts the deletions as well (protocol §2.5).
pub(super) fn counter(cversion: i32, num_children: i32) -> u32 {
    u32::try_from(i64::midpoint(i64::from(cversion), i64::from(num_children))).unwrap_or(0)
}

impl Record {
    /// The data.
    pub(super) fn data(&self) -> Result<Vec<u8>, String> {
        use base64::Engine;
        match (&self.data, &self.base64) {
            (None, None) => Ok(Vec::new()),
            (Some(text), None) => Ok(text.as_bytes().to_vec()),
            (None, Some(text)) => {
                base64::engine::general_purpose::STANDARD.decode(text).map_err(|error| format!("base64: {error}"))
            }
            (Some(_), Some(_)) => Err("it has both data and base64; leave one out".to_owned()),
        }
    }

    /// The access list.
    pub(super) fn acl(&self) -> Result<Vec<Acl>, String> {
        match &self.acl {
            None => Ok(Acl::open()),
            Some(entries) => entries.iter().map(|entry| acl::entry(entry)).collect(),
        }
    }

    /// How it is created; an ephemeral znode as a persistent one.
    pub(super) fn mode(&self) -> CreateMode {
        match self.kind {
            Kind::Persistent | Kind::Ephemeral => CreateMode::Persistent,
            Kind::Container => CreateMode::Container,
            Kind::Ttl => CreateMode::PersistentWithTtl,
        }
    }

    fn check(&self) -> Result<(), String> {
        path::validate(&self.path).map_err(|error| format!("{:?}: {error}", self.path))?;
        self.data()?;
        self.acl()?;
        if (self.kind == Kind::Ttl) != self.ttl.is_some() {
            return Err("the kind ttl, and no other, has a ttl".to_owned());
        }
        Ok(())
    }
}

impl Line {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, to be said after the number of the line.
    pub(super) fn parse(line: &[u8]) -> Result<Self, String> {
        let value: serde_json::Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let json = |error: serde_json::Error| error.to_string();
        if !value.is_object() {
            return Err("not a JSON object".to_owned());
        }
        if value.get("export").is_some() {
            let head: Head = serde_json::from_value(value).map_err(json)?;
            if head.export != FORM {
                return Err(format!("the form {} of an export is not known to this version", head.export));
            }
            path::validate(&head.root).map_err(|error| format!("{:?}: {error}", head.root))?;
            return Ok(Self::Head(head));
        }
        if value.get("end").is_some() {
            return serde_json::from_value(value).map(Self::End).map_err(json);
        }
        let record: Record = serde_json::from_value(value).map_err(json)?;
        record.check()?;
        Ok(Self::Znode(record))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::wire::{Perms, Stat};
    use bytes::Bytes;
    use proptest::prelude::*;

    fn znode(data: Vec<u8>, acl: Vec<Acl>, stat: Stat) -> Znode {
        Znode { path: "/a".to_owned(), stat, data: Bytes::from(data), acl }
    }

    #[test]
    fn a_plain_znode_is_a_short_line() {
        let record = Record::from(&znode(b"x".to_vec(), Acl::open(), Stat::default()));
        assert_eq!(serde_json::to_string(&record).unwrap(), r#"{"path":"/a","data":"x"}"#);
        let stat = Stat { ephemeral_owner: 0x1f, cversion: 3, num_children: 1, ..Stat::default() };
        let record = Record::from(&znode(Vec::new(), Acl::read_only(), stat));
        let line = r#"{"path":"/a","kind":"ephemeral","owner":"0x1f","acl":["world:anyone:r"],"counter":2}"#;
        assert_eq!(serde_json::to_string(&record).unwrap(), line);
    }

    #[test]
    fn lines_that_cannot_be_are_explained() {
        for (line, words) in [
            ("x", "expected value"),
            ("[]", "not a JSON object"),
            (r#"{"data":"x"}"#, "missing field `path`"),
            (r#"{"path":"a"}"#, "starts with /"),
            (r#"{"path":"/a","base64":"!"}"#, "base64"),
            (r#"{"path":"/a","data":5}"#, "invalid type"),
            (r#"{"path":"/a","base64":null}"#, "invalid type"),
            (r#"{"path":"/a","data":"x","base64":"eA=="}"#, "both data and base64"),
            (r#"{"path":"/a","acls":["world:anyone:r"]}"#, "unknown field `acls`"),
            (r#"{"path":"/a","acl":null}"#, "invalid type"),
            (r#"{"path":"/a","acl":["world"]}"#, "scheme:id:permissions"),
            (r#"{"path":"/a","kind":"round"}"#, "unknown variant"),
            (r#"{"path":"/a","kind":"ttl"}"#, "has a ttl"),
            (r#"{"export":2,"root":"/"}"#, "not known"),
            (r#"{"export":1,"root":"a"}"#, "starts with /"),
            (r#"{"end":true}"#, "znodes"),
        ] {
            let error = Line::parse(line.as_bytes()).unwrap_err();
            assert!(error.contains(words), "{line}: {error}");
        }
    }

    #[test]
    fn kinds_that_no_server_tells_can_be_written_by_hand() {
        let line = br#"{"path":"/t","kind":"ttl","ttl":5000}"#;
        let Line::Znode(record) = Line::parse(line).unwrap() else { panic!() };
        assert_eq!((record.mode(), record.ttl), (CreateMode::PersistentWithTtl, Some(5000)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(data in prop::collection::vec(any::<u8>(), 0..40), id in "[a-z:=/+]{0,12}", perms in 0..32) {
            let acl = vec![Acl::new(Perms(perms), "digest", id)];
            let record = Record::from(&znode(data.clone(), acl.clone(), Stat::default()));
            let line = serde_json::to_vec(&record).unwrap();
            prop_assert_eq!(Line::parse(&line), Ok(Line::Znode(record)));
            let Ok(Line::Znode(record)) = Line::parse(&line) else { return Ok(()) };
            prop_assert_eq!((record.data(), record.acl()), (Ok(data), Ok(acl)));
        }

        #[test]
        fn never_panics(line in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Line::parse(&line);
        }
    }
}
