//! Where a leader's learners stand, for whoever watches the ensemble. It decides nothing.

use super::{Leader, Stage};
use crate::zab::ServerId;

/// The learners of a leader, as monitors count them (protocol §3.1, `mntr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Who is connected, of whatever kind and however far.
    pub learners: usize,
    /// Members with a vote that have the history of this reign.
    pub synced_followers: usize,
    /// Such as have no vote yet, or none any more.
    pub synced_non_voters: usize,
    /// Observers that serve.
    pub synced_observers: usize,
    /// Syncs of learners that wait for what was proposed before them.
    pub pending_syncs: usize,
}

impl Leader {
    pub(in crate::zab) fn standing(&self, is_voter: impl Fn(ServerId) -> bool) -> Standing {
        let mut standing =
            Standing { learners: self.remotes.len(), pending_syncs: self.syncs.len(), ..Standing::default() };
        for remote in self.remotes.values().filter(|remote| remote.stage == Stage::Active) {
            match (remote.observer, is_voter(remote.id)) {
                (true, _) => standing.synced_observers += 1,
                (false, true) => standing.synced_followers += 1,
                (false, false) => standing.synced_non_voters += 1,
            }
        }
        standing
    }
}
