//! What a member knows of its ensemble and of time limits. It never knows addresses by more than their text.

use super::ServerId;
use crate::wire::ensemble::{Ensemble, Role};

/// One member's settings, in the words of `zoo.cfg`.
#[derive(Debug, Clone)]
pub struct Config {
    /// This member's number, `myid`.
    pub server_id: ServerId,
    /// All members, and how their votes count.
    pub ensemble: Ensemble,
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
}

impl Config {
    /// The defaults of the reference, for member `server_id` of `ensemble`.
    pub fn new(server_id: ServerId, ensemble: Ensemble) -> Self {
        Config {
            server_id,
            ensemble,
            tick_ms: 2000,
            init_limit: 10,
            sync_limit: 5,
            finalize_ms: 200,
            max_notification_ms: 60_000,
            window_entries: 500,
            window_bytes: 64 << 20,
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

    /// Whether this member votes. One that is not in the list follows without a vote.
    pub(super) fn votes(&self) -> bool {
        self.ensemble.members.get(&self.server_id).is_some_and(|member| member.role == Role::Participant)
    }
}
