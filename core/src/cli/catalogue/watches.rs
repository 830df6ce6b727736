//! Commands about watches.

use super::super::args::Flag;
use super::super::command::{Command, WatchKinds};
use super::Spec;
use crate::client::AddWatchMode;

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "addWatch",
        flags: &[Flag::valued(
            "m",
            "PERSISTENT|PERSISTENT_RECURSIVE",
            "PERSISTENT watches the znode and its list of children; the default is PERSISTENT_RECURSIVE",
        )],
        args: "path",
        summary: "watch a znode, and everything below it, until told otherwise",
        notes: "",
        parse: |args| {
            let mode = match args.text("m").map(str::to_ascii_uppercase).as_deref() {
                None | Some("PERSISTENT_RECURSIVE") => AddWatchMode::PersistentRecursive,
                Some("PERSISTENT") => AddWatchMode::Persistent,
                Some(other) => return Err(format!("-m {other}: PERSISTENT or PERSISTENT_RECURSIVE is expected")),
            };
            Ok(Command::AddWatch { path: args.path(false)?, mode })
        },
    },
    Spec {
        name: "removewatches",
        flags: &[
            Flag::switch("c", "those of ls and addWatch"),
            Flag::switch("d", "those of get, stat and addWatch"),
            Flag::switch("a", "all (default)"),
            Flag::switch("l", "also without a connection (which is always so)"),
        ],
        args: "path",
        summary: "remove watches that this shell has set on a path",
        notes: "",
        parse: |args| {
            let kinds = match (args.has("c"), args.has("d")) {
                (true, false) => WatchKinds::Children,
                (false, true) => WatchKinds::Data,
                _ => WatchKinds::All,
            };
            Ok(Command::RemoveWatches { path: args.path(false)?, kinds })
        },
    },
    Spec {
        name: "printwatches",
        flags: &[],
        args: "[on|off]",
        summary: "print events of watches, or not; without a word: say which",
        notes: "",
        parse: |args| {
            let on = match args.next().as_deref() {
                None => None,
                Some("on") => Some(true),
                Some("off") => Some(false),
                Some(other) => return Err(format!("on or off is expected, not `{other}`")),
            };
            Ok(Command::PrintWatches { on })
        },
    },
];
