//! Commands for those who run a service: quotas and the ensemble's members.

use super::super::args::{Args, Flag};
use super::super::command::{Command, Reconfig};
use super::super::quota::{Limit, Limits};
use super::{JSON, Spec};

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "listquota",
        flags: &[JSON],
        args: "path",
        summary: "print the limits of a subtree and what it uses",
        notes: "  -1 is no limit.",
        parse: |args| Ok(Command::ListQuota { path: args.path(false)? }),
    },
    Spec {
        name: "setquota",
        flags: &[
            Flag::valued("n", "number", "znodes, soft: the servers log that there are more"),
            Flag::valued("b", "bytes", "bytes of data, soft"),
            Flag::valued("N", "number", "znodes, hard: the servers refuse more (needs enforceQuota)"),
            Flag::valued("B", "bytes", "bytes of data, hard"),
        ],
        args: "path",
        summary: "limit a subtree",
        notes: "  At least one of the flags. The znode at the path counts too. What is not named stays as it was.",
        parse: |args| {
            let limits = limits(args)?;
            if limits.is_empty() {
                return Err("at least one of -n, -b, -N and -B is needed".to_owned());
            }
            Ok(Command::SetQuota { path: args.path(false)?, limits })
        },
    },
    Spec {
        name: "delquota",
        flags: &[
            Flag::switch("n", "only the soft limit of znodes"),
            Flag::switch("b", "only the soft limit of bytes"),
            Flag::switch("N", "only the hard limit of znodes"),
            Flag::switch("B", "only the hard limit of bytes"),
        ],
        args: "path",
        summary: "lift limits of a subtree: all, or those named",
        notes: "",
        parse: |args| {
            let only = Limit::ALL.into_iter().filter(|limit| args.has(limit.flag())).collect();
            Ok(Command::DelQuota { path: args.path(false)?, only })
        },
    },
    Spec {
        name: "config",
        flags: &[
            Flag::switch("c", "as a connect string for clients, after the version"),
            Flag::switch("w", "watch: an event is printed when it changes"),
            Flag::switch("s", "print the Stat too"),
            JSON,
        ],
        args: "",
        summary: "print the ensemble's members",
        notes: "",
        parse: |args| Ok(Command::Config { client: args.has("c"), watch: args.has("w"), stat: args.has("s") }),
    },
    Spec {
        name: "reconfig",
        flags: &[
            Flag::switch("s", "print the Stat too"),
            Flag::valued("v", "version", "only if this is still the version of the configuration (hexadecimal)"),
            Flag::valued("file", "path", "the new members are the server.N lines of this file"),
            Flag::valued("members", "server.N=host:port:port;port[,…]", "these are the new members"),
            Flag::valued("add", "server.N=host:port:port;port[,…]", "add members, or replace those of the same N"),
            Flag::valued("remove", "N[,…]", "remove members"),
            JSON,
        ],
        args: "",
        summary: "change the ensemble's members",
        notes: "  -file or -members say what the ensemble shall be; -add and -remove, together or alone, what changes.\n  The servers need reconfigEnabled, and you the right to write /zookeeper/config.",
        parse: |args| reconfig(args).map(Command::Reconfig),
    },
];

fn limits(args: &Args) -> Result<Limits, String> {
    let mut limits = Limits::default();
    for limit in Limit::ALL {
        let flag = limit.flag();
        let Some(value) = args.value::<i64>(flag, "a number")? else { continue };
        if value < limit.least() {
            return Err(format!("-{flag} {value}: {}", limit.must_be()));
        }
        limits.insert(limit, value);
    }
    Ok(limits)
}

fn reconfig(args: &Args) -> Result<Reconfig, String> {
    let text = |name| args.text(name).map(str::to_ascii_lowercase);
    let (members, joining, leaving) = (text("members"), text("add"), text("remove"));
    let file = args.text("file").map(str::to_owned);
    let (whole, changes) = (file.is_some() || members.is_some(), joining.is_some() || leaving.is_some());
    if whole && changes {
        return Err("-file and -members say what all members are: they do not go with -add and -remove".to_owned());
    }
    if file.is_some() && members.is_some() {
        return Err("-file and -members exclude each other".to_owned());
    }
    if !whole && !changes {
        return Err("one of -file, -members, -add and -remove is needed".to_owned());
    }
    let version = match args.text("v") {
        None => -1,
        // As `config` prints it.
        Some(text) => i64::from_str_radix(text, 16)
            .map_err(|_| format!("-v {text}: a version in hexadecimal, as `config` prints it, is expected"))?,
    };
    Ok(Reconfig { file, members, joining, leaving, version, stat: args.has("s") })
}
