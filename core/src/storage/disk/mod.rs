//! The disk as storage sees it: a narrow trait, so that a simulated disk can lose what was not synced.

mod mem;
mod mem_state;
mod real;

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Error;

pub use mem::MemDisk;
pub use real::RealDisk;

/// What storage asks of a disk. All calls block. Nothing is durable before the sync that names it: a file's bytes before
/// [`DiskWriter::sync_data`], a file's name before [`Disk::sync_dir`].
pub trait Disk: Debug + Send + Sync + 'static {
    /// Opens a file for writing from its start; what it held is gone.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskWriter>>;
    /// Opens a file for reading from `offset`, in bytes.
    fn read_from(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>>;
    /// A file's length in bytes.
    fn len(&self, path: &Path) -> io::Result<u64>;
    /// Cuts a file to `len` bytes and makes that durable before it returns.
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()>;
    /// Gives a file another name; a file of that name is replaced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// The names of the files in a directory, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes a directory and those above it, where they are missing.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Takes a directory for whoever holds what is returned, until it is dropped or its process ends. Only those who ask
    /// are kept out.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when somebody has it.
    fn lock_dir(&self, dir: &Path) -> io::Result<DirLock>;
}

/// A directory that is taken (see [`Disk::lock_dir`]).
#[derive(Debug)]
pub struct DirLock {
    /// The open directory that the lock is on; `None` where a disk has no locks.
    _directory: Option<File>,
}

impl DirLock {
    pub(super) fn on(directory: File) -> Self {
        DirLock { _directory: Some(directory) }
    }

    /// What a disk without locks gives: it keeps nobody out.
    pub fn none() -> Self {
        DirLock { _directory: None }
    }
}

/// A file being written, from front to back.
pub trait DiskWriter: Debug + Send {
    /// Writes all of `bytes` after what was written before.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes the file `len` bytes long; new bytes are zeros and take no room. The place of writing does not move.
    fn set_len(&mut self, len: u64) -> io::Result<()>;
    /// Makes everything written so far durable.
    fn sync_data(&mut self) -> io::Result<()>;
}

/// Writes a file so that its name stands either for what it was before or for all of the new bytes: a temporary file,
/// synced, renamed, and the directory synced. Returns what `write` returned.
pub(super) fn replace<T>(
    disk: &dyn Disk,
    path: &Path,
    write: impl FnOnce(&mut dyn DiskWriter) -> Result<T, Error>,
) -> Result<T, Error> {
    let temporary = temporary(path);
    let mut file = disk.create(&temporary).map_err(Error::io("create", &temporary))?;
    let written = write(file.as_mut()).and_then(|value| {
        file.sync_data().map_err(Error::io("sync", &temporary))?;
        Ok(value)
    });
    drop(file);
    let value = match written {
        Ok(value) => value,
        Err(error) => {
            // The error is what matters; leftovers are also removed at the next start.
            let _ = disk.remove(&temporary);
            return Err(error);
        }
    };
    disk.rename(&temporary, path).map_err(Error::io("rename", &temporary))?;
    sync_parent(disk, path)?;
    Ok(value)
}

/// Takes a data directory for one process. A directory that a reference server uses is not known: it takes none.
///
/// # Errors
/// [`Error::InUse`] when another process has it, [`Error::Io`].
pub fn lock(disk: &dyn Disk, dir: &Path) -> Result<DirLock, Error> {
    match disk.lock_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Error::InUse { dir: dir.to_owned() }),
        locked => locked.map_err(Error::io("lock", dir)),
    }
}

/// Makes the name of a file durable.
pub(super) fn sync_parent(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    let dir = path.parent().unwrap_or(path);
    disk.sync_dir(dir).map_err(Error::io("sync", dir))
}

/// What temporary files' names start with: nothing a reference server would take for a log or a snapshot.
pub(super) const TEMPORARY_PREFIX: &str = "tmp.";

fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{TEMPORARY_PREFIX}{name}"))
}
