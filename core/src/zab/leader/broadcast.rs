//! The leader's side of broadcast (protocol §5.6–§5.9): propose to all, count what is on disk, commit in order, and serve what
//! learners ask for.

use bytes::Bytes;

use super::{Leader, Phase, Refusal, Stage};
use crate::wire::Zxid;
use crate::wire::quorum::Packet;
use crate::zab::core::Core;
use crate::zab::{LinkId, Output, ProposeError, ServerId};

impl Leader {
    /// The zxid that the next proposal gets.
    pub(in crate::zab) fn next_zxid(&self) -> Zxid {
        self.broadcast.last_proposed().next()
    }

    /// Whether the last zxid of the epoch would be next. It is never given out, as in the reference; a standalone leader has no
    /// other epoch to go to and runs on into the next number.
    pub(in crate::zab) fn counter_is_used_up(&self) -> bool {
        !self.is_standalone() && self.next_zxid().counter() == u32::MAX
    }

    pub(in crate::zab) fn last_proposed(&self) -> Zxid {
        self.broadcast.last_proposed()
    }

    pub(in crate::zab) fn outstanding(&self) -> usize {
        self.broadcast.outstanding()
    }

    /// Puts a payload at the end of the order.
    pub(in crate::zab) fn propose(
        &mut self,
        core: &mut Core,
        now_ms: u64,
        payload: &Bytes,
    ) -> Result<Zxid, ProposeError> {
        if !self.is_reigning() {
            return Err(ProposeError::NotLeading);
        }
        let zxid = self.next_zxid();
        let ticket = core.append(zxid, payload.clone());
        self.broadcast.propose(zxid, ticket, core.quorums.clone());
        for (link, remote) in &mut self.remotes {
            if remote.is_in_broadcast() && !remote.observer {
                remote.sent = zxid;
                remote.owes_since_ms.get_or_insert(now_ms);
                core.send(*link, Packet::Proposal { zxid, payload: payload.clone() });
            }
        }
        Ok(zxid)
    }

    /// A packet of a learner that has this reign's history.
    pub(super) fn serve(&mut self, core: &mut Core, now_ms: u64, link: LinkId, packet: Packet) -> Result<(), Refusal> {
        match packet {
            Packet::Ack { zxid } => self.acknowledged(core, now_ms, link, zxid),
            Packet::Ping { touches, .. } => {
                if let Some(touches) = touches.filter(|touches| !touches.is_empty()) {
                    core.emit(Output::SessionsTouched(touches));
                }
                Ok(())
            }
            Packet::Request(request) => {
                core.emit(Output::ForwardedRequest { link, request });
                Ok(())
            }
            Packet::Revalidate { session, timeout_ms } => {
                core.emit(Output::RevalidateSession { link, session, timeout_ms });
                Ok(())
            }
            // The reference ignores what it does not expect here, and so do we.
            _ => Ok(()),
        }
    }

    /// An acknowledgement counts only for this reign's own proposals, and only from who has this reign's history.
    fn acknowledged(&mut self, core: &mut Core, now_ms: u64, link: LinkId, zxid: Zxid) -> Result<(), Refusal> {
        if zxid.counter() == 0 {
            return Ok(());
        }
        if zxid.epoch() != self.epoch || zxid > self.broadcast.last_proposed() {
            return Err("it acknowledged what was never proposed in this reign");
        }
        let Some(remote) = self.remotes.get_mut(&link) else { return Ok(()) };
        remote.acked = zxid.max(remote.acked);
        remote.owes_since_ms = (remote.acked < remote.sent).then_some(now_ms);
        let id = remote.id;
        if !remote.observer {
            self.count(core, id, zxid, now_ms);
        }
        Ok(())
    }

    /// `id` has everything up to `zxid` on disk: commits what a quorum has.
    pub(super) fn count(&mut self, core: &mut Core, id: ServerId, zxid: Zxid, now_ms: u64) {
        if !matches!(self.phase, Phase::Reigning) || !self.joined.contains(&id) {
            return;
        }
        self.broadcast.ack(id, zxid);
        let mut any = false;
        while let Some(zxid) = self.broadcast.take_committed() {
            any = true;
            self.committed(core, zxid);
        }
        if any {
            self.answer_syncs(core);
            self.resume_waiting(core, now_ms);
        }
    }

    fn committed(&self, core: &mut Core, zxid: Zxid) {
        let payload = core.log.payload(zxid).cloned().unwrap_or_default();
        core.commit(zxid);
        for (link, remote) in &self.remotes {
            if remote.is_in_broadcast() {
                let packet = if remote.observer {
                    Packet::Inform { zxid, payload: payload.clone() }
                } else {
                    Packet::Commit { zxid }
                };
                core.send(*link, packet);
            }
        }
    }

    /// Answers a forwarded sync once everything proposed until now is committed.
    pub(in crate::zab) fn answer_sync(&mut self, core: &mut Core, link: LinkId) {
        if self.remotes.get(&link).is_some_and(|remote| remote.stage == Stage::Active) {
            self.syncs.push((self.broadcast.last_proposed(), link));
            self.answer_syncs(core);
        }
    }

    fn answer_syncs(&mut self, core: &mut Core) {
        let oldest = self.broadcast.oldest_outstanding();
        self.syncs.retain(|(after, link)| {
            let waits = oldest.is_some_and(|oldest| oldest <= *after);
            if !waits {
                core.send(*link, Packet::Sync);
            }
            waits
        });
    }

    pub(in crate::zab) fn session_revalidated(&self, core: &mut Core, link: LinkId, session: i64, valid: bool) {
        if self.remotes.get(&link).is_some_and(|remote| remote.stage == Stage::Active) {
            core.send(link, Packet::Revalidated { session, valid });
        }
    }
}
