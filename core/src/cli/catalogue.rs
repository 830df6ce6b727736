//! The shell's commands: one table that parses them, completes them and explains them.
//!
//! Knows nothing of clients or terminals: words in, a [`Command`] out.

use std::time::Duration;

use super::acl;
use super::args::Args;
use super::command::{Command, DataForm, WatchKinds};
use crate::client::{AddWatchMode, Version};
use crate::wire::CreateMode;

/// What the table knows of a command.
pub(super) struct Spec {
    pub(super) name: &'static str,
    /// Options, as [`Args::parse`] reads them.
    pub(super) options: &'static str,
    /// What follows the name.
    pub(super) usage: &'static str,
    /// One line for `help`.
    pub(super) summary: &'static str,
    /// More lines for `help <command>`.
    pub(super) notes: &'static str,
    pub(super) parse: fn(Args) -> Result<Command, String>,
}

/// The command of that name; case does not matter.
pub(super) fn find(name: &str) -> Option<&'static Spec> {
    COMMANDS.iter().find(|spec| spec.name.eq_ignore_ascii_case(name))
}

/// Every command, in the order in which `help` explains them.
pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "ls",
        options: "swR",
        usage: "[-s] [-w] [-R] path",
        summary: "list the children of a znode",
        notes: "  -s  print the Stat too\n  -w  watch: an event is printed when a child comes or goes\n  -R  list everything below",
        parse: |mut args| {
            let path = args.path(false)?;
            let command = Command::Ls { path, stat: args.has('s'), watch: args.has('w'), recursive: args.has('R') };
            end(args, command)
        },
    },
    Spec {
        name: "get",
        options: "swbx",
        usage: "[-s] [-w] [-b] [-x] path",
        summary: "print the data of a znode",
        notes: "  -s  print the Stat too\n  -w  watch: an event is printed when the data change or the znode goes\n  -b  as base64\n  -x  as a hex dump",
        parse: |mut args| {
            let form = match (args.has('b'), args.has('x')) {
                (false, false) => DataForm::Text,
                (true, false) => DataForm::Base64,
                (false, true) => DataForm::HexDump,
                (true, true) => return Err("-b and -x exclude each other".to_owned()),
            };
            let command = Command::Get { path: args.path(false)?, stat: args.has('s'), watch: args.has('w'), form };
            end(args, command)
        },
    },
    Spec {
        name: "set",
        options: "sv:b",
        usage: "[-s] [-v version] [-b] path data",
        summary: "set the data of a znode",
        notes: "  -s  print the new Stat\n  -v  only if the data version is still this one\n  -b  the data are given as base64",
        parse: |mut args| {
            let path = args.path(false)?;
            let data = data(&args.require("the data")?, args.has('b'))?;
            let command = Command::Set { path, data, stat: args.has('s'), version: version(&args)? };
            end(args, command)
        },
    },
    Spec {
        name: "create",
        options: "sect:b",
        usage: "[-s] [-e] [-c] [-t ttl] [-b] path [data] [acl]",
        summary: "create a znode",
        notes: "  -e  ephemeral: it goes when this session ends\n  -s  sequential: the server appends the next number to the name\n  -c  container: the server deletes it after its last child\n  -t  the server deletes it when it has not been written for so many ms (needs extendedTypesEnabled)\n  -b  the data are given as base64\n  acl is a list such as world:anyone:r,digest:bob:<hash>:cdrwa; without it everybody may do everything",
        parse: create,
    },
    Spec {
        name: "delete",
        options: "v:",
        usage: "[-v version] path",
        summary: "delete a znode that has no children",
        notes: "  -v  only if the data version is still this one",
        parse: |mut args| {
            let command = Command::Delete { path: args.path(false)?, version: version(&args)? };
            end(args, command)
        },
    },
    Spec {
        name: "deleteall",
        options: "b:",
        usage: "[-b batch] path",
        summary: "delete a znode and everything below it",
        notes: "  -b  how many deletes may be under way at once (default 1000)\n  It is not atomic: what others create meanwhile may stop it.",
        parse: |mut args| {
            let batch = args.value::<usize>('b', "a number of at least 1")?.unwrap_or(1000).max(1);
            let command = Command::DeleteAll { path: args.path(false)?, batch };
            end(args, command)
        },
    },
    Spec {
        name: "stat",
        options: "w",
        usage: "[-w] path",
        summary: "print the Stat of a znode",
        notes: "  -w  watch: an event is printed when the znode comes, changes or goes",
        parse: |mut args| {
            let command = Command::Stat { path: args.path(false)?, watch: args.has('w') };
            end(args, command)
        },
    },
    Spec {
        name: "sync",
        options: "",
        usage: "path",
        summary: "wait until this server has caught up with the leader",
        notes: "  Reads may be older than another client's writes; reads after a sync are not.",
        parse: |mut args| {
            let command = Command::Sync { path: args.path(false)? };
            end(args, command)
        },
    },
    Spec {
        name: "addWatch",
        options: "m:",
        usage: "[-m PERSISTENT|PERSISTENT_RECURSIVE] path",
        summary: "watch a znode, and everything below it, until told otherwise",
        notes: "  -m  PERSISTENT watches the znode and its list of children; the default is PERSISTENT_RECURSIVE",
        parse: |mut args| {
            let mode = match args.value::<String>('m', "a mode")?.as_deref() {
                None | Some("PERSISTENT_RECURSIVE") => AddWatchMode::PersistentRecursive,
                Some("PERSISTENT") => AddWatchMode::Persistent,
                Some(other) => return Err(format!("-m {other}: PERSISTENT or PERSISTENT_RECURSIVE is expected")),
            };
            let command = Command::AddWatch { path: args.path(false)?, mode };
            end(args, command)
        },
    },
    Spec {
        name: "removewatches",
        options: "cdal",
        usage: "[-c|-d|-a] path",
        summary: "remove watches that this shell has set on a path",
        notes: "  -c  those of ls and addWatch\n  -d  those of get, stat and addWatch\n  -a  all (default)",
        parse: |mut args| {
            let kinds = match (args.has('c'), args.has('d')) {
                (true, false) => WatchKinds::Children,
                (false, true) => WatchKinds::Data,
                _ => WatchKinds::All,
            };
            let command = Command::RemoveWatches { path: args.path(false)?, kinds };
            end(args, command)
        },
    },
    Spec {
        name: "printwatches",
        options: "",
        usage: "on|off",
        summary: "print events of watches, or not",
        notes: "",
        parse: |mut args| {
            let on = match args.require("on or off")?.as_str() {
                "on" => true,
                "off" => false,
                other => return Err(format!("on or off is expected, not `{other}`")),
            };
            end(args, Command::PrintWatches { on })
        },
    },
    Spec {
        name: "getAcl",
        options: "s",
        usage: "[-s] path",
        summary: "print who may do what with a znode",
        notes: "  -s  print the Stat too",
        parse: |mut args| {
            let command = Command::GetAcl { path: args.path(false)?, stat: args.has('s') };
            end(args, command)
        },
    },
    Spec {
        name: "setAcl",
        options: "sv:R",
        usage: "[-s] [-v version] [-R] path acl",
        summary: "say who may do what with a znode",
        notes: "  -s  print the new Stat\n  -v  only if the ACL version is still this one\n  -R  for everything below too\n  acl is a list such as world:anyone:r,digest:bob:<hash>:cdrwa; the letters are\n  c create, d delete (children), r read, w write, a admin (set the ACL)",
        parse: |mut args| {
            let path = args.path(false)?;
            let acl = acl::parse(&args.require("the ACL")?)?;
            let (stat, recursive) = (args.has('s'), args.has('R'));
            let command = Command::SetAcl { path, acl, stat, version: version(&args)?, recursive };
            end(args, command)
        },
    },
    Spec {
        name: "addauth",
        options: "",
        usage: "scheme auth",
        summary: "say who you are, such as: addauth digest bob:secret",
        notes: "  It is not kept in the history file.",
        parse: |mut args| {
            let scheme = args.require("the scheme")?;
            let command = Command::AddAuth { scheme, auth: args.next().unwrap_or_default() };
            end(args, command)
        },
    },
    Spec {
        name: "getEphemerals",
        options: "",
        usage: "[path]",
        summary: "list the ephemeral znodes of this session",
        notes: "  With a path: only those whose paths begin with it.",
        parse: |mut args| {
            let command = Command::GetEphemerals { prefix: args.next().unwrap_or_else(|| "/".to_owned()) };
            end(args, command)
        },
    },
    Spec {
        name: "getAllChildrenNumber",
        options: "",
        usage: "path",
        summary: "count everything below a znode",
        notes: "",
        parse: |mut args| {
            let command = Command::GetAllChildrenNumber { path: args.path(false)? };
            end(args, command)
        },
    },
    Spec {
        name: "whoami",
        options: "",
        usage: "",
        summary: "print as whom the servers know this session",
        notes: "",
        parse: |args| end(args, Command::WhoAmI),
    },
    Spec {
        name: "connect",
        options: "",
        usage: "[hosts]",
        summary: "open a new session, with other servers if given",
        notes: "  The present session is closed: its ephemeral znodes and watches go.",
        parse: |mut args| {
            let command = Command::Connect { hosts: args.next() };
            end(args, command)
        },
    },
    Spec {
        name: "close",
        options: "",
        usage: "",
        summary: "close the session",
        notes: "  Its ephemeral znodes go at once.",
        parse: |args| end(args, Command::Close),
    },
    Spec {
        name: "version",
        options: "",
        usage: "",
        summary: "print the version of this shell",
        notes: "",
        parse: |args| end(args, Command::Version),
    },
    Spec {
        name: "history",
        options: "",
        usage: "",
        summary: "list the commands of this session",
        notes: "",
        parse: |args| end(args, Command::History),
    },
    Spec {
        name: "redo",
        options: "",
        usage: "number",
        summary: "run a command of the history again",
        notes: "",
        parse: |mut args| {
            let number = args.require("the number of a command, see `history`")?;
            let number = number.parse().map_err(|_| format!("`{number}` is not a number; see `history`"))?;
            end(args, Command::Redo { number })
        },
    },
    Spec {
        name: "help",
        options: "",
        usage: "[command]",
        summary: "explain a command, or list all",
        notes: "",
        parse: |mut args| {
            let command = Command::Help { topic: args.next() };
            end(args, command)
        },
    },
    Spec {
        name: "quit",
        options: "",
        usage: "",
        summary: "close the session and leave",
        notes: "",
        parse: |args| end(args, Command::Quit),
    },
];

