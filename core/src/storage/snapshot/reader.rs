//! Reads a snapshot file item by item: no more than one node is in memory at a time.

use std::fmt;
use std::io::{BufReader, Read};
use std::path::PathBuf;

use bytes::Bytes;

use super::SnapshotDigest;
use super::body::END_MARK;
use super::items::{Body, Item, named};
use crate::jute::Reader;
use crate::storage::input::{Failure, Input};
use crate::storage::{Disk, Error, SnapshotFile, checksum};
use crate::wire::Zxid;
use crate::wire::persistence::{FORMAT_VERSION, SNAPSHOT_MAGIC};
use crate::wire::txn::DIGEST_VERSION;

/// Checksum and end mark.
const SEAL_BYTES: usize = 13;
const READ_AHEAD: usize = 256 << 10;

/// A snapshot file being read. What it gives is not known to be whole before the end, where the checksums stand.
pub struct SnapshotReader {
    input: Input<BufReader<Box<dyn Read + Send>>>,
    body: Body,
    path: PathBuf,
    digest: Option<SnapshotDigest>,
    at_end: bool,
}

impl SnapshotReader {
    /// Opens a file; `max_length` is the longest string or buffer it may hold, in bytes.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it is no snapshot, [`Error::Io`].
    pub fn open(disk: &dyn Disk, file: &SnapshotFile, max_length: usize) -> Result<Self, Error> {
        let path = file.path.clone();
        let reader = disk.read_from(&path, 0).map_err(Error::io("open", &path))?;
        let mut reader = BufReader::with_capacity(READ_AHEAD, reader);
        if let Some(form) = file.compression {
            reader = BufReader::with_capacity(READ_AHEAD, form.decoder(reader));
        }
        let mut input = Input::new(reader, max_length);
        read_header(&mut input).map_err(|failure| named(failure, &path))?;
        Ok(SnapshotReader { input, body: Body::new(), path, digest: None, at_end: false })
    }

    /// The next item, or `None` at the end, when the checksums were right.
    ///
    /// # Errors
    /// [`Error::Corrupt`], after which nothing more can be read; [`Error::Io`].
    pub fn next_item(&mut self) -> Result<Option<Item>, Error> {
        if self.at_end {
            return Ok(None);
        }
        let item = self.body.next(&mut self.input).map_err(|failure| named(failure, &self.path))?;
        if item.is_none() {
            self.digest = read_end(&mut self.input).map_err(|failure| named(failure, &self.path))?;
            self.at_end = true;
        }
        Ok(item)
    }

    /// The data of the node that was read last. Null and empty are different values.
    pub fn data(&self) -> Option<&[u8]> {
        self.body.data()
    }

    /// Bytes read so far; of a compressed file, of what it holds.
    pub fn offset(&self) -> u64 {
        self.input.offset()
    }

    /// The digest that the writer recorded, known at the end.
    pub fn digest(&self) -> Option<SnapshotDigest> {
        self.digest
    }
}

impl fmt::Debug for SnapshotReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotReader")
            .field("path", &self.path)
            .field("offset", &self.offset())
            .finish_non_exhaustive()
    }
}

fn read_header<R: Read>(input: &mut Input<R>) -> Result<(), Failure> {
    if input.int()? != SNAPSHOT_MAGIC {
        return Err(Failure::at(0, "it is not a snapshot"));
    }
    if input.int()? != FORMAT_VERSION {
        return Err(Failure::at(4, "it has a version that nobody writes"));
    }
    input.long()?;
    Ok(())
}

fn read_end<R: Read>(input: &mut Input<R>) -> Result<Option<SnapshotDigest>, Failure> {
    let expected = input.checksum();
    if input.long()? != expected {
        return Err(input.failure("the checksum is wrong"));
    }
    if input.string(&mut Vec::new())? != END_MARK {
        return Err(input.failure("the seal is broken"));
    }
    read_tail(input)
}

/// What may follow the first seal: a digest, the last zxid, both or neither, each with a seal. Which of them are there is
/// told by the number of bytes alone.
fn read_tail<R: Read>(input: &mut Input<R>) -> Result<Option<SnapshotDigest>, Failure> {
    const ZXID: usize = 8 + SEAL_BYTES;
    const DIGEST: usize = 20 + SEAL_BYTES;
    /// The old form of a digest is a string of unknown length.
    const LONGEST: u64 = 4096;
    let (start, adler) = (input.offset(), input.adler());
    let bytes = Bytes::from(input.rest(LONGEST)?);
    let mut tail = Tail { reader: Reader::new(&bytes), bytes: &bytes, adler };
    let mut digest = None;
    let read = match bytes.len() {
        0 => Ok(()),
        ZXID => tail.zxid(),
        DIGEST => tail.digest().map(|found| digest = found),
        length if length == DIGEST + ZXID => tail.digest().and_then(|found| {
            digest = found;
            tail.zxid()
        }),
        _ => tail.old_digest(),
    };
    match read {
        Ok(()) => Ok(digest),
        Err(what) => Err(Failure::at(start, format!("what follows the nodes is damaged: {what}"))),
    }
}

struct Tail<'a> {
    reader: Reader<'a>,
    bytes: &'a Bytes,
    adler: adler2::Adler32,
}

impl Tail<'_> {
    fn digest(&mut self) -> Result<Option<SnapshotDigest>, String> {
        let zxid = Zxid(self.long()?);
        let version = self.int()?;
        let digest = self.long()? as u64;
        self.seal()?;
        // Zero and zero is what a server writes that has seen no transaction since its start.
        let recorded = version == DIGEST_VERSION && (zxid, digest) != (Zxid::ZERO, 0);
        Ok(recorded.then_some(SnapshotDigest { zxid, digest }))
    }

    /// A digest of version 1, which nobody computes any more, and perhaps the last zxid.
    fn old_digest(&mut self) -> Result<(), String> {
        self.long()?;
        self.int()?;
        self.string()?;
        self.seal()?;
        if self.reader.remaining() == 0 { Ok(()) } else { self.zxid() }
    }

    fn zxid(&mut self) -> Result<(), String> {
        self.long()?;
        self.seal()
    }

    fn long(&mut self) -> Result<i64, String> {
        self.reader.long().map_err(|error| error.to_string())
    }

    fn int(&mut self) -> Result<i32, String> {
        self.reader.int().map_err(|error| error.to_string())
    }

    fn string(&mut self) -> Result<String, String> {
        self.reader.string().map_err(|error| error.to_string())
    }

    fn seal(&mut self) -> Result<(), String> {
        let end = self.reader.position();
        let mut adler = self.adler;
        adler.write_slice(&self.bytes[..end]);
        if self.long()? != checksum::value(adler) {
            return Err("the checksum is wrong".to_owned());
        }
        if self.string()? != END_MARK {
            return Err("the seal is broken".to_owned());
        }
        Ok(())
    }
}
