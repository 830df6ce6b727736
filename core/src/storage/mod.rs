//! Files: the transaction log, snapshots, epoch files, recovery and purging, in the reference server's own formats
//! (protocol §6). Everything goes through [`Disk`], so that a simulation can lose what was not synced. It never knows Zab,
//! sessions beyond their id and timeout, sockets or an async runtime; its calls block, and belong on a disk thread.
//!
//! ```text
//!  dataLogDir/version-2/log.<zxid>       TxnLog writes, LogReader and LogIterator read
//!  dataDir/version-2/snapshot.<zxid>     snapshot::write while serving, snapshot::read
//!  dataDir/version-2/currentEpoch …      EpochFile, read_epochs
//!  dataDir/version-2/install.<zxid>      Store::install, on its way to be the only snapshot
//!                    recovery::recover   newest readable snapshot, then the log after it
//! ```
//!
//! A member of an ensemble does more than append: it writes through a [`Store`], in the order of its calls.
//!
//! Who calls may rely on this: what [`TxnLog::sync`] returned for is found again by [`recover`] after any crash; what it
//! did not return for may be there or not; nothing is ever found that was not appended.

mod base_snapshot;
mod checksum;
pub mod disk;
mod epoch_files;
mod epochs;
mod error;
mod file_names;
mod initialize_mark;
mod input;
mod install;
mod log_iterator;
mod log_reader;
mod recent;
mod recovery;
mod report;
mod retention;
mod salvage;
pub mod snapshot;
mod store;
mod trigger;
mod txn_log;

pub use base_snapshot::{BaseSnapshot, base_snapshot};
pub use disk::{DirLock, Disk, MemDisk, RealDisk, lock};
pub use epoch_files::EpochFile;
pub use epochs::{Epochs, read_epochs};
pub use error::Error;
pub use file_names::{SnapshotFile, log_files, snapshot_files};
pub use initialize_mark::{has_initialize_mark, remove_initialize_mark};
pub use install::{ReceivedSnapshot, receive_snapshot};
pub use log_iterator::{Gap, LogIterator};
pub use log_reader::{LogEnd, LogEntry, LogReader};
pub use recent::{LogRange, RecentEntries, log_range, recent_entries};
pub use recovery::{RecoverOptions, Recovered, recover, restore};
pub use report::{DigestReport, RecoveryReport, SnapshotReport};
pub use retention::purge;
pub use store::{Store, StoreOptions};
pub use trigger::{SnapshotDue, SnapshotPolicy, SnapshotTrigger};
pub use txn_log::{LogOptions, TxnLog};

/// The longest string, buffer or log entry that files may hold, in bytes: `jute.maxbuffer` plus its `extrasize`, at their
/// defaults (protocol §1). A reference server refuses to start on a longer log entry.
pub const DEFAULT_MAX_ENTRY_BYTES: usize = 2 * crate::jute::DEFAULT_MAX_BUFFER;
