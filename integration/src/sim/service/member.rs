//! One member: its replica and what a server's shell keeps around it, on a disk that outlives it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use menagerie_core::auth::AuthConfig;
use menagerie_core::jute::Decode;
use menagerie_core::replica::{self, Config, ConnId, Replica, Shared, Time};
use menagerie_core::tree::DataTree;
use menagerie_core::wire::ensemble::Ensemble;
use menagerie_core::wire::txn::{Txn as Change, TxnRecord};
use menagerie_core::wire::{ErrorCode, Zxid};
use menagerie_core::zab::{self, LinkId, Role, Ticket, Write};

use super::connection::{Connection, Told};
use super::options::{Options, Sabotage};
use super::world::Event;
use crate::sim::disk::{Disk, Txn};
use crate::sim::member::{TICK_MS, quick};

/// How many transactions a member keeps in memory for others: few, so that snapshots are needed often.
const WINDOW: usize = 12;

/// One member of the simulated ensemble.
pub struct Member {
    /// Its number.
    pub id: i64,
    zab: zab::Config,
    /// What survives a crash, and what waits to.
    pub disk: Disk,
    /// `None` while it is down.
    pub running: Option<Running>,
    /// Counts its starts: what was meant for an earlier life is dropped.
    pub life: u64,
    /// Whether a sync has begun.
    pub syncing: bool,
    /// How long a sync of its disk takes at most, in milliseconds.
    pub sync_ms: u64,
    /// The earliest tick that is in the queue of events.
    pub wakes_at_ms: Option<u64>,
    /// Where its monotonic clock began.
    started_ms: u64,
    /// How far its wall clock is off, in milliseconds.
    pub wall_off_ms: i64,
    /// Until when it stands still, and what has come meanwhile.
    pub paused: Option<VecDeque<Event>>,
}

/// What is gone with a crash.
pub struct Running {
    /// The machine.
    pub replica: Replica,
    /// What connections read.
    pub shared: Arc<Shared>,
    /// What it tells connections.
    pub told: Told,
    /// Its whole log, whether it is on disk or not.
    pub log: Vec<Txn>,
    /// How many of them were compared with the one order.
    pub verified: usize,
    /// Snapshots that have arrived.
    pub arrived: BTreeMap<LinkId, Vec<Txn>>,
    /// The states to make, by the ticket as of which.
    pub states: BTreeMap<Ticket, Vec<Txn>>,
    /// Its connections.
    pub connections: BTreeMap<ConnId, Connection>,
    /// Sessions heard of since it was told, with the times.
    pub touched: BTreeMap<i64, u64>,
    /// What it does.
    pub role: Role,
}

impl Member {
    /// A member that has never run.
    pub fn new(id: i64, ensemble: Ensemble, options: &Options) -> Self {
        let zab = zab::Config {
            window_entries: WINDOW,
            reads_history: options.reads_history,
            force_snapshot_sync: options.forces_snapshots,
            read_members: Some(replica::members_in),
            ..quick(id, ensemble)
        };
        Member {
            id,
            zab,
            disk: Disk::new(None),
            running: None,
            life: 0,
            syncing: false,
            sync_ms: 5,
            wakes_at_ms: None,
            started_ms: 0,
            wall_off_ms: 0,
            paused: None,
        }
    }

    /// Its clocks.
    pub fn time(&self, now_ms: u64) -> Time {
        let wall_ms = 1_700_000_000_000_i64.saturating_add_unsigned(now_ms).saturating_add(self.wall_off_ms);
        Time { monotonic_ms: now_ms - self.started_ms, wall_ms }
    }

    /// When a moment of its monotonic clock is.
    pub fn when(&self, monotonic_ms: u64) -> u64 {
        monotonic_ms.saturating_add(self.started_ms)
    }

    /// Starts it from its disk.
    pub fn start(&mut self, now_ms: u64, sabotage: Option<Sabotage>) -> Result<(), String> {
        if sabotage == Some(Sabotage::ZxidReused) {
            self.forget_last_reign()?;
        }
        let (log, recovered) = self.disk.recover(WINDOW)?;
        self.life += 1;
        (self.syncing, self.wakes_at_ms, self.started_ms) = (false, None, now_ms);
        let told = Told::default();
        self.zab.next_ensemble = members_in(&log);
        let (tree, sessions) = made_of(&log, sabotage);
        let shared = Arc::new(Shared::new(tree, sessions, Box::new(told.clone())));
        let config = config(u8::try_from(self.id).unwrap_or(u8::MAX));
        let now = self.time(now_ms);
        let replica = Replica::member(config, self.zab.clone(), recovered, Arc::clone(&shared), now);
        self.running = Some(Running {
            replica: replica.map_err(|error| error.to_string())?,
            shared,
            told,
            log,
            verified: 0,
            arrived: BTreeMap::new(),
            states: BTreeMap::new(),
            connections: BTreeMap::new(),
            touched: BTreeMap::new(),
            role: Role::Looking,
        });
        Ok(())
    }

