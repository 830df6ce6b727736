//! Everything that a member of an ensemble changes on disk, in order: log, epochs, truncation, a whole new state (protocol
//! §5.5, §6.1, §6.2). It belongs on the one disk thread, and never knows why something is to be written.
//!
//! Whoever else writes or removes snapshots meanwhile (the server's own ones, and the purge) must be kept out of
//! [`Store::truncate`], [`Store::install`] and [`Store::reload`] by a lock that both hold: a snapshot that is renamed to its
//! name in the midst of them would bring back what they remove.

use std::path::PathBuf;
use std::sync::Arc;

use super::base_snapshot::{base_snapshot, check_replay, drop_snapshots};
use super::install::{self, ReceivedSnapshot};
use super::{Disk, EpochFile, Error, LogOptions, RecoverOptions, Recovered, TxnLog, recovery};
use crate::wire::Zxid;

/// How a [`Store`] writes and reads.
#[derive(Debug, Clone, Default)]
pub struct StoreOptions {
    /// How the log is written.
    pub log: LogOptions,
    /// How the state is read.
    pub recover: RecoverOptions,
}

/// The files of one member. Every call but [`Store::append`] leaves everything that was appended before on disk. After a
/// failure, except where a method says otherwise, it has stopped for good and every call fails with [`Error::Stopped`]:
/// nobody can tell what a failed write left behind, except a new [`recover`](super::recover).
#[derive(Debug)]
pub struct Store {
    disk: Arc<dyn Disk>,
    snap_dir: PathBuf,
    log_dir: PathBuf,
    options: StoreOptions,
    log: TxnLog,
    stopped: bool,
}

impl Store {
    /// Gets ready to change the files in `snap_dir` and `log_dir`, which may be one directory, exist, and have been
    /// recovered: what an interrupted [`Store::install`] left is finished there. Nothing is read or written yet.
    pub fn open(disk: Arc<dyn Disk>, snap_dir: PathBuf, log_dir: PathBuf, options: StoreOptions) -> Store {
        let log = TxnLog::open(Arc::clone(&disk), log_dir.clone(), options.log.clone());
        Store { disk, snap_dir, log_dir, options, log, stopped: false }
    }

    /// As [`TxnLog::append`]: nothing is written before [`Store::sync`].
    ///
    /// # Errors
    /// As [`TxnLog::append`].
    pub fn append(&mut self, zxid: Zxid, entry: &[u8]) -> Result<(), Error> {
        self.run(|store| store.log.append(zxid, entry))
    }

    /// Makes everything that was appended durable.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&mut self) -> Result<(), Error> {
        self.run(|store| store.log.sync().map(|_| ()))
    }

    /// Syncs, and lets the next transaction open a new file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn roll(&mut self) -> Result<(), Error> {
        self.run(|store| store.log.roll())
    }

    /// Bytes in the open log file and still to be written to it.
    pub fn file_bytes(&self) -> u64 {
        self.log.file_bytes()
    }

    /// Writes the promise to follow no older epoch, durably.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn set_accepted_epoch(&mut self, epoch: u32) -> Result<(), Error> {
        self.write_epoch(&EpochFile::accepted(&self.snap_dir), epoch)
    }

    /// Writes whose history this member has, durably.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn set_current_epoch(&mut self, epoch: u32) -> Result<(), Error> {
        self.write_epoch(&EpochFile::current(&self.snap_dir), epoch)
    }

    /// Removes every transaction after `to`, from the log and with the snapshots that hold more, so that the next recovery
    /// gives exactly `to`. A crash meanwhile leaves the state of `to` or of some transaction after it.
    ///
    /// # Errors
    /// Where [`Error::wants_snapshot`], the files do not hold the state of `to`: nothing was changed and the store goes on;
    /// only a snapshot from the leader can help. [`Error::Corrupt`] and [`Error::Io`] stop it.
    pub fn truncate(&mut self, to: Zxid) -> Result<(), Error> {
        self.sync()?;
        let later = match self.snapshots_after(to) {
            Err(error) if error.wants_snapshot() => return Err(error),
            planned => self.run(|_| planned)?,
        };
        self.run(|store| {
            // Without them the logs still give the same state, so they go first.
            drop_snapshots(store.disk.as_ref(), &store.snap_dir, &later)?;
            store.log.truncate(to)
        })
    }

    /// Replaces all logs and snapshots by a snapshot that was received. A crash meanwhile leaves the old state or the new
    /// one, as soon as [`recover`](super::recover) has run.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn install(&mut self, received: &ReceivedSnapshot) -> Result<(), Error> {
        self.run(|store| {
            store.log.sync()?;
            install::commit(store.disk.as_ref(), &store.snap_dir, received)?;
            install::finish(store.disk.as_ref(), &store.snap_dir, &store.log_dir)?;
            store.log = TxnLog::open_after(
                Arc::clone(&store.disk),
                store.log_dir.clone(),
                store.options.log.clone(),
                received.zxid(),
            );
            Ok(())
        })
    }

    /// Reads the state from disk, everything included that was appended. Unlike [`recover`](super::recover) it removes no
    /// temporary files: somebody may be writing them.
    ///
    /// # Errors
    /// As [`recover`](super::recover).
    pub fn reload(&mut self) -> Result<Recovered, Error> {
        self.run(|store| {
            store.log.sync()?;
            recovery::load(&store.disk, &store.snap_dir, &store.log_dir, &store.options.recover)
        })
    }

    /// The snapshots that must go with the transactions after `to`, newest first, if the rest holds the state of `to`.
    fn snapshots_after(&self, to: Zxid) -> Result<Vec<PathBuf>, Error> {
        let limit = self.options.recover.max_entry_bytes;
        let base = base_snapshot(self.disk.as_ref(), &self.snap_dir, to, limit, |_| {})?;
        check_replay(&self.disk, &self.log_dir, base.zxid, to, limit)?;
        Ok(base.later)
    }

    fn write_epoch(&mut self, file: &EpochFile, epoch: u32) -> Result<(), Error> {
        self.run(|store| {
            store.log.sync()?;
            file.write(store.disk.as_ref(), epoch)
        })
    }

    /// Until `work` has succeeded, the store counts as stopped.
    fn run<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.stopped {
            return Err(Error::Stopped);
        }
        self.stopped = true;
        let done = work(self)?;
        self.stopped = false;
        Ok(done)
    }
}
