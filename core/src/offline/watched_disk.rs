//! The machine's disk, for reading only, with every byte read counted for the progress.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::progress::Progress;
use crate::storage::disk::DiskWriter;
use crate::storage::{DirLock, Disk, RealDisk};

/// The disk. Whatever would change a file is refused.
#[derive(Debug)]
pub(super) struct WatchedDisk {
    progress: Arc<Progress>,
}

impl WatchedDisk {
    pub(super) fn new(progress: Arc<Progress>) -> Self {
        WatchedDisk { progress }
    }
}

impl Disk for WatchedDisk {
    fn create(&self, _path: &Path) -> io::Result<Box<dyn DiskWriter>> {
        refuse()
    }

    fn read_from(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let file = RealDisk.read_from(path, offset)?;
        Ok(Box::new(WatchedReader { file, progress: Arc::clone(&self.progress) }))
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        RealDisk.len(path)
    }

    fn truncate(&self, _path: &Path, _len: u64) -> io::Result<()> {
        refuse()
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        refuse()
    }

    fn remove(&self, _path: &Path) -> io::Result<()> {
        refuse()
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        refuse()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }

    fn create_dir_all(&self, _dir: &Path) -> io::Result<()> {
        refuse()
    }

    fn lock_dir(&self, dir: &Path) -> io::Result<DirLock> {
        RealDisk.lock_dir(dir)
    }
}

fn refuse<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

struct WatchedReader {
    file: Box<dyn Read + Send>,
    progress: Arc<Progress>,
}

impl Read for WatchedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.progress.advance(count as u64);
        Ok(count)
    }
}
