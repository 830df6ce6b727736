//! What a member knows of its ensemble and of time limits. It never knows addresses by more than their text.

use bytes::Bytes;

use super::ServerId;
use crate::wire::ensemble::Ensemble;

/// One member's settings, in the words of `zoo.cfg`.
#[derive(Debug, Clone)]
pub struct Config {
    /// This member's number, `myid`.
    pub server_id: ServerId,
    /// All members in force at the start, and how their votes count. Later ones come with
    /// [`super::Output::Activated`].
    pub ensemble: Ensemble,
    /// The members that the recovered state shows, when those are newer: the last change in the log, committed or not.
    pub next_ensemble: Option<Ensemble>,
    /// Reads the new members out of the payload that changes them; `None` for every other payload. Without it members never
    /// change, as with `reconfigEnabled=false`. Their version is the zxid, whatever the text says.
    pub read_members: Option<fn(&Bytes) -> Option<Ensemble>>,
    /// `tickTime`, in milliseconds.
    pub tick_ms: u64,
    /// `initLimit`: ticks within which each step of a leader's beginning must end.
    pub init_limit: u64,
    /// `syncLimit`: ticks of silence after which the other side counts as gone.
    pub sync_limit: u64,
    /// How long a vote that has a quorum waits for a better one, in milliseconds: the reference's `finalizeWait`.
    pub finalize_ms: u64,
    /// The longest pause between two sendings of the same vote, in milliseconds. The shortest is [`Config::finalize_ms`].
    pub max_notification_ms: u64,
    /// How many transactions are kept in memory for learners that are a little behind: `commitLogCount`.
    pub window_entries: usize,
    /// How many bytes of them.
    pub window_bytes: usize,
    /// Whether the caller can read the log on its disk, for learners that are further behind than the window reaches: see
    /// [`super::Output::ReadHistory`].
    pub reads_history: bool,
    /// Bring every learner up to date by a snapshot, however little it lacks: `forceSnapshotSync`. Except one whose log has
    /// transactions that are not in the snapshot: it may have acknowledged them, and keeps them.
    pub force_snapshot_sync: bool,
    /// How many learners may be brought up to date by a snapshot at once: `leader.maxConcurrentSnapSyncs`. An observer above it
    /// is sent away; who votes never is, because a quorum may need it.
    pub snapshot_syncs_at_most: usize,
    /// The same for learners that are sent transactions: `leader.maxConcurrentDiffSyncs`.
    pub diff_syncs_at_most: usize,
}

impl Config {
    /// The defaults of the reference, for member `server_id` of `ensemble`.
    pub fn new(server_id: ServerId, ensemble: Ensemble) -> Self {
        Config {
            server_id,
            ensemble,
            next_ensemble: None,
            read_members: None,
            tick_ms: 2000,
            init_limit: 10,
            sync_limit: 5,
            finalize_ms: 200,
            max_notification_ms: 60_000,
            window_entries: 500,
            window_bytes: 64 << 20,
            reads_history: false,
            force_snapshot_sync: false,
            snapshot_syncs_at_most: 10,
            diff_syncs_at_most: 100,
        }
    }

    /// `initLimit` in milliseconds.
    pub(super) fn init_ms(&self) -> u64 {
        self.init_limit.saturating_mul(self.tick_ms)
    }

    /// `syncLimit` in milliseconds.
    pub(super) fn sync_ms(&self) -> u64 {
        self.sync_limit.saturating_mul(self.tick_ms)
    }
}
