//! `menagerie log truncate`: takes out of a data directory everything after a transaction. Reads and checks first, says what it
//! will do, and changes files in an order that leaves a directory a server can start from, wherever it is interrupted.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::options::LogTruncate;
use super::{Failure, Outcome, Tool, running, source};
use crate::storage::disk::DiskWriter;
use crate::storage::{Disk, Error, LogIterator, LogReader, RealDisk, base_snapshot, lock, log_files};
use crate::wire::Zxid;

const COPY_BYTES: usize = 256 << 10;

/// What is to be done.
struct Plan {
    /// Snapshots that show later transactions, newest first.
    snapshots: Vec<PathBuf>,
    /// Logs of later transactions only, newest first.
    logs: Vec<PathBuf>,
    /// The log that holds the last transaction to keep and later ones: where it is cut, and its length now.
    cut: Option<(PathBuf, u64, u64)>,
}

/// Does what the options ask for, and says what was done.
pub(super) fn run(tool: &mut Tool<'_>, options: &LogTruncate) -> Outcome {
    let log_dir = source::data_directory(tool.disk.as_ref(), &options.dir)?;
    let snap_dir = match &options.snapshots {
        Some(dir) => source::data_directory(tool.disk.as_ref(), dir)?,
        None => log_dir.clone(),
    };
    // Held to the end: no server of ours can start meanwhile.
    let _locks = refuse_running(&log_dir, &snap_dir)?;
    let plan = plan(tool, options, &log_dir, &snap_dir)?;
    tool.progress.finish();
    if plan.snapshots.is_empty() && plan.logs.is_empty() && plan.cut.is_none() {
        writeln!(tool.out, "nothing comes after {} in {}", options.to, log_dir.display())?;
        return Ok(true);
    }
    let backup = match (&options.backup, options.no_backup) {
        (_, true) => None,
        (Some(dir), false) => Some(dir.clone()),
        (None, false) => Some(default_backup(&log_dir, options.to)?),
    };
    if let Some(dir) = backup.as_deref().filter(|dir| RealDisk.len(dir).is_ok()) {
        return Err(Failure::Refused(format!("{} exists already; --backup names another directory", dir.display())));
    }
    tell(tool.out, &plan, backup.as_deref(), options.dry_run)?;
    if !options.dry_run {
        tool.out.flush()?;
        execute(&plan, backup.as_deref())?;
        writeln!(tool.out, "the last transaction is {} now", options.to)?;
    }
    Ok(true)
}

fn refuse_running(log_dir: &Path, snap_dir: &Path) -> Result<Vec<crate::storage::DirLock>, Failure> {
    let mut dirs = vec![log_dir];
    if snap_dir != log_dir {
        dirs.push(snap_dir);
    }
    let mut locks = Vec::new();
    for dir in dirs {
        if let Some((pid, name)) = running::user_of(dir) {
            return Err(Failure::Refused(format!(
                "process {pid} ({name}) has a file of {} open; stop the server first",
                dir.display()
            )));
        }
        locks.push(lock(&RealDisk, dir)?);
    }
    Ok(locks)
}

fn plan(tool: &Tool<'_>, options: &LogTruncate, log_dir: &Path, snap_dir: &Path) -> Result<Plan, Failure> {
    let (to, max_buffer) = (options.to, options.limits.max_buffer);
    let base = base_snapshot(tool.disk.as_ref(), snap_dir, to, max_buffer, |path| tool.begin(path))?;
    let (base, snapshots) = (base.zxid, base.later);
    let logs = log_files(tool.disk.as_ref(), log_dir)?;
    check_replay(tool, log_dir, base, to, max_buffer)?;
    let (mut cut, mut is_found) = (None, base == to);
    if let Some((_, path)) = logs.iter().rev().find(|(first, _)| *first <= to) {
        tool.begin(path);
        let (end, found) = end_of(tool, path, to, base == to, max_buffer)?;
        is_found |= found;
        let length = tool.disk.len(path).map_err(|source| Error::Io { action: "read", path: path.clone(), source })?;
        cut = holds_more(tool, path, end, max_buffer)?.then(|| (path.clone(), end, length));
    }
    if !is_found {
        return Err(Failure::Refused(format!(
            "{} holds no transaction {to}; `menagerie log dump {0}` shows those it holds",
            log_dir.display()
        )));
    }
    Ok(Plan {
        snapshots,
        logs: logs.into_iter().rev().filter(|(first, _)| *first > to).map(|(_, path)| path).collect(),
        cut,
    })
}

