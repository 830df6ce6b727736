//! Both epochs as a member must start with them (protocol §6.1).

use std::path::Path;

use super::{Disk, EpochFile, Error};
use crate::wire::Zxid;

/// The epochs of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epochs {
    /// The newest epoch it has promised to follow.
    pub accepted: u32,
    /// The epoch of the newest leader whose history it has.
    pub current: u32,
}

/// Reads the epochs in `snap_dir`; `last_logged` is the last transaction there, as recovered. Files that are missing are made
/// from its epoch.
///
/// A member may have crashed after it had logged transactions of a new leader and before it wrote the new `currentEpoch`.
/// Then that file is brought up to date: from the `currentEpoch.tmp` that a reference server may have left, as that one does
/// itself; or, when the epoch was promised, to the last transaction's own. A log that goes so far is a beginning of
/// that leader's history, in its order, with all the leader began with: what the epoch claims.
///
/// # Errors
/// [`Error::EpochMismatch`] when the two contradict each other or the log, [`Error::Corrupt`], [`Error::Io`].
pub fn read_epochs(disk: &dyn Disk, snap_dir: &Path, last_logged: Zxid) -> Result<Epochs, Error> {
    let logged = last_logged.epoch();
    let (accepted_file, current_file) = (EpochFile::accepted(snap_dir), EpochFile::current(snap_dir));
    let (promised, written) = (accepted_file.read(disk)?, current_file.read(disk)?);
    let accepted = promised.unwrap_or(logged);
    let mismatch = |what| Error::EpochMismatch { dir: snap_dir.to_owned(), what };
    let current = match written {
        None => logged,
        Some(current) if current >= logged => current,
        Some(current) => match (EpochFile::unfinished(snap_dir).read(disk), promised) {
            (Err(error), _) if !error.is_corruption() => return Err(error),
            (Ok(Some(unfinished)), _) if unfinished >= logged => unfinished,
            (_, Some(promised)) if promised >= logged => logged,
            _ => {
                return Err(mismatch(format!(
                    "currentEpoch is {current}, yet the last transaction is {last_logged}, of epoch {logged}, and \
                     acceptedEpoch promises nothing of the kind"
                )));
            }
        },
    };
    if accepted < current {
        return Err(mismatch(format!("acceptedEpoch is {accepted}, less than currentEpoch, which is {current}")));
    }
    // The promise first: a crash must not leave a current epoch above it.
    if promised != Some(accepted) {
        accepted_file.write(disk, accepted)?;
    }
    if written != Some(current) {
        current_file.write(disk, current)?;
    }
    Ok(Epochs { accepted, current })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::io::ErrorKind;

    use super::*;
    use crate::storage::MemDisk;

    const DIR: &str = "/d";

    fn disk(files: &[(&str, &str)]) -> MemDisk {
        let disk = MemDisk::new();
        disk.create_dir_all(Path::new(DIR)).unwrap();
        for (name, text) in files {
            disk.plant(&Path::new(DIR).join(name), text.as_bytes());
        }
        disk
    }

    /// Accepted and current epoch, as read and then as a crash leaves them; or why not.
    fn read(last_logged: Zxid, files: &[(&str, &str)]) -> Result<(u32, u32), String> {
        let disk = disk(files);
        let epochs = read_epochs(&disk, Path::new(DIR), last_logged).map_err(|error| error.to_string())?;
        disk.crash(|_| 0);
        assert_eq!(EpochFile::accepted(Path::new(DIR)).read(&disk).unwrap(), Some(epochs.accepted));
        assert_eq!(EpochFile::current(Path::new(DIR)).read(&disk).unwrap(), Some(epochs.current));
        Ok((epochs.accepted, epochs.current))
    }

    #[test]
    fn missing_epochs_are_those_of_the_last_transaction() {
        assert_eq!(read(Zxid::ZERO, &[]), Ok((0, 0)));
        assert_eq!(read(Zxid::new(3, 9), &[]), Ok((3, 3)));
        assert_eq!(read(Zxid::new(3, 9), &[("acceptedEpoch", "5")]), Ok((5, 3)));
        assert_eq!(read(Zxid::new(3, 9), &[("currentEpoch", "3")]), Ok((3, 3)));
        assert_eq!(read(Zxid::new(3, 9), &[("acceptedEpoch", "5"), ("currentEpoch", "4")]), Ok((5, 4)));
    }

    /// It crashed after it had logged what a new leader sent, and before it had written that leader's epoch.
    #[test]
    fn a_log_that_is_ahead_of_the_current_epoch_is_believed_when_its_epoch_was_promised() {
        let ahead = Zxid::new(5, 2);
        assert_eq!(read(ahead, &[("acceptedEpoch", "5"), ("currentEpoch", "3")]), Ok((5, 5)));
        assert_eq!(read(ahead, &[("acceptedEpoch", "7"), ("currentEpoch", "3")]), Ok((7, 5)));
        let refused = read(ahead, &[("acceptedEpoch", "4"), ("currentEpoch", "3")]).unwrap_err();
        assert!(refused.contains("currentEpoch is 3, yet the last transaction is 0x500000002"), "{refused}");
        assert!(read(ahead, &[("currentEpoch", "3")]).is_err());
    }

    #[test]
    fn what_a_reference_server_was_about_to_write_is_adopted_as_it_does_itself() {
        let (accepted, current) = (("acceptedEpoch", "6"), ("currentEpoch", "3"));
        let with = |zxid, tmp| read(zxid, &[accepted, current, ("currentEpoch.tmp", tmp)]);
        assert_eq!(with(Zxid::new(5, 2), "6"), Ok((6, 6)));
        // Of long ago, or cut short: the promise counts.
        assert_eq!(with(Zxid::new(5, 2), "2"), Ok((6, 5)));
        assert_eq!(with(Zxid::new(5, 2), ""), Ok((6, 5)));
        // Nothing was missing, so it is of no interest.
        assert_eq!(with(Zxid::new(3, 2), "6"), Ok((6, 3)));
        assert!(with(Zxid::new(5, 2), "7").unwrap_err().contains("acceptedEpoch is 6, less than currentEpoch"));
    }

    #[test]
    fn a_promise_below_the_current_epoch_is_refused_and_nothing_is_written() {
        let refused = read(Zxid::new(3, 9), &[("acceptedEpoch", "3"), ("currentEpoch", "4")]).unwrap_err();
        assert!(refused.contains("acceptedEpoch is 3, less than currentEpoch, which is 4"), "{refused}");
        let disk = disk(&[("currentEpoch", "4")]);
        disk.fail_after(0, ErrorKind::StorageFull);
        let refused = read_epochs(&disk, Path::new(DIR), Zxid::new(3, 9)).unwrap_err();
        assert!(matches!(refused, Error::EpochMismatch { .. }), "{refused}");
    }
}
