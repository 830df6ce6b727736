//! The shell's commands: tables that parse them, complete them and explain them.
//!
//! Knows nothing of clients or terminals: words in, a [`Command`] out.

mod admin;
mod session;
mod subtrees;
mod watches;
mod znodes;

use super::args::{Args, Flag};
use super::command::Command;

/// What the tables know of a command.
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) flags: &'static [Flag],
    /// The arguments that follow.
    pub(super) args: &'static str,
    /// One line for `help`.
    pub(super) summary: &'static str,
    /// More lines for `help <command>`, below those about the flags.
    pub(super) notes: &'static str,
    pub(super) parse: fn(&mut Args) -> Result<Command, String>,
}

impl Spec {
    /// What follows the name, such as `[-s] [-v version] path data`.
    pub(super) fn usage(&self) -> String {
        let flags = self.flags.iter().map(|flag| match flag.value {
            Some(value) => format!("[{} {value}] ", flag.spelled()),
            None => format!("[{}] ", flag.spelled()),
        });
        (flags.collect::<String>() + self.args).trim_end().to_owned()
    }
}

/// The tables, in the order in which `help` explains what is in them.
const TABLES: [&[Spec]; 5] =
    [znodes::COMMANDS, subtrees::COMMANDS, watches::COMMANDS, admin::COMMANDS, session::COMMANDS];

/// Every command.
pub(super) fn commands() -> impl Iterator<Item = &'static Spec> {
    TABLES.into_iter().flatten()
}

/// The command of that name; case does not matter.
pub(super) fn find(name: &str) -> Option<&'static Spec> {
    commands().find(|spec| spec.name.eq_ignore_ascii_case(name))
}

// Flags that several commands have.
const STAT: Flag = Flag::switch("s", "print the Stat too");
const JSON: Flag = Flag::switch("json", "print JSON");
const BASE64: Flag = Flag::switch("b", "the data are given as base64");
const IF_VERSION: Flag = Flag::valued("v", "version", "only if the data version is still this one");
const IF_ACL_VERSION: Flag = Flag::valued("v", "version", "only if the ACL version is still this one");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_flags_are_unique_and_explained() {
        let mut names: Vec<_> = commands().map(|spec| spec.name.to_ascii_lowercase()).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        for spec in commands() {
            assert!(!spec.summary.is_empty(), "{}", spec.name);
            for (at, flag) in spec.flags.iter().enumerate() {
                assert!(!flag.note.is_empty() && flag.name.is_ascii(), "{} {}", spec.name, flag.spelled());
                assert!(spec.flags[at + 1..].iter().all(|other| other.name != flag.name), "{}", spec.name);
            }
        }
    }

    #[test]
    fn the_usage_is_made_of_the_flags() {
        assert_eq!(find("SET").map(Spec::usage).unwrap_or_default(), "[-s] [-v version] [-b] [--json] path data");
        assert_eq!(find("close").map(Spec::usage).unwrap_or_default(), "");
    }
}
