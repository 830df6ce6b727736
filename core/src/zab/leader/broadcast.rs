//! The leader's side of broadcast (protocol §5.6–§5.9): propose to all, count what is on disk, commit in order, and serve what
//! learners ask for.

use bytes::Bytes;

use super::{Leader, Phase, Refusal, Stage};
use crate::wire::Zxid;
use crate::wire::quorum::Packet;
use crate::zab::committed_log::Entry;
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
        self.broadcast.propose(zxid, ticket, core.members.quorums().clone());
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
        while self.handover.is_none()
            && let Some(zxid) = self.broadcast.take_committed()
        {
            any = true;
            self.committed(core, zxid);
            // At once: what a client wrote after its sync must not be committed, and so answered, before the sync is.
            self.answer_syncs(core);
        }
        if any {
            self.resume_waiting(core, now_ms);
        }
    }

    fn committed(&mut self, core: &mut Core, zxid: Zxid) {
        let designated = core.members.are_changing_at(zxid).then(|| self.designate(core, zxid));
        // Nothing of this reign is delivered before it is committed, so this is the one proposal.
        for Entry { zxid, payload } in core.commit(zxid) {
            for (link, remote) in self.remotes.iter().filter(|(_, remote)| remote.is_in_broadcast()) {
                core.send(*link, commitment(remote.observer, zxid, &payload, designated));
            }
        }
        if let Some(designated) = designated {
            self.broadcast.decide_by(core.members.quorums());
            self.handover = (designated != core.config.server_id).then_some(designated);
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

/// What a learner is told of a committed transaction.
fn commitment(observer: bool, zxid: Zxid, payload: &Bytes, designated: Option<ServerId>) -> Packet {
    match (observer, designated) {
        (false, None) => Packet::Commit { zxid },
        (false, Some(designated)) => Packet::CommitAndActivate { zxid, designated },
        (true, None) => Packet::Inform { zxid, payload: payload.clone() },
        (true, Some(designated)) => Packet::InformAndActivate { zxid, designated, payload: payload.clone() },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::zab::Config;
    use crate::zab::committed_log::RecentLog;
    use crate::zab::epoch::Epochs;
    use crate::zab::members::Members;

    const LINK: LinkId = 5;

    /// A reign of two members, of which the other one serves.
    fn reign() -> (Core, Leader) {
        let config = Config::new(1, "server.1=a:1:2\nserver.2=b:1:2".parse().unwrap());
        let members = Members::new(1, config.ensemble.clone());
        let log = RecentLog::new(Zxid::new(1, 0), Vec::new(), 9, 99);
        let core = Core::new(config, members, Epochs::new(1, 1).unwrap(), log);
        let mut leader = Leader::in_phase(&core, 0, Phase::Reigning);
        leader.epoch = 1;
        leader.joined.extend([1, 2]);
        leader.accepted(&core, 0, LINK);
        let remote = leader.remotes.get_mut(&LINK).unwrap();
        (remote.id, remote.observer, remote.stage) = (2, false, Stage::Active);
        (core, leader)
    }

    #[test]
    fn a_sync_between_two_writes_is_answered_between_their_commits() {
        let (mut core, mut leader) = reign();
        let first = leader.propose(&mut core, 0, &Bytes::from_static(b"first")).unwrap();
        leader.answer_sync(&mut core, LINK);
        let second = leader.propose(&mut core, 0, &Bytes::from_static(b"second")).unwrap();
        core.outputs.clear();
        leader.count(&mut core, 1, second, 0);
        leader.count(&mut core, 2, second, 0);
        let sent: Vec<Packet> = std::mem::take(&mut core.outputs)
            .into_iter()
            .filter_map(|output| if let Output::Send { packet, .. } = output { Some(packet) } else { None })
            .collect();
        assert_eq!(sent, [Packet::Commit { zxid: first }, Packet::Sync, Packet::Commit { zxid: second }]);
    }
}
