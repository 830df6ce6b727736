//! A member that was elected: agree on an epoch, bring a quorum to its history, then order transactions (protocol §5.4–§5.8).
//!
//! ```text
//!  Discovery ─▶ Promising ─▶ Promised ─▶ TakingOver ─▶ Beginning ─▶ Reigning
//!  a quorum's   own promise  a quorum's  own epoch     a quorum's    proposals
//!  epochs       on disk      promises    on disk       NEWLEADER acks
//! ```

mod broadcast;
mod discovery;
mod history;
mod liveness;
mod reconfiguration;
mod standing;
mod synchronization;

use std::collections::{BTreeMap, BTreeSet};

pub use standing::Standing;

use super::broadcast::Broadcast;
use super::core::Core;
use super::{LinkId, Output, Quit, ServerId, Ticket};
use crate::wire::Zxid;
use crate::wire::quorum::Packet;

/// How far a learner has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It has not said who it is.
    Unknown,
    /// It has said who it is; no epoch is proposed yet.
    Registered,
    /// The epoch is proposed to it.
    Asked,
    /// It has promised the epoch; its log ends at `last`.
    Promised { last: Zxid },
    /// What it lacks is read from disk. Its log ends at `at`, once it has what it was sent; `begun`: it was sent something.
    Reading { at: Zxid, begun: bool },
    /// It was sent the history, by a snapshot or without one.
    Syncing { by_snapshot: bool },
    /// It has the history on disk.
    Synced,
    /// It serves.
    Active,
}

/// A learner at the other end of a link.
#[derive(Debug)]
struct Remote {
    id: ServerId,
    observer: bool,
    /// The version of the members that it has in force.
    members_version: i64,
    stage: Stage,
    silent_at_ms: u64,
    /// The last proposal it was sent and the last it acknowledged.
    sent: Zxid,
    acked: Zxid,
    /// Since when it owes an acknowledgement.
    owes_since_ms: Option<u64>,
}

impl Remote {
    /// Whether it is told of everything new.
    fn is_in_broadcast(&self) -> bool {
        matches!(self.stage, Stage::Syncing { .. } | Stage::Synced | Stage::Active)
    }

    /// Whether it is on its way to this reign's history, by a snapshot or without one.
    fn is_brought_up_to_date(&self, by_snapshot: bool) -> bool {
        match self.stage {
            Stage::Syncing { by_snapshot: has } => has == by_snapshot,
            Stage::Reading { .. } => !by_snapshot,
            _ => false,
        }
    }
}

/// How far the leader itself has come.
#[derive(Debug)]
enum Phase {
    Discovery {
        accepted: BTreeMap<ServerId, u32>,
        highest: u32,
    },
    Promising {
        ticket: Ticket,
    },
    /// And where the log of each ends.
    Promised {
        by: BTreeMap<ServerId, Zxid>,
    },
    TakingOver {
        ticket: Ticket,
    },
    Beginning,
    Reigning,
}

/// Why a learner is sent away. Only its link suffers.
type Refusal = &'static str;

#[derive(Debug)]
pub(super) struct Leader {
    phase: Phase,
    standalone: bool,
    epoch: u32,
    remotes: BTreeMap<LinkId, Remote>,
    /// Who has taken over this reign's history: only their acknowledgements count.
    joined: BTreeSet<ServerId>,
    /// Who looks for a leader again and has not come back.
    deserters: BTreeSet<ServerId>,
    /// For whom the history on disk does not suffice: they need a snapshot.
    beyond_history: BTreeSet<ServerId>,
    broadcast: Broadcast,
    /// Syncs to answer once everything up to the zxid is committed, oldest first.
    syncs: Vec<(Zxid, LinkId)>,
    /// Who leads from now on, when that is another.
    handover: Option<ServerId>,
    step_ends_ms: u64,
    ping_at_ms: u64,
    check_at_ms: u64,
}

impl Leader {
    pub(super) fn new(core: &mut Core, now_ms: u64) -> Self {
        let accepted = core.epochs.accepted();
        let known = BTreeMap::from([(core.config.server_id, accepted)]);
        let mut leader = Self::in_phase(core, now_ms, Phase::Discovery { accepted: known, highest: accepted });
        leader.choose_epoch(core);
        leader
    }

    fn in_phase(core: &Core, now_ms: u64, phase: Phase) -> Self {
        Leader {
            phase,
            standalone: false,
            epoch: 0,
            remotes: BTreeMap::new(),
            joined: BTreeSet::new(),
            deserters: BTreeSet::new(),
            beyond_history: BTreeSet::new(),
            broadcast: Broadcast::new(core.log.last()),
            syncs: Vec::new(),
            handover: None,
            step_ends_ms: now_ms + core.config.init_ms(),
            ping_at_ms: now_ms + core.config.tick_ms / 2,
            check_at_ms: now_ms + core.config.tick_ms,
        }
    }

    /// A leader of nobody but itself, as a standalone server is: nobody has to be asked for an epoch, and the order goes on
    /// after the last transaction.
    pub(super) fn standalone(core: &Core, now_ms: u64) -> Self {
        let mut leader = Self::in_phase(core, now_ms, Phase::Reigning);
        leader.standalone = true;
        leader.epoch = core.log.last().epoch();
        leader.joined.insert(core.config.server_id);
        leader
    }

