//! How the shell prints what it gets: as the reference's shell does where tools read it.
//!
//! Only text in and text out: no terminal, no client.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::style::Style;
use crate::client::{EventKind, State, WatchedEvent};
use crate::wire::Stat;

/// A Stat, one `name = value` line for each field, times in the zone of this machine.
pub(super) fn stat(stat: &Stat) -> String {
    format!(
        "cZxid = 0x{:x}\nctime = {}\nmZxid = 0x{:x}\nmtime = {}\npZxid = 0x{:x}\ncversion = {}\ndataVersion = {}\n\
         aclVersion = {}\nephemeralOwner = 0x{:x}\ndataLength = {}\nnumChildren = {}\n",
        stat.czxid.0,
        time(stat.ctime),
        stat.mzxid.0,
        time(stat.mtime),
        stat.pzxid.0,
        stat.cversion,
        stat.version,
        stat.aversion,
        stat.ephemeral_owner,
        stat.data_length,
        stat.num_children,
    )
}

/// A Stat for somebody who reads it: the names in a column, how long ago things were, and whether this session is the owner.
pub(super) fn stat_table(value: &Stat, style: Style, now: i64, me: i64) -> String {
    stat(value).lines().fold(String::new(), |out, line| {
        let (name, value_text) = line.split_once(" = ").unwrap_or((line, ""));
        let aside = match name {
            "ctime" => ago(now - value.ctime),
            "mtime" => ago(now - value.mtime),
            "ephemeralOwner" if value.ephemeral_owner != 0 && value.ephemeral_owner == me => {
                "  (this session)".to_owned()
            }
            _ => String::new(),
        };
        format!("{out}{} {value_text}{}\n", style.dim(&format!("{name:<14} =")), style.dim(&aside))
    })
}

fn ago(ms: i64) -> String {
    let (number, unit) = match ms / 1000 {
        i64::MIN..0 => return String::new(),
        seconds @ 0..120 => (seconds, "s"),
        seconds @ 120..7200 => (seconds / 60, "min"),
        seconds @ 7200..172_800 => (seconds / 3600, "h"),
        seconds => (seconds / 86_400, "days"),
    };
    format!("  ({number} {unit} ago)")
}

/// As Java prints a date: `Tue Nov 24 10:34:56 UTC 2026`.
pub(super) fn time(ms: i64) -> String {
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    match Timestamp::from_millisecond(ms) {
        Ok(timestamp) => timestamp.to_zoned_datetime(zone).strftime("%a %b %d %H:%M:%S %Z %Y").to_string(),
        Err(_) => format!("{ms} ms"),
    }
}

/// Names in brackets, sorted.
pub(super) fn names(mut names: Vec<String>) -> String {
    names.sort_unstable();
    format!("[{}]\n", names.join(", "))
}

/// Data as text. For a terminal, control characters are made visible, so that no znode can play tricks with it.
pub(super) fn text(data: &[u8], for_terminal: bool) -> Vec<u8> {
    if !for_terminal {
        return [data, b"\n"].concat();
    }
    let mut out = String::with_capacity(data.len() + 1);
    for c in String::from_utf8_lossy(data).chars() {
        if c.is_control() && c != '\n' && c != '\t' { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out.push('\n');
    out.into_bytes()
}

/// Sixteen bytes in a line: the offset, the bytes, and those that are letters.
pub(super) fn hex_dump(data: &[u8]) -> String {
    let mut out = String::new();
    for (index, line) in data.chunks(16).enumerate() {
        let _ = write!(out, "{:08x} ", index * 16);
        for column in 0..16 {
            let gap = if column == 8 { "  " } else { " " };
            let _ = match line.get(column) {
                Some(byte) => write!(out, "{gap}{byte:02x}"),
                None => write!(out, "{gap}  "),
            };
        }
        let letters = line.iter().map(|&byte| if (0x20..0x7f).contains(&byte) { char::from(byte) } else { '.' });
        let _ = writeln!(out, "  |{}|", letters.collect::<String>());
    }
    let _ = writeln!(out, "{:08x}", data.len());
    out
}

/// The state in the prompt.
pub(super) fn prompt_state(state: State) -> &'static str {
    match state {
        State::Connecting => "CONNECTING",
        State::Connected => "CONNECTED",
        State::ConnectedReadOnly => "CONNECTEDREADONLY",
        State::Suspended => "DISCONNECTED",
        State::Expired => "EXPIRED",
        State::Closed => "CLOSED",
        State::AuthFailed => "AUTH_FAILED",
    }
}

/// What is printed of an event.
pub(super) struct Event {
    pub(super) state: State,
    pub(super) kind: &'static str,
    pub(super) path: String,
}

impl Event {
    /// An event of a watch.
    pub(super) fn of_watch(event: &WatchedEvent) -> Self {
        let kind = match event.kind {
            EventKind::NodeCreated => "NodeCreated",
            EventKind::NodeDeleted => "NodeDeleted",
            EventKind::NodeDataChanged => "NodeDataChanged",
            EventKind::NodeChildrenChanged => "NodeChildrenChanged",
            EventKind::Resynced => "Resynced",
            EventKind::SessionExpired | EventKind::Closed | EventKind::AuthFailed => "None",
        };
        Self { state: event.state, kind, path: event.path.clone() }
    }

    /// A change of the session's state.
    pub(super) fn of_state(state: State) -> Self {
        Self { state, kind: "None", path: "null".to_owned() }
    }

    /// As one line of JSON.
    pub(super) fn json(&self) -> String {
        let Self { kind, path, .. } = self;
        serde_json::json!({ "event": kind, "state": self.state(), "path": path }).to_string() + "\n"
    }

    fn state(&self) -> &'static str {
        match self.state {
            State::Connected => "SyncConnected",
            State::ConnectedReadOnly => "ConnectedReadOnly",
            State::Connecting | State::Suspended => "Disconnected",
            State::Expired => "Expired",
            State::Closed => "Closed",
            State::AuthFailed => "AuthFailed",
        }
    }
}

