//! A whole state that comes from a leader: it is written beside the old one, and then replaces it by going forward (protocol
//! §5.5).
//!
//! ```text
//!  tmp.install.<link>.<zxid>   while it comes; a restart removes it: the old state
//!  install.<zxid>              decided; a restart removes logs and snapshots and goes on: the new state
//!  snapshot.<zxid>             done
//! ```

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::TEMPORARY_PREFIX;
use super::file_names::{install_files, install_name, log_files, snapshot_files, snapshot_name};
use super::snapshot::{self, Image};
use super::{Disk, Error, RecoverOptions};
use crate::tree::DataTree;
use crate::wire::Zxid;

/// A snapshot that has come as a whole, in a temporary file. Dropping it removes that file, unless it was installed.
#[derive(Debug)]
pub struct ReceivedSnapshot {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    zxid: Zxid,
    tree: DataTree,
    sessions: BTreeMap<i64, i32>,
}

impl ReceivedSnapshot {
    /// The last transaction it holds for certain.
    pub fn zxid(&self) -> Zxid {
        self.zxid
    }

    /// The tree it holds.
    pub fn tree(&self) -> &DataTree {
        &self.tree
    }

    /// The sessions it holds: timeouts in milliseconds by id.
    pub fn sessions(&self) -> &BTreeMap<i64, i32> {
        &self.sessions
    }

    /// Takes the state out, and leaves an empty one: after [`Store::install`](super::Store::install) it is the same that
    /// [`Store::reload`](super::Store::reload) would read.
    pub fn take_state(&mut self) -> (DataTree, BTreeMap<i64, i32>) {
        (std::mem::take(&mut self.tree), std::mem::take(&mut self.sessions))
    }

    /// Removes it. Leftovers of a failure to do so are removed at the next start.
    pub fn discard(self) {
        drop(self);
    }
}

impl Drop for ReceivedSnapshot {
    fn drop(&mut self) {
        // Once it is installed there is no such file any more.
        let _ = self.disk.remove(&self.path);
    }
}

/// Reads the image of a snapshot from `image`, exactly to its end and not a byte further, and keeps it in a temporary file in
/// `snap_dir`, synced. `link` and `zxid` together name the file, so they must not be those of another one that is there. It
/// may run on any thread while a [`Store`](super::Store) works. One string or buffer is in memory at a time, no longer than
/// `options.max_entry_bytes`, and the tree that they make.
///
/// # Errors
/// [`Error::Corrupt`] when the bytes are no image or end too early, [`Error::Io`]. No file is left.
pub fn receive_snapshot(
    disk: &Arc<dyn Disk>,
    snap_dir: &Path,
    link: u64,
    zxid: Zxid,
    image: &mut dyn Read,
    options: &RecoverOptions,
) -> Result<ReceivedSnapshot, Error> {
    let path = snap_dir.join(format!("{TEMPORARY_PREFIX}install.{link:x}.{:x}", zxid.0));
    let kept = snapshot::keep_stream(disk.as_ref(), &path, image, zxid, options.max_entry_bytes, options.seed);
    match kept {
        Ok(Image { tree, sessions, .. }) => Ok(ReceivedSnapshot { disk: Arc::clone(disk), path, zxid, tree, sessions }),
        Err(error) => {
            // The error is what matters; leftovers are also removed at the next start.
            let _ = disk.remove(&path);
            Err(error)
        }
    }
}

/// Decides for the snapshot: once [`finish`] has synced the new name, every recovery gives its state.
pub(super) fn commit(disk: &dyn Disk, snap_dir: &Path, received: &ReceivedSnapshot) -> Result<(), Error> {
    let decided = snap_dir.join(install_name(received.zxid));
    disk.rename(&received.path, &decided).map_err(Error::io("rename", &received.path))
}

/// Finishes what was decided, wherever it was interrupted. Returns the snapshot's zxid, if there was one.
pub(super) fn finish(disk: &dyn Disk, snap_dir: &Path, log_dir: &Path) -> Result<Option<Zxid>, Error> {
    let mut decided = install_files(disk, snap_dir)?;
    let Some((zxid, path)) = decided.pop() else {
        return Ok(None);
    };
    if !decided.is_empty() {
        return Err(Error::Misplaced { path, what: "another snapshot is also about to replace everything here" });
    }
    // Before anything goes: the name may be visible only, of just now or of an attempt that was interrupted.
    sync(disk, snap_dir)?;
    // Snapshots first, newest first: a server that does not know of this, started in between, finds the old state, or logs
    // without a snapshot, which it refuses.
    for file in snapshot_files(disk, snap_dir)?.iter().rev() {
        disk.remove(&file.path).map_err(Error::io("remove", &file.path))?;
    }
    sync(disk, snap_dir)?;
    for (_, log) in log_files(disk, log_dir)? {
        disk.remove(&log).map_err(Error::io("remove", &log))?;
    }
    // All that must be gone for certain before the snapshot counts as one.
    sync(disk, log_dir)?;
    disk.rename(&path, &snap_dir.join(snapshot_name(zxid, None))).map_err(Error::io("rename", &path))?;
    sync(disk, snap_dir)?;
    Ok(Some(zxid))
}

fn sync(disk: &dyn Disk, dir: &Path) -> Result<(), Error> {
    disk.sync_dir(dir).map_err(Error::io("sync", dir))
}
