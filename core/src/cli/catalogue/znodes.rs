//! Commands about one znode.

use std::time::Duration;

use super::super::acl;
use super::super::args::{Args, Flag};
use super::super::command::{Command, DataForm};
use super::{BASE64, IF_ACL_VERSION, IF_VERSION, JSON, STAT, Spec};
use crate::client::Version;
use crate::wire::CreateMode;

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "ls",
        flags: &[
            STAT,
            Flag::switch("w", "watch: an event is printed when a child comes or goes"),
            Flag::switch("R", "list everything below"),
            JSON,
        ],
        args: "path",
        summary: "list the children of a znode",
        notes: "",
        parse: |args| {
            let path = args.path(false)?;
            let watch = args.has("w") || watch_word(args, "ls path [watch]", "ls [-w] path");
            Ok(Command::Ls { path, stat: args.has("s"), watch, recursive: args.has("R") })
        },
    },
    Spec {
        name: "get",
        flags: &[
            STAT,
            Flag::switch("w", "watch: an event is printed when the data change or the znode goes"),
            Flag::switch("b", "as base64"),
            Flag::switch("x", "as a hex dump"),
            JSON,
        ],
        args: "path",
        summary: "print the data of a znode",
        notes: "",
        parse: |args| {
            let form = match (args.has("b"), args.has("x")) {
                (false, false) => DataForm::Text,
                (true, false) => DataForm::Base64,
                (false, true) => DataForm::HexDump,
                (true, true) => return Err("-b and -x exclude each other".to_owned()),
            };
            let path = args.path(false)?;
            let watch = args.has("w") || watch_word(args, "get path [watch]", "get [-s] [-w] path");
            Ok(Command::Get { path, stat: args.has("s"), watch, form })
        },
    },
    Spec {
        name: "set",
        flags: &[Flag::switch("s", "print the new Stat"), IF_VERSION, BASE64, JSON],
        args: "path data",
        summary: "set the data of a znode",
        notes: "",
        parse: |args| {
            let path = args.path(false)?;
            let data = data(&args.require("the data")?, args.has("b"))?;
            Ok(Command::Set { path, data, stat: args.has("s"), version: version(args)? })
        },
    },
    Spec {
        name: "create",
        flags: &[
            Flag::switch("s", "sequential: the server appends the next number to the name"),
            Flag::switch("e", "ephemeral: it goes when this session ends"),
            Flag::switch("c", "container: the server deletes it after its last child"),
            Flag::valued(
                "t",
                "ttl",
                "the server deletes it when it has not been written for so many ms (needs extendedTypesEnabled)",
            ),
            BASE64,
            JSON,
        ],
        args: "path [data] [acl]",
        summary: "create a znode",
        notes: "  acl is a list such as world:anyone:r,digest:bob:<hash>:cdrwa; without it everybody may do everything",
        parse: create,
    },
    Spec {
        name: "delete",
        flags: &[IF_VERSION],
        args: "path",
        summary: "delete a znode that has no children",
        notes: "",
        parse: |args| {
            let path = args.path(false)?;
            let mut version = version(args)?;
            if let Some(word) = args.next_if(|word| word.parse::<i32>().is_ok()) {
                deprecated(args, "delete path [version]", "delete [-v version] path");
                version = word.parse::<i32>().map_or(version, Version::from);
            }
            Ok(Command::Delete { path, version })
        },
    },
    Spec {
        name: "deleteall",
        flags: &[Flag::valued("b", "batch", "how many deletes may be under way at once (default 1000)")],
        args: "path",
        summary: "delete a znode and everything below it",
        notes: "  It is not atomic: what others create meanwhile may stop it.",
        parse: |args| {
            let batch = args.value::<usize>("b", "a number of at least 1")?.unwrap_or(1000).max(1);
            Ok(Command::DeleteAll { path: args.path(false)?, batch })
        },
    },
    Spec {
        name: "stat",
        flags: &[Flag::switch("w", "watch: an event is printed when the znode comes, changes or goes"), JSON],
        args: "path",
        summary: "print the Stat of a znode",
        notes: "",
        parse: |args| {
            let path = args.path(false)?;
            let watch = args.has("w") || watch_word(args, "stat path [watch]", "stat [-w] path");
            Ok(Command::Stat { path, watch })
        },
    },
    Spec {
        name: "sync",
        flags: &[],
        args: "path",
        summary: "wait until this server has caught up with the leader",
        notes: "  Reads may be older than another client's writes; reads after a sync are not.",
        parse: |args| Ok(Command::Sync { path: args.path(false)? }),
    },
    Spec {
        name: "getAcl",
        flags: &[STAT, JSON],
        args: "path",
        summary: "print who may do what with a znode",
        notes: "",
        parse: |args| Ok(Command::GetAcl { path: args.path(false)?, stat: args.has("s") }),
    },
    Spec {
        name: "setAcl",
        flags: &[
            Flag::switch("s", "print the new Stat"),
            IF_ACL_VERSION,
            Flag::switch("R", "for everything below too"),
            JSON,
        ],
        args: "path acl",
        summary: "say who may do what with a znode",
        notes: "  acl is a list such as world:anyone:r,digest:bob:<hash>:cdrwa; the letters are\n  c create, d delete (children), r read, w write, a admin (set the ACL)",
        parse: |args| {
            let path = args.path(false)?;
            let acl = acl::parse(&args.require("the ACL")?)?;
            let (stat, recursive) = (args.has("s"), args.has("R"));
            Ok(Command::SetAcl { path, acl, stat, version: version(args)?, recursive })
        },
    },
    Spec {
        name: "getEphemerals",
        flags: &[JSON],
        args: "[path]",
        summary: "list the ephemeral znodes of this session",
        notes: "  With a path: only those whose paths begin with it.",
        parse: |args| Ok(Command::GetEphemerals { prefix: args.next().unwrap_or_else(|| "/".to_owned()) }),
    },
    Spec {
        name: "getAllChildrenNumber",
        flags: &[JSON],
        args: "path",
        summary: "count everything below a znode",
        notes: "",
        parse: |args| Ok(Command::GetAllChildrenNumber { path: args.path(false)? }),
    },
];

fn create(args: &mut Args) -> Result<Command, String> {
    let ttl = args.value::<u64>("t", "a number of milliseconds")?;
    let (sequential, ephemeral, container) = (args.has("s"), args.has("e"), args.has("c"));
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
    let data = args.next().map(|text| data(&text, args.has("b"))).transpose()?.unwrap_or_default();
    let acl = args.next().map(|text| acl::parse(&text)).transpose()?;
    Ok(Command::Create { path, data, mode, ttl: ttl.map(Duration::from_millis), acl })
}

fn version(args: &Args) -> Result<Version, String> {
    Ok(args.value::<i32>("v", "a version")?.map_or(Version::Any, Version::from))
}

fn data(text: &str, base64: bool) -> Result<Vec<u8>, String> {
    use base64::Engine;
    if !base64 {
        return Ok(text.as_bytes().to_vec());
    }
    base64::engine::general_purpose::STANDARD.decode(text).map_err(|error| format!("`{text}` is not base64: {error}"))
}

/// The form that ZooKeeper 3.4 had: a word after the path sets a watch.
fn watch_word(args: &mut Args, old: &str, new: &str) -> bool {
    let word = args.next_if(|word| ["watch", "true", "1"].contains(&word));
    if word.is_some() {
        deprecated(args, old, new);
    }
    word.is_some()
}

fn deprecated(args: &mut Args, old: &str, new: &str) {
    args.note(format!("'{old}' has been deprecated. Please use '{new}' instead."));
}
