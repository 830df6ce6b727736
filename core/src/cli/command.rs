//! A command as it is typed becomes a [`Command`] to be run, or a mistake that is explained.
//!
//! Knows nothing of clients or terminals; what the commands are called and what they accept is `catalogue`.

use std::time::Duration;

use super::args::Args;
use super::catalogue::{COMMANDS, find};
use crate::client::{AddWatchMode, Version};
use crate::wire::{Acl, CreateMode};

/// A command, ready to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Ls { path: String, stat: bool, watch: bool, recursive: bool },
    Get { path: String, stat: bool, watch: bool, form: DataForm },
    Set { path: String, data: Vec<u8>, stat: bool, version: Version },
    Create { path: String, data: Vec<u8>, mode: CreateMode, ttl: Option<Duration>, acl: Option<Vec<Acl>> },
    Delete { path: String, version: Version },
    DeleteAll { path: String, batch: usize },
    Stat { path: String, watch: bool },
    Sync { path: String },
    GetAcl { path: String, stat: bool },
    SetAcl { path: String, acl: Vec<Acl>, stat: bool, version: Version, recursive: bool },
    AddAuth { scheme: String, auth: String },
    GetEphemerals { prefix: String },
    GetAllChildrenNumber { path: String },
    AddWatch { path: String, mode: AddWatchMode },
    RemoveWatches { path: String, kinds: WatchKinds },
    PrintWatches { on: bool },
    Connect { hosts: Option<String> },
    Close,
    WhoAmI,
    Version,
    History,
    Redo { number: usize },
    Help { topic: Option<String> },
    Quit,
}

/// How `get` prints data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DataForm {
    Text,
    Base64,
    HexDump,
}

/// Which watches of a path `removewatches` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WatchKinds {
    All,
    Children,
    Data,
}

/// Words that are no command, and what they mean.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ParseError {
    /// There is no such command; holds what to try.
    Unknown { name: String, hint: String },
    /// The command exists, and its arguments are wrong.
    Usage { name: &'static str, what: String },
}

impl Command {
    /// Reads a command from its words, of which there must be at least one.
    pub(super) fn parse(words: &[String]) -> Result<Self, ParseError> {
        let (name, rest) = words.split_first().map_or(("", &[][..]), |(name, rest)| (name.as_str(), rest));
        let Some(spec) = find(name) else { return Err(unknown(name)) };
        let command = Args::parse(spec.options, rest).and_then(spec.parse);
        command.map_err(|what| ParseError::Usage { name: spec.name, what })
    }

    /// The znode it is about, if it is about one.
    pub(super) fn path(&self) -> Option<&str> {
        match self {
            Self::Ls { path, .. }
            | Self::Get { path, .. }
            | Self::Set { path, .. }
            | Self::Create { path, .. }
            | Self::Delete { path, .. }
            | Self::DeleteAll { path, .. }
            | Self::Stat { path, .. }
            | Self::Sync { path }
            | Self::GetAcl { path, .. }
            | Self::SetAcl { path, .. }
            | Self::GetAllChildrenNumber { path }
            | Self::AddWatch { path, .. }
            | Self::RemoveWatches { path, .. } => Some(path),
            _ => None,
        }
    }
}

