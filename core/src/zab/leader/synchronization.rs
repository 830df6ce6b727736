//! The leader's side of bringing learners to its history (protocol §5.5), and the moment when a quorum has it.

use super::{Leader, Phase, Refusal, Remote, Stage};
use crate::wire::Zxid;
use crate::wire::quorum::Packet;
use crate::zab::broadcast::Broadcast;
use crate::zab::committed_log::Entry;
use crate::zab::core::Core;
use crate::zab::learner_sync::{SyncPlan, plan};
use crate::zab::{LinkId, Output, Role};

/// Why an observer has to wait.
pub(super) const TOO_MANY: Refusal = "as many learners as may be at once are being brought up to date";

impl Leader {
    /// The leader's own history is on disk under the new epoch: it counts itself and sends it to the others.
    pub(super) fn begin(&mut self, core: &mut Core, now_ms: u64) {
        self.phase = Phase::Beginning;
        self.step_ends_ms = now_ms + core.config.init_ms();
        self.joined.insert(core.config.server_id);
        for link in self.links_in(|remote| matches!(remote.stage, Stage::Promised { .. })) {
            self.synchronize(core, now_ms, link);
        }
        self.begin_reign(core, now_ms);
    }

    /// Sends the history, what is outstanding, and NEWLEADER. From then on the learner is told of everything new.
    pub(super) fn synchronize(&mut self, core: &mut Core, now_ms: u64, link: LinkId) {
        let Some(Remote { id, observer, stage: Stage::Promised { last }, .. }) = self.remotes.get(&link) else {
            return;
        };
        let (id, observer, last) = (*id, *observer, *last);
        let (reigning, history_ends) = (self.is_reigning(), self.history_ends(core));
        let plan = if last > history_ends && core.log.has(last) {
            // It has proposals that are still outstanding.
            if self.joined.contains(&id) && !observer {
                // It may have acknowledged them; they must not be cut off. That they are on its disk counts now, and it
                // is brought up to date when they are committed.
                self.count(core, id, last, now_ms);
                if core.log.delivered() < last {
                    return;
                }
                return self.synchronize(core, now_ms, link);
            }
            SyncPlan::Trunc { to: history_ends }
        } else if core.config.force_snapshot_sync && last <= core.log.delivered() {
            SyncPlan::Snap
        } else {
            plan(&core.log, last)
        };
        if plan == SyncPlan::Snap && self.may_read_history(core, id, last) {
            return self.read_history(core, link, last);
        }
        if plan == SyncPlan::Snap && !reigning && self.would_skip_members(core, link) {
            return self.refuse(
                core,
                link,
                "it has to hear of the members in force before a snapshot shows it the next ones",
            );
        }
        let by_snapshot = plan == SyncPlan::Snap;
        if !self.has_room(core, link, by_snapshot) {
            return self.refuse(core, link, TOO_MANY);
        }
        let after = open_sync(core, link, plan, history_ends);
        self.end_sync(core, link, after, by_snapshot);
    }

    /// Before the reign begins, the whole log is history.
    pub(super) fn history_ends(&self, core: &Core) -> Zxid {
        if self.is_reigning() { core.log.delivered() } else { core.log.last() }
    }

    /// Sends what is in memory after `after`, which the learner has or was sent, and NEWLEADER.
    pub(super) fn end_sync(&mut self, core: &mut Core, link: LinkId, after: Zxid, by_snapshot: bool) {
        let Some(observer) = self.remotes.get(&link).map(|remote| remote.observer) else { return };
        let history_ends = self.history_ends(core);
        send_history(core, link, after, history_ends);
        // The reference's learners hold these members for committed at UPTODATE. Before the reign the newest are part of the
        // history that will be; within it a change that is under way follows, as what it is.
        let members = if self.is_reigning() { core.members.current() } else { core.members.newest() };
        let config = Some(members.to_string().into());
        core.send(link, Packet::NewLeader { zxid: Zxid::new(self.epoch, 0), config });
        if !observer {
            send_outstanding(core, link, history_ends);
        }
        if let Some(remote) = self.remotes.get_mut(&link) {
            remote.stage = Stage::Syncing { by_snapshot };
            remote.sent = core.log.last();
        }
    }

