//! One ensemble member as a pure machine: sessions, validation, the order of writes, their effect, replies and events.
//!
//! ```text
//!             Input                                            Output
//!   Connect, Request, Persisted ──▶ prepare ─▶ zab ─▶ commit ──▶ Persist, Connected, Close
//!   Zab: what other members say ───────────────▶ └──────────────▶ Zab: what they are to be told
//!                                      │                 │
//!                                      ▼                 ▼
//!                              outstanding changes   Shared (tree, watches) ◀── read (connections' own tasks)
//!                                                        │
//!                                                        ▼
//!                                                    EventSink: replies and events, in one order
//! ```
//!
//! The caller feeds [`Replica::handle`] and then takes everything from [`Replica::poll_output`]. Time is given with each
//! input; there is no clock, socket, file or global randomness inside, so that a simulation with a seed replays exactly.
//! A standalone server is an ensemble of one through the same code. It never knows tokio, nor where bytes are stored.

mod advance;
mod commit;
mod connect;
mod contract;
mod leader;
mod learner;
mod outstanding;
mod prepare;
mod prepare_multi;
mod prepare_ops;
mod quota;
pub mod read;
mod read_only;
mod reaper;
mod reconfig;
mod request;
mod role;
mod shared;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

pub use advance::Fatal;
pub use contract::{Input, Output};
pub use reconfig::members_in;
pub use request::{Request, Route, route};
pub use shared::{EventSink, Shared, Tallies};

use crate::auth::AuthConfig;
use crate::session::{SessionIds, SessionTracker};
use crate::wire::txn::TxnRecord;
use crate::wire::{ErrorCode, OpCode, Zxid};
use crate::zab::{self, EpochError, LinkId, Peer, Recovered, Role, ServerId, Ticket};
use leader::Verdict;
use learner::{Forwarded, ForwardedSync, Revalidation, TouchTimer};
use outstanding::Outstanding;
use quota::QuotaLog;
use read_only::ReadOnly;
use reaper::Reaper;

/// A client connection of this member.
pub type ConnId = u64;

/// The moment of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// Milliseconds of a clock that never goes back; expiry is measured on it.
    pub monotonic_ms: u64,
    /// Milliseconds since the Unix epoch; transactions are stamped with it.
    pub wall_ms: i64,
}

/// What a member needs to know of its configuration.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the configuration, independent of the others")]
pub struct Config {
    /// This member's number; 1 standalone.
    pub server_id: u8,
    /// The tick, in milliseconds: the width of the sessions' expiry buckets.
    pub tick_ms: u64,
    /// The shortest session timeout, in milliseconds.
    pub min_session_timeout_ms: i32,
    /// The longest session timeout, in milliseconds.
    pub max_session_timeout_ms: i32,
    /// Whether transactions carry the tree's digest.
    pub digest_enabled: bool,
    /// Whether the end of a session names the znodes that go with it (`closeSessionTxn.enabled`). Servers before 3.6 read no such
    /// names.
    pub close_session_txn_enabled: bool,
    /// Whether TTL znodes can be created.
    pub extended_types_enabled: bool,
    /// Whether a write that exceeds the hard limit of a quota is refused (`enforceQuota`); otherwise it is only logged.
    pub enforce_quota: bool,
    /// Whether members may be changed. Standalone there are none to change: it decides which error a request gets.
    pub reconfig_enabled: bool,
    /// Whether a server may stand alone (`standaloneEnabled`): then an ensemble cannot be reduced to one voter.
    pub standalone_enabled: bool,
    /// Whether clients are served by a member that leads others (`leaderServes`). What learners forward is carried out all the same.
    pub leader_serves: bool,
    /// Whether clients that only read are served while there is no leader (`readonlymode.enabled`).
    pub read_only_mode_enabled: bool,
    /// The largest transaction in bytes: what a log can be read back with (protocol §1, `jute.maxbuffer` + extrasize).
    pub max_txn_bytes: usize,
    /// How often containers and TTL znodes are looked for, in milliseconds.
    pub container_check_interval_ms: u64,
    /// How many of them are deleted in a minute at most; at least 1.
    pub container_max_per_minute: u64,
    /// How long a container may stay that never had a child, in milliseconds; 0 for ever.
    pub container_max_never_used_ms: i64,
    /// How credentials and ACLs are judged.
    pub auth: AuthConfig,
}

impl Config {
    /// The defaults of the reference, with a tick of 2 s (protocol §4.2).
    pub fn new(server_id: u8) -> Self {
        Config {
            server_id,
            tick_ms: 2_000,
            min_session_timeout_ms: 4_000,
            max_session_timeout_ms: 40_000,
            digest_enabled: true,
            close_session_txn_enabled: true,
            extended_types_enabled: false,
            enforce_quota: false,
            reconfig_enabled: false,
            standalone_enabled: true,
            leader_serves: true,
            read_only_mode_enabled: false,
            max_txn_bytes: 2 * crate::jute::DEFAULT_MAX_BUFFER,
            container_check_interval_ms: 60_000,
            container_max_per_minute: 10_000,
            container_max_never_used_ms: 0,
            auth: AuthConfig::default(),
        }
    }
}

