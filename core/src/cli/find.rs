//! What `find` looks for, and whether a znode is so.
//!
//! Knows no client: what a znode is like is given.

use std::time::Duration;

use super::args::Args;
use super::glob;
use crate::wire::{Stat, path};

/// What a znode must be like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    name: Option<String>,
    path: Option<String>,
    pub(super) contains: Option<Vec<u8>>,
    is_ephemeral: Option<bool>,
    owner: Option<Owner>,
    older: Option<Duration>,
    newer: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Me,
    Session(i64),
}

impl Wanted {
    /// Reads the flags of the command.
    pub(super) fn of_args(args: &Args) -> Result<Self, String> {
        let age = |name| args.text(name).map(age).transpose().map_err(|text| format!("-{name} {text}"));
        let is_ephemeral = match args.text("type") {
            None => None,
            Some("ephemeral" | "e") => Some(true),
            Some("persistent" | "p") => Some(false),
            Some(other) => return Err(format!("-type {other}: ephemeral or persistent is expected")),
        };
        Ok(Self {
            name: args.text("name").map(str::to_owned),
            path: args.text("path").map(str::to_owned),
            contains: args.text("contains").map(|text| text.as_bytes().to_vec()),
            is_ephemeral,
            owner: args.text("owner").map(owner).transpose()?,
            older: age("older")?,
            newer: age("newer")?,
        })
    }

    /// Whether all holds but what is asked of the data. `me` is this session, `now` the time in milliseconds since 1970.
    pub(super) fn is_like(&self, znode: &str, stat: &Stat, me: i64, now: i64) -> bool {
        let age = Duration::from_millis(now.saturating_sub(stat.mtime).max(0) as u64);
        self.name.as_ref().is_none_or(|pattern| glob::matches(pattern, path::name(znode)))
            && self.path.as_ref().is_none_or(|pattern| glob::matches(pattern, znode))
            && self.is_ephemeral.is_none_or(|wanted| wanted == (stat.ephemeral_owner != 0))
            && self.owner.is_none_or(|owner| match owner {
                Owner::Me => stat.ephemeral_owner == me && me != 0,
                Owner::Session(id) => stat.ephemeral_owner == id,
            })
            && self.older.is_none_or(|limit| age > limit)
            && self.newer.is_none_or(|limit| age <= limit)
    }

    /// Whether the data are as asked.
    pub(super) fn is_in(&self, data: &[u8]) -> bool {
        let Some(wanted) = self.contains.as_deref() else { return true };
        wanted.is_empty() || data.windows(wanted.len()).any(|part| part == wanted)
    }
}

fn owner(text: &str) -> Result<Owner, String> {
    if text == "me" {
        return Ok(Owner::Me);
    }
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let id = u64::from_str_radix(digits, 16).map_err(|_| format!("-owner {text}: a session such as 0x1f, or `me`"))?;
    Ok(Owner::Session(id as i64))
}

/// A number and a unit.
fn age(text: &str) -> Result<Duration, String> {
    let expected = || format!("{text}: an age such as 90s, 15m, 2h or 7d is expected");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| expected())?;
    let seconds = match &text[digits..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(expected()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::cli::command::Command;
    use crate::cli::words;

    fn wanted(flags: &str) -> Wanted {
        match Command::parse(&words::split(&format!("find {flags} /")).unwrap()).unwrap().command {
            Command::Find { wanted, .. } => wanted,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_condition_is_looked_at() {
        let hour = 3_600_000;
        let stat = Stat { mtime: 10 * hour, ephemeral_owner: 0x1f, ..Stat::default() };
        for (flags, is_like) in [
            ("", true),
            ("-name 'w-*'", true),
            ("-name '/a/*'", false),
            ("-path '/a/*'", true),
            ("-path 'w-*'", false),
            ("-type ephemeral", true),
            ("-type persistent", false),
            ("-owner 0x1f", true),
            ("-owner 2", false),
            ("-owner me", true),
            ("-older 1h", true),
            ("-older 2h", false),
            ("-newer 2h", true),
            ("-newer 1h", false),
            ("-name 'w-*' -type persistent", false),
        ] {
            assert_eq!(wanted(flags).is_like("/a/w-1", &stat, 0x1f, 12 * hour), is_like, "{flags}");
        }
    }

    #[test]
    fn data_are_searched_for_bytes() {
        let wanted = wanted("-contains ort");
        assert!(wanted.is_in(b"\xffport = 1") && !wanted.is_in(b"por") && !wanted.is_in(b""));
        assert!(Wanted::default().is_in(b""));
    }

    #[test]
    fn ages_have_units() {
        assert_eq!(age("2h"), Ok(Duration::from_hours(2)));
        assert_eq!(age("1w"), Ok(Duration::from_hours(168)));
        for bad in ["", "h", "5", "5y", "-1s", "99999999999999999999s", "9999999999999999999w"] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }
}
