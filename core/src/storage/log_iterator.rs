//! Reads the log across its files from a transaction on, in order (protocol §6.2).

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file_names::log_files;
use super::log_reader::{LogEnd, LogEntry, LogReader};
use super::{Disk, Error};
use crate::wire::Zxid;

/// Transactions that are missing between two that are there. Every zxid of an epoch is logged, so this should not be; but
/// only the operator knows whether files were removed on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The last transaction before it.
    pub after: Zxid,
    /// The first one after it.
    pub before: Zxid,
}

/// The log from some transaction on. One record is in memory at a time.
#[derive(Debug)]
pub struct LogIterator {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    files: VecDeque<PathBuf>,
    current: Option<LogReader>,
    /// Whether the current file has given a transaction yet.
    in_file: bool,
    from: Zxid,
    max_entry: usize,
    last: Zxid,
    ends: Vec<(PathBuf, LogEnd)>,
    gaps: Vec<Gap>,
}

impl LogIterator {
    /// Reads the log in `dir` from the first transaction at or after `from`; `max_entry` is the longest entry, in bytes.
    ///
    /// # Errors
    /// [`Error::Io`] when the directory cannot be listed.
    pub fn from_zxid(disk: &Arc<dyn Disk>, dir: &Path, from: Zxid, max_entry: usize) -> Result<Self, Error> {
        let files = log_files(disk.as_ref(), dir)?;
        // The newest file that begins before `from` may reach beyond it; older ones end before that file begins.
        let first = files.iter().rposition(|(zxid, _)| *zxid <= from).unwrap_or(0);
        Ok(LogIterator {
            disk: disk.clone(),
            dir: dir.to_owned(),
            files: files.into_iter().skip(first).map(|(_, path)| path).collect(),
            current: None,
            in_file: false,
            from,
            max_entry,
            last: Zxid::ZERO,
            ends: Vec::new(),
            gaps: Vec::new(),
        })
    }

    /// The next transaction, or `None` at the end of the last file.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where a file is damaged, or torn with its transactions missing from the next one; [`Error::Io`].
    pub fn next_entry(&mut self) -> Result<Option<LogEntry>, Error> {
        loop {
            let Some(reader) = &mut self.current else {
                let Some(path) = self.files.pop_front() else {
                    return Ok(None);
                };
                self.in_file = false;
                self.current = Some(LogReader::open(&self.disk, &path, self.max_entry)?);
                continue;
            };
            match reader.next_entry()? {
                None => self.finish_file(),
                Some(entry) => {
                    self.check_order(&entry)?;
                    self.last = entry.zxid;
                    self.in_file = true;
                    if entry.zxid >= self.from {
                        return Ok(Some(entry));
                    }
                }
            }
        }
    }

    /// Where the log is.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// How the files read so far ended, oldest first.
    pub fn ends(&self) -> &[(PathBuf, LogEnd)] {
        &self.ends
    }

    /// Where transactions are missing in what was read so far.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    fn finish_file(&mut self) {
        if let Some(reader) = self.current.take()
            && let Some(end) = reader.end()
        {
            self.ends.push((reader.path().to_owned(), end.clone()));
        }
    }

    fn check_order(&mut self, entry: &LogEntry) -> Result<(), Error> {
        if self.last == Zxid::ZERO {
            // Nothing before it was read: the caller knows what it asked for.
            if self.from > Zxid::ZERO && entry.zxid > self.from && entry.zxid.epoch() == self.from.epoch() {
                let after = Zxid(self.from.0 - 1);
                self.gaps.push(Gap { after, before: entry.zxid });
            }
            return Ok(());
        }
        if entry.zxid <= self.last {
            let what = format!("the transaction {} follows {} of the file before", entry.zxid, self.last);
            return Err(Error::corrupt(&entry.path, entry.offset, what));
        }
        if entry.zxid == self.last.next() || entry.zxid.epoch() != self.last.epoch() {
            return Ok(());
        }
        // After a torn tail the next file takes up where the last whole record ended. If it does not, that tail was
        // acknowledged once, and is damage.
        if let Some((path, LogEnd::Torn { offset, what })) = self.ends.last()
            && !self.in_file
        {
            let what = format!("{what}, and the next file goes on at {} after {}", entry.zxid, self.last);
            return Err(Error::corrupt(path, *offset, what));
        }
        self.gaps.push(Gap { after: self.last, before: entry.zxid });
        Ok(())
    }
}
