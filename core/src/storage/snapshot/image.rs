//! Whole snapshots, from files and from streams, as a tree.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use super::items::{Body, Item, named};
use super::reader::SnapshotReader;
use crate::storage::input::Input;
use crate::storage::{Disk, Error, SnapshotFile};
use crate::tree::{DataTree, LoadError, TreeLoader};
use crate::wire::Zxid;

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

/// Whether a file looks like a whole snapshot, by its length and its last bytes only (protocol §6.5). Of a compressed file
/// only its first bytes are looked at, which is all that can be told without reading it.
///
/// # Errors
/// [`Error::Io`].
pub fn is_plausible(disk: &dyn Disk, file: &SnapshotFile) -> Result<bool, Error> {
    let path = &file.path;
    let length = disk.len(path).map_err(Error::io("read", path))?;
    if length < 10 {
        return Ok(false);
    }
    if let Some(form) = file.compression {
        let mut start = vec![0; form.magic().len()];
        let head = disk.read_from(path, 0).and_then(|mut head| head.read_exact(&mut start));
        head.map_err(Error::io("read", path))?;
        return Ok(start == form.magic());
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
/// [`Error::Corrupt`], with an offset into what a compressed file holds; [`Error::Io`].
pub fn read(disk: &dyn Disk, file: &SnapshotFile, max_length: usize, seed: u64) -> Result<Image, Error> {
    let mut reader = SnapshotReader::open(disk, file, max_length)?;
    let mut loading = Loading::new(seed);
    while let Some(item) = reader.next_item()? {
        let added = loading.add(item, reader.data());
        added.map_err(|error| Error::corrupt(&file.path, reader.offset(), error.to_string()))?;
    }
    let (tree, sessions) =
        loading.finish(file.zxid).map_err(|error| Error::corrupt(&file.path, reader.offset(), error.to_string()))?;
    Ok(Image { tree, sessions, digest: reader.digest() })
}

/// Reads what a leader sends, [`super::write_stream`]'s counterpart, and no byte more. `zxid` is the last transaction the
/// leader says it holds; for the rest see [`read`]. `reader` should be buffered.
///
/// # Errors
/// [`Error::Corrupt`], with an offset into the stream; [`Error::Io`].
pub fn read_stream(reader: impl Read, zxid: Zxid, max_length: usize, seed: u64) -> Result<Image, Error> {
    let stream = Path::new("the leader's snapshot");
    let mut input = Input::new(reader, max_length);
    let (mut body, mut loading) = (Body::new(), Loading::new(seed));
    while let Some(item) = body.next(&mut input).map_err(|failure| named(failure, stream))? {
        let added = loading.add(item, body.data());
        added.map_err(|error| Error::corrupt(stream, input.offset(), error.to_string()))?;
    }
    let (tree, sessions) =
        loading.finish(zxid).map_err(|error| Error::corrupt(stream, input.offset(), error.to_string()))?;
    Ok(Image { tree, sessions, digest: None })
}

/// A tree and its sessions on their way from a snapshot's items.
struct Loading {
    loader: TreeLoader,
    sessions: BTreeMap<i64, i32>,
}

impl Loading {
    fn new(seed: u64) -> Self {
        Loading { loader: TreeLoader::new(seed), sessions: BTreeMap::new() }
    }

    fn add(&mut self, item: Item, data: Option<&[u8]>) -> Result<(), LoadError> {
        match item {
            Item::Session { id, timeout_ms } => {
                self.sessions.insert(id, timeout_ms);
            }
            Item::Acl { key, acl } => self.loader.acl(key, acl),
            Item::Node { path, acl_key, stat } => self.loader.node(&path, data, acl_key, stat)?,
        }
        Ok(())
    }

    fn finish(self, zxid: Zxid) -> Result<(DataTree, BTreeMap<i64, i32>), LoadError> {
        Ok((self.loader.finish(zxid)?, self.sessions))
    }
}
