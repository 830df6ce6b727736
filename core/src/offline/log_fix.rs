//! `menagerie log fix-checksums`: a copy of a log, with checksums that fit what its records say now.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::options::LogFix;
use super::{Failure, Outcome, Tool, render, source, txn_text};
use crate::storage::{Disk, Error, LogOptions, LogReader, RealDisk, TxnLog, log_files};

/// After so many bytes the copy is written out.
const BATCH_BYTES: u64 = 4 << 20;

/// Writes the copy and prints every transaction whose checksum was wrong.
pub(super) fn run(tool: &mut Tool<'_>, options: &LogFix) -> Outcome {
    let (disk, dir) = (Arc::new(RealDisk), &options.output);
    disk.create_dir_all(dir).map_err(|source| Error::Io { action: "create", path: dir.clone(), source })?;
    if let Some((_, path)) = log_files(disk.as_ref(), dir)?.pop() {
        return Err(Failure::Refused(format!(
            "{} holds {} already; --output names a directory without logs",
            dir.display(),
            source::name(&path)
        )));
    }
    tool.begin(&options.file);
    let mut reader = LogReader::open(&tool.disk, &options.file, options.limits.max_buffer)?;
    let log = LogOptions { pre_alloc_bytes: 0, force_sync: true, max_entry_bytes: options.limits.max_buffer };
    let mut copy = TxnLog::open(disk.clone(), dir, log);
    match write(tool, &mut reader, &mut copy) {
        Ok((txns, fixed)) => {
            tool.progress.finish();
            report(tool.out, dir, txns, fixed)?;
            Ok(true)
        }
        Err(failure) => {
            // Half a copy would be taken for a whole one.
            for (_, path) in log_files(disk.as_ref(), dir)? {
                disk.remove(&path).map_err(|source| Error::Io { action: "remove", path, source })?;
            }
            Err(failure)
        }
    }
}

/// Copies to the end, and returns how many transactions there were, and how many had wrong checksums.
fn write(tool: &mut Tool<'_>, reader: &mut LogReader, copy: &mut TxnLog) -> Result<(u64, u64), Failure> {
    let (mut txns, mut fixed, mut synced) = (0, 0, 0);
    while let Some((entry, is_sound)) = reader.next_unchecked()? {
        let record = entry.decode()?;
        if !is_sound {
            writeln!(tool.out, "fixed at byte {}: {}", entry.offset, txn_text::line(&record, render::DATA_SHOWN))?;
            fixed += 1;
        }
        copy.append(entry.zxid, &entry.bytes)?;
        txns += 1;
        if entry.offset - synced > BATCH_BYTES {
            copy.sync()?;
            synced = entry.offset;
        }
    }
    copy.sync()?;
    Ok((txns, fixed))
}

fn report(out: &mut dyn Write, dir: &Path, txns: u64, fixed: u64) -> std::io::Result<()> {
    match log_files(&RealDisk, dir).ok().and_then(|mut files| files.pop()) {
        Some((_, path)) => {
            let txns = render::count(txns, "transaction");
            writeln!(out, "{} holds {txns}, {fixed} of them with a new checksum", path.display())
        }
        None => writeln!(out, "there is no transaction in it; nothing was written"),
    }
}