    pub(super) fn is_standalone(&self) -> bool {
        self.standalone
    }

    pub(super) fn is_reigning(&self) -> bool {
        matches!(self.phase, Phase::Reigning)
    }

    pub(super) fn links(&self) -> impl Iterator<Item = LinkId> {
        self.remotes.keys().copied()
    }

    pub(super) fn accepted(&mut self, core: &Core, now_ms: u64, link: LinkId) {
        let remote = Remote {
            id: 0,
            observer: true,
            members_version: 0,
            stage: Stage::Unknown,
            silent_at_ms: now_ms + core.config.init_ms(),
            sent: Zxid::ZERO,
            acked: Zxid::ZERO,
            owes_since_ms: None,
        };
        self.remotes.insert(link, remote);
    }

    pub(super) fn link_closed(&mut self, link: LinkId) {
        self.remotes.remove(&link);
        self.syncs.retain(|(_, waiting)| *waiting != link);
    }

    pub(super) fn packet(&mut self, core: &mut Core, now_ms: u64, link: LinkId, packet: Packet) -> Result<(), Quit> {
        let Some(remote) = self.remotes.get(&link) else { return Ok(()) };
        let stage = remote.stage;
        let answered = match (stage, packet) {
            (Stage::Unknown, Packet::FollowerInfo { zxid, info }) => self.register(core, link, zxid, &info, false)?,
            (Stage::Unknown, Packet::ObserverInfo { zxid, info }) => self.register(core, link, zxid, &info, true)?,
            (Stage::Asked, Packet::AckEpoch { zxid, current_epoch }) => {
                self.learner_promised(core, now_ms, link, zxid, current_epoch)
            }
            (Stage::Syncing { .. }, Packet::Ack { zxid }) => self.learner_synced(core, now_ms, link, zxid),
            (Stage::Synced | Stage::Active, packet) => self.serve(core, now_ms, link, packet),
            _ => Err("a packet that does not belong here"),
        };
        match answered {
            Ok(()) => self.heard(core, now_ms, link),
            Err(why) => self.refuse(core, link, why),
        }
        Ok(())
    }

    /// The learner lives.
    pub(super) fn heard(&mut self, core: &Core, now_ms: u64, link: LinkId) {
        if let Some(remote) = self.remotes.get_mut(&link) {
            // Before it is active the reference's learners answer no PING.
            let active = remote.stage == Stage::Active;
            remote.silent_at_ms = now_ms + if active { core.config.sync_ms() } else { core.config.init_ms() };
        }
    }

    /// The disk has come further.
    pub(super) fn persisted(&mut self, core: &mut Core, now_ms: u64) {
        match self.phase {
            Phase::Promising { ticket } if core.is_persisted(ticket) => self.promised(core, now_ms),
            Phase::TakingOver { ticket } if core.is_persisted(ticket) => self.begin(core, now_ms),
            Phase::Reigning => {
                if let Some(zxid) = self.broadcast.persisted(|ticket| core.is_persisted(ticket)) {
                    self.count(core, core.config.server_id, zxid, now_ms);
                }
            }
            _ => {}
        }
    }

    fn refuse(&mut self, core: &mut Core, link: LinkId, why: Refusal) {
        if let Some(remote) = self.remotes.remove(&link) {
            tracing::warn!(learner = remote.id, link, why, "a learner is sent away");
            self.syncs.retain(|(_, waiting)| *waiting != link);
            core.emit(Output::Disconnect { link });
        }
    }

    /// The links of the learners that are `wanted`.
    fn links_in(&self, wanted: impl Fn(&Remote) -> bool) -> Vec<LinkId> {
        self.remotes.iter().filter(|(_, remote)| wanted(remote)).map(|(link, _)| *link).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::zab::committed_log::RecentLog;
    use crate::zab::epoch::Epochs;
    use crate::zab::members::Members;
    use crate::zab::{Config, Peer, ProposeError, Recovered};

    fn alone() -> Config {
        Config::new(1, "server.1=a:1:2".parse().unwrap())
    }

    #[test]
    fn a_counter_that_is_used_up_ends_the_reign_before_the_last_zxid() {
        let config = alone();
        let members = Members::new(1, config.ensemble.clone());
        let log = RecentLog::new(Zxid::new(1, u32::MAX - 1), Vec::new(), 9, 99);
        let mut core = Core::new(config, members, Epochs::new(1, 1).unwrap(), log);
        let mut leader = Leader::in_phase(&core, 0, Phase::Reigning);
        leader.epoch = 1;
        assert!(leader.counter_is_used_up());
        leader.standalone = true;
        assert!(!leader.counter_is_used_up());
        for counter in [u32::MAX, 0, 1] {
            assert_eq!(leader.propose(&mut core, 0, &bytes::Bytes::new()).unwrap().counter(), counter);
        }
    }

    #[test]
    fn only_a_leader_proposes() {
        let log = RecentLog::new(Zxid::ZERO, Vec::new(), 9, 99);
        let mut peer = Peer::new(alone(), Recovered { epochs: Epochs::default(), log }, 0).unwrap();
        let refused = peer.propose(0, &bytes::Bytes::new()).unwrap_err();
        assert_eq!(refused, ProposeError::NotLeading);
        assert!(refused.is_not_leading());
    }
}
