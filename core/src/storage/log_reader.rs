//! Reads one log file, record by record, and tells a torn tail from damage (protocol §6.2). It holds one record at a time.
//!
//! A crash may tear the end of the last write: what is left there is a record's beginning, or zeros. Such a tail was never
//! acknowledged, and the file simply ends before it. Everything else that is no record is damage, above all a bad record
//! with a good one after it: what stood there was acknowledged, and whoever starts without it lies to its clients.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::salvage::{self, Rest};
use super::txn_log::{FILE_HEAD, RECORD_END, RECORD_HEAD, header};
use super::{Disk, Error, checksum};
use crate::jute::{Decode, Encode};
use crate::wire::Zxid;
use crate::wire::txn::TxnRecord;

/// Bytes of a transaction's header, the least an entry can have.
pub(super) const MIN_ENTRY: usize = 32;
/// Where the zxid stands in an entry: after the session and the xid.
pub(super) const ZXID_AT: usize = 12;

const READ_AHEAD: usize = 256 << 10;

/// One transaction as it stands in a file.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// The transaction.
    pub zxid: Zxid,
    /// Header, record and digest: what Zab proposes.
    pub bytes: Bytes,
    /// Where its record begins in the file.
    pub offset: u64,
    /// The file.
    pub path: Arc<Path>,
}

impl LogEntry {
    /// Reads the transaction.
    ///
    /// # Errors
    /// [`Error::Corrupt`]: the bytes are those that were written, but they are not a transaction this version knows.
    pub fn decode(&self) -> Result<TxnRecord, Error> {
        TxnRecord::from_bytes(&self.bytes).map_err(|error| {
            let what = format!("the transaction {} cannot be read: {error}", self.zxid);
            Error::corrupt(&self.path, self.offset, what)
        })
    }
}

/// How a file ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEnd {
    /// After its last record, with nothing or zeros behind it.
    Clean,
    /// With the remains of a write that a crash cut short.
    Torn {
        /// Where they begin.
        offset: u64,
        /// What is missing.
        what: &'static str,
    },
    /// Before it began: a crash left not even the file's header.
    NoHeader,
}

/// One log file being read. A file that is still being written is read up to its length at the opening; whoever does that
/// stops at the last transaction known to be durable, for what is behind it may be there in part.
pub struct LogReader {
    disk: Arc<dyn Disk>,
    path: Arc<Path>,
    input: BufReader<Box<dyn Read + Send>>,
    file_len: u64,
    offset: u64,
    last: Zxid,
    max_entry: usize,
    end: Option<LogEnd>,
}

