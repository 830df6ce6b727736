//! The names of logs and snapshots, and which of them a directory holds (protocol §6.1).

use std::io;
use std::path::{Path, PathBuf};

use super::snapshot::Compression;
use super::{Disk, Error};
use crate::wire::Zxid;

/// A snapshot's file, by name only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFile {
    /// The last transaction it holds for certain.
    pub zxid: Zxid,
    /// Where it is.
    pub path: PathBuf,
    /// How it is compressed, if its name says so.
    pub compression: Option<Compression>,
}

impl SnapshotFile {
    /// The snapshot that the file name of `path` says it is; `None` when it says nothing of the kind.
    pub fn of_path(path: &Path) -> Option<Self> {
        let rest = path.file_name()?.to_str()?.strip_prefix("snapshot.")?;
        let (zxid, compression) = match rest.split_once('.') {
            None => (rest, None),
            Some((zxid, suffix)) => (zxid, Some(Compression::of_suffix(suffix)?)),
        };
        Some(SnapshotFile { zxid: hex(zxid)?, path: path.to_owned(), compression })
    }
}

/// The logs of a directory by the zxid of their first transaction, ascending. A missing directory holds none.
pub fn log_files(disk: &dyn Disk, dir: &Path) -> Result<Vec<(Zxid, PathBuf)>, Error> {
    let mut files: Vec<_> =
        names(disk, dir)?.iter().filter_map(|name| Some((hex(name.strip_prefix("log.")?)?, dir.join(name)))).collect();
    files.sort_unstable();
    Ok(files)
}

/// The snapshots of a directory by zxid, ascending, readable or not. A missing directory holds none.
pub fn snapshot_files(disk: &dyn Disk, dir: &Path) -> Result<Vec<SnapshotFile>, Error> {
    let mut files: Vec<_> =
        names(disk, dir)?.iter().filter_map(|name| SnapshotFile::of_path(&dir.join(name))).collect();
    files.sort_by_key(|file| file.zxid);
    Ok(files)
}

/// The snapshots that are to replace everything else, by zxid, ascending. See `install.rs`.
pub(super) fn install_files(disk: &dyn Disk, dir: &Path) -> Result<Vec<(Zxid, PathBuf)>, Error> {
    let mut files: Vec<_> = names(disk, dir)?
        .iter()
        .filter_map(|name| Some((hex(name.strip_prefix("install.")?)?, dir.join(name))))
        .collect();
    files.sort_unstable();
    Ok(files)
}

pub(super) fn install_name(zxid: Zxid) -> String {
    format!("install.{:x}", zxid.0)
}

pub(super) fn log_name(first: Zxid) -> String {
    format!("log.{:x}", first.0)
}

pub(super) fn snapshot_name(zxid: Zxid, compression: Option<Compression>) -> String {
    let suffix = compression.map_or(String::new(), |form| format!(".{}", form.suffix()));
    format!("snapshot.{:x}{suffix}", zxid.0)
}

/// Everything in a directory, or nothing when there is no such directory.
pub(super) fn names(disk: &dyn Disk, dir: &Path) -> Result<Vec<String>, Error> {
    match disk.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(Error::io("list", dir)),
    }
}

fn hex(digits: &str) -> Option<Zxid> {
    // A sign is legal in Rust's numbers, but not in these names.
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| i64::from_str_radix(digits, 16).ok().map(Zxid)).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::storage::MemDisk;

    #[test]
    fn files_are_ordered_by_zxid_and_strangers_are_not_seen() {
        let (disk, dir) = (MemDisk::new(), Path::new("/d"));
        assert_eq!(log_files(&disk, dir).unwrap(), []);
        for name in [
            "log.10",
            "log.9",
            "log.",
            "log.+1",
            "log.g",
            "log.5.bak",
            "log",
            "snapshot.a",
            "snapshot.100000002.gz",
            "snapshot.9.tmp",
            "tmp.snapshot.9",
            "myid",
        ] {
            disk.plant(&dir.join(name), b"");
        }
        let logs: Vec<_> = log_files(&disk, dir).unwrap().into_iter().map(|(zxid, _)| zxid.0).collect();
        assert_eq!(logs, [9, 16]);
        let snapshots: Vec<_> =
            snapshot_files(&disk, dir).unwrap().into_iter().map(|file| (file.zxid, file.compression)).collect();
        assert_eq!(snapshots, [(Zxid(10), None), (Zxid::new(1, 2), Some(Compression::Gzip))]);
        assert_eq!((log_name(Zxid(0x1f)), snapshot_name(Zxid(0), None)), ("log.1f".into(), "snapshot.0".into()));
    }
}
