//! What can go wrong with files, always with the file's name, and where bytes are wrong with their offset.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use crate::wire::Zxid;

/// A failure of the disk or of the bytes on it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused an operation.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Bytes are not what was written there. Nothing was changed.
    #[error("{} is damaged at byte {offset}: {what}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where, in bytes from the file's start.
        offset: u64,
        /// What is wrong.
        what: Cow<'static, str>,
    },
    /// There are logs but no snapshot they could follow.
    #[error(
        "{} holds transaction logs, but {} holds no snapshot for them to follow; was it deleted or is dataDir another \
         directory than before? If this data comes from a version that wrote no snapshot, set snapshot.trust.empty=true once",
        log_dir.display(), snap_dir.display()
    )]
    NoSnapshot {
        /// Where the logs are.
        log_dir: PathBuf,
        /// Where a snapshot should be.
        snap_dir: PathBuf,
    },
    /// There are snapshots, and not one of them can be read.
    #[error("none of the {tried} snapshots in {} can be read; the newest: {newest}", dir.display())]
    NoReadableSnapshot {
        /// The directory.
        dir: PathBuf,
        /// How many were tried.
        tried: usize,
        /// Why the newest cannot be read.
        newest: String,
    },
    /// `dataDir` and `dataLogDir` differ, and a file stands in the wrong one.
    #[error("{} does not belong here: {what}", path.display())]
    Misplaced {
        /// The file.
        path: PathBuf,
        /// Where it belongs.
        what: &'static str,
    },
    /// Another server works in the directory.
    #[error("{} is in use by another server; stop that one first, or give this one a dataDir of its own", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// An entry too long to be read back.
    #[error("the transaction {zxid} is {length} bytes long, more than the limit of {limit}")]
    EntryTooLong {
        /// The transaction.
        zxid: Zxid,
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// An entry out of order.
    #[error("the transaction {zxid} cannot follow {last} in the log")]
    OutOfOrder {
        /// The transaction.
        zxid: Zxid,
        /// The last one logged.
        last: Zxid,
    },
    /// A new log file would overwrite transactions.
    #[error("{} already holds transactions", path.display())]
    AlreadyLogged {
        /// The file.
        path: PathBuf,
    },
    /// An earlier write or sync failed, so it is not known what the file holds.
    #[error("the transaction log stopped after a failed write")]
    Stopped,
    /// The tree to copy was replaced by another while it was being copied.
    #[error("the tree was replaced while its snapshot was being written")]
    TreeReplaced,
    /// The log cannot be cut back so far: no snapshot is old enough to rebuild the tree from.
    #[error("cannot go back to {to}: every snapshot in {} is newer", dir.display())]
    CannotTruncate {
        /// The last transaction to keep.
        to: Zxid,
        /// Where the snapshots are.
        dir: PathBuf,
    },
    /// Transactions that are needed are not in the log.
    #[error("the log in {} does not lead from {base} to {zxid}: transactions are missing", dir.display())]
    NotLogged {
        /// The last one needed.
        zxid: Zxid,
        /// The one that they are to follow.
        base: Zxid,
        /// Where the log is.
        dir: PathBuf,
    },
    /// The epoch files contradict each other, or the log.
    #[error(
        "the epochs in {} cannot be: {what}. A member that goes on with them could undo what it has promised; take it out of \
         the ensemble, remove its data and let it come back empty, or restore its files",
        dir.display()
    )]
    EpochMismatch {
        /// Where the files are.
        dir: PathBuf,
        /// What contradicts what.
        what: String,
    },
}

impl Error {
    /// Whether the files here do not hold the state that was asked for, so that only a snapshot from elsewhere can help.
    pub fn wants_snapshot(&self) -> bool {
        matches!(self, Error::CannotTruncate { .. } | Error::NotLogged { .. })
    }

    /// Whether bytes on disk are damaged, as opposed to the disk or the caller being at fault.
    pub fn is_corruption(&self) -> bool {
        matches!(self, Error::Corrupt { .. } | Error::NoReadableSnapshot { .. })
    }

    /// Whether the operating system refused.
    pub fn is_io(&self) -> bool {
        matches!(self, Error::Io { .. } | Error::Stopped)
    }

    /// The byte offset of the damage, if that is what this is.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Error::Corrupt { offset, .. } => Some(*offset),
            _ => None,
        }
    }

    /// Names the operation and the file of an I/O error.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { action, path: path.to_owned(), source }
    }

    pub(crate) fn corrupt(path: &Path, offset: u64, what: impl Into<Cow<'static, str>>) -> Error {
        Error::Corrupt { path: path.to_owned(), offset, what: what.into() }
    }
}