/// A record that cannot be read, before it is known whether that is a torn tail.
enum Bad {
    /// Zeros where a record would begin.
    Zeros,
    /// Something a cut write leaves.
    Cut(&'static str),
    /// Nothing a cut write leaves.
    Damage(Cow<'static, str>),
}

enum Failure {
    Bad(Bad),
    Io(io::Error),
}

/// A record whose bytes are a transaction, by its length, its end and its place in the order.
struct Record {
    zxid: Zxid,
    bytes: Bytes,
    /// Whether the checksum is that of the bytes.
    is_sound: bool,
}

impl LogReader {
    /// Opens a file; `max_entry` is the longest entry it may hold, in bytes.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Corrupt`] when the file is not a transaction log.
    pub fn open(disk: &Arc<dyn Disk>, path: &Path, max_entry: usize) -> Result<Self, Error> {
        let file_len = disk.len(path).map_err(Error::io("read", path))?;
        let input = disk.read_from(path, 0).map_err(Error::io("open", path))?;
        let mut reader = LogReader {
            disk: disk.clone(),
            path: path.into(),
            input: BufReader::with_capacity(READ_AHEAD, input),
            file_len,
            offset: 0,
            last: Zxid::ZERO,
            max_entry,
            end: None,
        };
        reader.read_header()?;
        Ok(reader)
    }

    /// The next transaction, or `None` at the file's end; [`LogReader::end`] then says how it ended.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for anything but a torn tail, [`Error::Io`].
    pub fn next_entry(&mut self) -> Result<Option<LogEntry>, Error> {
        let entry = self.next_judged(|record| (!record.is_sound).then_some("the checksum is wrong"))?;
        Ok(entry.map(|(entry, _)| entry))
    }

    /// As [`LogReader::next_entry`], for a file that is to be mended: also gives a transaction whose checksum is wrong, if
    /// it can be read, and says so by `false`. Nobody knows whether it says what was written.
    ///
    /// # Errors
    /// As [`LogReader::next_entry`].
    pub fn next_unchecked(&mut self) -> Result<Option<(LogEntry, bool)>, Error> {
        self.next_judged(|record| {
            let is_lost = !record.is_sound && TxnRecord::from_bytes(&record.bytes).is_err();
            is_lost.then_some("the checksum is wrong, and the bytes are no transaction")
        })
    }

    /// After [`Error::Corrupt`]: goes on at the next whole record, and returns where that is; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn skip_damage(&mut self) -> Result<Option<u64>, Error> {
        let Rest::RecordAt(next) = self.search(self.offset + 1)? else {
            self.end = Some(LogEnd::Clean);
            return Ok(None);
        };
        let input = self.disk.read_from(&self.path, next).map_err(Error::io("open", &self.path))?;
        self.input = BufReader::with_capacity(READ_AHEAD, input);
        self.offset = next;
        Ok(Some(next))
    }

    /// Reads up to `to`: where the record of it ends, or else that of the last transaction before it, and whether it was
    /// found. What stands behind it is not looked at, so damage there does not matter.
    ///
    /// # Errors
    /// As [`LogReader::next_entry`]; [`LogReader::offset`] then says where the damage begins.
    pub fn end_of(&mut self, to: Zxid) -> Result<(u64, bool), Error> {
        while let Some(entry) = self.next_entry()? {
            if entry.zxid == to {
                return Ok((self.offset, true));
            }
            if entry.zxid > to {
                return Ok((entry.offset, false));
            }
        }
        Ok((self.offset, false))
    }

    /// How the file ended, once it has.
    pub fn end(&self) -> Option<&LogEnd> {
        self.end.as_ref()
    }

    /// Where the next record begins; at the end, where the last good record ended.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next record that `refuse` finds nothing wrong with, and whether its checksum is right.
    fn next_judged(
        &mut self,
        refuse: impl FnOnce(&Record) -> Option<&'static str>,
    ) -> Result<Option<(LogEntry, bool)>, Error> {
        if self.end.is_some() {
            return Ok(None);
        }
        if self.offset >= self.file_len {
            self.end = Some(LogEnd::Clean);
            return Ok(None);
        }
        let bad = match self.read_record() {
            Ok(record) => match refuse(&record) {
                None => return Ok(Some(self.accept(record))),
                Some(what) => Bad::Cut(what),
            },
            Err(Failure::Io(source)) => return Err(Error::io("read", &self.path)(source)),
            Err(Failure::Bad(bad)) => bad,
        };
        self.end = Some(self.judge(bad)?);
        Ok(None)
    }

    fn accept(&mut self, record: Record) -> (LogEntry, bool) {
        let Record { zxid, bytes, is_sound } = record;
        let offset = self.offset;
        self.offset += (RECORD_HEAD + bytes.len() + 1) as u64;
        self.last = zxid;
        (LogEntry { zxid, bytes, offset, path: self.path.clone() }, is_sound)
    }

    fn read_header(&mut self) -> Result<(), Error> {
        let mut head = [0; FILE_HEAD];
        let have = FILE_HEAD.min(self.file_len as usize);
        let read = self.input.read_exact(&mut head[..have]);
        read.map_err(Error::io("read", &self.path))?;
        let expected = header().to_bytes();
        if have == FILE_HEAD && head[..4] == expected[..4] {
            self.offset = FILE_HEAD as u64;
            return Ok(());
        }
        // A file just created may have been left with nothing, or with the header's first bytes, and zeros behind them.
        let same = head.iter().zip(&expected).take_while(|(found, expected)| found == expected).count();
        if head[same..].iter().all(|byte| *byte == 0) {
            if let Rest::RecordAt(offset) = self.search(0)? {
                let what = format!("the header is missing, yet a transaction stands at byte {offset}");
                return Err(Error::corrupt(&self.path, 0, what));
            }
            self.end = Some(LogEnd::NoHeader);
            return Ok(());
        }
        Err(Error::corrupt(&self.path, 0, "it is not a transaction log"))
    }

    fn read_record(&mut self) -> Result<Record, Failure> {
        let left = self.file_len - self.offset;
        if left < RECORD_HEAD as u64 {
            return Err(Bad::Cut("the record's beginning is incomplete").into());
        }
        let mut head = [0; RECORD_HEAD];
        self.input.read_exact(&mut head)?;
        let (expected, length) = split_head(&head);
        if length == 0 {
            return Err(if expected == 0 { Bad::Zeros } else { Bad::Cut("the record has no length") }.into());
        }
        let limit = self.max_entry;
        let Some(length) = usize::try_from(length).ok().filter(|length| *length <= limit) else {
            let what = format!("the unreasonable length {length} (the limit is {limit} bytes)");
            return Err(Bad::Damage(what.into()).into());
        };
        if (length as u64) >= left - RECORD_HEAD as u64 {
            return Err(Bad::Cut("the file ends within the record").into());
        }
        let mut entry = BytesMut::zeroed(length + 1);
        self.input.read_exact(&mut entry)?;
        if entry[length] != RECORD_END {
            return Err(Bad::Cut("the record's last byte is missing").into());
        }
        entry.truncate(length);
        let is_sound = checksum::of(&entry) == expected;
        match zxid_of(&entry) {
            Some(zxid) if zxid > self.last => Ok(Record { zxid, bytes: entry.freeze(), is_sound }),
            _ if !is_sound => Err(Bad::Cut("the checksum is wrong").into()),
            Some(zxid) => {
                let what = format!("the transaction {zxid} follows {}", self.last);
                Err(Bad::Damage(what.into()).into())
            }
            None => Err(Bad::Damage(format!("a transaction of {length} bytes").into()).into()),
        }
    }

    /// Whether what cannot be read is the tail of a cut write, which nothing follows, or damage.
    fn judge(&self, bad: Bad) -> Result<LogEnd, Error> {
        let offset = self.offset;
        let (what, end) = match bad {
            Bad::Damage(what) => return Err(Error::corrupt(&self.path, offset, what)),
            Bad::Zeros => ("there are zeros", LogEnd::Clean),
            Bad::Cut(what) => (what, LogEnd::Torn { offset, what }),
        };
        match self.search(offset + 1)? {
            Rest::RecordAt(next) => {
                let what = format!("{what}, yet a transaction follows at byte {next}");
                Err(Error::corrupt(&self.path, offset, what))
            }
            Rest::Bytes if end == LogEnd::Clean => {
                Ok(LogEnd::Torn { offset, what: "bytes that are no record follow zeros" })
            }
            Rest::Bytes | Rest::Zeros => Ok(end),
        }
    }

    fn search(&self, from: u64) -> Result<Rest, Error> {
        salvage::search(self.disk.as_ref(), &self.path, from, self.last, self.max_entry)
    }
}

impl fmt::Debug for LogReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogReader")
            .field("path", &self.path)
            .field("offset", &self.offset)
            .field("last", &self.last)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

pub(super) fn split_head(head: &[u8; RECORD_HEAD]) -> (i64, i32) {
    let (mut sum, mut length) = ([0; 8], [0; 4]);
    sum.copy_from_slice(&head[..8]);
    length.copy_from_slice(&head[8..]);
    (i64::from_be_bytes(sum), i32::from_be_bytes(length))
}

/// The zxid of an entry that is long enough to have one.
pub(super) fn zxid_of(entry: &[u8]) -> Option<Zxid> {
    if entry.len() < MIN_ENTRY {
        return None;
    }
    let bytes = entry[ZXID_AT..ZXID_AT + 8].try_into().ok()?;
    Some(Zxid(i64::from_be_bytes(bytes)))
}

impl From<Bad> for Failure {
    fn from(bad: Bad) -> Self {
        Failure::Bad(bad)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

#[cfg(test)]
mod tests;