/// Whom to answer when a transaction is applied.
#[derive(Debug)]
enum Origin {
    /// The server itself.
    Internal,
    /// A request.
    Request { conn: ConnId, xid: i32, op: OpCode },
    /// A connect request that opens a session.
    Connect { conn: ConnId, timeout_ms: i32, read_only: Option<bool> },
}

/// Where a session's client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// At a connection of this member, which was promised this timeout. `told_ms` is when it was last heard of, as far as the
    /// leader was told.
    Local { conn: ConnId, timeout_ms: i32, told_ms: u64 },
    /// At a learner of this leader. It stays so when the link ends: see [`Owner::Nowhere`].
    Learner(LinkId),
    /// Its connection to this leader is lost. What learners still send of its earlier connections comes too late, until it is
    /// resumed at one of them.
    Nowhere,
}

#[derive(Debug)]
struct Proposal {
    record: TxnRecord,
    origin: Origin,
}

/// A reply that needs no transaction: it waits until everything proposed before it is answered.
#[derive(Debug)]
struct Barrier {
    after: Zxid,
    conn: ConnId,
    xid: i32,
    /// A sync's path, or why the request is refused.
    answer: Result<Option<String>, ErrorCode>,
}

/// One ensemble member. See the module's picture.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is about something else, and any of them may be so")]
pub struct Replica {
    config: Config,
    shared: std::sync::Arc<Shared>,
    sessions: SessionTracker,
    session_ids: SessionIds,
    owners: BTreeMap<i64, Owner>,
    connections: BTreeMap<ConnId, i64>,
    peer: Peer,
    role: Role,
    /// The time of the last input.
    now: Time,
    /// What this member has proposed, in order, until it is committed.
    proposals: VecDeque<Proposal>,
    /// The last transaction of the tree.
    applied: Zxid,
    /// Whether the tree is that of one moment: a leader's snapshot is not.
    is_exact: bool,
    /// Whether a write was not proposed: nothing may be answered that was asked behind it. The reign is about to end.
    proposes_no_more: bool,
    /// Whether [`Output::Fatal`] was said.
    failed: bool,
    pending: Outstanding,
    quota_log: QuotaLog,
    barriers: VecDeque<Barrier>,
    /// Leader: answers to learners about sessions.
    verdicts: VecDeque<Verdict>,
    /// Learner: whom the transactions of forwarded requests answer, by session.
    forwarded: BTreeMap<i64, VecDeque<Forwarded>>,
    syncs: VecDeque<ForwardedSync>,
    revalidating: BTreeMap<i64, Revalidation>,
    touch_timer: TouchTimer,
    /// The ticket of the write as of which the state is being made anew, and what waits for that.
    replacing: Option<Ticket>,
    held: VecDeque<zab::Output>,
    read_only: ReadOnly,
    /// Whether a snapshot of the state as it is now is to be sent before anything else is done.
    snapshot_first: bool,
    reaper: Reaper,
    outputs: VecDeque<Output>,
}

impl Replica {
    /// A standalone member that continues after what was recovered into `shared`. The sessions are tracked with their
    /// full timeout from `now`.
    pub fn new(config: Config, shared: std::sync::Arc<Shared>, now: Time) -> Self {
        let last = shared.tree().last_zxid();
        let peer = Peer::standalone(ServerId::from(config.server_id), last, now.monotonic_ms);
        let mut replica = Self::around(peer, Role::Leading { epoch: last.epoch() }, config, shared, now);
        for (id, timeout_ms) in replica.shared.sessions() {
            replica.sessions.open(id, u64::try_from(timeout_ms).unwrap_or(0), now.monotonic_ms);
        }
        replica
    }

    /// A member of an ensemble, which begins to look for a leader. What was recovered into `shared` has the whole log that
    /// `recovered` tells of.
    ///
    /// # Errors
    /// [`EpochError`] when its files cannot be of one moment.
    pub fn member(
        config: Config,
        ensemble: zab::Config,
        recovered: Recovered,
        shared: std::sync::Arc<Shared>,
        now: Time,
    ) -> Result<Self, EpochError> {
        let peer = Peer::new(ensemble, recovered, now.monotonic_ms)?;
        let mut replica = Self::around(peer, Role::Looking, config, shared, now);
        replica.show_members();
        replica.heed_read_only();
        replica.advance();
        Ok(replica)
    }

