//! Commands about a znode and everything below it.

use super::super::args::{Args, Flag};
use super::super::command::{Command, Diff, Export, Import};
use super::super::find::Wanted;
use super::{JSON, Spec};

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "tree",
        flags: &[
            Flag::valued("d", "depth", "go no deeper than so many levels"),
            Flag::switch("s", "with length, data version and owner"),
            JSON,
        ],
        args: "[path]",
        summary: "draw a znode and everything below it",
        notes: "",
        parse: |args| {
            let depth = args.value::<usize>("d", "a number")?;
            Ok(Command::Tree { path: args.path_or_root()?, depth, stat: args.has("s") })
        },
    },
    Spec {
        name: "find",
        flags: &[
            Flag::valued("name", "glob", "the last part of the path is like this: * ? [a-z] [!a]"),
            Flag::valued("path", "glob", "the whole path is like this; * stands for / too"),
            Flag::valued("contains", "text", "the data contain this text"),
            Flag::valued("type", "ephemeral|persistent", "it is of this kind"),
            Flag::valued("owner", "session", "it is ephemeral and of this session, such as 0x10000949f370000, or `me`"),
            Flag::valued("older", "age", "last written longer ago, such as 90s 15m 2h 7d"),
            Flag::valued("newer", "age", "last written since"),
            Flag::switch("s", "with length, data version, time of the last write and owner"),
            JSON,
        ],
        args: "[path]",
        summary: "list the znodes that are so, here and below",
        notes: "  All that is asked must hold. With -contains, /zookeeper is left out unless it is named.",
        parse: |args| {
            let wanted = Wanted::of_args(args)?;
            Ok(Command::Find { path: args.path_or_root()?, wanted, stat: args.has("s") })
        },
    },
    Spec {
        name: "diff",
        flags: &[Flag::valued("to", "hosts", "the second subtree is in this ensemble"), JSON],
        args: "path [path]",
        summary: "compare two subtrees: data, access lists, what is ephemeral",
        notes: "  - only in the first, + only in the second, ~ in both and different.\n  The second path is the first one's where there is none. /zookeeper is left out unless it is named.\n  The session of -to has no addauth.\n  The exit code is 0 when nothing differs and 1 when something does.",
        parse: |args| {
            let left = args.path(false)?;
            let to = args.text("to").map(str::to_owned);
            let right = if args.is_empty() { None } else { Some(args.path(false)?) };
            match (&to, right) {
                (None, None) => Err("a second path, or -to with the servers of the second, is missing".to_owned()),
                (_, right) => Ok(Command::Diff(Diff { right: right.unwrap_or_else(|| left.clone()), left, to })),
            }
        },
    },
    Spec {
        name: "export",
        flags: &[Flag::switch("f", "replace the file if there is one"), JSON],
        args: "path [file]",
        summary: "write a znode and everything below it as lines of JSON",
        notes: "  Without a file they are printed. /zookeeper is left out unless it is named.\n  No server tells which znodes are containers or have a time to live: they are exported as persistent ones.",
        parse: |args| {
            let path = args.path(false)?;
            Ok(Command::Export(Export { path, file: args.next(), replace: args.has("f") }))
        },
    },
    Spec {
        name: "import",
        flags: &[
            Flag::switch("n", "say what would be done, and do nothing"),
            Flag::switch("o", "overwrite znodes that are there with other data or access lists"),
            Flag::switch("p", "create the znodes above the path where they are missing"),
            Flag::switch("e", "create what was ephemeral as persistent znodes, instead of leaving it out"),
            Flag::switch("counters", "let the numbers of sequential names go on where they were"),
            JSON,
        ],
        args: "file [path]",
        summary: "create the znodes of an export, at its path or at another",
        notes: "  The whole file is read and checked before anything is changed, so it cannot be a pipe. What is there already and the same is left as it is:\n  an import that was interrupted is finished by running it again.",
        parse: |args| import(args).map(Command::Import),
    },
];

fn import(args: &mut Args) -> Result<Import, String> {
    let file = args.require("the file of an export")?;
    let to = if args.is_empty() { None } else { Some(args.path(false)?) };
    Ok(Import {
        file,
        to,
        dry_run: args.has("n"),
        overwrite: args.has("o"),
        parents: args.has("p"),
        ephemerals: args.has("e"),
        counters: args.has("counters"),
    })
}
