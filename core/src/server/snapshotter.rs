//! Snapshots beside the serving, one at a time, and the purge of old files after them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::ServerConfig;
use super::disk_writer::{disk, version_dir};
use super::metrics::Metrics;
use crate::replica::Shared;
use crate::storage;
use crate::storage::snapshot::{self, SnapshotOptions};
use crate::tree::{DataTree, SnapshotCursor};

/// Writes snapshots of the shared tree.
pub(super) struct Snapshotter {
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    snapshot_dir: PathBuf,
    log_dir: PathBuf,
    retain: usize,
    options: SnapshotOptions,
    purge_every: Option<Duration>,
    busy: AtomicBool,
    /// How often the state is to be replaced by what is on disk, and is not yet.
    outdated: AtomicUsize,
    /// Held while files are removed.
    files: Mutex<()>,
    writing: Mutex<Option<JoinHandle<()>>>,
    /// The purge's thread sleeps on the other end, and ends when this one is gone.
    stop_purging: Mutex<Option<mpsc::Sender<()>>>,
}

impl Snapshotter {
    pub(super) fn new(config: &ServerConfig, shared: Arc<Shared>, metrics: Arc<Metrics>) -> Self {
        Snapshotter {
            shared,
            metrics,
            snapshot_dir: version_dir(&config.data_dir),
            log_dir: version_dir(&config.data_log_dir),
            retain: config.autopurge_snap_retain_count as usize,
            options: SnapshotOptions {
                digest: config.digest_enabled,
                last_zxid: config.serialize_last_zxid,
                compression: config.snapshot_compression,
                ..SnapshotOptions::default()
            },
            purge_every: config.autopurge_purge_interval_ms.map(Duration::from_millis),
            busy: AtomicBool::new(false),
            outdated: AtomicUsize::new(0),
            files: Mutex::new(()),
            writing: Mutex::new(None),
            stop_purging: Mutex::new(None),
        }
    }

    /// Starts a snapshot in the background; when one is still being written, that one will do.
    pub(super) fn start(self: &Arc<Self>) {
        if self.outdated.load(Ordering::Acquire) > 0 {
            tracing::info!("the state is being read from disk; no snapshot of it is needed");
            return;
        }
        if self.busy.swap(true, Ordering::AcqRel) {
            tracing::warn!("a snapshot is still being written; not starting another");
            return;
        }
        let busy = Busy(Arc::clone(self));
        let spawned = std::thread::Builder::new().name("menagerie-snapshot".to_owned()).spawn(move || {
            if let Err(error) = busy.0.write() {
                tracing::error!(%error, "the snapshot failed; the log still has everything");
            }
        });
        match spawned {
            Ok(thread) => *lock(&self.writing) = Some(thread),
            Err(error) => tracing::error!(%error, "cannot start the snapshot's thread"),
        }
    }

    /// The state is not what the disk has until [`Snapshotter::resume`]: until then no snapshot is started.
    pub(super) fn suspend(&self) {
        self.outdated.fetch_add(1, Ordering::AcqRel);
    }

    /// The state is what the disk has, once as often as it was said that it is not.
    pub(super) fn resume(&self) {
        self.outdated.fetch_sub(1, Ordering::AcqRel);
    }

    /// Does something with the files of log and snapshots while nobody else does. Blocks until a snapshot that is being
    /// written is on disk. Called by the thread that starts snapshots, so none begins meanwhile.
    pub(super) fn exclusively<T>(&self, work: impl FnOnce() -> T) -> T {
        self.join();
        let _files = lock(&self.files);
        work()
    }

    /// Blocks until the snapshot that is being written, if there is one, is on disk, and ends the purging.
    pub(super) fn wait(&self) {
        lock(&self.stop_purging).take();
        self.join();
    }

    fn join(&self) {
        let writing = lock(&self.writing).take();
        if let Some(thread) = writing {
            // It says itself what went wrong.
            let _ = thread.join();
        }
    }

    /// Writes a snapshot now.
    pub(super) fn write(&self) -> Result<(), storage::Error> {
        let started = Instant::now();
        let (cursor, sessions) = {
            // Commits hold the tree while they open and close sessions: under its lock both are of one moment.
            let tree = self.shared.tree();
            (SnapshotCursor::new(&tree), self.shared.sessions())
        };
        let look = |see: &mut dyn FnMut(&DataTree)| see(&self.shared.tree());
        let written = snapshot::write(disk().as_ref(), &self.snapshot_dir, cursor, &sessions, &self.options, look)?;
        self.metrics.snapshot_time.add(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
        tracing::info!(file = %written.path.display(), "snapshot written");
        Ok(())
    }

    /// Purges old files now and at every interval, when the configuration asks for it.
    pub(super) fn purge_regularly(self: &Arc<Self>) {
        let Some(every) = self.purge_every else { return };
        let weak = Arc::downgrade(self);
        let (sender, stopped) = mpsc::channel::<()>();
        *lock(&self.stop_purging) = Some(sender);
        let purge = move || {
            while let Some(snapshotter) = weak.upgrade() {
                let files = lock(&snapshotter.files);
                let (snapshots, logs) = (&snapshotter.snapshot_dir, &snapshotter.log_dir);
                let purged = storage::purge(disk().as_ref(), snapshots, logs, snapshotter.retain);
                drop(files);
                match purged {
                    Ok(removed) => tracing::info!(files = removed.len(), "purged old snapshots and logs"),
                    Err(error) => tracing::warn!(%error, "cannot purge old snapshots and logs"),
                }
                drop(snapshotter);
                if stopped.recv_timeout(every) != Err(mpsc::RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("menagerie-purge".to_owned()).spawn(purge) {
            tracing::error!(%error, "cannot start the purge's thread");
        }
    }
}

/// A snapshot that is being written. Also when its thread panics or never starts, the next one may.
struct Busy(Arc<Snapshotter>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Release);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
