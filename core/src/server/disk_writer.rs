//! The disk thread: whatever has queued becomes one write and one `fdatasync`, then the member is told (group commit). What an
//! ensemble asks of a disk beside that, epochs, truncation and snapshots of a leader, is done between two such groups.
//!
//! A disk error ends the thread: nothing is acknowledged any more, and the server says why and stops.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::clock::Clock;
use super::event_loop::Event;
use super::metrics::Metrics;
use super::snapshotter::Snapshotter;
use crate::storage::{
    DirLock, Disk, Error, RealDisk, ReceivedSnapshot, Recovered, SnapshotDue, SnapshotTrigger, Store,
};
use crate::wire::Zxid;
use crate::zab::Ticket;

/// What the disk is to do, in the order of the tickets.
#[derive(Debug)]
pub(super) enum DiskTask {
    /// Add to the log.
    Append(LogBatch),
    /// Anything else, by itself.
    Change {
        /// Its ticket.
        ticket: Ticket,
        /// What to do.
        change: Change,
        /// Whether the state is to be read again afterwards.
        reload: bool,
    },
}

/// Entries for the log, in their order.
#[derive(Debug, Default)]
pub(super) struct LogBatch {
    pub(super) entries: Vec<(Zxid, Bytes)>,
    /// The ticket of the last of them.
    pub(super) through: Ticket,
    /// The monotonic millisecond in which they were sent.
    pub(super) sent_ms: u64,
}

/// A change of the disk that is no new entry of the log.
#[derive(Debug)]
pub(super) enum Change {
    AcceptedEpoch(u32),
    CurrentEpoch(u32),
    Truncate { to: Zxid },
    Install(Box<ReceivedSnapshot>),
}

/// What the disk thread works with.
pub(super) struct DiskWriter {
    pub(super) store: Store,
    /// No other server writes here while this one may.
    pub(super) _locks: Vec<DirLock>,
    pub(super) trigger: SnapshotTrigger,
    pub(super) snapshotter: Arc<Snapshotter>,
    /// A slower sync is reported.
    pub(super) slow: Duration,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
}

/// The member's thread is gone, or the disk fails.
enum End {
    NobodyListens,
    Failed(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        End::Failed(error)
    }
}

impl DiskWriter {
    /// Runs until the member's thread is gone.
    ///
    /// # Errors
    /// The first failure to write or to sync.
    pub(super) fn run(mut self, tasks: &Receiver<Vec<DiskTask>>, events: &Sender<Event>) -> Result<(), Error> {
        while let Ok(first) = tasks.recv() {
            let tasks: Vec<DiskTask> = std::iter::once(first).chain(tasks.try_iter()).flatten().collect();
            match self.carry_out(tasks, events) {
                Ok(()) => {}
                Err(End::NobodyListens) => return Ok(()),
                Err(End::Failed(error)) => return Err(error),
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, tasks: Vec<DiskTask>, events: &Sender<Event>) -> Result<(), End> {
        let mut batches = Vec::new();
        for task in tasks {
            match task {
                DiskTask::Append(batch) => batches.push(batch),
                DiskTask::Change { ticket, change, reload } => {
                    self.log(&batches, events)?;
                    batches.clear();
                    self.change(change)?;
                    tell(events, Event::Persisted(ticket))?;
                    if reload {
                        let recovered = self.reload()?;
                        tell(events, Event::Reloaded { through: ticket, recovered: Box::new(recovered) })?;
                    }
                }
            }
        }
        self.log(&batches, events)
    }

    /// Adds everything to the log, and tells the member when it is on disk.
    fn log(&mut self, batches: &[LogBatch], events: &Sender<Event>) -> Result<(), End> {
        // Batches come in the order of their tickets.
        let Some(through) = batches.last().map(|batch| batch.through) else { return Ok(()) };
        let started_ms = self.clock.monotonic_ms();
        let (txns, bytes) = self.append(batches, started_ms)?;
        self.sync()?;
        tell(events, Event::Persisted(through))?;
        self.measure(batches, started_ms);
        self.roll_if_due(txns, bytes)?;
        Ok(())
    }

    fn change(&mut self, change: Change) -> Result<(), Error> {
        match change {
            Change::AcceptedEpoch(epoch) => self.store.set_accepted_epoch(epoch),
            Change::CurrentEpoch(epoch) => self.store.set_current_epoch(epoch),
            Change::Truncate { to } => {
                tracing::info!(%to, "removing what the leader does not have from the log");
                let snapshotter = Arc::clone(&self.snapshotter);
                let truncated = snapshotter.exclusively(|| self.store.truncate(to));
                if truncated.as_ref().is_err_and(Error::wants_snapshot) {
                    tracing::error!(
                        "what is left of this member's files is not enough to follow the leader: keep its data directory \
                         aside, and start it with an empty one (and its myid); the leader then sends it everything"
                    );
                }
                truncated
            }
            Change::Install(snapshot) => {
                tracing::info!(zxid = %snapshot.zxid(), "putting the leader's snapshot in place of log and state");
                let snapshotter = Arc::clone(&self.snapshotter);
                snapshotter.exclusively(|| self.store.install(&snapshot))
            }
        }
    }

    /// The state as the disk has it. Until the member has it there is nothing to make a snapshot of.
    fn reload(&mut self) -> Result<Recovered, Error> {
        self.snapshotter.suspend();
        let recovered = self.store.reload()?;
        tracing::info!("{}", recovered.report);
        Ok(recovered)
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
                self.store.append(*zxid, entry)?;
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
        self.store.sync()?;
        let took = started.elapsed();
        self.metrics.fsync_time.add(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        if took > self.slow {
            tracing::warn!(ms = took.as_millis(), "syncing the transaction log was slow; writes wait for it");
        }
        Ok(())
    }

    fn roll_if_due(&mut self, txns: u64, bytes: u64) -> Result<(), Error> {
        let due = self.trigger.logged(txns, bytes, self.store.file_bytes());
        if due != SnapshotDue::No {
            self.store.roll()?;
        }
        if due == SnapshotDue::RollAndSnapshot {
            self.snapshotter.start();
        }
        Ok(())
    }
}

fn tell(events: &Sender<Event>, event: Event) -> Result<(), End> {
    events.send(event).map_err(|_| End::NobodyListens)
}

/// The disk of this machine.
pub(super) fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

/// Where a data directory keeps its files.
pub(super) fn version_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("version-2")
}
