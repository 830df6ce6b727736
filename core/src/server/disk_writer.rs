//! The disk thread: whatever has queued becomes one write and one `fdatasync`, then the member is told (group commit).
//!
//! A disk error ends the thread: nothing is acknowledged any more, and the server says why and stops.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::event_loop::{Event, LogBatch};
use super::metrics::Metrics;
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
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
}

impl DiskWriter {
    /// Runs until the member's thread is gone.
    ///
    /// # Errors
    /// The first failure to write or to sync.
    pub(super) fn run(mut self, batches: &Receiver<LogBatch>, events: &Sender<Event>) -> Result<(), Error> {
        while let Ok(first) = batches.recv() {
            let started_ms = self.clock.monotonic_ms();
            let batches: Vec<LogBatch> = std::iter::once(first).chain(batches.try_iter()).collect();
            let (txns, bytes) = self.append(&batches, started_ms)?;
            self.sync()?;
            // Batches come in the order of their tickets.
            let through = batches.last().map_or(0, |batch| batch.through);
            if events.send(Event::Persisted(through)).is_err() {
                return Ok(());
            }
            self.measure(&batches, started_ms);
            self.roll_if_due(txns, bytes)?;
        }
        Ok(())
    }

    /// Appends everything to the log; how many entries, and of how many bytes.
    fn append(&mut self, batches: &[LogBatch], started_ms: u64) -> Result<(u64, u64), Error> {
        let (mut txns, mut bytes) = (0, 0);
        for batch in batches {
            let queued = self.metrics.disk_queue.fetch_sub(batch.entries.len(), Ordering::Relaxed);
            self.metrics.disk_queue_size.add(queued as u64);
            let waited_ms = started_ms.saturating_sub(batch.sent_ms);
            self.metrics.disk_queue_time.add_many(waited_ms, batch.entries.len() as u64);
            for (zxid, entry) in &batch.entries {
                self.log.append(*zxid, entry)?;
                txns += 1;
                bytes += entry.len() as u64;
            }
        }
        self.metrics.disk_batch_size.add(txns);
        self.metrics.disk_append_time.add(self.clock.monotonic_ms().saturating_sub(started_ms));
        Ok((txns, bytes))
    }

    fn measure(&self, batches: &[LogBatch], started_ms: u64) {
        let now_ms = self.clock.monotonic_ms();
        self.metrics.disk_flush_time.add(now_ms.saturating_sub(started_ms));
        for batch in batches {
            let since_sent_ms = now_ms.saturating_sub(batch.sent_ms);
            self.metrics.disk_queue_and_flush_time.add_many(since_sent_ms, batch.entries.len() as u64);
        }
    }

    fn sync(&mut self) -> Result<(), Error> {
        let started = Instant::now();
        self.log.sync()?;
        let took = started.elapsed();
        self.metrics.fsync_time.add(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        if took > self.slow {
            tracing::warn!(ms = took.as_millis(), "syncing the transaction log was slow; writes wait for it");
        }
        Ok(())
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
