//! What recovery found, in words for the operator.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Gap;
use super::snapshot::SnapshotDigest;
use crate::wire::Zxid;

/// What was restored, and from what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// The snapshot; `None` when there was none.
    pub snapshot: Option<SnapshotReport>,
    /// Newer snapshots that cannot be read, and why.
    pub skipped_snapshots: Vec<(PathBuf, String)>,
    /// Log files read.
    pub log_files: usize,
    /// Transactions replayed from them.
    pub txns_replayed: u64,
    /// Files that end in the remains of a write cut short: where, and what is missing.
    pub torn_tails: Vec<(PathBuf, u64, &'static str)>,
    /// Log files that held nothing and are gone.
    pub empty_logs_removed: Vec<PathBuf>,
    /// Where the log lacks transactions.
    pub gaps: Vec<Gap>,
    /// Comparison with the digests on disk.
    pub digests: DigestReport,
    /// The last transaction restored.
    pub last_zxid: Zxid,
    /// Znodes restored.
    pub znodes: usize,
    /// Ephemeral znodes among them.
    pub ephemerals: usize,
    /// Sessions restored.
    pub sessions: usize,
}

/// The snapshot that recovery began with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotReport {
    /// The file.
    pub path: PathBuf,
    /// The last transaction it holds for certain.
    pub zxid: Zxid,
    /// Znodes in it.
    pub znodes: usize,
    /// The digest that its writer recorded.
    pub digest: Option<SnapshotDigest>,
}

/// How the restored tree compares with the digests that snapshot and log hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DigestReport {
    /// Digests that were equal.
    pub matched: u64,
    /// Digests that were not: the tree differs from the one that was logged.
    pub mismatched: u64,
    /// The first transaction whose digest was not.
    pub first_mismatch: Option<Zxid>,
}

impl RecoveryReport {
    /// Whether there was nothing to restore from.
    pub fn is_fresh(&self) -> bool {
        self.snapshot.is_none() && self.txns_replayed == 0
    }

    /// Whether something was found that an operator should look at: unreadable snapshots, missing transactions, digests
    /// that differ. A torn tail is no such thing; every crash may leave one.
    pub fn has_warnings(&self) -> bool {
        !self.skipped_snapshots.is_empty() || !self.gaps.is_empty() || self.digests.mismatched > 0
    }
}

/// One line for what was restored, and one for each thing worth knowing.
impl fmt::Display for RecoveryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_fresh() {
            write!(f, "nothing to restore: the tree is new")?;
        } else {
            self.write_summary(f)?;
        }
        for (path, reason) in &self.skipped_snapshots {
            write!(f, "\n  warning: {} was skipped: {reason}", name(path))?;
        }
        for (path, offset, what) in &self.torn_tails {
            write!(
                f,
                "\n  {} ends at byte {offset}, in a write that a crash cut short ({what}); it was never acknowledged",
                name(path)
            )?;
        }
        for path in &self.empty_logs_removed {
            write!(f, "\n  {} held nothing and was removed", name(path))?;
        }
        for gap in &self.gaps {
            write!(f, "\n  warning: the log lacks what is between {} and {}", gap.after, gap.before)?;
        }
        if let Some(first) = self.digests.first_mismatch {
            write!(
                f,
                "\n  warning: {} of {} digests differ, first at {first}",
                self.digests.mismatched,
                self.digests.mismatched + self.digests.matched
            )?;
        }
        Ok(())
    }
}

impl RecoveryReport {
    fn write_summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "restored {} znodes ({} ephemeral) and {} sessions as of {}: ",
            self.znodes, self.ephemerals, self.sessions, self.last_zxid
        )?;
        match &self.snapshot {
            Some(snapshot) => write!(f, "{} with {} znodes", name(&snapshot.path), snapshot.znodes)?,
            None => write!(f, "no snapshot")?,
        }
        write!(f, ", then {} transactions from {} log files", self.txns_replayed, self.log_files)
    }
}

fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy()
}
