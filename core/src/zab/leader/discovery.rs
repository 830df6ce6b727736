//! The leader's side of agreeing on an epoch (protocol §5.4): one above every epoch that a quorum has promised, promised by a
//! quorum in turn. Its own promise is on disk before it asks for another's.

use std::collections::BTreeMap;

use super::{Leader, Phase, Refusal, Stage};
use crate::wire::Zxid;
use crate::wire::ensemble::Ensemble;
use crate::wire::quorum::{LearnerInfo, PROTOCOL_VERSION, Packet};
use crate::zab::core::Core;
use crate::zab::{LinkId, Output, Quit, Quorums, ServerId};

impl Leader {
    pub(super) fn register(
        &mut self,
        core: &mut Core,
        link: LinkId,
        zxid: Zxid,
        info: &LearnerInfo,
        observer: bool,
    ) -> Result<Result<(), Refusal>, Quit> {
        let accepted = zxid.epoch();
        if zxid.0 < 0 || !core.epochs.is_plausible(accepted) {
            return Ok(Err("its accepted epoch cannot be right; look at its file acceptedEpoch"));
        }
        if info.server_id == core.config.server_id {
            return Ok(Err("it has the leader's own id"));
        }
        if info.protocol_version < PROTOCOL_VERSION {
            return Ok(Err("it speaks a quorum protocol from before 3.4"));
        }
        if info.config_version > core.members.newest().version {
            return Ok(Err("it has a newer configuration than the leader"));
        }
        // Also of one that observes: it may not have heard of the change by which it votes. What it promises and takes over
        // at the beginning of a reign is on its disk as it is on a follower's.
        let votes = core.members.quorums().is_voter(info.server_id);
        let decided = !matches!(self.phase, Phase::Discovery { .. });
        if decided && votes && accepted > self.epoch {
            // It can never follow this reign; and the next begins above its promise.
            return Err(Quit::EpochSurpassed { epoch: self.epoch, accepted });
        }
        self.replace_older_link(core, link, info.server_id);
        self.deserters.remove(&info.server_id);
        if let Some(remote) = self.remotes.get_mut(&link) {
            (remote.id, remote.observer, remote.stage) = (info.server_id, observer, Stage::Registered);
            remote.members_version = info.config_version;
        }
        if let Phase::Discovery { accepted: known, highest } = &mut self.phase {
            *highest = accepted.max(*highest);
            if votes {
                known.insert(info.server_id, accepted);
            }
            self.choose_epoch(core);
        } else if !matches!(self.phase, Phase::Promising { .. }) {
            self.ask(core, link);
        }
        Ok(Ok(()))
    }

    /// A server has one link: the older is dead, even if nobody has noticed.
    fn replace_older_link(&mut self, core: &mut Core, link: LinkId, id: i64) {
        let older = self.links_in(|remote| remote.id == id && remote.stage != Stage::Unknown);
        for older in older.into_iter().filter(|older| *older != link) {
            self.link_closed(older);
            core.emit(Output::Disconnect { link: older });
        }
    }

    /// Decides for an epoch once a quorum has told which it has promised.
    pub(super) fn choose_epoch(&mut self, core: &mut Core) {
        let Phase::Discovery { accepted, highest } = &self.phase else { return };
        if core.members.quorums().are_met(|id| accepted.contains_key(&id)) {
            // None of them is the highest there is.
            self.epoch = highest.saturating_add(1);
            let ticket = core.promise(self.epoch);
            self.phase = Phase::Promising { ticket };
        }
    }

    /// The leader's own promise is on disk.
    pub(super) fn promised(&mut self, core: &mut Core, now_ms: u64) {
        self.phase = Phase::Promised { by: BTreeMap::from([(core.config.server_id, core.log.last())]) };
        self.step_ends_ms = now_ms + core.config.init_ms();
        for link in self.links_in(|remote| remote.stage == Stage::Registered) {
            self.ask(core, link);
        }
        self.end_discovery(core);
    }

    fn ask(&mut self, core: &mut Core, link: LinkId) {
        if let Some(remote) = self.remotes.get_mut(&link) {
            remote.stage = Stage::Asked;
            core.send(link, Packet::LeaderInfo { zxid: Zxid::new(self.epoch, 0), protocol_version: PROTOCOL_VERSION });
        }
    }

    pub(super) fn learner_promised(
        &mut self,
        core: &mut Core,
        now_ms: u64,
        link: LinkId,
        last: Zxid,
        current_epoch: Option<i32>,
    ) -> Result<(), Refusal> {
        let Some(remote) = self.remotes.get_mut(&link) else { return Ok(()) };
        if let (Phase::Promised { by }, Some(current)) = (&mut self.phase, current_epoch) {
            // The history to begin with must have everything that any member of the quorum has.
            let own = (core.epochs.current() as i32, core.log.last());
            if (current, last) > own {
                return Err("its history is more recent than the leader's");
            }
            if core.members.quorums().is_voter(remote.id) {
                by.insert(remote.id, last);
            }
        }
        remote.stage = Stage::Promised { last };
        self.end_discovery(core);
        if matches!(self.phase, Phase::Beginning | Phase::Reigning) {
            self.synchronize(core, now_ms, link);
        }
        Ok(())
    }

    /// Members from `zoo.cfg` have no version until somebody leads them, as in the reference.
    fn give_members_a_version(&self, core: &mut Core) {
        let first = core.config.read_members.is_some() && core.members.newest().version == 0;
        if first {
            let version = Zxid::new(self.epoch, 0).0;
            core.propose_members(Ensemble { version, ..core.members.current().clone() });
        }
    }

    /// A quorum has promised the epoch: no older leader can commit anything any more, and this history has all that was.
    fn end_discovery(&mut self, core: &mut Core) {
        if let Phase::Promised { by } = &self.phase
            && is_promised(core.members.newest().version, core.members.quorums(), by)
        {
            let ticket = core.take_over(self.epoch);
            self.give_members_a_version(core);
            self.phase = Phase::TakingOver { ticket };
        }
    }
}

/// Whether those who promised are enough. `change` is the transaction of the newest members.
///
/// Next members decide as well, for they may be in force without this server's knowledge. Not when so many of those in force lack
/// that change that no quorum of them ever had it: then nothing is committed that came after it, and what next members have
/// of that need not survive. Otherwise a next member whose log is longer than all others would stop the ensemble for ever: it
/// cannot be led, and does not stand itself.
fn is_promised(change: i64, quorums: &Quorums, by: &BTreeMap<ServerId, Zxid>) -> bool {
    let lacks_it = |id| by.get(&id).is_some_and(|last| last.0 < change);
    let has_promised = |id| by.contains_key(&id);
    quorums.are_met(has_promised) || (quorums.are_met_now(has_promised) && !quorums.are_met_now(|id| !lacks_it(id)))
}
