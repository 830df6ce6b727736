//! `menagerie snapshot verify`: whether a server can start from a snapshot, and from the logs after it.

use std::io::{self, Write};

use serde_json::json;

use super::options::SnapshotVerify;
use super::source::Snapshot;
use super::{Failure, Outcome, Tool, render, source, txn_json};
use crate::storage::snapshot::SnapshotDigest;
use crate::storage::{Error, RecoverOptions, Recovered, restore};

/// Prints what is found of each snapshot. Returns whether all are well.
pub(super) fn run(tool: &mut Tool<'_>, options: &SnapshotVerify) -> Outcome {
    let mut is_sound = true;
    for argument in &options.files {
        for snapshot in source::snapshots(tool.disk.as_ref(), argument)? {
            is_sound &= verify(tool, options, &snapshot)?;
        }
    }
    Ok(is_sound)
}

fn verify(tool: &mut Tool<'_>, options: &SnapshotVerify, snapshot: &Snapshot) -> Outcome {
    let path = &snapshot.file.path;
    let log_dir = match (options.replay, &options.logs) {
        (false, _) => None,
        (true, _) if !snapshot.is_named => {
            return Err(Failure::Usage(format!(
                "{} is not named snapshot.<zxid>: nobody knows which transactions come after it",
                path.display()
            )));
        }
        (true, None) => Some(source::home(path).to_owned()),
        (true, Some(dir)) => Some(source::data_directory(tool.disk.as_ref(), dir)?),
    };
    let recover = RecoverOptions { max_entry_bytes: options.limits.max_buffer, ..RecoverOptions::default() };
    tool.begin(path);
    let restored = match restore(&tool.disk, &snapshot.file, log_dir.as_deref(), &recover) {
        Ok(restored) => restored,
        Err(error @ Error::Corrupt { .. }) => {
            tool.progress.finish();
            tell_damage(tool.out, snapshot, &error, options.json)?;
            return Ok(false);
        }
        Err(error) => return Err(error.into()),
    };
    tool.progress.finish();
    let is_sound = restored.report.digests.mismatched == 0 && restored.report.gaps.is_empty();
    if options.json {
        tell_json(tool.out, snapshot, &restored, is_sound)?;
    } else {
        tell_text(tool.out, snapshot, &restored, is_sound)?;
    }
    Ok(is_sound)
}

fn tell_damage(out: &mut dyn Write, snapshot: &Snapshot, error: &Error, json: bool) -> io::Result<()> {
    if json {
        let object = json!({
            "file": snapshot.name(),
            "ok": false,
            "offset": error.offset(),
            "what": error.to_string(),
        });
        return writeln!(out, "{object}");
    }
    let verdict = if error.is_corruption() { "DAMAGED" } else { "NOT CHECKED" };
    writeln!(out, "{}: {verdict}\n  {error}", snapshot.name())
}

fn tell_text(out: &mut dyn Write, snapshot: &Snapshot, restored: &Recovered, is_sound: bool) -> io::Result<()> {
    let (tree, report) = (&restored.tree, &restored.report);
    let verdict = if is_sound { "ok" } else { "DAMAGED" };
    let znodes = report.snapshot.as_ref().map_or(0, |snapshot| snapshot.znodes);
    writeln!(out, "{}: {verdict}, {}", snapshot.name(), render::count(znodes as u64, "znode"))?;
    if report.log_files > 0 {
        let txns = render::count(report.txns_replayed, "transaction");
        let files = render::count(report.log_files as u64, "log file");
        writeln!(out, "  then {txns} from {files}, up to {}", restored.last_zxid)?;
    }
    writeln!(
        out,
        "  {} ({} ephemeral, {}, {} with a time to live), {}, {} of paths and data",
        render::count(tree.len() as u64, "znode"),
        tree.ephemeral_count(),
        render::count(tree.containers().count() as u64, "container"),
        tree.ttl_nodes().count(),
        render::count(restored.sessions.len() as u64, "session"),
        render::count(tree.approximate_data_size(), "byte")
    )?;
    write!(out, "  digest 0x{:x}", tree.digest())?;
    if let Some(recorded) = recorded(restored) {
        write!(out, "; the snapshot records 0x{:x} at {}", recorded.digest, recorded.zxid)?;
    }
    let compared = render::count(compared(restored), "digest");
    match recorded(restored) {
        // What happened meanwhile is in the snapshot in part.
        Some(recorded) if recorded.zxid > restored.last_zxid => writeln!(out, ", which --replay compares")?,
        _ => writeln!(out, "; {compared} compared, {} differ", report.digests.mismatched)?,
    }
    if let Some(first) = report.digests.first_mismatch {
        writeln!(out, "  the first digest that differs is the one of {first}")?;
    }
    for gap in &report.gaps {
        writeln!(out, "  the log lacks what is between {} and {}", gap.after, gap.before)?;
    }
    for (path, offset, what) in &report.torn_tails {
        let name = source::name(path);
        writeln!(out, "  {name} ends at byte {offset} in a write that a crash cut short ({what})")?;
    }
    Ok(())
}

fn tell_json(out: &mut dyn Write, snapshot: &Snapshot, restored: &Recovered, is_sound: bool) -> io::Result<()> {
    let (tree, report) = (&restored.tree, &restored.report);
    let object = json!({
        "file": snapshot.name(),
        "ok": is_sound,
        "lastZxid": restored.last_zxid.to_string(),
        "txnsReplayed": report.txns_replayed,
        "logFiles": report.log_files,
        "znodes": tree.len(),
        "ephemerals": tree.ephemeral_count(),
        "containers": tree.containers().count(),
        "ttlZnodes": tree.ttl_nodes().count(),
        "sessions": restored.sessions.len(),
        "dataSize": tree.approximate_data_size(),
        "digest": txn_json::hex(tree.digest() as i64),
        "recorded": recorded(restored).map(|recorded| {
            json!({ "zxid": recorded.zxid.to_string(), "digest": txn_json::hex(recorded.digest as i64) })
        }),
        "digestsCompared": compared(restored),
        "digestsDifferent": report.digests.mismatched,
        "firstDifferent": report.digests.first_mismatch.map(|zxid| zxid.to_string()),
        "gaps": report.gaps.len(),
    });
    writeln!(out, "{object}")
}

fn recorded(restored: &Recovered) -> Option<SnapshotDigest> {
    restored.report.snapshot.as_ref()?.digest
}

fn compared(restored: &Recovered) -> u64 {
    restored.report.digests.matched + restored.report.digests.mismatched
}