/// Reads what a server will replay.
fn check_replay(tool: &Tool<'_>, dir: &Path, base: Zxid, to: Zxid, max_buffer: usize) -> Result<(), Failure> {
    if base >= to {
        return Ok(());
    }
    let mut log = LogIterator::from_zxid(&tool.disk, dir, base.next(), max_buffer)?;
    while let Some(entry) = log.next_entry()? {
        entry.decode()?;
        if entry.zxid >= to {
            break;
        }
    }
    match log.gaps().first() {
        Some(gap) => Err(Failure::Refused(format!(
            "the log in {} lacks what is between {} and {}, and no snapshot of {to} or before makes up for it",
            dir.display(),
            gap.after,
            gap.before
        ))),
        None => Ok(()),
    }
}

/// Where the last record up to `to` ends, and whether it is the one of `to`. Damage behind it does not matter.
fn end_of(tool: &Tool<'_>, path: &Path, to: Zxid, is_snapshot: bool, max_buffer: usize) -> Result<(u64, bool), Error> {
    let mut reader = LogReader::open(&tool.disk, path, max_buffer)?;
    match reader.end_of(to) {
        Err(error) if error.is_corruption() && is_snapshot => Ok((reader.offset(), false)),
        end => end,
    }
}

/// Whether anything but zeros stands behind a record.
fn holds_more(tool: &Tool<'_>, path: &Path, end: u64, max_buffer: usize) -> Result<bool, Error> {
    let read_error = |source| Error::Io { action: "read", path: path.to_owned(), source };
    let mut rest = tool.disk.read_from(path, end).map_err(read_error)?;
    let mut piece = vec![0; COPY_BYTES.min(max_buffer.max(1))];
    loop {
        match rest.read(&mut piece).map_err(read_error)? {
            0 => return Ok(false),
            count if piece[..count].iter().any(|byte| *byte != 0) => return Ok(true),
            _ => {}
        }
    }
}

fn default_backup(log_dir: &Path, to: Zxid) -> Result<PathBuf, Failure> {
    // What is beside `.` has another directory's name before it.
    let whole = std::path::absolute(log_dir).map_err(io("find", log_dir))?;
    let Some(name) = whole.file_name() else {
        return Err(Failure::Usage(format!("nothing can be beside {}; name a --backup", log_dir.display())));
    };
    let mut name = name.to_owned();
    name.push(format!(".after-{to}"));
    // The path as it was given is the shorter one, where it has a name.
    Ok(if log_dir.file_name().is_some() { log_dir.with_file_name(name) } else { whole.with_file_name(name) })
}

fn tell(out: &mut dyn Write, plan: &Plan, backup: Option<&Path>, is_dry: bool) -> std::io::Result<()> {
    let will = if is_dry { "would" } else { "will" };
    let take = match backup {
        Some(dir) => format!("move to {}", dir.display()),
        None => "delete".to_owned(),
    };
    for path in plan.snapshots.iter().chain(&plan.logs) {
        writeln!(out, "{will} {take}: {}", source::name(path))?;
    }
    if let Some((path, end, length)) = &plan.cut {
        let copied = if backup.is_some() { ", after a copy of it is there" } else { "" };
        writeln!(out, "{will} cut {} from {length} to {end} bytes{copied}", source::name(path))?;
    }
    Ok(())
}

