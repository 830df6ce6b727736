//! The learner's side of taking over the leader's history (protocol §5.5). History first, then the epoch, then the
//! acknowledgement: each on disk before the next.
//!
//! A TRUNC is not carried out at once. A leader of the reference cuts a follower back to what is committed and then sends
//! what is outstanding again; to throw away and write anew what was acknowledged before would leave, for a moment, an
//! acknowledged transaction on too few disks. So what comes is compared with what is there, and only what differs is cut.

use bytes::Bytes;

use super::{Learner, Pending, Stage};
use crate::wire::Zxid;
use crate::wire::ensemble::Ensemble;
use crate::wire::quorum::Packet;
use crate::zab::committed_log::follows;
use crate::zab::core::Core;
use crate::zab::{LinkId, Output, Quit};

impl Learner {
    pub(super) fn begin_sync(&mut self, core: &mut Core, packet: &Packet) -> Result<(), Quit> {
        match *packet {
            Packet::Diff { .. } => self.match_up_to(core, core.log.last()),
            Packet::Trunc { zxid } => self.begin_cut(core, zxid)?,
            Packet::Snap { zxid } => {
                refuse_to_lose_committed(core, zxid)?;
                self.stage = Stage::Loading { zxid };
            }
            _ => return Err(Quit::Unexpected(packet.kind())),
        }
        Ok(())
    }

    fn match_up_to(&mut self, core: &Core, zxid: Zxid) {
        debug_assert!(zxid <= core.log.last());
        (self.matched, self.committed) = (zxid, zxid);
        self.stage = Stage::Syncing;
    }

    fn begin_cut(&mut self, core: &mut Core, to: Zxid) -> Result<(), Quit> {
        refuse_to_lose_committed(core, to)?;
        if core.log.has(to) || to < core.log.base() {
            if to < core.log.base() {
                core.truncate(to);
            }
            self.match_up_to(core, to);
            return Ok(());
        }
        // The leader takes it for a position that both logs have, and this one has not. Cut off what certainly is not the
        // leader's; the next attempt tells it where this log really ends.
        if let Some(before) = core.log.at_or_before(to) {
            refuse_to_lose_committed(core, before)?;
            core.truncate(before);
        }
        Err(Quit::NoCommonPosition(to))
    }

    pub(in super::super) fn snapshot_received(&mut self, core: &mut Core, link: LinkId) -> Result<(), Quit> {
        match self.stage {
            Stage::Loading { zxid } if self.link == Some(link) => {
                core.install_snapshot(link, zxid, self.snapshot_members.take());
                self.match_up_to(core, zxid);
                Ok(())
            }
            _ if self.link == Some(link) => Err(Quit::Unexpected(crate::wire::quorum::kind::SNAP)),
            _ => Ok(()),
        }
    }

    /// The members that the snapshot shows.
    pub(in super::super) fn snapshot_members(&mut self, link: LinkId, members: Ensemble) {
        if self.link == Some(link) && matches!(self.stage, Stage::Loading { .. }) {
            self.snapshot_members = Some(members);
        }
    }

    /// One packet between DIFF, TRUNC or SNAP and UPTODATE.
    pub(super) fn sync(&mut self, core: &mut Core, packet: Packet) -> Result<(), Quit> {
        match packet {
            Packet::Proposal { zxid, payload } => self.take(core, zxid, payload),
            Packet::Commit { zxid } | Packet::CommitAndActivate { zxid, .. } => self.note_commit(zxid),
            Packet::Inform { zxid, payload } | Packet::InformAndActivate { zxid, payload, .. } => {
                self.take(core, zxid, payload)?;
                self.note_commit(zxid)
            }
            Packet::NewLeader { zxid, config } if self.stage == Stage::Syncing => self.new_leader(core, zxid, config),
            Packet::UpToDate if self.stage == Stage::Ready => {
                self.up_to_date(core);
                Ok(())
            }
            Packet::Ping { zxid, .. } => {
                // Before the leader has its answer to NEWLEADER it does not expect another one.
                if self.stage == Stage::Ready {
                    self.pong(core, zxid);
                }
                Ok(())
            }
            other => Err(Quit::Unexpected(other.kind())),
        }
    }

