//! `menagerie log verify`: every record of every file, and what is missing between them.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::options::LogVerify;
use super::{Failure, Outcome, Tool, render, source};
use crate::storage::{Error, LogEnd, LogEntry, LogReader};
use crate::wire::Zxid;

/// What is known of one file.
#[derive(Debug, Default)]
struct Findings {
    txns: u64,
    first: Option<Zxid>,
    last: Option<Zxid>,
    /// Where the last good record ends.
    used: u64,
    torn: Option<(u64, &'static str)>,
    is_empty: bool,
    problems: Vec<Problem>,
}

/// What is damaged or missing.
#[derive(Debug)]
struct Problem {
    /// Where, in bytes from the file's start.
    offset: u64,
    what: String,
    /// The last good transaction before it, in this file or one before.
    after: Option<Zxid>,
}

/// Prints what is found. Returns whether nothing is damaged or missing.
pub(super) fn run(tool: &mut Tool<'_>, options: &LogVerify) -> Outcome {
    let files = source::logs(tool.disk.as_ref(), &options.files)?;
    let (mut last, mut directory) = (None, None);
    let mut is_sound = true;
    for (index, path) in files.iter().enumerate() {
        // The files of one directory are one history; another member's is another.
        if path.parent() != directory {
            (last, directory) = (None, path.parent());
        }
        let is_followed = files.get(index + 1).is_some_and(|next| next.parent() == directory);
        tool.begin(path);
        let mut findings = examine(tool, path, options.limits.max_buffer, &mut last)?;
        if findings.is_empty && is_followed {
            findings.problem(0, "it holds nothing, yet another file follows", last);
        }
        is_sound &= findings.problems.is_empty();
        let length = tool.disk.len(path).map_err(|source| Error::Io { action: "read", path: path.clone(), source })?;
        tool.progress.finish();
        print(tool.out, &source::name(path), length, &findings, options.json)?;
    }
    Ok(is_sound)
}

/// Reads one file to its end; `last` is the last transaction of the file before.
fn examine(tool: &Tool<'_>, path: &Path, max_entry: usize, last: &mut Option<Zxid>) -> Result<Findings, Failure> {
    let mut findings = Findings::default();
    let mut reader = match LogReader::open(&tool.disk, path, max_entry) {
        Ok(reader) => reader,
        Err(Error::Corrupt { offset, what, .. }) => {
            findings.problem(offset, what, *last);
            return Ok(findings);
        }
        Err(error) => return Err(error.into()),
    };
    loop {
        match reader.next_entry() {
            Ok(None) => break,
            Ok(Some(entry)) => findings.count(&entry, last),
            Err(Error::Corrupt { offset, what, .. }) => {
                findings.problem(offset, what, last.take());
                // What is lost there is one problem, not another one for each transaction that is missing behind it.
                if reader.skip_damage()?.is_none() {
                    break;
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    findings.used = reader.offset();
    match reader.end() {
        Some(LogEnd::Torn { offset, what }) => findings.torn = Some((*offset, what)),
        Some(LogEnd::NoHeader) => findings.is_empty = true,
        Some(LogEnd::Clean) | None => {}
    }
    Ok(findings)
}

impl Findings {
    fn problem(&mut self, offset: u64, what: impl Into<String>, after: Option<Zxid>) {
        self.problems.push(Problem { offset, what: what.into(), after });
    }

    fn count(&mut self, entry: &LogEntry, last: &mut Option<Zxid>) {
        if let Err(Error::Corrupt { what, .. }) = entry.decode() {
            self.problem(entry.offset, what, *last);
        }
        if let Some(before) = *last {
            if entry.zxid <= before {
                self.problem(entry.offset, format!("the transaction {} comes after it", entry.zxid), *last);
            } else if entry.zxid != before.next() && entry.zxid.epoch() == before.epoch() {
                self.problem(entry.offset, format!("everything before {} is missing", entry.zxid), *last);
            }
        }
        self.txns += 1;
        self.first.get_or_insert(entry.zxid);
        self.last = Some(entry.zxid);
        *last = Some(entry.zxid);
    }
}

fn print(out: &mut dyn Write, name: &str, length: u64, findings: &Findings, json: bool) -> std::io::Result<()> {
    let Findings { txns, first, last, used, torn, problems, .. } = findings;
    if json {
        let problem = |Problem { offset, what, after }: &Problem| json!({ "offset": offset, "what": what, "after": after.map(|zxid| zxid.to_string()) });
        let problems: Vec<_> = problems.iter().map(problem).collect();
        let object = json!({
            "file": name,
            "ok": problems.is_empty(),
            "txns": txns,
            "first": first.map(|zxid| zxid.to_string()),
            "last": last.map(|zxid| zxid.to_string()),
            "bytes": length,
            "used": used,
            "tornAt": torn.map(|(offset, _)| offset),
            "problems": problems,
        });
        return writeln!(out, "{object}");
    }
    let verdict = if problems.is_empty() { "ok" } else { "DAMAGED" };
    write!(out, "{name}: {verdict}, {}", render::count(*txns, "transaction"))?;
    if let (Some(first), Some(last)) = (first, last) {
        write!(out, " from {first} to {last}")?;
    }
    writeln!(out, ", {used} of {length} bytes used")?;
    for Problem { offset, what, after } in problems {
        let after = after.map_or_else(String::new, |after| format!(", after {after}"));
        writeln!(out, "  at byte {offset}{after}: {what}")?;
    }
    if let Some((offset, what)) = torn {
        writeln!(out, "  ends at byte {offset} in a write that a crash cut short ({what}); it was never acknowledged")?;
    }
    Ok(())
}
