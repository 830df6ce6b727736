//! What the shell prints as JSON: the shapes that programs read, with the names that `stat` has.
//!
//! Zxids and sessions are hexadecimal text, since many readers of JSON have no integers of 64 bits.

use serde::Serialize;

use super::quota;
use crate::wire::quota::Quota;
use crate::wire::{Acl, Stat};

/// A Stat.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatJson {
    #[serde(rename = "cZxid")]
    czxid: String,
    /// Milliseconds since 1970.
    ctime: i64,
    #[serde(rename = "mZxid")]
    mzxid: String,
    mtime: i64,
    #[serde(rename = "pZxid")]
    pzxid: String,
    cversion: i32,
    data_version: i32,
    acl_version: i32,
    ephemeral_owner: String,
    data_length: i32,
    num_children: i32,
}

impl From<&Stat> for StatJson {
    fn from(stat: &Stat) -> Self {
        Self {
            czxid: hex(stat.czxid.0),
            ctime: stat.ctime,
            mzxid: hex(stat.mzxid.0),
            mtime: stat.mtime,
            pzxid: hex(stat.pzxid.0),
            cversion: stat.cversion,
            data_version: stat.version,
            acl_version: stat.aversion,
            ephemeral_owner: hex(stat.ephemeral_owner),
            data_length: stat.data_length,
            num_children: stat.num_children,
        }
    }
}

/// A znode, as far as a command tells of it.
#[derive(Debug, Default, Serialize)]
pub(super) struct ZnodeJson<'a> {
    pub(super) path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) children: Option<Vec<String>>,
    #[serde(flatten)]
    pub(super) data: Option<DataJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) acl: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stat: Option<StatJson>,
}

/// Data: text where they are UTF-8, base64 where not.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum DataJson {
    Data(String),
    Base64(String),
}

impl DataJson {
    /// Data as they are.
    pub(super) fn of(data: &[u8]) -> Self {
        match std::str::from_utf8(data) {
            Ok(text) => Self::Data(text.to_owned()),
            Err(_) => Self::base64(data),
        }
    }

    /// Data as base64, whatever they are.
    pub(super) fn base64(data: &[u8]) -> Self {
        use base64::Engine;
        Self::Base64(base64::engine::general_purpose::STANDARD.encode(data))
    }
}

/// A quota.
#[derive(Debug, Serialize)]
pub(super) struct QuotaJson<'a> {
    pub(super) path: &'a str,
    pub(super) limits: Numbers<'a>,
    pub(super) used: Numbers<'a>,
}

/// The numbers of a quota's znode, −1 where there is none.
#[derive(Debug)]
pub(super) struct Numbers<'a>(pub(super) &'a Quota);

impl Serialize for Numbers<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(quota::numbers(self.0))
    }
}

/// An access list, each entry as it is typed.
pub(super) fn acl(acl: &[Acl]) -> Vec<String> {
    acl.iter().map(ToString::to_string).collect()
}

/// A number of 64 bits.
pub(super) fn hex(number: i64) -> String {
    format!("0x{number:x}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_znode_tells_what_was_asked_for() {
        let path = ZnodeJson { path: "/a", ..ZnodeJson::default() };
        assert_eq!(serde_json::to_string(&path).unwrap(), r#"{"path":"/a"}"#);
        let data = ZnodeJson { path: "/a", data: Some(DataJson::of(b"x\"y")), ..ZnodeJson::default() };
        assert_eq!(serde_json::to_string(&data).unwrap(), r#"{"path":"/a","data":"x\"y"}"#);
        let bytes = ZnodeJson { path: "/a", data: Some(DataJson::of(b"\xff")), ..ZnodeJson::default() };
        assert_eq!(serde_json::to_string(&bytes).unwrap(), r#"{"path":"/a","base64":"/w=="}"#);
        let stat =
            serde_json::to_value(StatJson::from(&Stat { ephemeral_owner: i64::MIN, ..Stat::default() })).unwrap();
        assert_eq!(stat["ephemeralOwner"], "0x8000000000000000");
        assert_eq!((&stat["cZxid"], &stat["dataVersion"]), (&"0x0".into(), &0.into()));
    }

    #[test]
    fn quotas_have_all_four_numbers() {
        let (limits, used) = (quota::only(&quota::Limits::new()), Quota::used(2, 6));
        let json = QuotaJson { path: "/a", limits: Numbers(&limits), used: Numbers(&used) };
        let json = serde_json::to_value(json).unwrap();
        assert_eq!((&json["limits"]["byteHardLimit"], &json["used"]["bytes"]), (&(-1).into(), &6.into()));
    }
}