    fn forget_last_reign(&mut self) -> Result<(), String> {
        let (log, _) = self.disk.recover(WINDOW)?;
        let epoch = last_of(&log).epoch();
        let to = last_of(&log[..log.partition_point(|(zxid, _)| zxid.epoch() < epoch)]);
        let writes = [Write::Truncate { to }, Write::CurrentEpoch(to.epoch()), Write::AcceptedEpoch(to.epoch())];
        for write in writes {
            self.disk.write(Ticket::MAX, Some(write), Vec::new());
        }
        self.disk.sync(Ticket::MAX);
        Ok(())
    }

    /// Stops it at once; `kept` writes that were not durable are on disk by chance.
    pub fn crash(&mut self, kept: usize) {
        (self.running, self.paused) = (None, None);
        self.disk.crash(kept);
    }

    /// Writes the members in force to its configuration, at once.
    pub fn set_members(&mut self, members: Ensemble) {
        self.zab.ensemble = members;
    }

    /// Carries out a change of the disk: the log changes at once, the disk later.
    pub fn persist(&mut self, ticket: Ticket, write: Write) {
        let Some(running) = &mut self.running else { return };
        let mut installed = Vec::new();
        match &write {
            Write::Append { zxid, payload } => running.log.push((*zxid, payload.clone())),
            Write::Truncate { to } => running.log.retain(|(zxid, _)| zxid <= to),
            Write::InstallSnapshot { link, .. } => {
                installed = running.arrived.remove(link).unwrap_or_default();
                running.log.clone_from(&installed);
            }
            Write::AcceptedEpoch(_) | Write::CurrentEpoch(_) => {}
        }
        self.disk.write(ticket, Some(write), installed);
    }
}

impl Running {
    /// The transactions that its tree has.
    pub fn applied(&self) -> &[Txn] {
        let last = self.shared.tree().last_zxid();
        &self.log[..self.log.partition_point(|(zxid, _)| *zxid <= last)]
    }
}

/// The state that transactions lead to, or, for a planted bug, another.
pub fn made_of(log: &[Txn], sabotage: Option<Sabotage>) -> (DataTree, BTreeMap<i64, i32>) {
    let (mut tree, mut sessions) = (DataTree::new(), BTreeMap::new());
    for (_, payload) in log {
        let Ok(mut record) = TxnRecord::from_bytes(payload) else { continue };
        let session = record.header.client_id;
        match &record.txn {
            Change::CreateSession { timeout_ms } => {
                sessions.insert(session, *timeout_ms);
            }
            Change::CloseSession { .. } if sabotage != Some(Sabotage::SessionRevived) => {
                sessions.remove(&session);
            }
            _ => {}
        }
        if matches!(record.txn, Change::CloseSession { .. }) && sabotage == Some(Sabotage::EphemeralsKept) {
            record.txn = Change::Error { err: ErrorCode::Ok.code() };
        }
        tree.apply(&record.header, &record.txn, &mut Vec::new());
    }
    (tree, sessions)
}

/// The members that a log shows: those of its last change.
pub fn members_in(log: &[Txn]) -> Option<Ensemble> {
    log.iter().rev().find_map(brought_in_by)
}

/// The members that a transaction brings in.
pub fn brought_in_by((zxid, payload): &Txn) -> Option<Ensemble> {
    Some(Ensemble { version: zxid.0, ..replica::members_in(payload)? })
}

/// The last transaction.
pub fn last_of(log: &[Txn]) -> Zxid {
    log.last().map_or(Zxid::ZERO, |(zxid, _)| *zxid)
}

fn config(server_id: u8) -> Config {
    Config {
        tick_ms: TICK_MS,
        min_session_timeout_ms: 200,
        max_session_timeout_ms: 10_000,
        extended_types_enabled: false,
        enforce_quota: false,
        reconfig_enabled: true,
        auth: AuthConfig { skip_acl: true, ..AuthConfig::default() },
        ..Config::new(server_id)
    }
}