    /// Whether another learner may be brought up to date in this way. All count, and whoever votes may, also if it does not know
    /// yet that it does: a quorum may need it.
    pub(super) fn has_room(&self, core: &Core, link: LinkId, by_snapshot: bool) -> bool {
        let Core { config, members, .. } = core;
        let limit = if by_snapshot { config.snapshot_syncs_at_most } else { config.diff_syncs_at_most };
        let is_exempt = |remote: &Remote| !remote.observer || members.quorums().is_voter(remote.id);
        self.remotes.get(&link).is_some_and(is_exempt)
            || self.links_in(|remote| remote.is_brought_up_to_date(by_snapshot)).len() < limit
    }

    /// Whether the learner would take older members than those in force for the ones that the next replace, and ask quorums
    /// of them. When it looks again it is answered with those in force.
    fn would_skip_members(&self, core: &Core, link: LinkId) -> bool {
        let has = self.remotes.get(&link).map(|remote| remote.members_version);
        core.members.are_changing() && has.is_some_and(|has| has < core.members.current().version)
    }

    /// Learners whose own proposals were outstanding when they came back may go on now.
    pub(super) fn resume_waiting(&mut self, core: &mut Core, now_ms: u64) {
        for link in self.links_in(|remote| matches!(remote.stage, Stage::Promised { .. })) {
            self.synchronize(core, now_ms, link);
        }
    }

    /// The answer to NEWLEADER: the learner has the history on disk, under this epoch.
    pub(super) fn learner_synced(
        &mut self,
        core: &mut Core,
        now_ms: u64,
        link: LinkId,
        zxid: Zxid,
    ) -> Result<(), Refusal> {
        if zxid != Zxid::new(self.epoch, 0) {
            return Err("it acknowledged another reign");
        }
        let Some(remote) = self.remotes.get_mut(&link) else { return Ok(()) };
        remote.stage = Stage::Synced;
        self.joined.insert(remote.id);
        self.beyond_history.remove(&remote.id);
        if matches!(self.phase, Phase::Reigning) {
            self.activate(core, now_ms, link);
        } else {
            self.begin_reign(core, now_ms);
        }
        Ok(())
    }

    /// When a quorum has the history it is committed, and the reign begins.
    fn begin_reign(&mut self, core: &mut Core, now_ms: u64) {
        if !matches!(self.phase, Phase::Beginning) || !core.members.quorums().are_met(|id| self.joined.contains(&id)) {
            return;
        }
        self.phase = Phase::Reigning;
        core.commit(core.log.last());
        core.activate_members(Zxid::new(self.epoch, 0));
        self.broadcast = Broadcast::new(Zxid::new(self.epoch, 0));
        core.emit(Output::RoleChanged(Role::Leading { epoch: self.epoch }));
        for link in self.links_in(|remote| remote.stage == Stage::Synced) {
            self.activate(core, now_ms, link);
        }
    }

    fn activate(&mut self, core: &mut Core, now_ms: u64, link: LinkId) {
        if let Some(remote) = self.remotes.get_mut(&link) {
            remote.stage = Stage::Active;
            let owes = !remote.observer && remote.sent > core.log.delivered();
            remote.owes_since_ms = owes.then_some(now_ms);
            core.send(link, Packet::UpToDate);
        }
        self.heard(core, now_ms, link);
    }
}

/// The first packet. Returns after which transaction the history is to be sent.
fn open_sync(core: &mut Core, link: LinkId, plan: SyncPlan, history_ends: Zxid) -> Zxid {
    tracing::info!(link, ?plan, "a learner is brought up to date");
    match plan {
        SyncPlan::Diff { from } => {
            core.send(link, Packet::Diff { zxid: history_ends });
            from
        }
        SyncPlan::Trunc { to } => {
            core.send(link, Packet::Trunc { zxid: to });
            to
        }
        SyncPlan::Snap => {
            let zxid = core.log.delivered();
            core.emit(Output::SendSnapshot { link, zxid });
            zxid
        }
    }
}

fn send_history(core: &mut Core, link: LinkId, after: Zxid, history_ends: Zxid) {
    let history: Vec<_> = core.log.after(after).take_while(|entry| entry.zxid <= history_ends).cloned().collect();
    for Entry { zxid, payload } in history {
        core.send(link, Packet::Proposal { zxid, payload });
        core.send(link, Packet::Commit { zxid });
    }
}

fn send_outstanding(core: &mut Core, link: LinkId, history_ends: Zxid) {
    let outstanding: Vec<_> = core.log.after(history_ends).cloned().collect();
    for Entry { zxid, payload } in outstanding {
        core.send(link, Packet::Proposal { zxid, payload });
    }
}
