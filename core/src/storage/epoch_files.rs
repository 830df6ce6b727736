//! `currentEpoch` and `acceptedEpoch`: one decimal number each, replaced as a whole (protocol §6.1).

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Disk, Error, disk};

/// One of the two files.
#[derive(Debug, Clone)]
pub struct EpochFile {
    path: PathBuf,
}

/// More than any number's digits and line end.
const LONGEST: u64 = 64;

impl EpochFile {
    /// `currentEpoch` in `dir`: the epoch of the newest leader that this member has followed to its history.
    pub fn current(dir: &Path) -> Self {
        EpochFile { path: dir.join("currentEpoch") }
    }

    /// `acceptedEpoch` in `dir`: the newest epoch that this member has promised to follow.
    pub fn accepted(dir: &Path) -> Self {
        EpochFile { path: dir.join("acceptedEpoch") }
    }

    /// `currentEpoch.tmp` in `dir`: what a reference server was about to make its current epoch.
    pub(super) fn unfinished(dir: &Path) -> Self {
        EpochFile { path: dir.join("currentEpoch.tmp") }
    }

    /// The number, or `None` when there is no file.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it holds no number from 0 to 2^32 − 1, [`Error::Io`].
    pub fn read(&self, disk: &dyn Disk) -> Result<Option<u32>, Error> {
        let mut text = String::new();
        let read = disk.read_from(&self.path, 0).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(self.not_a_number()),
            Err(error) => Err(Error::io("read", &self.path)(error)),
            Ok(_) => text.trim().parse().map(Some).map_err(|_| self.not_a_number()),
        }
    }

    /// Replaces the number, durably.
    ///
    /// # Errors
    /// [`Error::Io`]; the file then holds the old number or the new one.
    pub fn write(&self, disk: &dyn Disk, epoch: u32) -> Result<(), Error> {
        disk::replace(disk, &self.path, |file| {
            let written = file.write_all(epoch.to_string().as_bytes());
            written.map_err(Error::io("write", &self.path))
        })
    }

    fn not_a_number(&self) -> Error {
        Error::corrupt(&self.path, 0, "it holds no epoch number")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::storage::MemDisk;

    #[test]
    fn an_epoch_survives_any_crash_after_its_write_and_is_the_old_one_before() {
        let (disk, dir) = (MemDisk::new(), Path::new("/d"));
        disk.create_dir_all(dir).unwrap();
        let file = EpochFile::current(dir);
        assert_eq!(file.read(&disk).unwrap(), None);
        file.write(&disk, 7).unwrap();
        disk.crash(|_| 0);
        assert_eq!(file.read(&disk).unwrap(), Some(7));
        for failing in 0..5 {
            let disk = disk.fork();
            disk.fail_after(failing, io::ErrorKind::StorageFull);
            let written = file.write(&disk, 8);
            disk.crash(|all| all);
            let found = file.read(&disk).unwrap();
            assert!(found == Some(8) || (written.is_err() && found == Some(7)), "{failing}: {found:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_damage() {
        for bytes in ["", "x", "-1", "99999999999"] {
            let disk = MemDisk::new();
            disk.plant(Path::new("/d/acceptedEpoch"), bytes.as_bytes());
            assert!(EpochFile::accepted(Path::new("/d")).read(&disk).unwrap_err().is_corruption());
        }
        let disk = MemDisk::new();
        disk.plant(Path::new("/d/acceptedEpoch"), b"12\n");
        assert_eq!(EpochFile::accepted(Path::new("/d")).read(&disk).unwrap(), Some(12));
    }
}
