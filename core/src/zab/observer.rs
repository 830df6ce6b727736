//! What an observer does differently once it is active (protocol §5.10): it is told of transactions when they are committed, logs
//! and delivers them, and acknowledges nothing.

use super::Quit;
use super::core::Core;
use super::learner::Learner;
use crate::wire::quorum::Packet;

impl Learner {
    pub(in crate::zab) fn observe(&mut self, core: &mut Core, packet: Packet) -> Result<(), Quit> {
        match packet {
            Packet::Inform { zxid, payload } => {
                self.take(core, zxid, payload)?;
                self.commit(core, zxid)
            }
            Packet::InformAndActivate { zxid, designated, payload } => {
                self.designated = Some(designated);
                self.take(core, zxid, payload)?;
                self.commit(core, zxid)
            }
            // Proposals and commits are for those who vote; without a vote they are ignored.
            _ => Ok(()),
        }
    }
}
