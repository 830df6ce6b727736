//! The leader's side of a change of members (protocol §5.6): whether it can begin, and who leads when it is done.

use super::{Leader, Remote, Stage};
use crate::wire::Zxid;
use crate::wire::ensemble::Ensemble;
use crate::zab::core::Core;
use crate::zab::quorum::Quorum;
use crate::zab::{ProposeError, ServerId};

impl Leader {
    /// Who leads from now on, when other members have come into force and this server does not lead them.
    pub(in crate::zab) fn handover(&self) -> Option<ServerId> {
        self.handover
    }

    /// Whether a change to `members` may be proposed now.
    pub(in crate::zab) fn may_change_members(&self, core: &Core, members: &Ensemble) -> Result<(), ProposeError> {
        if !self.is_reigning() {
            return Err(ProposeError::NotLeading);
        }
        if core.members.are_changing() {
            return Err(ProposeError::MembersAreChanging);
        }
        let me = core.config.server_id;
        let is_there = |id| id == me || self.remotes.values().any(|remote| remote.id == id && is_synced(remote));
        if Quorum::of(members).is_met(is_there) { Ok(()) } else { Err(ProposeError::NewMembersNotReady) }
    }

    /// Who leads the next members, which transaction `zxid` brings in: this server, if it votes at the same address as
    /// before. Otherwise the one of the new voters that has most on its disk.
    pub(super) fn designate(&self, core: &Core, zxid: Zxid) -> ServerId {
        let me = core.config.server_id;
        let (before, after) = (core.members.current(), core.members.newest());
        let new = Quorum::of(after);
        let address = |ensemble: &Ensemble| ensemble.members.get(&me).map(|member| member.addresses.clone());
        if new.may_lead(me) && address(before) == address(after) {
            return me;
        }
        let candidates = new.voters().iter().copied().filter(|id| *id != me && new.may_lead(*id));
        let has_it = candidates.map(|id| (self.broadcast.acked(id), id)).filter(|(acked, _)| *acked >= zxid);
        has_it.max().map_or(me, |(_, id)| id)
    }
}

fn is_synced(remote: &Remote) -> bool {
    !remote.observer && matches!(remote.stage, Stage::Synced | Stage::Active)
}
