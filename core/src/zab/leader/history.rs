//! The leader's side of bringing a learner up to date from the log on disk (protocol §5.5), when it lacks more than the window in
//! memory has. The caller reads it piece by piece; each is sent when the one before has left. Meanwhile the window moves on,
//! and reading goes on until it is met. In doubt the learner is sent a snapshot.

use super::synchronization::TOO_MANY;
use super::{Leader, Remote, Stage};
use crate::wire::Zxid;
use crate::wire::quorum::Packet;
use crate::zab::committed_log::{Entry, follows};
use crate::zab::core::Core;
use crate::zab::{LinkId, Output, ServerId};

impl Leader {
    /// Whether the log on disk may have what a learner lacks whose log ends at `last`, before the window. A counter of 0 is no
    /// transaction, and cannot be found in a log.
    pub(super) fn may_read_history(&self, core: &Core, id: ServerId, last: Zxid) -> bool {
        core.config.reads_history
            && !core.config.force_snapshot_sync
            && last.counter() != 0
            && last < core.log.base()
            && !self.beyond_history.contains(&id)
    }

    pub(super) fn read_history(&mut self, core: &mut Core, link: LinkId, after: Zxid) {
        if !self.has_room(core, link, false) {
            return self.refuse(core, link, TOO_MANY);
        }
        self.read_on(core, link, after, false);
    }

    fn read_on(&mut self, core: &mut Core, link: LinkId, at: Zxid, begun: bool) {
        if let Some(remote) = self.remotes.get_mut(&link) {
            remote.stage = Stage::Reading { at, begun };
            core.emit(Output::ReadHistory { link, after: at, through: core.log.base() });
        }
    }

    /// The next piece.
    pub(in crate::zab) fn history(&mut self, core: &mut Core, now_ms: u64, link: LinkId, entries: Vec<Entry>) {
        let Some(Remote { stage: Stage::Reading { at, begun }, .. }) = self.remotes.get(&link) else { return };
        let (mut at, begun) = (*at, *begun);
        if !continues(at, &entries, core.log.base()) {
            return self.no_history(core, now_ms, link);
        }
        if !begun {
            tracing::info!(link, after = %at, "a learner is brought up to date from the log on disk");
            let zxid = self.history_ends(core);
            core.send(link, Packet::Diff { zxid });
        }
        for Entry { zxid, payload } in entries {
            core.send(link, Packet::Proposal { zxid, payload });
            core.send(link, Packet::Commit { zxid });
            at = zxid;
        }
        // It has taken what was sent before.
        self.heard(core, now_ms, link);
        if at < core.log.base() {
            self.read_on(core, link, at, true);
        } else {
            self.end_sync(core, link, at, false);
        }
    }

    /// The log on disk does not suffice.
    pub(in crate::zab) fn no_history(&mut self, core: &mut Core, now_ms: u64, link: LinkId) {
        let Some(remote) = self.remotes.get_mut(&link) else { return };
        let Stage::Reading { at, begun } = remote.stage else { return };
        self.beyond_history.insert(remote.id);
        if begun {
            return self.refuse(core, link, "the log on disk does not have all that it lacks");
        }
        remote.stage = Stage::Promised { last: at };
        self.synchronize(core, now_ms, link);
    }
}

/// Whether `entries` follow `at` without a gap, and do not go beyond what was asked for.
fn continues(mut at: Zxid, entries: &[Entry], through: Zxid) -> bool {
    let all_follow = entries.iter().all(|entry| follows(std::mem::replace(&mut at, entry.zxid), entry.zxid));
    all_follow && entries.last().is_some_and(|entry| entry.zxid <= through)
}
