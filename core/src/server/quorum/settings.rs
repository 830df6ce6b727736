//! What the sockets need to know, and how it follows from a server's configuration (protocol §4.2). It opens nothing.

use std::time::Duration;

use crate::server::ServerConfig;
use crate::wire::ensemble::Ensemble;
use crate::zab::{self, Quorums, ServerId};

/// Half of what may wait for a learner: a learner that is a little behind is sent all of the window at once.
const WINDOW_BYTES: usize = 64 << 20;
/// The least that a packet may have, whatever `jute.maxbuffer` says: a PING tells of every session that was heard of.
const LEAST_PACKET_LIMIT: usize = 16 << 20;

/// The settings of one member's sockets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This member's number, `myid`.
    pub server_id: ServerId,
    /// All members, this one among them.
    pub ensemble: Ensemble,
    /// `quorumListenOnAllIPs`: listen on all addresses of the machine rather than on those of `server.N`.
    pub listen_on_all: bool,
    /// `multiAddress.enabled`: tell peers all own addresses, in the form of greeting that 3.6 introduced.
    pub multi_address: bool,
    /// `electionPortBindRetry`: attempts to take a port; 0: for ever.
    pub bind_attempts: u32,
    /// `cnxTimeout`: how long a dial of an election port may take.
    pub connect_timeout: Duration,
    /// `syncLimit` as time: how long who dials the election port may take to say who it is.
    pub greeting_timeout: Duration,
    /// `initLimit` as time: how long the first packet of a link may take.
    pub init_timeout: Duration,
    /// `connectToLearnerMasterLimit` as time: how long a dial of the leader may take.
    pub leader_timeout: Duration,
    /// The longest packet of the quorum port, in bytes.
    pub max_packet_bytes: usize,
    /// Bytes of packets that may wait for one learner, also while a snapshot is sent to it. A learner with more is
    /// disconnected. Must be more than [`zab::Config::window_bytes`].
    pub queue_bytes: usize,
}

/// What a configuration says about a member of an ensemble.
#[derive(Clone, Debug)]
pub struct MemberSettings {
    /// For [`zab::Peer::new`].
    pub zab: zab::Config,
    /// Which sets of members decide.
    pub quorums: Quorums,
    /// For [`super::Quorum::start`].
    pub sockets: Settings,
}

impl MemberSettings {
    /// From the configuration of a member; `None` for a standalone server.
    pub fn from_config(config: &ServerConfig) -> Option<Self> {
        let (server_id, ensemble) = (config.server_id?, config.ensemble.as_ref().filter(|_| config.is_distributed())?);
        let (init, sync) = (config.init_limit_ticks?, config.sync_limit_ticks?);
        let ticks = |ticks: u32| Duration::from_millis(u64::from(ticks) * u64::from(config.tick_time_ms));
        let quorum = &config.quorum;
        let zab = zab::Config {
            tick_ms: config.tick_time_ms.into(),
            init_limit: init.into(),
            sync_limit: sync.into(),
            finalize_ms: quorum.min_notification_ms.into(),
            max_notification_ms: quorum.max_notification_ms.into(),
            window_entries: quorum.commit_log_count as usize,
            window_bytes: WINDOW_BYTES,
            reads_history: quorum.snapshot_size_factor > 0.0,
            force_snapshot_sync: quorum.force_snapshot_sync,
            snapshot_syncs_at_most: quorum.snapshot_syncs_at_most as usize,
            diff_syncs_at_most: quorum.diff_syncs_at_most as usize,
            ..zab::Config::new(server_id, ensemble.clone())
        };
        let sockets = Settings {
            server_id,
            ensemble: ensemble.clone(),
            listen_on_all: quorum.listen_on_all_ips,
            multi_address: quorum.multi_address,
            bind_attempts: quorum.bind_attempts,
            connect_timeout: Duration::from_millis(quorum.connect_timeout_ms.into()),
            greeting_timeout: ticks(sync),
            init_timeout: ticks(init),
            leader_timeout: ticks(quorum.leader_connect_limit_ticks.unwrap_or(init)),
            max_packet_bytes: config.jute_maxbuffer.saturating_mul(2).max(LEAST_PACKET_LIMIT),
            queue_bytes: 2 * WINDOW_BYTES,
        };
        Some(MemberSettings { zab, quorums: Quorums::one(zab::Quorum::of(ensemble)), sockets })
    }
}
