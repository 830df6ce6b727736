//! Values as people read them: times, paths, data. Nothing printed here can play tricks with a terminal.

use std::borrow::Cow;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::wire::Acl;

/// Bytes of data that are shown where not all are wanted.
pub(super) const DATA_SHOWN: usize = 64;

/// A time in UTC, to the millisecond.
pub(super) fn time(ms: i64) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(timestamp) => timestamp.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        Err(_) => format!("{ms}ms"),
    }
}

/// A time as Java prints it, in the zone of this machine: `Tue Nov 24 10:34:56 UTC 2026`.
pub(super) fn java_time(ms: i64) -> String {
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    match Timestamp::from_millisecond(ms) {
        Ok(timestamp) => timestamp.to_zoned_datetime(zone).strftime("%a %b %d %H:%M:%S %Z %Y").to_string(),
        Err(_) => format!("{ms} ms"),
    }
}

/// `1 znode`, `2 znodes`.
pub(super) fn count(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// A path as it is, or in quotes where it holds what a line cannot show.
pub(super) fn path(path: &str) -> Cow<'_, str> {
    if path.is_empty() || path.chars().any(|c| c.is_control() || c.is_whitespace()) {
        format!("{path:?}").into()
    } else {
        path.into()
    }
}

/// At most `limit` bytes of data: text in quotes, anything else in hexadecimal.
pub(super) fn data(data: Option<&[u8]>, limit: usize) -> String {
    let Some(data) = data else { return "null".to_owned() };
    let shown = &data[..data.len().min(limit)];
    // A character may be cut in two where the data are.
    let text = match std::str::from_utf8(shown) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() && shown.len() < data.len() => {
            std::str::from_utf8(&shown[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    };
    let mut out = match text {
        Some(text) => format!("{text:?}"),
        None => shown.iter().fold("0x".to_owned(), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        }),
    };
    if shown.len() < data.len() {
        let _ = write!(out, "…({} bytes)", data.len());
    }
    out
}

/// Data as JSON holds them: base64, or null.
pub(super) fn base64(data: Option<&[u8]>) -> Option<String> {
    data.map(|data| STANDARD.encode(data))
}

/// A list as the shell writes it: `scheme:id:perms`, with commas.
pub(super) fn acl(acl: &[Acl]) -> String {
    acl.iter().map(|entry| path(&entry.to_string()).into_owned()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_are_text_where_they_can_be_and_cut_where_they_are_long() {
        assert_eq!(data(None, 9), "null");
        assert_eq!(data(Some(b""), 9), "\"\"");
        assert_eq!(data(Some(b"a\x1b[2J\n"), 9), "\"a\\u{1b}[2J\\n\"");
        assert_eq!(data(Some(&[0, 0xff]), 9), "0x00ff");
        assert_eq!(data(Some("ab€".as_bytes()), 4), "\"ab\"…(5 bytes)");
        assert_eq!(data(Some(&[0xff; 9]), 2), "0xffff…(9 bytes)");
        assert_eq!(base64(Some(b"hello")).as_deref(), Some("aGVsbG8="));
    }

    #[test]
    fn times_and_paths_stay_on_their_line() {
        assert_eq!(time(1_795_516_496_007), "2026-11-24T10:34:56.007Z");
        assert_eq!(time(i64::MAX), "9223372036854775807ms");
        assert_eq!(path("/bär"), "/bär");
        assert_eq!(path("/a b\n"), "\"/a b\\n\"");
        assert_eq!(acl(&Acl::open()), "world:anyone:cdrwa");
    }
}
