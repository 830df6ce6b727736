//! Reads snapshots, from files and from streams. The bytes are trusted in nothing.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::path::Path;

use bytes::Bytes;

use super::body::END_MARK;
use crate::jute::Reader;
use crate::storage::input::{Failure, Input};
use crate::storage::{Disk, Error, SnapshotFile, checksum};
use crate::tree::{DataTree, TreeLoader};
use crate::wire::Zxid;
use crate::wire::persistence::{FORMAT_VERSION, SNAPSHOT_MAGIC};
use crate::wire::txn::DIGEST_VERSION;

/// What a snapshot holds.
#[derive(Debug)]
pub struct Image {
    /// The tree; its last zxid is the file name's.
    pub tree: DataTree,
    /// Session timeouts in milliseconds by id.
    pub sessions: BTreeMap<i64, i32>,
    /// A digest to compare with, if the writer recorded one.
    pub digest: Option<SnapshotDigest>,
}

/// The digest of the tree after some transaction, at or after the snapshot's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotDigest {
    /// The transaction.
    pub zxid: Zxid,
    /// The digest, version 2.
    pub digest: u64,
}

/// Checksum and end mark.
const SEAL_BYTES: usize = 13;
const READ_AHEAD: usize = 256 << 10;

/// Whether a file looks like a whole snapshot, by its length and its last bytes only (protocol §6.5). Of a compressed file
/// only its length is looked at.
///
/// # Errors
/// [`Error::Io`].
pub fn is_plausible(disk: &dyn Disk, file: &SnapshotFile) -> Result<bool, Error> {
    let path = &file.path;
    let length = disk.len(path).map_err(Error::io("read", path))?;
    if length < 10 {
        return Ok(false);
    }
    if file.compression.is_some() {
        return Ok(true);
    }
    let mut end = [0; 5];
    let tail = disk.read_from(path, length - 5).and_then(|mut tail| tail.read_exact(&mut end));
    tail.map_err(Error::io("read", path))?;
    Ok(end == [0, 0, 0, 1, b'/'])
}

/// Reads a snapshot file. `max_length` is the longest string or buffer it may hold in bytes; for `seed` see
/// [`DataTree::with_seed`].
///
/// # Errors
/// [`Error::Corrupt`], [`Error::Unsupported`] for compressed files, [`Error::Io`].
pub fn read(disk: &dyn Disk, file: &SnapshotFile, max_length: usize, seed: u64) -> Result<Image, Error> {
    let path = &file.path;
    if file.compression.is_some() {
        return Err(Error::Unsupported {
            path: path.clone(),
            what: "compressed snapshots are not read yet; let the server that wrote it write one without \
                   snapshot.compression.method",
        });
    }
    let reader = disk.read_from(path, 0).map_err(Error::io("open", path))?;
    let mut input = Input::new(BufReader::with_capacity(READ_AHEAD, reader), max_length);
    read_file(&mut input, file.zxid, seed).map_err(|failure| named(failure, path))
}

/// Reads what a leader sends, [`super::write_stream`]'s counterpart, and no byte more. `zxid` is the last transaction the
/// leader says it holds; for the rest see [`read`]. `reader` should be buffered.
///
/// # Errors
/// [`Error::Corrupt`], with an offset into the stream; [`Error::Io`].
pub fn read_stream(reader: impl Read, zxid: Zxid, max_length: usize, seed: u64) -> Result<Image, Error> {
    let mut input = Input::new(reader, max_length);
    let body = read_body(&mut input, zxid, seed);
    let (tree, sessions) = body.map_err(|failure| named(failure, Path::new("the leader's snapshot")))?;
    Ok(Image { tree, sessions, digest: None })
}

fn read_file<R: Read>(input: &mut Input<R>, zxid: Zxid, seed: u64) -> Result<Image, Failure> {
    if input.int()? != SNAPSHOT_MAGIC {
        return Err(Failure::at(0, "it is not a snapshot"));
    }
    if input.int()? != FORMAT_VERSION {
        return Err(Failure::at(4, "it has a version that nobody writes"));
    }
    input.long()?;
    let (tree, sessions) = read_body(input, zxid, seed)?;
    let expected = input.checksum();
    if input.long()? != expected {
        return Err(input.failure("the checksum is wrong"));
    }
    if input.string(&mut Vec::new())? != END_MARK {
        return Err(input.failure("the seal is broken"));
    }
    let digest = read_tail(input)?;
    Ok(Image { tree, sessions, digest })
}

fn read_body<R: Read>(input: &mut Input<R>, zxid: Zxid, seed: u64) -> Result<(DataTree, BTreeMap<i64, i32>), Failure> {
    let mut sessions = BTreeMap::new();
    for _ in 0..input.count()? {
        sessions.insert(input.long()?, input.int()?);
    }
    let mut loader = TreeLoader::new(seed);
    for _ in 0..input.count()? {
        let key = input.long()?;
        loader.acl(key, input.acl()?);
    }
    let (mut path, mut data) = (Vec::new(), Vec::new());
    loop {
        let path = input.string(&mut path)?;
        if path == END_MARK {
            break;
        }
        let has_data = input.buffer(&mut data)?;
        let acl_key = input.long()?;
        let stat = input.stat()?;
        let added = loader.node(&path, has_data.then_some(&data[..]), acl_key, stat);
        added.map_err(|error| input.failure(error.to_string()))?;
    }
    let tree = loader.finish(zxid).map_err(|error| input.failure(error.to_string()))?;
    Ok((tree, sessions))
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

fn named(failure: Failure, path: &Path) -> Error {
    match failure {
        Failure::Io(source) => Error::io("read", path)(source),
        Failure::Format { offset, what } => Error::corrupt(path, offset, what),
    }
}