    /// The next transaction of the leader's history.
    pub(in crate::zab) fn take(&mut self, core: &mut Core, zxid: Zxid, payload: Bytes) -> Result<(), Quit> {
        if !follows(self.matched, zxid) {
            return Err(Quit::Gap { last: self.matched, zxid });
        }
        let there = core.log.after(self.matched).next().map(|entry| entry.zxid);
        let ticket = if there == Some(zxid) {
            core.last_ticket()
        } else {
            self.cut_what_differs(core);
            core.append(zxid, payload)
        };
        self.matched = zxid;
        if !self.observer {
            self.to_ack.push_back(Pending { zxid, ticket });
        }
        Ok(())
    }

    fn cut_what_differs(&self, core: &mut Core) {
        if core.log.last() > self.matched {
            core.truncate(self.matched);
        }
    }

    fn note_commit(&mut self, zxid: Zxid) -> Result<(), Quit> {
        if zxid > self.matched {
            return Err(Quit::CommitWithoutProposal(zxid));
        }
        self.committed = self.committed.max(zxid);
        Ok(())
    }

    fn new_leader(&mut self, core: &mut Core, zxid: Zxid, config: Option<Bytes>) -> Result<(), Quit> {
        if zxid != Zxid::new(self.epoch, 0) {
            return Err(Quit::BadZxid(zxid));
        }
        self.cut_what_differs(core);
        if core.config.read_members.is_some()
            && let Some(members) = config.and_then(|text| members_of(&text))
        {
            core.propose_members(members);
        }
        let ticket = core.take_over(self.epoch).max(core.last_ticket());
        self.stage = Stage::TakingOver { ticket };
        self.persisted(core);
        Ok(())
    }

    /// History and epoch are on disk: the leader may count this member.
    pub(super) fn taken_over(&mut self, core: &mut Core) {
        self.stage = Stage::Ready;
        self.acknowledge_reign(core);
    }

    fn acknowledge_reign(&self, core: &mut Core) {
        if let Some(link) = self.link {
            core.send(link, Packet::Ack { zxid: Zxid::new(self.epoch, 0) });
        }
    }

    /// After a restart the state has the whole log, also what was not committed then. It is shown to nobody before it is.
    pub(super) fn serve_when_current(&mut self, core: &mut Core) {
        if !self.serving && core.log.delivered() <= self.committed {
            self.serving = true;
            core.emit(Output::RoleChanged(self.role()));
        }
    }

    /// The leader's history is committed, and whatever it has called committed since.
    fn up_to_date(&mut self, core: &mut Core) {
        self.stage = Stage::Active;
        self.acknowledge_reign(core);
        core.commit(self.committed);
        // What the leader began its reign with is committed; a change that it has under way since then is not.
        core.activate_members(self.committed.max(Zxid::new(self.epoch, 0)));
        self.serve_when_current(core);
        self.to_ack.retain(|pending| pending.zxid > self.committed);
        self.acknowledge(core);
    }
}

/// The members that the text lists. A text that cannot be read says nothing.
pub(in crate::zab) fn members_of(text: &Bytes) -> Option<Ensemble> {
    std::str::from_utf8(text).ok()?.parse().ok().filter(|members: &Ensemble| !members.members.is_empty())
}

/// What is known to be committed is in every leader's history. A leader that wants it gone is none.
fn refuse_to_lose_committed(core: &Core, to: Zxid) -> Result<(), Quit> {
    if to < core.log.committed() {
        return Err(Quit::WouldLoseCommitted { committed: core.log.committed(), to });
    }
    Ok(())
}
