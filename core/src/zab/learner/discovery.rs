//! The learner's side of agreeing on an epoch (protocol §5.4): say who it is, promise once, never lower.

use super::{Learner, Stage};
use crate::wire::Zxid;
use crate::wire::quorum::{LearnerInfo, PROTOCOL_VERSION, Packet};
use crate::zab::core::Core;
use crate::zab::epoch::Verdict;
use crate::zab::{LinkId, Quit};

impl Learner {
    pub(super) fn register(&mut self, core: &mut Core, link: LinkId) {
        let zxid = Zxid::new(core.epochs.accepted(), 0);
        let info = LearnerInfo {
            server_id: core.config.server_id,
            protocol_version: PROTOCOL_VERSION,
            config_version: core.members.current().version,
        };
        let packet =
            if self.observer { Packet::ObserverInfo { zxid, info } } else { Packet::FollowerInfo { zxid, info } };
        core.send(link, packet);
        self.stage = Stage::Registered;
    }

    pub(super) fn leader_info(&mut self, core: &mut Core, packet: &Packet) -> Result<(), Quit> {
        let Packet::LeaderInfo { zxid, .. } = *packet else {
            return Err(Quit::Unexpected(packet.kind()));
        };
        let epoch = zxid.epoch();
        if zxid.counter() != 0 || !core.epochs.is_plausible(epoch) {
            return Err(Quit::BadZxid(zxid));
        }
        let (ticket, counts) = match core.epochs.judge(epoch) {
            Verdict::Promise => (core.promise(epoch), true),
            // What is told of the log must be on disk all the same.
            Verdict::Again => (core.last_ticket(), false),
            Verdict::Stale => return Err(Quit::StaleLeader { proposed: epoch, accepted: core.epochs.accepted() }),
        };
        self.epoch = epoch;
        self.stage = Stage::Promising { ticket, counts };
        self.persisted(core);
        Ok(())
    }

    /// The promise is on disk, and with it everything that was written before: the leader may count on both.
    pub(super) fn promised(&mut self, core: &mut Core, counts: bool) {
        self.stage = Stage::Promised;
        let current_epoch = counts.then(|| core.epochs.current() as i32);
        if let Some(link) = self.link {
            core.send(link, Packet::AckEpoch { zxid: core.log.last(), current_epoch });
        }
    }
}