/// In the reference's form.
impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "\nWATCHER::\n\nWatchedEvent state:{} type:{} path:{}", self.state(), self.kind, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Zxid;

    #[test]
    fn a_stat_has_the_lines_that_tools_read() {
        let value = Stat {
            czxid: Zxid(0x10),
            mzxid: Zxid(0x1_0000_0002),
            ctime: 0,
            mtime: 1_795_516_496_000,
            version: 1,
            cversion: 2,
            aversion: 3,
            ephemeral_owner: 0x0100_0094_9f37_0000,
            data_length: 5,
            num_children: 6,
            pzxid: Zxid(0x11),
        };
        let printed = stat(&value);
        let lines: Vec<_> = printed.lines().filter(|line| !line.contains("time = ")).collect();
        let expected = [
            "cZxid = 0x10",
            "mZxid = 0x100000002",
            "pZxid = 0x11",
            "cversion = 2",
            "dataVersion = 1",
            "aclVersion = 3",
            "ephemeralOwner = 0x10000949f370000",
            "dataLength = 5",
            "numChildren = 6",
        ];
        assert_eq!(lines, expected);
        assert!(printed.contains("\nctime = ") && printed.contains(" 1970\n") && printed.contains(" 2026\n"));
    }

    #[test]
    fn somebody_at_a_terminal_sees_ages_and_the_owner() {
        let value = Stat { ctime: 0, mtime: 60_000, ephemeral_owner: 7, ..Stat::default() };
        let table = stat_table(&value, Style::plain(), 3 * 86_400_000, 7);
        assert!(
            table.starts_with("cZxid          = 0x0\nctime          = ") && table.contains(" 1970  (3 days ago)\n"),
            "{table}"
        );
        assert!(table.contains("\nephemeralOwner = 0x7  (this session)\n"), "{table}");
        assert_eq!(
            [ago(-1000), ago(119_000), ago(120_000), ago(7_200_000)],
            ["", "  (119 s ago)", "  (2 min ago)", "  (2 h ago)"]
        );
    }

    #[test]
    fn terminals_get_no_control_characters() {
        assert_eq!(text(b"a\x1b[2J\tb\n", true), b"a\\u{1b}[2J\tb\n\n");
        assert_eq!(text(b"a\x1b[2J", false), b"a\x1b[2J\n");
    }

    #[test]
    fn hex_dumps_have_columns() {
        let expected = "00000000  68 65 6c 6c 6f 00 77 6f  72 6c 64 21 21 21 21 21  |hello.world!!!!!|\n\
                        00000010  0a                                                |.|\n00000011\n";
        assert_eq!(hex_dump(b"hello\0world!!!!!\n"), expected);
        assert_eq!(hex_dump(b""), "00000000\n");
    }

    #[test]
    fn names_are_sorted() {
        assert_eq!(names(vec!["b".into(), "a".into()]), "[a, b]\n");
        assert_eq!(names(vec![]), "[]\n");
    }

    #[test]
    fn events_look_as_in_the_reference() {
        let event = WatchedEvent { kind: EventKind::NodeDataChanged, path: "/a".into(), state: State::Connected };
        let event = Event::of_watch(&event);
        assert_eq!(event.to_string(), "\nWATCHER::\n\nWatchedEvent state:SyncConnected type:NodeDataChanged path:/a\n");
        assert_eq!(event.json(), "{\"event\":\"NodeDataChanged\",\"path\":\"/a\",\"state\":\"SyncConnected\"}\n");
    }
}
