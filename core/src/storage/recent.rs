//! The end of the log, and stretches of it, for learners that lack only that (protocol §5.5). Only what is there without a
//! gap is given: a learner that got the rest would believe it had everything.
//!
//! Within an epoch every number is logged, and each epoch begins with 1. Between two epochs transactions may be missing
//! unseen where a reference server has taken a leader's snapshot and kept its old log; but that snapshot is then between
//! the two.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::file_names::{log_files, snapshot_files};
use super::{Disk, Error, LogIterator, LogReader};
use crate::wire::Zxid;

/// The last entries of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecentEntries {
    /// The transaction before the first of them; the last one logged, if there are none.
    pub before: Zxid,
    /// The entries as they were logged, in order, without a gap.
    pub entries: Vec<(Zxid, Bytes)>,
}

/// The last entries of the log in `log_dir` that lead to `through` without a gap: no more than `max_entries`, and than
/// `max_bytes` in sum. They are none when `through` itself is not logged. `max_entry_bytes` is the longest entry.
///
/// # Errors
/// [`Error::Io`]. Damage is where the entries begin.
pub fn recent_entries(
    disk: &Arc<dyn Disk>,
    snap_dir: &Path,
    log_dir: &Path,
    through: Zxid,
    max_entries: usize,
    max_bytes: usize,
    max_entry_bytes: usize,
) -> Result<RecentEntries, Error> {
    let joints = Joints::read(disk.as_ref(), snap_dir)?;
    let mut window = Window { joints, before: through, entries: VecDeque::new(), max_entries, max_bytes };
    for (first, path) in log_files(disk.as_ref(), log_dir)?.into_iter().rev() {
        if first > through {
            continue;
        }
        let mut file = Stretch::default();
        let read = file.read(disk, &path, through, &window, max_entry_bytes);
        match read {
            Err(error) if error.is_corruption() => break,
            read => read?,
        }
        if !window.prepend(file, through) {
            break;
        }
    }
    Ok(window.finish(through))
}

/// Where snapshots say that transactions may be missing.
#[derive(Debug)]
struct Joints(Vec<Zxid>);

impl Joints {
    fn read(disk: &dyn Disk, snap_dir: &Path) -> Result<Self, Error> {
        Ok(Joints(snapshot_files(disk, snap_dir)?.into_iter().map(|file| file.zxid).collect()))
    }

    /// Whether nothing is missing between two transactions that stand in the log one after the other.
    fn follows(&self, before: Zxid, next: Zxid) -> bool {
        if before.epoch() == next.epoch() {
            return next == before.next();
        }
        next.counter() == 1 && before < next && !self.0.iter().any(|zxid| *zxid > before && *zxid < next)
    }
}

/// The end of one file.
#[derive(Debug, Default)]
struct Stretch {
    /// What stands before the first entry in the file, if that is known to be its predecessor.
    before: Option<Zxid>,
    /// Whether it begins with the file.
    is_whole: bool,
    entries: VecDeque<(Zxid, Bytes)>,
    bytes: usize,
}

impl Stretch {
    fn read(
        &mut self,
        disk: &Arc<dyn Disk>,
        path: &Path,
        through: Zxid,
        window: &Window,
        max_entry_bytes: usize,
    ) -> Result<(), Error> {
        let mut reader = LogReader::open(disk, path, max_entry_bytes)?;
        self.is_whole = true;
        let mut last = None;
        while let Some(entry) = reader.next_entry()? {
            if entry.zxid > through {
                break;
            }
            if last.is_some_and(|last| !window.joints.follows(last, entry.zxid)) {
                *self = Stretch::default();
            }
            last = Some(entry.zxid);
            self.bytes += entry.bytes.len();
            self.entries.push_back((entry.zxid, entry.bytes));
            while self.entries.len() > window.max_entries || self.bytes > window.max_bytes {
                let Some((zxid, bytes)) = self.entries.pop_front() else { break };
                self.bytes -= bytes.len();
                (self.before, self.is_whole) = (Some(zxid), false);
            }
        }
        Ok(())
    }

    fn last(&self) -> Option<Zxid> {
        self.entries.back().map(|(zxid, _)| *zxid).or(self.before)
    }
}

