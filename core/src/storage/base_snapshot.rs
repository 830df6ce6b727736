//! What a log can be cut back to: the snapshot that the state is rebuilt from afterwards, and those that must go (protocol
//! §6.2).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file_names::snapshot_files;
use super::{Disk, Error, LogIterator, snapshot};
use crate::wire::Zxid;

/// The snapshot that stays, and those that cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseSnapshot {
    /// The newest one without anything from later transactions.
    pub zxid: Zxid,
    /// Those that hold later transactions, or may, newest first. A recovery would take them for the truth.
    pub later: Vec<PathBuf>,
}

/// The newest snapshot in `dir` that can be read and holds nothing from after `to`. A snapshot is written while transactions
/// come: one that was begun before `to` may hold what came after, and goes with those that were begun later. `limit` is the
/// longest string or buffer in bytes; `begin` is told of each file before it is read.
///
/// # Errors
/// [`Error::CannotTruncate`] when there is none, [`Error::Io`].
pub fn base_snapshot(
    disk: &dyn Disk,
    dir: &Path,
    to: Zxid,
    limit: usize,
    mut begin: impl FnMut(&Path),
) -> Result<BaseSnapshot, Error> {
    let mut later = Vec::new();
    for file in snapshot_files(disk, dir)?.into_iter().rev() {
        if file.zxid > to {
            later.push(file.path);
            continue;
        }
        begin(&file.path);
        match snapshot::read(disk, &file, limit, 0) {
            Ok(image) if image.digest.is_some_and(|digest| digest.zxid > to) => later.push(file.path),
            Ok(_) => return Ok(BaseSnapshot { zxid: file.zxid, later }),
            // Recovery passes over it as well.
            Err(error) if error.is_corruption() => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::CannotTruncate { to, dir: dir.to_owned() })
}

/// Whether the logs in `dir` lead from the snapshot of `base` to exactly `to`.
///
/// # Errors
/// [`Error::NotLogged`] when something is missing on the way; [`Error::Corrupt`], [`Error::Io`].
pub(super) fn check_replay(disk: &Arc<dyn Disk>, dir: &Path, base: Zxid, to: Zxid, limit: usize) -> Result<(), Error> {
    if base == to {
        return Ok(());
    }
    let mut log = LogIterator::from_zxid(disk, dir, base.next(), limit)?;
    let mut reached = base;
    while reached < to {
        match log.next_entry()? {
            Some(entry) if log.gaps().is_empty() => reached = entry.zxid,
            _ => break,
        }
    }
    if reached == to { Ok(()) } else { Err(Error::NotLogged { zxid: to, base, dir: dir.to_owned() }) }
}

/// Removes snapshots, durably, in the order given.
pub(super) fn drop_snapshots(disk: &dyn Disk, dir: &Path, files: &[PathBuf]) -> Result<(), Error> {
    for path in files {
        disk.remove(path).map_err(Error::io("remove", path))?;
    }
    if files.is_empty() { Ok(()) } else { disk.sync_dir(dir).map_err(Error::io("sync", dir)) }
}
