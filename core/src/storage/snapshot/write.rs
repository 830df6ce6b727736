//! Writes a snapshot while the server goes on serving.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use adler2::Adler32;
use bytes::BytesMut;

use super::body::{END_MARK, write_body};
use super::compression::{Compression, Encoder};
use crate::jute::{Encode, Put};
use crate::storage::disk::{self, DiskWriter};
use crate::storage::{Disk, Error, checksum, file_names};
use crate::tree::{DataTree, SnapshotCursor};
use crate::wire::Zxid;
use crate::wire::persistence::{FORMAT_VERSION, FileHeader, SNAPSHOT_MAGIC};
use crate::wire::txn::DIGEST_VERSION;

/// What a snapshot file holds beside sessions and nodes, and how it is gathered.
#[derive(Debug, Clone)]
pub struct SnapshotOptions {
    /// The tree's digest, as servers since 3.6 read it (`digest.enabled`).
    pub digest: bool,
    /// The last zxid once more, as servers since 3.9 read it. Older ones do not expect it.
    pub last_zxid: bool,
    /// How the file is compressed (`snapshot.compression.method`). Servers before 3.6 read none that is.
    pub compression: Option<Compression>,
    /// How many nodes one look at the tree visits at most: more of them keep writers waiting, fewer make more looks.
    pub batch_nodes: usize,
}

const DEFAULT_BATCH_NODES: usize = 1024;

impl Default for SnapshotOptions {
    /// What every server since 3.6 reads: with the digest, without the trailer.
    fn default() -> Self {
        SnapshotOptions { digest: true, last_zxid: false, compression: None, batch_nodes: DEFAULT_BATCH_NODES }
    }
}

/// A snapshot that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub path: PathBuf,
    /// The last transaction it holds for certain.
    pub zxid: Zxid,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Writes a snapshot into `dir`, durable before it gets its name.
///
/// `cursor` and `sessions` (timeouts in milliseconds by id) are of one moment: sessions of transactions after the
/// cursor's start may be there or not, those before it must be. `look` is called many times; each time it gives its
/// argument the tree as it is then, under a short read lock if there are other threads. Between two calls the tree may
/// change.
///
/// # Errors
/// [`Error::Io`]; [`Error::TreeReplaced`] when `look` shows another tree than the cursor's. Neither leaves a snapshot behind.
pub fn write(
    disk: &dyn Disk,
    dir: &Path,
    mut cursor: SnapshotCursor,
    sessions: &BTreeMap<i64, i32>,
    options: &SnapshotOptions,
    mut look: impl FnMut(&mut dyn FnMut(&DataTree)),
) -> Result<Written, Error> {
    let zxid = cursor.start();
    let path = dir.join(file_names::snapshot_name(zxid, options.compression));
    let bytes = disk::replace(disk, &path, |file| {
        let mut out = Sealed::new(file, &path, options.compression);
        let header = FileHeader { magic: SNAPSHOT_MAGIC, version: FORMAT_VERSION, dbid: -1 };
        out.write(&header.to_bytes())?;
        write_body(&mut cursor, sessions, options.batch_nodes, &mut look, |piece| out.write(piece))?;
        out.seal()?;
        if options.digest {
            out.write(&digest_block(&cursor, &mut look)?)?;
            out.seal()?;
        }
        if options.last_zxid {
            out.write(&zxid.to_bytes())?;
            out.seal()?;
        }
        out.finish()
    })?;
    Ok(Written { path, zxid, bytes })
}

/// Writes what a leader sends a learner that is too far behind: the same sessions and nodes, without header, checksums and
/// digest (protocol §5.5). For the arguments see [`write()`].
///
/// # Errors
/// [`Error::Io`] of `out`, [`Error::TreeReplaced`].
pub fn write_stream(
    out: &mut impl Write,
    mut cursor: SnapshotCursor,
    sessions: &BTreeMap<i64, i32>,
    mut look: impl FnMut(&mut dyn FnMut(&DataTree)),
) -> Result<(), Error> {
    write_body(&mut cursor, sessions, DEFAULT_BATCH_NODES, &mut look, |piece| {
        out.write_all(piece).map_err(Error::io("send", Path::new("snapshot")))
    })
}

/// The digest is the tree's at the walk's end: only there does it say something about all that the walk saw.
fn digest_block(cursor: &SnapshotCursor, look: &mut impl FnMut(&mut dyn FnMut(&DataTree))) -> Result<BytesMut, Error> {
    let mut now = None;
    look(&mut |tree| now = cursor.walks(tree).then(|| (tree.last_zxid(), tree.digest())));
    let (zxid, digest) = now.ok_or(Error::TreeReplaced)?;
    let mut block = BytesMut::new();
    zxid.encode(&mut block);
    block.put_int(DIGEST_VERSION);
    // Before the first transaction the reference has recorded no digest, and writes zero.
    block.put_long(if zxid == Zxid::ZERO { 0 } else { digest as i64 });
    Ok(block)
}

/// A file whose every byte, before it is compressed, counts for the checksums of its seals. Small pieces are gathered, as a
/// file wants large writes.
pub(super) struct Sealed<'a> {
    out: Encoder<File<'a>>,
    path: &'a Path,
    buffer: BytesMut,
    adler: Adler32,
}

/// The file itself, and how long it has become.
struct File<'a> {
    file: &'a mut dyn DiskWriter,
    bytes: u64,
}

const BUFFER_BYTES: usize = 64 << 10;

impl<'a> Sealed<'a> {
    pub(super) fn new(file: &'a mut dyn DiskWriter, path: &'a Path, compression: Option<Compression>) -> Self {
        let out = Encoder::new(compression, File { file, bytes: 0 });
        Sealed { out, path, buffer: BytesMut::with_capacity(BUFFER_BYTES), adler: Adler32::new() }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.adler.write_slice(bytes);
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    pub(super) fn seal(&mut self) -> Result<(), Error> {
        let mut seal = BytesMut::new();
        seal.put_long(checksum::value(self.adler));
        seal.put_str(END_MARK);
        self.write(&seal)
    }

    pub(super) fn finish(mut self) -> Result<u64, Error> {
        self.flush()?;
        let file = self.out.finish().map_err(Error::io("write", self.path))?;
        Ok(file.bytes)
    }

    fn flush(&mut self) -> Result<(), Error> {
        let written = self.out.write_all(&self.buffer);
        written.map_err(Error::io("write", self.path))?;
        self.buffer.clear();
        Ok(())
    }
}

impl Write for File<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
