//! Commands about the session and the shell itself.

use super::super::command::Command;
use super::{JSON, Spec};

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "addauth",
        flags: &[],
        args: "scheme auth",
        summary: "say who you are, such as: addauth digest bob:secret",
        notes: "  It is not kept in the history file.",
        parse: |args| {
            let scheme = args.require("the scheme")?;
            Ok(Command::AddAuth { scheme, auth: args.next().unwrap_or_default() })
        },
    },
    Spec {
        name: "whoami",
        flags: &[JSON],
        args: "",
        summary: "print as whom the servers know this session",
        notes: "",
        parse: |_| Ok(Command::WhoAmI),
    },
    Spec {
        name: "connect",
        flags: &[],
        args: "[hosts]",
        summary: "open a new session, with other servers if given",
        notes: "  The present session is closed: its ephemeral znodes and watches go.",
        parse: |args| Ok(Command::Connect { hosts: args.next() }),
    },
    Spec {
        name: "close",
        flags: &[],
        args: "",
        summary: "close the session",
        notes: "  Its ephemeral znodes go at once.",
        parse: |_| Ok(Command::Close),
    },
    Spec {
        name: "version",
        flags: &[JSON],
        args: "",
        summary: "print the version of this shell",
        notes: "",
        parse: |_| Ok(Command::Version),
    },
    Spec {
        name: "history",
        flags: &[JSON],
        args: "",
        summary: "list the commands of this session",
        notes: "",
        parse: |_| Ok(Command::History),
    },
    Spec {
        name: "redo",
        flags: &[],
        args: "number",
        summary: "run a command of the history again",
        notes: "",
        parse: |args| {
            let number = args.require("the number of a command, see `history`")?;
            let number = number.parse().map_err(|_| format!("`{number}` is not a number; see `history`"))?;
            Ok(Command::Redo { number })
        },
    },
    Spec {
        name: "help",
        flags: &[],
        args: "[command]",
        summary: "explain a command, or list all",
        notes: "",
        parse: |args| Ok(Command::Help { topic: args.next() }),
    },
    Spec {
        name: "quit",
        flags: &[],
        args: "",
        summary: "close the session and leave",
        notes: "",
        parse: |_| Ok(Command::Quit),
    },
];