/// Snapshots first: without them, a server rebuilds the same tree from the logs. Then the logs from the newest on, so that
/// there is never a gap.
fn execute(plan: &Plan, backup: Option<&Path>) -> Result<(), Error> {
    if let Some(backup) = backup {
        RealDisk.create_dir_all(backup).map_err(io("create", backup))?;
        if let Some((path, ..)) = &plan.cut {
            copy(path, &backup.join(source::name(path)))?;
        }
    }
    for path in plan.snapshots.iter().chain(&plan.logs) {
        match backup {
            Some(backup) => RealDisk.rename(path, &backup.join(source::name(path))).map_err(io("move", path))?,
            None => RealDisk.remove(path).map_err(io("remove", path))?,
        }
        sync_parent(path)?;
    }
    if let Some((path, end, _)) = &plan.cut {
        RealDisk.truncate(path, *end).map_err(io("cut", path))?;
    }
    if let Some(backup) = backup {
        RealDisk.sync_dir(backup).map_err(io("sync", backup))?;
        sync_parent(backup)?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let mut input = RealDisk.read_from(from, 0).map_err(io("open", from))?;
    let mut output: Box<dyn DiskWriter> = RealDisk.create(to).map_err(io("create", to))?;
    let mut piece = vec![0; COPY_BYTES];
    loop {
        match input.read(&mut piece).map_err(io("read", from))? {
            0 => break,
            count => output.write_all(&piece[..count]).map_err(io("write", to))?,
        }
    }
    output.sync_data().map_err(io("sync", to))?;
    sync_parent(to)
}

fn sync_parent(path: &Path) -> Result<(), Error> {
    let dir = source::home(path);
    RealDisk.sync_dir(dir).map_err(io("sync", dir))
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::super::fuzzy;
    use super::super::options::Limits;
    use super::*;
    use crate::storage::snapshot::{self, SnapshotOptions};
    use crate::storage::{LogOptions, TxnLog};
    use crate::tree::{DataTree, SnapshotCursor};

    /// A failed operation as it is logged: session, cxid, zxid, time, type and error (protocol §6.3).
    fn failed(zxid: i64) -> Vec<u8> {
        let [session, time] = [0_i64.to_be_bytes(); 2];
        let [cxid, kind, err] = [0_i32, -1, -101].map(i32::to_be_bytes);
        [&session[..], &cxid, &zxid.to_be_bytes(), &time, &kind, &err].concat()
    }

    /// A snapshot that was begun after transaction 5 and still being written at 6 was taken for the tree of 5.
    #[test]
    fn a_snapshot_that_later_transactions_touched_is_no_base() {
        let mut out = Vec::new();
        let tool = fuzzy::tool(&mut out);
        let base = |to| {
            let found = base_snapshot(tool.disk.as_ref(), Path::new(fuzzy::DIR), Zxid(to), 1 << 20, |_| {});
            found.ok().map(|base| base.zxid)
        };
        assert_eq!((base(4), base(5), base(6)), (None, None, Some(Zxid(5))));
    }

    /// It was no base, but it stayed, and the next start took it as the newest: what 6 had done was still there.
    #[test]
    fn a_snapshot_that_later_transactions_touched_goes_with_them() {
        let (dir, tree) = (Path::new(fuzzy::DIR), DataTree::new());
        let disk: Arc<dyn Disk> = Arc::new(fuzzy::disk());
        let touched = dir.join("snapshot.5");
        let (cursor, options) = (SnapshotCursor::new(&tree), SnapshotOptions::default());
        snapshot::write(disk.as_ref(), dir, cursor, &BTreeMap::new(), &options, |see| see(&tree)).unwrap();
        let mut out = Vec::new();
        let tool = Tool { disk: Arc::clone(&disk), ..fuzzy::tool(&mut out) };
        let plan_of = |to| {
            let (dir, limits) = (dir.to_owned(), Limits { max_buffer: 1 << 20 });
            let options = LogTruncate {
                dir,
                to: Zxid(to),
                snapshots: None,
                backup: None,
                no_backup: true,
                dry_run: true,
                limits,
            };
            plan(&tool, &options, &options.dir, &options.dir)
        };
        let log = |from| {
            let log_options = LogOptions { pre_alloc_bytes: 0, force_sync: true, max_entry_bytes: 1 << 20 };
            let mut log = TxnLog::open(Arc::clone(&disk), dir.to_owned(), log_options);
            for zxid in from..=6 {
                log.append(Zxid(zxid), &failed(zxid)).unwrap();
            }
            log.sync().unwrap();
        };
        log(1);
        for (to, removed, is_cut) in [(4, vec![&touched], true), (5, vec![&touched], true), (6, vec![], false)] {
            let plan = plan_of(to).unwrap();
            assert_eq!((plan.snapshots.iter().collect(), plan.cut.is_some()), (removed, is_cut), "{to}");
        }
        disk.remove(&dir.join("log.1")).unwrap();
        log(3);
        let refused = plan_of(5).err().map(|failure| failure.to_string()).unwrap_or_default();
        assert!(refused.contains("lacks what is between 0x0 and 0x3"), "{refused}");
    }

    /// Whoever stood in the directory got a hidden backup within it.
    #[test]
    fn the_backup_is_beside_the_directory_however_that_is_called() {
        let to = Zxid(0x2a);
        assert_eq!(default_backup(Path::new("a/version-2"), to).unwrap(), Path::new("a/version-2.after-0x2a"));
        let here = std::env::current_dir().unwrap();
        let mut beside = here.clone().into_os_string();
        beside.push(".after-0x2a");
        assert_eq!(default_backup(Path::new("."), to).unwrap(), Path::new(&beside));
        assert!(default_backup(Path::new(".."), to).is_err());
    }
}
