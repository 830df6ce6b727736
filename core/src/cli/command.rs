//! A command as it is typed becomes a [`Command`] to be run, or a mistake that is explained.
//!
//! Knows nothing of clients or terminals; what the commands are called and what they accept is `catalogue`.

use std::time::Duration;

use super::args::Args;
use super::catalogue::{commands, find};
use super::find::Wanted;
use super::quota::{Limit, Limits};
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
    Tree { path: String, depth: Option<usize>, stat: bool },
    Find { path: String, wanted: Wanted, stat: bool },
    Diff(Diff),
    Export(Export),
    Import(Import),
    ListQuota { path: String },
    SetQuota { path: String, limits: Limits },
    DelQuota { path: String, only: Vec<Limit> },
    Config { client: bool, watch: bool, stat: bool },
    Reconfig(Reconfig),
    AddWatch { path: String, mode: AddWatchMode },
    RemoveWatches { path: String, kinds: WatchKinds },
    PrintWatches { on: Option<bool> },
    Connect { hosts: Option<String> },
    Close,
    WhoAmI,
    Version,
    History,
    Redo { number: usize },
    Help { topic: Option<String> },
    Quit,
}

/// What `diff` compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Diff {
    pub(super) left: String,
    pub(super) right: String,
    /// The servers that have the right one, if they are others.
    pub(super) to: Option<String>,
}

/// What `export` writes, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Export {
    pub(super) path: String,
    pub(super) file: Option<String>,
    pub(super) replace: bool,
}

/// What `import` reads, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command")]
pub(super) struct Import {
    pub(super) file: String,
    /// Where the root of the export shall be; `None`: where it was.
    pub(super) to: Option<String>,
    pub(super) dry_run: bool,
    pub(super) overwrite: bool,
    pub(super) parents: bool,
    pub(super) ephemerals: bool,
    pub(super) counters: bool,
}

/// How `reconfig` changes the ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reconfig {
    /// A file that lists all members.
    pub(super) file: Option<String>,
    /// All members.
    pub(super) members: Option<String>,
    pub(super) joining: Option<String>,
    pub(super) leaving: Option<String>,
    /// The version of the configuration it shall follow; −1: any.
    pub(super) version: i64,
    pub(super) stat: bool,
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

/// A command as it was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) command: Command,
    /// Whether `--json` was among its flags.
    pub(super) json: bool,
    /// What to tell whoever typed it, though it works.
    pub(super) notes: Vec<String>,
}

impl Command {
    /// Reads a command from its words, of which there must be at least one.
    pub(super) fn parse(words: &[String]) -> Result<Typed, ParseError> {
        let (name, rest) = words.split_first().map_or(("", &[][..]), |(name, rest)| (name.as_str(), rest));
        let Some(spec) = find(name) else { return Err(unknown(name)) };
        if rest.iter().any(|word| word == "-?" || word == "--help") {
            let command = Self::Help { topic: Some(spec.name.to_owned()) };
            return Ok(Typed { command, json: false, notes: Vec::new() });
        }
        let typed = Args::parse(spec.flags, rest).and_then(|mut args| {
            let (command, json) = ((spec.parse)(&mut args)?, args.has("json"));
            Ok(Typed { command, json, notes: args.end()? })
        });
        typed.map_err(|what| ParseError::Usage { name: spec.name, what })
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
            | Self::Tree { path, .. }
            | Self::Find { path, .. }
            | Self::Export(Export { path, .. })
            | Self::ListQuota { path }
            | Self::SetQuota { path, .. }
            | Self::DelQuota { path, .. }
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
    let begins = || commands().map(|spec| spec.name).find(|spec| name.len() > 1 && spec.starts_with(name));
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
        Command::parse(&words::split(line).unwrap()).map(|typed| typed.command)
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
            ("printwatches off", Command::PrintWatches { on: Some(false) }),
            ("printwatches", Command::PrintWatches { on: None }),
            ("tree", Command::Tree { path: "/".to_owned(), depth: None, stat: false }),
            ("delquota -n -B /a", Command::DelQuota { path: path(), only: vec![Limit::Count, Limit::BytesHard] }),
            ("config -c", Command::Config { client: true, watch: false, stat: false }),
            ("get -?", Command::Help { topic: Some("get".to_owned()) }),
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
            ("get /a b", "one argument too many"),
            ("set /a b 3", "one argument too many"),
            ("setquota /a", "at least one of"),
            ("setquota -n 0 /a", "the num quota must be greater than zero"),
            ("setquota -B -1 /a", "the bytes quota must be greater than or equal to zero"),
            ("setquota -n x /a", "a number is expected"),
            ("reconfig -s", "is needed"),
            ("reconfig -members server.1=a -add server.2=b", "do not go with"),
            ("reconfig -members server.1=a -file b", "exclude each other"),
            ("reconfig -v z -remove 1", "hexadecimal"),
            ("diff /a", "second path"),
            ("find -older soon /", "such as 90s"),
            ("find -type round /", "ephemeral or persistent"),
            ("find -owner x /", "a session"),
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
    fn the_forms_of_zookeeper_3_4_work_and_say_what_replaces_them() {
        let typed = |line: &str| Command::parse(&words::split(line).unwrap()).unwrap();
        for (old, new) in [
            ("ls /a watch", "ls -w /a"),
            ("get /a true", "get -w /a"),
            ("stat /a 1", "stat -w /a"),
            ("delete /a 3", "delete -v 3 /a"),
        ] {
            assert_eq!(typed(old).command, typed(new).command, "{old}");
            assert!(typed(old).notes[0].contains("has been deprecated"), "{old}");
            assert!(typed(new).notes.is_empty(), "{new}");
        }
    }

    #[test]
    fn members_are_changed_by_whole_lists_or_by_steps() {
        let reconfig = |line: &str| match parse(line).unwrap() {
            Command::Reconfig(reconfig) => reconfig,
            other => panic!("{other:?}"),
        };
        let steps = reconfig("reconfig -s -v 1f -remove 3,4 -add server.5=H:1:2;3");
        assert_eq!((steps.version, steps.stat), (0x1f, true));
        assert_eq!(steps.joining.as_deref(), Some("server.5=h:1:2;3"));
        assert_eq!(steps.leaving.as_deref(), Some("3,4"));
        assert_eq!(reconfig("reconfig -file x.cfg").file.as_deref(), Some("x.cfg"));
    }

    #[test]
    fn json_is_asked_for_by_a_flag() {
        let json = |line: &str| Command::parse(&words::split(line).unwrap()).map(|typed| typed.json);
        assert_eq!((json("ls --json /"), json("ls / --json"), json("ls /")), (Ok(true), Ok(true), Ok(false)));
        assert!(json("quit --json").is_err());
    }
}
