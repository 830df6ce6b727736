//! What `help` and `version` print.

use super::catalogue::{COMMANDS, find};
use super::failure::Failure;
use super::shell::Output;

/// Explains one command, or lists all.
pub(super) fn print(topic: Option<&str>, out: Output<'_>) -> Result<(), Failure> {
    let Some(topic) = topic else { return Ok(out.write_all(list().as_bytes())?) };
    let Some(spec) = find(topic) else {
        return Err(Failure::usage(format_args!("help: no command `{topic}`; `help` lists them")));
    };
    writeln!(out, "{} {}", spec.name, spec.usage)?;
    writeln!(out, "  {}", spec.summary)?;
    if !spec.notes.is_empty() {
        writeln!(out, "{}", spec.notes)?;
    }
    Ok(())
}

/// Which version this is, in the words of the reference's shell.
pub(super) fn print_version(out: Output<'_>) -> Result<(), Failure> {
    Ok(writeln!(out, "Menagerie CLI version: {}", env!("CARGO_PKG_VERSION"))?)
}

/// All commands with a line each.
pub(super) fn list() -> String {
    let commands = COMMANDS.iter().map(|spec| format!("  {:<22} {}\n", spec.name, spec.summary));
    let end = "`help <command>` tells more. Paths are absolute; quote data that has spaces; Tab completes.\n";
    commands.chain([end.to_owned()]).collect()
}
