//! A member that is told to stop: it hands over without making anybody wait for a timeout. A leader first commits what it has
//! proposed, as far as acknowledgements come; nobody else has anything to end. It never knows why it is to stop.

use super::peer::{Peer, State};
use super::{Output, Role};

/// Whether a member has been told to stop, and how far that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resignation {
    /// It goes on.
    None,
    /// It proposes nothing any more, and is gone by this time, in milliseconds.
    Going { until_ms: u64 },
    /// It does and says nothing any more.
    Gone,
}

impl Peer {
    pub(super) fn resign(&mut self, now_ms: u64) {
        if self.resignation == Resignation::None {
            let until_ms = now_ms + self.core.config.tick_ms / 2;
            tracing::info!(outstanding = self.outstanding(), "told to stop");
            self.resignation = Resignation::Going { until_ms };
        }
    }

    /// Goes when nothing is left to commit, or cannot be committed soon.
    pub(super) fn conclude_resignation(&mut self, now_ms: u64) {
        let Resignation::Going { until_ms } = self.resignation else { return };
        let (serves, may_commit_more) = match &self.state {
            State::Looking => (false, false),
            State::Learning(learner) => (learner.is_serving(), false),
            State::Leading(leader) => {
                let commits = leader.is_reigning() && leader.handover().is_none();
                (leader.is_reigning(), commits && leader.outstanding() > 0)
            }
        };
        if may_commit_more && now_ms < until_ms {
            return;
        }
        // The links are left to the caller: the last commits may still be on their way to them.
        if serves {
            self.core.emit(Output::RoleChanged(Role::Looking));
        }
        self.core.emit(Output::Resigned);
        (self.state, self.resignation) = (State::Looking, Resignation::Gone);
        self.early.clear();
    }
}
