//! The caller of one `Peer`: carries out its outputs as a server's shell would, and, for a planted bug, as it must not.

use std::collections::BTreeMap;

use bytes::Bytes;
use menagerie_core::wire::Zxid;
use menagerie_core::wire::ensemble::Ensemble;
use menagerie_core::zab::{Config, LinkId, Peer, Role, Ticket, Write};

use super::disk::{Disk, Txn};
use super::members;
use super::options::Options;

/// How many transactions a member keeps in memory for others: few, so that snapshots are needed often.
const WINDOW: usize = 8;
/// The tick, in milliseconds.
pub const TICK_MS: u64 = 100;

/// One member of the simulated ensemble.
#[derive(Debug)]
pub struct Member {
    id: i64,
    config: Config,
    disk: Disk,
    /// `None` while it is down.
    peer: Option<Peer>,
    /// Counts its starts: what was meant for an earlier life is dropped.
    life: u64,
    state: Vec<Txn>,
    verified: usize,
    role: Role,
    /// Snapshots that have arrived.
    arrived: BTreeMap<LinkId, Vec<Txn>>,
    /// Until when a sync that has begun takes; `None` while none has.
    pub(super) syncing: bool,
    /// How long a sync of its disk takes at most, in milliseconds.
    pub(super) sync_ms: u64,
    /// The earliest tick that is in the queue of events.
    pub(super) wakes_at_ms: Option<u64>,
}

/// The limits of simulated members: short, and met by observers.
pub fn quick(id: i64, ensemble: Ensemble) -> Config {
    Config {
        tick_ms: TICK_MS,
        init_limit: 10,
        sync_limit: 5,
        finalize_ms: 20,
        max_notification_ms: 1000,
        snapshot_syncs_at_most: 1,
        diff_syncs_at_most: 1,
        ..Config::new(id, ensemble)
    }
}

impl Member {
    /// A member that has never run.
    pub fn new(id: i64, ensemble: Ensemble, options: &Options) -> Self {
        let config = Config {
            window_entries: WINDOW,
            reads_history: options.reads_history,
            force_snapshot_sync: options.forces_snapshots,
            read_members: Some(members::read),
            ..quick(id, ensemble)
        };
        Member {
            id,
            config,
            disk: Disk::new(options.sabotage),
            peer: None,
            life: 0,
            state: Vec::new(),
            verified: 0,
            role: Role::Looking,
            arrived: BTreeMap::new(),
            syncing: false,
            sync_ms: 5,
            wakes_at_ms: None,
        }
    }

    /// Starts it from its disk.
    pub fn start(&mut self, now_ms: u64) -> Result<(), String> {
        let (state, recovered) = self.disk.recover(WINDOW)?;
        self.life += 1;
        (self.state, self.verified, self.role) = (state, 0, Role::Looking);
        (self.syncing, self.wakes_at_ms) = (false, None);
        self.arrived.clear();
        self.config.next_ensemble = members::shown_by(&self.state);
        self.peer = Some(Peer::new(self.config.clone(), recovered, now_ms).map_err(|error| error.to_string())?);
        Ok(())
    }

    /// Stops it at once; `kept` writes that were not durable are on disk by chance.
    pub fn crash(&mut self, kept: usize) {
        self.peer = None;
        self.role = Role::Looking;
        self.disk.crash(kept);
    }

    /// Carries out a change of the disk. The state changes at once, the disk later; one that is `dropped` only says so.
    pub fn persist(&mut self, ticket: Ticket, write: Write, dropped: bool) {
        let mut installed = Vec::new();
        match &write {
            Write::Truncate { to } if !dropped => {
                self.state.retain(|(zxid, _)| zxid <= to);
                self.verified = self.verified.min(self.state.len());
            }
            Write::InstallSnapshot { link, .. } => {
                installed = self.arrived.remove(link).unwrap_or_default();
                (self.state, self.verified) = (installed.clone(), 0);
            }
            _ => {}
        }
        self.disk.write(ticket, (!dropped).then_some(write), installed);
    }

    /// Applies a committed transaction.
    pub fn apply(&mut self, zxid: Zxid, payload: Bytes) {
        self.state.push((zxid, payload));
    }

    /// The snapshot of `link` has come.
    pub fn snapshot_arrived(&mut self, link: LinkId, state: Vec<Txn>) {
        self.arrived.insert(link, state);
    }

    /// The machine; `None` while the member is down.
    pub fn peer(&mut self) -> Option<&mut Peer> {
        self.peer.as_mut()
    }

    /// Whether it runs.
    pub fn is_up(&self) -> bool {
        self.peer.is_some()
    }

    /// Its number.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Which of its lives this is.
    pub fn life(&self) -> u64 {
        self.life
    }

    /// All transactions that it has applied.
    pub fn state(&self) -> &[Txn] {
        &self.state
    }

    /// How many of them were compared with the one order.
    pub fn verified(&self) -> usize {
        self.verified
    }

    /// All of them were compared.
    pub fn set_verified(&mut self) {
        self.verified = self.state.len();
    }

    /// Writes the members in force to its configuration, at once.
    pub fn set_members(&mut self, members: Ensemble) {
        self.config.ensemble = members;
    }

    /// Its disk.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Its disk, to write.
    pub fn disk_mut(&mut self) -> &mut Disk {
        &mut self.disk
    }

    /// What it does, as far as it may serve.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Its role has changed.
    pub fn set_role(&mut self, role: Role) {
        self.role = role;
    }
}
