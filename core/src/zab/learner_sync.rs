//! How a learner's log becomes the beginning of the leader's: continue it, cut it, or replace it (protocol §5.5).
//!
//! Why a cut is right. A transaction of epoch *e* exists only if *e* was established: a quorum had taken over its leader's
//! history before. So that history is committed, and every later leader has it; and since nothing was added to it in an
//! epoch before *e*, a later leader's transactions before *e* are exactly that history. Two logs that both have a
//! transaction of epoch *e*, or one that has, and the leader's own, therefore agree up to the last zxid that is in both.

use super::committed_log::RecentLog;
use crate::wire::Zxid;

/// What the leader does first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SyncPlan {
    /// The learner's log is the beginning of the leader's, which goes on after `from`.
    Diff {
        /// The last transaction that both have.
        from: Zxid,
    },
    /// The learner has transactions that never were the ensemble's: it cuts them off.
    Trunc {
        /// The last transaction that both have.
        to: Zxid,
    },
    /// The learner is further behind than the window reaches, or nothing is known of its log.
    Snap,
}

/// How to bring a learner whose log ends at `last` to the leader's `log`.
pub(super) fn plan(log: &RecentLog, last: Zxid) -> SyncPlan {
    if log.has(last) {
        return SyncPlan::Diff { from: last };
    }
    match log.at_or_before(last) {
        None => SyncPlan::Snap,
        // A counter of 0 is no transaction: its holder led that epoch, or was given a snapshot of it, and has what came before.
        Some(from) if last.counter() == 0 && last < log.last() => SyncPlan::Diff { from },
        Some(_) if last.counter() == 0 => SyncPlan::Snap,
        Some(to) => SyncPlan::Trunc { to },
    }
}

#[cfg(test)]
mod tests {
    use super::super::committed_log::Entry;
    use super::*;
    use bytes::Bytes;

    /// A window that begins after 2:5 and holds 2:6, 2:7, 4:1 and 4:2.
    fn log() -> RecentLog {
        let entries = [(2, 6), (2, 7), (4, 1), (4, 2)];
        let entries = entries.map(|(epoch, counter)| Entry { zxid: Zxid::new(epoch, counter), payload: Bytes::new() });
        RecentLog::new(Zxid::new(2, 5), entries.into(), 10, 1000)
    }

    fn plan_for(epoch: u32, counter: u32) -> SyncPlan {
        plan(&log(), Zxid::new(epoch, counter))
    }

    #[test]
    fn a_learner_within_the_window_gets_what_it_lacks() {
        for (epoch, counter) in [(2, 5), (2, 6), (4, 1), (4, 2)] {
            assert_eq!(plan_for(epoch, counter), SyncPlan::Diff { from: Zxid::new(epoch, counter) });
        }
    }

    #[test]
    fn a_learner_ahead_in_the_leaders_epoch_is_cut_back() {
        assert_eq!(plan_for(4, 3), SyncPlan::Trunc { to: Zxid::new(4, 2) });
    }

    #[test]
    fn a_learner_with_an_old_leaders_last_proposals_is_cut_back_to_what_survived() {
        assert_eq!(plan_for(2, 9), SyncPlan::Trunc { to: Zxid::new(2, 7) });
    }

    #[test]
    fn a_learner_from_an_epoch_of_which_nothing_survived_is_cut_back_to_what_came_before() {
        assert_eq!(plan_for(3, 4), SyncPlan::Trunc { to: Zxid::new(2, 7) });
        assert_eq!(plan_for(5, 1), SyncPlan::Trunc { to: Zxid::new(4, 2) });
    }

    #[test]
    fn a_learner_behind_the_window_gets_a_snapshot() {
        assert_eq!(plan_for(2, 4), SyncPlan::Snap);
        assert_eq!(plan_for(1, 9), SyncPlan::Snap);
        assert_eq!(plan_for(0, 0), SyncPlan::Snap);
    }

    #[test]
    fn a_learner_that_led_an_epoch_without_a_proposal_lacks_what_came_after() {
        assert_eq!(plan_for(4, 0), SyncPlan::Diff { from: Zxid::new(2, 7) });
        assert_eq!(plan_for(3, 0), SyncPlan::Diff { from: Zxid::new(2, 7) });
        assert_eq!(plan_for(5, 0), SyncPlan::Snap, "as the reference does");
    }
}
