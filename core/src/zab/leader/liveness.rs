//! The leader's timers (protocol §5.7): pings, learners that fall silent or behind, and whether a quorum is still there.

use super::{Leader, Phase, Remote, Stage};
use crate::wire::quorum::Packet;
use crate::zab::core::Core;
use crate::zab::{Quit, ServerId};

impl Leader {
    pub(in crate::zab) fn due_ms(&self) -> u64 {
        if self.is_standalone() {
            return u64::MAX;
        }
        let step = if self.is_reigning() { self.check_at_ms } else { self.step_ends_ms };
        let silent = self.remotes.values().map(|remote| remote.silent_at_ms).min().unwrap_or(u64::MAX);
        step.min(self.ping_at_ms).min(silent)
    }

    pub(in crate::zab) fn tick(&mut self, core: &mut Core, now_ms: u64) -> Result<(), Quit> {
        if !self.is_reigning() && now_ms >= self.step_ends_ms {
            return Err(Quit::NoQuorumInTime);
        }
        if now_ms >= self.ping_at_ms {
            self.ping_at_ms = now_ms + core.config.tick_ms / 2;
            self.send_away_the_slow(core, now_ms);
            for link in self.links_in(Remote::is_in_broadcast) {
                core.send(link, Packet::Ping { zxid: self.broadcast.last_proposed(), touches: None });
            }
        }
        for link in self.links_in(|remote| now_ms >= remote.silent_at_ms) {
            self.refuse(core, link, "it has been silent for too long");
        }
        if self.is_reigning() && now_ms >= self.check_at_ms {
            self.check_at_ms = now_ms + core.config.tick_ms;
            self.check_quorum(core)?;
        }
        Ok(())
    }

    /// A learner that does not get its disk to sync would hold its clients' writes for ever.
    fn send_away_the_slow(&mut self, core: &mut Core, now_ms: u64) {
        let limit = core.config.sync_ms();
        let slow = self.links_in(|remote| {
            remote.stage == Stage::Active && remote.owes_since_ms.is_some_and(|since| now_ms >= since + limit)
        });
        for link in slow {
            self.refuse(core, link, "it owes an acknowledgement for too long");
        }
    }

    /// A voter looks for a leader again, in a later round. When those who are left are no quorum, this reign never begins: to
    /// wait for `initLimit` would only keep this server from the next election, which may need its vote or its history.
    pub(in crate::zab) fn deserted(&mut self, core: &Core, by: ServerId) -> Result<(), Quit> {
        self.deserters.insert(by);
        let may_come = core.members.quorums().are_met(|id| !self.deserters.contains(&id));
        if self.is_reigning() || may_come { Ok(()) } else { Err(Quit::Deserted) }
    }

    /// Without a quorum that follows there is nothing left to lead: another leader may be about to be elected. Whoever is
    /// silent for too long has been sent away; those that are still being synchronized have their own limit.
    fn check_quorum(&self, core: &Core) -> Result<(), Quit> {
        debug_assert!(matches!(self.phase, Phase::Reigning));
        let me = core.config.server_id;
        let follows = |id| id == me || self.remotes.values().any(|remote| remote.id == id && Self::follows(remote));
        if core.members.quorums().are_met(follows) { Ok(()) } else { Err(Quit::LostQuorum) }
    }

    fn follows(remote: &Remote) -> bool {
        !remote.observer
            && (remote.is_in_broadcast() || matches!(remote.stage, Stage::Promised { .. } | Stage::Reading { .. }))
    }
}