fn unknown(name: &str) -> ParseError {
    let moved =
        [("exit", "quit"), ("ls2", "ls -s"), ("rmr", "deleteall"), ("rm", "delete"), ("cat", "get"), ("?", "help")];
    let meant = moved.iter().find(|(old, _)| *old == name).map(|(_, new)| *new);
    let begins = || COMMANDS.iter().map(|spec| spec.name).find(|spec| name.len() > 1 && spec.starts_with(name));
    let hint = match meant.or_else(begins) {
        Some(command) => format!("did you mean `{command}`?"),
        None => "`help` lists the commands".to_owned(),
    };
    ParseError::Unknown { name: name.to_owned(), hint }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::cli::words;

    fn parse(line: &str) -> Result<Command, ParseError> {
        Command::parse(&words::split(line).unwrap())
    }

    #[test]
    fn reads_commands_as_the_reference_writes_them() {
        let path = || "/a".to_owned();
        let create = |mode, ttl| Command::Create { path: path(), data: b"x".to_vec(), mode, ttl, acl: None };
        let ttl = Some(Duration::from_millis(5));
        let table = [
            ("ls /a", Command::Ls { path: path(), stat: false, watch: false, recursive: false }),
            ("ls -swR /a/", Command::Ls { path: path(), stat: true, watch: true, recursive: true }),
            ("LS /a -R", Command::Ls { path: path(), stat: false, watch: false, recursive: true }),
            ("get -x /a", Command::Get { path: path(), stat: false, watch: false, form: DataForm::HexDump }),
            (
                "set -s /a 'x y' -v 2",
                Command::Set { path: path(), data: b"x y".to_vec(), stat: true, version: Version::Is(2) },
            ),
            ("set -b /a eA==", Command::Set { path: path(), data: b"x".to_vec(), stat: false, version: Version::Any }),
            ("set /a -- -1", Command::Set { path: path(), data: b"-1".to_vec(), stat: false, version: Version::Any }),
            ("create /a x", create(CreateMode::Persistent, None)),
            ("create -s /a x", create(CreateMode::PersistentSequential, None)),
            ("create -e /a x", create(CreateMode::Ephemeral, None)),
            ("create -s -e /a x", create(CreateMode::EphemeralSequential, None)),
            ("create -c /a x", create(CreateMode::Container, None)),
            ("create -t 5 /a x", create(CreateMode::PersistentWithTtl, ttl)),
            ("create -s -t 5 /a x", create(CreateMode::PersistentSequentialWithTtl, ttl)),
            ("delete /a", Command::Delete { path: path(), version: Version::Any }),
            ("deleteall /a -b 10", Command::DeleteAll { path: path(), batch: 10 }),
            ("stat -w /a", Command::Stat { path: path(), watch: true }),
            ("getEphemerals", Command::GetEphemerals { prefix: "/".to_owned() }),
            ("addWatch -m PERSISTENT /a", Command::AddWatch { path: path(), mode: AddWatchMode::Persistent }),
            ("removewatches /a -d", Command::RemoveWatches { path: path(), kinds: WatchKinds::Data }),
            ("printwatches off", Command::PrintWatches { on: false }),
            ("redo 3", Command::Redo { number: 3 }),
        ];
        for (line, command) in table {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn mistakes_are_explained() {
        let table = [
            ("get", "a path is missing"),
            ("get a", "as in /a"),
            ("get /a /b", "one argument too many"),
            ("get -q /a", "no option -q"),
            ("get -b -x /a", "exclude each other"),
            ("set /a", "the data is missing"),
            ("set -v x /a b", "a version is expected"),
            ("set -b /a !", "not base64"),
            ("create -e -t 5 /a", "exclude each other"),
            ("create -c -s /a", "-c goes with none"),
            ("create /a x nobody", "scheme:id:permissions"),
            ("setAcl /a", "the ACL is missing"),
            ("redo x", "not a number"),
            ("printwatches maybe", "on or off"),
        ];
        for (line, words) in table {
            match parse(line) {
                Err(ParseError::Usage { what, .. }) => assert!(what.contains(words), "{line}: {what}"),
                other => panic!("{line}: {other:?}"),
            }
        }
    }

    #[test]
    fn unknown_commands_get_a_hint() {
        let hint = |line: &str| match parse(line) {
            Err(ParseError::Unknown { hint, .. }) => hint,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(hint("rmr /a"), "did you mean `deleteall`?");
        assert_eq!(hint("dele /a"), "did you mean `delete`?");
        assert_eq!(hint("frobnicate"), "`help` lists the commands");
    }

    #[test]
    fn the_option_letters_and_the_usage_agree() {
        for spec in COMMANDS {
            for letter in spec.options.chars().filter(|&c| c != ':' && c != 'l') {
                assert!(spec.usage.contains(&format!("-{letter}")), "{} -{letter}", spec.name);
                assert!(spec.notes.contains(&format!("  -{letter}  ")), "{} -{letter}", spec.name);
            }
        }
    }
}
