//! What `help` and `version` print.

use super::args::Flag;
use super::catalogue::{commands, find};
use super::failure::Failure;
use super::shell::Output;
use super::view::View;

/// Explains one command, or lists all.
pub(super) fn print(topic: Option<&str>, out: Output<'_>) -> Result<(), Failure> {
    let Some(topic) = topic else { return Ok(out.write_all(list().as_bytes())?) };
    let Some(spec) = find(topic) else {
        return Err(Failure::usage(format_args!("help: no command `{topic}`; `help` lists them")));
    };
    writeln!(out, "{}", format!("{} {}", spec.name, spec.usage()).trim_end())?;
    writeln!(out, "  {}", spec.summary)?;
    let spelled = |flag: &Flag| flag.spelled();
    let width = spec.flags.iter().map(|flag| spelled(flag).len()).max().unwrap_or(0);
    for flag in spec.flags {
        writeln!(out, "  {:<width$}  {}", spelled(flag), flag.note)?;
    }
    if !spec.notes.is_empty() {
        writeln!(out, "{}", spec.notes)?;
    }
    Ok(())
}

/// Which version this is, in the words of the reference's shell.
pub(super) fn print_version(json: bool, out: Output<'_>) -> Result<(), Failure> {
    if json {
        return Ok(View::json(out, &serde_json::json!({ "version": env!("CARGO_PKG_VERSION") }))?);
    }
    Ok(writeln!(out, "Menagerie CLI version: {}", env!("CARGO_PKG_VERSION"))?)
}

/// All commands with a line each.
pub(super) fn list() -> String {
    let commands = commands().map(|spec| format!("  {:<22} {}\n", spec.name, spec.summary));
    let end = "`help <command>` tells more. Paths are absolute; quote data that has spaces; Tab completes.\n";
    commands.chain([end.to_owned()]).collect()
}
