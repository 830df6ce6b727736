//! Writes the transaction log (protocol §6.2): entries are buffered, and one sync makes all of them durable with one write
//! and one `fdatasync`. It never knows what an entry says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;

use super::disk::{self, DiskWriter};
use super::log_reader::LogReader;
use super::{DEFAULT_MAX_ENTRY_BYTES, Disk, Error, checksum, file_names};
use crate::jute::{Encode, Put};
use crate::wire::Zxid;
use crate::wire::persistence::{FORMAT_VERSION, FileHeader, LOG_MAGIC};

/// The byte that ends every record: a record without it was not written whole.
pub(super) const RECORD_END: u8 = b'B';
/// Bytes of a record before its entry: checksum and length.
pub(super) const RECORD_HEAD: usize = 12;
/// Bytes of a file before its first record.
pub(super) const FILE_HEAD: usize = 16;

/// A buffer that one unusually large batch has grown is not kept.
const BUFFER_KEPT: usize = 4 << 20;
/// A file is grown when less than this is left of it, so that a sync seldom has to record a new length as well.
const GROW_MARGIN: u64 = 4096;

/// How the log is written.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// By how many bytes a file is grown at a time (`preAllocSize`; the zeros take no room); 0 to grow it as it is written.
    pub pre_alloc_bytes: u64,
    /// Whether a sync waits for the disk (`forceSync`). Without it a power failure loses acknowledged writes.
    pub force_sync: bool,
    /// The longest entry in bytes.
    pub max_entry_bytes: usize,
}

impl Default for LogOptions {
    /// 64 MiB at a time, durable, the protocol's default limit.
    fn default() -> Self {
        LogOptions { pre_alloc_bytes: 64 << 20, force_sync: true, max_entry_bytes: DEFAULT_MAX_ENTRY_BYTES }
    }
}

/// The log of one server, open for appending. It only ever adds files: the first transaction after a start, a roll or a
/// truncation opens a new one, so a torn tail is never written over.
#[derive(Debug)]
pub struct TxnLog {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    options: LogOptions,
    file: Option<OpenFile>,
    /// Records not yet written.
    buffer: BytesMut,
    /// The first zxid in the buffer: the name of the next file, if there is none open.
    first_buffered: Option<Zxid>,
    last_appended: Zxid,
    durable: Zxid,
    stopped: bool,
}

#[derive(Debug)]
struct OpenFile {
    writer: Box<dyn DiskWriter>,
    path: PathBuf,
    /// Bytes written.
    position: u64,
    /// The file's length.
    len: u64,
}

impl TxnLog {
    /// Gets ready to append to the log in `dir`, which exists. No file is opened before the first sync.
    pub fn open(disk: Arc<dyn Disk>, dir: impl Into<PathBuf>, options: LogOptions) -> Self {
        TxnLog {
            disk,
            dir: dir.into(),
            options,
            file: None,
            buffer: BytesMut::new(),
            first_buffered: None,
            last_appended: Zxid::ZERO,
            durable: Zxid::ZERO,
            stopped: false,
        }
    }

    /// As [`TxnLog::open`], for a directory whose last transaction is `last`: none up to it can be appended.
    pub(super) fn open_after(disk: Arc<dyn Disk>, dir: PathBuf, options: LogOptions, last: Zxid) -> Self {
        TxnLog { last_appended: last, durable: last, ..TxnLog::open(disk, dir, options) }
    }

    /// Puts a transaction into the buffer: `entry` is its header, its record and, where digests are on, its digest, just as
    /// Zab proposes it. Nothing is written before [`TxnLog::sync`].
    ///
    /// # Errors
    /// [`Error::OutOfOrder`], [`Error::EntryTooLong`]; [`Error::Stopped`] after a failed sync.
    pub fn append(&mut self, zxid: Zxid, entry: &[u8]) -> Result<(), Error> {
        self.check_running()?;
        if zxid <= self.last_appended {
            let last = self.last_appended;
            return Err(Error::OutOfOrder { zxid, last });
        }
        if entry.len() > self.options.max_entry_bytes {
            return Err(Error::EntryTooLong { zxid, length: entry.len(), limit: self.options.max_entry_bytes });
        }
        if self.first_buffered.is_none() && self.file.is_none() {
            header().encode(&mut self.buffer);
        }
        self.first_buffered.get_or_insert(zxid);
        self.last_appended = zxid;
        self.buffer.put_long(checksum::of(entry));
        self.buffer.put_buffer(Some(entry));
        self.buffer.extend_from_slice(&[RECORD_END]);
        Ok(())
    }

    /// Makes everything appended durable and returns the last transaction that is.
    ///
    /// # Errors
    /// [`Error::Io`], after which the log is stopped for good: nobody can tell what a failed sync left behind.
    pub fn sync(&mut self) -> Result<Zxid, Error> {
        self.check_running()?;
        if let Some(first) = self.first_buffered {
            // Until all of it has worked, the log counts as stopped.
            self.stopped = true;
            self.write_buffer(first)?;
            self.stopped = false;
            self.first_buffered = None;
            self.durable = self.last_appended;
        }
        Ok(self.durable)
    }

