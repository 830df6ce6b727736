//! Which snapshots and logs are no longer needed (protocol §6.6, §6.2).

use std::path::{Path, PathBuf};

use super::file_names::{log_files, snapshot_files};
use super::snapshot::is_plausible;
use super::{Disk, Error};

/// Removes what the newest `retain` whole snapshots and the logs after them make superfluous, and returns it, oldest first.
/// Nothing is removed while there are no more whole snapshots than that.
///
/// # Errors
/// [`Error::Io`]; files removed before stay removed.
pub fn purge(disk: &dyn Disk, snap_dir: &Path, log_dir: &Path, retain: usize) -> Result<Vec<PathBuf>, Error> {
    let snapshots = snapshot_files(disk, snap_dir)?;
    let mut whole = Vec::new();
    for file in snapshots.iter().rev() {
        if whole.len() < retain.max(1) && is_plausible(disk, file)? {
            whole.push(file.zxid);
        }
    }
    let Some(oldest) = whole.last().copied() else {
        return Ok(Vec::new());
    };
    let logs = log_files(disk, log_dir)?;
    // The newest log that begins at or before the oldest snapshot may reach beyond it.
    let first_log = logs.iter().rposition(|(zxid, _)| *zxid <= oldest).unwrap_or(0);
    let old_snapshots = snapshots.into_iter().filter(|file| file.zxid < oldest).map(|file| file.path);
    let old_logs = logs.into_iter().take(first_log).map(|(_, path)| path);
    let mut removed = Vec::new();
    for path in old_snapshots.chain(old_logs) {
        disk.remove(&path).map_err(Error::io("remove", &path))?;
        removed.push(path);
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::storage::MemDisk;

    const WHOLE: &[u8] = b"0123456789\0\0\0\x01/";

    fn disk(snapshots: &[(&str, &[u8])], logs: &[&str]) -> MemDisk {
        let disk = MemDisk::new();
        for (zxid, bytes) in snapshots {
            disk.plant(Path::new(&format!("/snap/snapshot.{zxid}")), bytes);
        }
        for zxid in logs {
            disk.plant(Path::new(&format!("/log/log.{zxid}")), b"");
        }
        disk
    }

    fn purged(disk: &MemDisk, retain: usize) -> Vec<String> {
        let removed = purge(disk, Path::new("/snap"), Path::new("/log"), retain).unwrap();
        let names = removed.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
        names.collect()
    }

    #[test]
    fn the_newest_whole_snapshots_and_every_log_they_need_stay() {
        let snapshots: &[(&str, &[u8])] = &[("5", WHOLE), ("10", WHOLE), ("20", WHOLE), ("30", b"half"), ("40", WHOLE)];
        let all = disk(snapshots, &["1", "6", "f", "12", "21", "41"]);
        // 0x10, 0x20 and 0x40 are the newest whole ones; log.f may hold 0x11.
        assert_eq!(purged(&all, 3), ["snapshot.5", "log.1", "log.6"]);
        assert_eq!(purged(&all, 3), [""; 0]);
        assert_eq!(purged(&all, 1), ["snapshot.10", "snapshot.20", "snapshot.30", "log.f", "log.12"]);
    }

    #[test]
    fn nothing_is_purged_without_a_whole_snapshot() {
        assert_eq!(purged(&disk(&[("30", b"half")], &["1", "2"]), 3), [""; 0]);
    }
}
