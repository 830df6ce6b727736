//! A disk that writes down which names were changed and which were synced, in order: a disk in memory loses what was not
//! synced from the end, but a real one may lose any of it.

use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex};

use menagerie_core::storage::disk::DiskWriter;
use menagerie_core::storage::{DirLock, Disk, MemDisk};

#[derive(Debug, Clone)]
pub(crate) struct TracedDisk {
    pub(crate) disk: MemDisk,
    pub(crate) trace: Arc<Mutex<Vec<String>>>,
}

impl TracedDisk {
    fn note(&self, what: &str, path: &Path) {
        self.trace.lock().unwrap().push(format!("{what} {}", path.display()));
    }
}

impl Disk for TracedDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskWriter>> {
        self.disk.create(path)
    }
    fn read_from(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        self.disk.read_from(path, offset)
    }
    fn len(&self, path: &Path) -> io::Result<u64> {
        self.disk.len(path)
    }
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        self.note("cut", path);
        self.disk.truncate(path, len)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note("make", to);
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.note("remove", path);
        self.disk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.note("sync", dir);
        self.disk.sync_dir(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir_all(dir)
    }
    fn lock_dir(&self, dir: &Path) -> io::Result<DirLock> {
        self.disk.lock_dir(dir)
    }
}