fn create(mut args: Args) -> Result<Command, String> {
    let ttl = args.value::<u64>('t', "a number of milliseconds")?;
    let (sequential, ephemeral, container) = (args.has('s'), args.has('e'), args.has('c'));
    let mode = match (sequential, ephemeral, container, ttl) {
        (false, false, false, None) => CreateMode::Persistent,
        (true, false, false, None) => CreateMode::PersistentSequential,
        (false, true, false, None) => CreateMode::Ephemeral,
        (true, true, false, None) => CreateMode::EphemeralSequential,
        (false, false, true, None) => CreateMode::Container,
        (false, false, false, Some(_)) => CreateMode::PersistentWithTtl,
        (true, false, false, Some(_)) => CreateMode::PersistentSequentialWithTtl,
        (_, true, _, Some(_)) => {
            return Err("an ephemeral znode has no time to live: -e and -t exclude each other".to_owned());
        }
        (_, _, true, _) => return Err("-c goes with none of -s, -e and -t".to_owned()),
    };
    let path = args.path(sequential)?;
    let data = args.next().map(|text| data(&text, args.has('b'))).transpose()?.unwrap_or_default();
    let acl = args.next().map(|text| acl::parse(&text)).transpose()?;
    end(args, Command::Create { path, data, mode, ttl: ttl.map(Duration::from_millis), acl })
}

fn end(args: Args, command: Command) -> Result<Command, String> {
    args.end().map(|()| command)
}

fn version(args: &Args) -> Result<Version, String> {
    Ok(args.value::<i32>('v', "a version")?.map_or(Version::Any, Version::from))
}

fn data(text: &str, base64: bool) -> Result<Vec<u8>, String> {
    use base64::Engine;
    if !base64 {
        return Ok(text.as_bytes().to_vec());
    }
    base64::engine::general_purpose::STANDARD.decode(text).map_err(|error| format!("`{text}` is not base64: {error}"))
}