/// What was gathered so far: what is left of the limits is for older files.
#[derive(Debug)]
struct Window {
    joints: Joints,
    before: Zxid,
    entries: VecDeque<(Zxid, Bytes)>,
    max_entries: usize,
    max_bytes: usize,
}

impl Window {
    /// Puts the end of an older file in front, if it leads to what is there. Returns whether older ones may follow.
    fn prepend(&mut self, file: Stretch, through: Zxid) -> bool {
        let Some(last) = file.last() else {
            // A file with nothing in it.
            return file.is_whole;
        };
        let joins = match self.entries.front() {
            None => last == through,
            Some((first, _)) => self.joints.follows(last, *first),
        };
        if !joins {
            return false;
        }
        self.max_entries -= file.entries.len();
        self.max_bytes -= file.bytes;
        for entry in file.entries.into_iter().rev() {
            self.entries.push_front(entry);
        }
        if let Some(before) = file.before {
            self.before = before;
        } else if let Some((first, _)) = self.entries.front() {
            self.before = *first;
        }
        file.is_whole
    }

    fn finish(mut self, through: Zxid) -> RecentEntries {
        match self.entries.front() {
            None => self.before = through,
            // Nothing was seen before it.
            Some((first, _)) if self.before == *first => match predecessor(*first) {
                Some(before) => self.before = before,
                None => {
                    self.entries.pop_front();
                }
            },
            Some(_) => {}
        }
        RecentEntries { before: self.before, entries: self.entries.into() }
    }
}

/// The transaction before, where its number says which that is.
fn predecessor(zxid: Zxid) -> Option<Zxid> {
    (zxid.counter() > 1 || zxid == Zxid(1)).then(|| Zxid(zxid.0 - 1))
}

/// The log after one transaction and up to another. One entry is in memory at a time.
#[derive(Debug)]
pub struct LogRange {
    log: LogIterator,
    joints: Joints,
    pending: Option<(Zxid, Bytes)>,
    knows_after: bool,
    last: Zxid,
    through: Zxid,
}

/// Reads the log in `log_dir` after `after` and up to `through`. Files may be removed meanwhile, which ends it with an error.
///
/// # Errors
/// [`Error::Corrupt`], [`Error::Io`].
pub fn log_range(
    disk: &Arc<dyn Disk>,
    snap_dir: &Path,
    log_dir: &Path,
    after: Zxid,
    through: Zxid,
    max_entry_bytes: usize,
) -> Result<LogRange, Error> {
    let joints = Joints::read(disk.as_ref(), snap_dir)?;
    let mut log = LogIterator::from_zxid(disk, log_dir, after, max_entry_bytes)?;
    let first = log.next_entry()?;
    let knows_after = first.as_ref().is_some_and(|first| first.zxid == after || predecessor(first.zxid) == Some(after));
    let pending = first.filter(|first| first.zxid != after).map(|first| (first.zxid, first.bytes));
    Ok(LogRange { log, joints, pending, knows_after, last: after, through })
}

impl LogRange {
    /// Whether the transaction after which it begins is one of this log's: logged, or just before the first that is.
    pub fn knows_after(&self) -> bool {
        self.knows_after
    }

    /// The next entry; `None` after the last one asked for.
    ///
    /// # Errors
    /// [`Error::NotLogged`] where transactions are missing, also at the end, and at once where [`LogRange::knows_after`] is
    /// false. What was given before is right, but not all. [`Error::Corrupt`], [`Error::Io`].
    pub fn next_entry(&mut self) -> Result<Option<(Zxid, Bytes)>, Error> {
        if self.last >= self.through {
            return Ok(None);
        }
        let next = match self.pending.take() {
            _ if !self.knows_after => None,
            Some(pending) => Some(pending),
            None => self.log.next_entry()?.map(|entry| (entry.zxid, entry.bytes)),
        };
        match next {
            Some((zxid, bytes)) if zxid <= self.through && self.joints.follows(self.last, zxid) => {
                self.last = zxid;
                Ok(Some((zxid, bytes)))
            }
            _ => Err(Error::NotLogged { zxid: self.through, base: self.last, dir: self.log.dir().to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests;
