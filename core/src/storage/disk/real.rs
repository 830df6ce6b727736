//! The operating system's files. The only file of the core that touches a data
//! directory's.
#![expect(clippy::disallowed_methods, reason = "this is where files are reached")]

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::{DirLock, Disk, DiskWriter};

/// The machine's own disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealWriter(File);

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskWriter>> {
        Ok(Box::new(RealWriter(File::create(path)?)))
    }

    fn read_from(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Box::new(file))
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(len)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            // Names that are not UTF-8 are nobody's here.
            if !entry.file_type()?.is_dir()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn lock_dir(&self, dir: &Path) -> io::Result<DirLock> {
        let directory = File::open(dir)?;
        match directory.try_lock() {
            Ok(()) => Ok(DirLock::on(directory)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            // Some network file systems have no locks; a server must start there all the same.
            Err(TryLockError::Error(_)) => Ok(DirLock::none()),
        }
    }
}

impl DiskWriter for RealWriter {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_directory_is_taken_until_its_lock_is_dropped_and_nothing_is_left_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let lock = RealDisk.lock_dir(dir.path()).unwrap();
        assert_eq!(RealDisk.lock_dir(dir.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(RealDisk.list(dir.path()).unwrap(), [""; 0]);
        drop(lock);
        RealDisk.lock_dir(dir.path()).unwrap();
    }
}
