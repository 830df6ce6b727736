//! The disk thread: whatever has queued becomes one write and one `fdatasync`, then the member is told (group commit).
//!
//! A disk error ends the thread: nothing is acknowledged any more, and the server says why and stops.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use super::event_loop::{Event, LogBatch};
use super::snapshotter::Snapshotter;
use crate::storage::{DirLock, Disk, Error, RealDisk, SnapshotDue, SnapshotTrigger, TxnLog};

/// What the disk thread works with.
pub(super) struct DiskWriter {
    pub(super) log: TxnLog,
    /// No other server writes here while this one may.
    pub(super) _locks: Vec<DirLock>,
    pub(super) trigger: SnapshotTrigger,
    pub(super) snapshotter: Arc<Snapshotter>,
    /// A slower sync is reported.
    pub(super) slow: Duration,
}

impl DiskWriter {
    /// Runs until the member's thread is gone.
    ///
    /// # Errors
    /// The first failure to write or to sync.
    pub(super) fn run(mut self, batches: &Receiver<LogBatch>, events: &Sender<Event>) -> Result<(), Error> {
        while let Ok(first) = batches.recv() {
            let (mut txns, mut bytes) = (0, 0);
            for (zxid, entry) in std::iter::once(first).chain(batches.try_iter()).flatten() {
                self.log.append(zxid, &entry)?;
                txns += 1;
                bytes += entry.len() as u64;
            }
            let durable = self.sync()?;
            if events.send(Event::Persisted(durable)).is_err() {
                return Ok(());
            }
            self.roll_if_due(txns, bytes)?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<crate::wire::Zxid, Error> {
        let started = Instant::now();
        let durable = self.log.sync()?;
        let took = started.elapsed();
        if took > self.slow {
            tracing::warn!(ms = took.as_millis(), "syncing the transaction log was slow; writes wait for it");
        }
        Ok(durable)
    }

    fn roll_if_due(&mut self, txns: u64, bytes: u64) -> Result<(), Error> {
        let due = self.trigger.logged(txns, bytes, self.log.file_bytes());
        if due != SnapshotDue::No {
            self.log.roll()?;
        }
        if due == SnapshotDue::RollAndSnapshot {
            self.snapshotter.start();
        }
        Ok(())
    }
}

/// The disk of this machine.
pub(super) fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

/// Where a data directory keeps its files.
pub(super) fn version_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("version-2")
}