    /// Syncs, and lets the next transaction open a new file.
    ///
    /// # Errors
    /// As [`TxnLog::sync`].
    pub fn roll(&mut self) -> Result<(), Error> {
        self.sync()?;
        if let Some(mut file) = self.file.take()
            && file.len > file.position
        {
            // The zeros at the end mean nothing; without them the file is easier to copy. No need to make that durable.
            let cut = file.writer.set_len(file.position);
            cut.map_err(Error::io("trim", &file.path))?;
        }
        Ok(())
    }

    /// Syncs, then drops every transaction after `to` from all files; the next one opens a new file. Whatever happens
    /// meanwhile, the files hold the log up to some transaction at or after `to`.
    ///
    /// The caller's tree no longer fits the log afterwards: it must be recovered anew.
    ///
    /// # Errors
    /// [`Error::Io`] and, from the file that has to be cut, [`Error::Corrupt`]. The log is then stopped for good, as after a
    /// failed sync.
    pub fn truncate(&mut self, to: Zxid) -> Result<(), Error> {
        // The buffer may hold transactions up to `to` as well, and nobody would append those again.
        self.sync()?;
        self.file = None;
        self.stopped = true;
        self.cut_files(to)?;
        self.stopped = false;
        self.last_appended = self.last_appended.min(to);
        self.durable = self.durable.min(to);
        Ok(())
    }

    fn cut_files(&self, to: Zxid) -> Result<(), Error> {
        let mut files = file_names::log_files(self.disk.as_ref(), &self.dir)?;
        while files.last().is_some_and(|(first, _)| *first > to) {
            if let Some((_, path)) = files.pop() {
                self.disk.remove(&path).map_err(Error::io("remove", &path))?;
                // One by one, newest first: a crash must not leave a gap.
                disk::sync_parent(self.disk.as_ref(), &path)?;
            }
        }
        if let Some((_, path)) = files.last() {
            let mut reader = LogReader::open(&self.disk, path, self.options.max_entry_bytes)?;
            let (end, _) = reader.end_of(to)?;
            self.disk.truncate(path, end).map_err(Error::io("truncate", path))?;
        }
        Ok(())
    }

    /// The last transaction that is durable by this log's own doing; zero before the first sync.
    pub fn durable(&self) -> Zxid {
        self.durable
    }

    /// Bytes in the open file and in the buffer: what a size limit of the file looks at.
    pub fn file_bytes(&self) -> u64 {
        self.file.as_ref().map_or(0, |file| file.position) + self.buffer.len() as u64
    }

    fn write_buffer(&mut self, first: Zxid) -> Result<(), Error> {
        let is_new = self.file.is_none();
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.new_file(first)?,
        };
        file.write(&self.buffer, self.options.pre_alloc_bytes)?;
        if self.options.force_sync {
            file.writer.sync_data().map_err(Error::io("sync", &file.path))?;
            if is_new {
                disk::sync_parent(self.disk.as_ref(), &file.path)?;
            }
        }
        if self.buffer.capacity() > BUFFER_KEPT {
            self.buffer = BytesMut::new();
        }
        self.buffer.clear();
        self.file = Some(file);
        Ok(())
    }

    fn new_file(&self, first: Zxid) -> Result<OpenFile, Error> {
        let path = self.dir.join(file_names::log_name(first));
        self.refuse_to_overwrite(&path)?;
        let writer = self.disk.create(&path).map_err(Error::io("create", &path))?;
        Ok(OpenFile { writer, path, position: 0, len: 0 })
    }

    /// A file of this name can only be the torn one of a crash before its first transaction was durable.
    fn refuse_to_overwrite(&self, path: &Path) -> Result<(), Error> {
        if self.disk.len(path).is_err() {
            return Ok(());
        }
        let mut reader = LogReader::open(&self.disk, path, self.options.max_entry_bytes)?;
        match reader.next_entry()? {
            None => Ok(()),
            Some(_) => Err(Error::AlreadyLogged { path: path.to_owned() }),
        }
    }

    fn check_running(&self) -> Result<(), Error> {
        if self.stopped { Err(Error::Stopped) } else { Ok(()) }
    }
}

impl OpenFile {
    fn write(&mut self, bytes: &[u8], pre_alloc: u64) -> Result<(), Error> {
        let end = self.position + bytes.len() as u64;
        if pre_alloc > 0 && end + GROW_MARGIN > self.len {
            let len = (end + GROW_MARGIN).next_multiple_of(pre_alloc);
            self.writer.set_len(len).map_err(Error::io("grow", &self.path))?;
            self.len = len;
        }
        self.writer.write_all(bytes).map_err(Error::io("write", &self.path))?;
        self.position = end;
        self.len = self.len.max(end);
        Ok(())
    }
}

pub(super) fn header() -> FileHeader {
    FileHeader { magic: LOG_MAGIC, version: FORMAT_VERSION, dbid: 0 }
}

#[cfg(test)]
mod tests;
