//! Keeps a snapshot that comes as a stream in a file, byte for byte, while it is read and checked.

use std::io::{self, Read};
use std::path::Path;

use super::image::{Image, read_stream};
use super::write::Sealed;
use crate::jute::Encode;
use crate::storage::disk::DiskWriter;
use crate::storage::{Disk, Error};
use crate::wire::Zxid;
use crate::wire::persistence::{FORMAT_VERSION, FileHeader, SNAPSHOT_MAGIC};

/// As [`read_stream`], and writes what comes as a snapshot file at `path`, synced, but its name not. The file has no
/// digest: the leader's tree may have gone on while it was sent, and none came with it.
///
/// # Errors
/// As [`read_stream`]; a part of the file may be left.
pub(in crate::storage) fn keep_stream(
    disk: &dyn Disk,
    path: &Path,
    reader: &mut dyn Read,
    zxid: Zxid,
    max_length: usize,
    seed: u64,
) -> Result<Image, Error> {
    let mut file = disk.create(path).map_err(Error::io("create", path))?;
    let image = copy(file.as_mut(), path, reader, |tee| read_stream(tee, zxid, max_length, seed))?;
    file.sync_data().map_err(Error::io("sync", path))?;
    Ok(image)
}

fn copy(
    file: &mut dyn DiskWriter,
    path: &Path,
    reader: &mut dyn Read,
    read: impl FnOnce(&mut Tee<'_, '_>) -> Result<Image, Error>,
) -> Result<Image, Error> {
    let mut out = Sealed::new(file, path, None);
    out.write(&FileHeader { magic: SNAPSHOT_MAGIC, version: FORMAT_VERSION, dbid: -1 }.to_bytes())?;
    let mut tee = Tee { reader, out: &mut out, failure: None };
    let image = read(&mut tee);
    if let Some(failure) = tee.failure {
        return Err(failure);
    }
    let image = image?;
    out.seal()?;
    out.finish()?;
    Ok(image)
}

/// Writes what it reads.
struct Tee<'a, 'f> {
    reader: &'a mut dyn Read,
    out: &'a mut Sealed<'f>,
    /// Why the file could not be written, which is not the stream's fault.
    failure: Option<Error>,
}

impl Read for Tee<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        if let Err(failure) = self.out.write(&buffer[..count]) {
            self.failure = Some(failure);
            return Err(io::Error::other("the copy cannot be written"));
        }
        Ok(count)
    }
}
