//! The follower's side of broadcast (protocol §5.6, §5.7): log, acknowledge what is on disk, deliver what is committed. What an
//! observer does differently is in `zab::observer`.

use super::Learner;
use crate::wire::Zxid;
use crate::wire::quorum::Packet;
use crate::zab::committed_log::follows;
use crate::zab::core::Core;
use crate::zab::{Output, Quit};

impl Learner {
    pub(super) fn follow(&mut self, core: &mut Core, packet: Packet) -> Result<(), Quit> {
        match packet {
            Packet::Ping { zxid, .. } => self.pong(core, zxid),
            Packet::Revalidated { session, valid } => core.emit(Output::SessionRevalidated { session, valid }),
            Packet::Sync => core.emit(Output::Synced),
            other if self.observer => return self.observe(core, other),
            Packet::Proposal { zxid, payload } => self.take(core, zxid, payload)?,
            Packet::Commit { zxid } => self.commit(core, zxid)?,
            Packet::CommitAndActivate { zxid, designated } => {
                self.designated = Some(designated);
                self.commit(core, zxid)?;
            }
            // What is not for followers, or comes late, says nothing to them.
            _ => {}
        }
        Ok(())
    }

    /// Commits come one by one, in the order of the proposals.
    pub(in crate::zab) fn commit(&mut self, core: &mut Core, zxid: Zxid) -> Result<(), Quit> {
        if zxid > self.matched || !follows(self.committed, zxid) {
            return Err(Quit::CommitWithoutProposal(zxid));
        }
        self.committed = zxid;
        core.commit(zxid);
        self.serve_when_current(core);
        Ok(())
    }

    /// Acknowledges, in their order, the transactions that are on disk. The reference counts each by itself.
    pub(super) fn acknowledge(&mut self, core: &mut Core) {
        while let Some(pending) = self.to_ack.pop_front_if(|pending| core.is_persisted(pending.ticket)) {
            if let Some(link) = self.link {
                core.send(link, Packet::Ack { zxid: pending.zxid });
            }
        }
    }

    /// Tells the leader that it is heard, and of which sessions.
    pub(super) fn pong(&self, core: &mut Core, zxid: Zxid) {
        let touches = Some(core.take_touches());
        if let Some(link) = self.link {
            core.send(link, Packet::Ping { zxid, touches });
        }
    }
}
