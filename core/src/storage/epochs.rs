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