    fn around(peer: Peer, role: Role, config: Config, shared: std::sync::Arc<Shared>, now: Time) -> Self {
        let (applied, digest) = {
            let tree = shared.tree();
            (tree.last_zxid(), tree.digest())
        };
        Replica {
            session_ids: SessionIds::new(config.server_id, now.wall_ms),
            peer,
            role,
            now,
            proposals: VecDeque::new(),
            applied,
            is_exact: true,
            proposes_no_more: false,
            failed: false,
            pending: Outstanding::new(digest),
            quota_log: QuotaLog::default(),
            reaper: Reaper::new(now, &config),
            touch_timer: TouchTimer::from(now, &config),
            sessions: SessionTracker::new(config.tick_ms),
            config,
            shared,
            owners: BTreeMap::new(),
            connections: BTreeMap::new(),
            barriers: VecDeque::new(),
            verdicts: VecDeque::new(),
            forwarded: BTreeMap::new(),
            syncs: VecDeque::new(),
            revalidating: BTreeMap::new(),
            replacing: None,
            held: VecDeque::new(),
            read_only: ReadOnly::default(),
            snapshot_first: false,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one input. Its outputs are then to be taken from [`Replica::poll_output`].
    pub fn handle(&mut self, now: Time, input: Input) {
        if self.failed {
            return;
        }
        self.now = now;
        self.take(now, input);
        self.heed_read_only();
        if !self.snapshot_first {
            self.advance();
        }
    }

    fn take(&mut self, now: Time, input: Input) {
        match input {
            Input::Connect { conn, request } => self.connect(now, conn, &request),
            Input::Request(request) => self.request(now, &request),
            Input::Touched(touched) if !self.leads() && !self.read_only.serving => self.tell_leader_of(&touched),
            Input::Touched(touched) => {
                for (session, at_ms) in touched {
                    // A touch of a session that has just ended says nothing.
                    let _ = self.sessions.touch(session, at_ms);
                }
            }
            Input::Disconnected { conn } => self.disconnected(conn),
            Input::StateReplaced { through } if self.replacing == Some(through) => self.state_replaced(),
            // A later write made that state useless: the next one is on its way.
            Input::StateReplaced { .. } => {}
            Input::Zab(input) => self.peer.handle(now.monotonic_ms, input),
            Input::Persisted { through } => self.peer.handle(now.monotonic_ms, zab::Input::Persisted { through }),
            Input::Tick => self.tick(now),
        }
    }

    /// The next thing to do, or `None` when there is nothing more.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() && self.snapshot_first {
            // The snapshot has been taken: what was committed after it may be applied now.
            self.snapshot_first = false;
            self.advance();
        }
        self.outputs.pop_front()
    }

    /// What this member does in its ensemble; a standalone one leads.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Where a leader's learners stand; `None` for anybody else.
    pub fn standing(&self) -> Option<zab::Standing> {
        self.peer.standing()
    }

    fn leads(&self) -> bool {
        matches!(self.role, Role::Leading { .. })
    }

    /// When [`Input::Tick`] is due, in monotonic milliseconds. Touches collected until then must be given before it.
    pub fn poll_timeout(&self) -> u64 {
        let of_role = match self.role {
            Role::Leading { .. } => {
                let reap = self.reaper.next_due_ms();
                self.sessions.next_due_ms().map_or(reap, |due| due.min(reap))
            }
            Role::Following { .. } | Role::Observing { .. } => self.touch_timer.0,
            Role::Looking => self.read_only_due_ms(),
        };
        of_role.min(self.peer.poll_timeout())
    }

    /// Number of proposals that are not applied yet.
    pub fn outstanding(&self) -> usize {
        self.peer.outstanding()
    }

    /// The sessions by the monotonic millisecond in which they expire if nothing is heard of them, as the four-letter word
    /// `dump` shows them. Touches that were collected must be given before.
    pub fn session_buckets(&self) -> Vec<(u64, Vec<i64>)> {
        self.sessions.buckets().map(|(due_ms, sessions)| (due_ms, sessions.collect())).collect()
    }

    fn tick(&mut self, now: Time) {
        self.peer.handle(now.monotonic_ms, zab::Input::Tick);
        if self.read_only.serving {
            return self.expire_readers();
        }
        if !self.leads() {
            self.touch_timer = TouchTimer::from(now, &self.config);
            return;
        }
        for session in self.sessions.due(now.monotonic_ms) {
            tracing::info!(session = format_args!("0x{session:x}"), "session expired");
            self.shared.tallies().count_expired();
            self.propose_close(now, session, 0, Origin::Internal);
        }
        self.reap(now);
    }

    fn disconnected(&mut self, conn: ConnId) {
        if let Some(session) = self.connections.remove(&conn)
            && self.local_owner(session) == Some(conn)
        {
            self.owners.remove(&session);
            if self.leads() && self.sessions.check(session).is_ok() {
                self.owners.insert(session, Owner::Nowhere);
            }
        }
        self.revalidating.retain(|_, waiting| waiting.conn != conn);
    }
}
