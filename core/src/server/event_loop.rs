//! The thread that feeds the replica: it takes what has queued, lets the machine work, and passes on what comes out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::clock::Clock;
use super::disk_writer::{DiskTask, LogBatch};
use super::metrics::Metrics;
use super::peers::{Peers, Stopped};
use super::quorum::Arrival;
use super::registry::{Outgoing, Registry};
use super::snapshotter::Snapshotter;
use crate::replica::{ConnId, Input, Output, Replica, Request, Shared};
use crate::storage::Recovered;
use crate::wire::proto::ConnectRequest;
use crate::wire::quorum::Packet;
use crate::zab::{self, Role, Ticket, Write};

/// What happens to the member.
#[derive(Debug)]
pub(super) enum Event {
    /// A client's first record.
    Connect { conn: ConnId, request: ConnectRequest },
    /// Requests of one connection, in their order, and the monotonic millisecond in which they were sent.
    Requests { requests: Vec<Request>, sent_ms: u64 },
    /// A connection is gone.
    Disconnected(ConnId),
    /// Something came from another member.
    Peer(Arrival),
    /// Everything up to this ticket is on disk.
    Persisted(Ticket),
    /// The state was read from disk as of this ticket.
    Reloaded { through: Ticket, recovered: Box<Recovered> },
    /// Tell when the sessions expire, by monotonic milliseconds.
    Sessions(oneshot::Sender<Vec<(u64, Vec<i64>)>>),
    /// Tell where the learners stand, if this member leads.
    Standing(oneshot::Sender<Option<zab::Standing>>),
    /// Hand over, if this member leads, and say when that is done.
    Resign(oneshot::Sender<()>),
    /// Do nothing until the other end is gone.
    Hold(Receiver<()>),
    /// End the thread.
    Stop,
}

/// What the thread works with.
pub(super) struct EventLoop {
    pub(super) replica: Replica,
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Clock,
    pub(super) registry: Arc<Registry>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) snapshotter: Arc<Snapshotter>,
    /// The other members; a standalone server has none.
    pub(super) peers: Option<Peers>,
    /// Where it is told what this member does.
    pub(super) role: watch::Sender<Role>,
    pub(super) disk: Sender<Vec<DiskTask>>,
    /// Where it is told whether clients that only read are served without a leader.
    pub(super) read_only: Arc<AtomicBool>,
    /// Who waits until this member has handed over.
    pub(super) resigned: Option<oneshot::Sender<()>>,
    /// What the disk is to do at the end of this turn.
    pub(super) tasks: Vec<DiskTask>,
}

/// Events taken in one turn before the disk is told of what they ask of it.
const MOST_PER_TURN: usize = 256;

impl EventLoop {
    /// Runs until [`Event::Stop`], or until the disk thread is gone: then nothing can be acknowledged any more.
    pub(super) fn run(mut self, events: &Receiver<Event>) {
        // Whatever ended it is told by who ended it.
        let _ = self.run_until_stopped(events);
    }

    fn run_until_stopped(&mut self, events: &Receiver<Event>) -> Result<(), Stopped> {
        // A member of an ensemble begins by asking for votes.
        self.pass_on()?;
        loop {
            self.flush()?;
            let wait_ms = self.replica.poll_timeout().saturating_sub(self.clock.monotonic_ms());
            match events.recv_timeout(Duration::from_millis(wait_ms)) {
                Ok(event) => {
                    self.handle(event)?;
                    for event in events.try_iter().take(MOST_PER_TURN) {
                        self.handle(event)?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Stopped),
            }
            if self.clock.monotonic_ms() >= self.replica.poll_timeout() {
                self.touch();
                self.replica.handle(self.clock.now(), Input::Tick);
                self.pass_on()?;
            }
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), Stopped> {
        let now = self.clock.now();
        match event {
            Event::Connect { conn, request } => self.replica.handle(now, Input::Connect { conn, request }),
            Event::Requests { requests, sent_ms } => self.requests(requests, sent_ms),
            Event::Disconnected(conn) => self.replica.handle(now, Input::Disconnected { conn }),
            Event::Peer(arrival) => {
                if let Some(peers) = &mut self.peers {
                    peers.note(&arrival.input);
                }
                self.replica.handle(now, Input::Zab(arrival.input));
            }
            Event::Persisted(through) => self.replica.handle(now, Input::Persisted { through }),
            Event::Reloaded { through, recovered } => {
                let Recovered { tree, sessions, .. } = *recovered;
                self.shared.replace(tree, sessions);
                self.snapshotter.resume();
                self.replica.handle(now, Input::StateReplaced { through });
            }
            Event::Sessions(answer) => {
                self.touch();
                // Who asked may be gone.
                let _ = answer.send(self.replica.session_buckets());
            }
            Event::Standing(answer) => {
                // Who asked may be gone.
                let _ = answer.send(self.replica.standing());
            }
            Event::Resign(done) => {
                self.resigned = Some(done);
                self.replica.handle(now, Input::Zab(zab::Input::Resign));
            }
            Event::Hold(held) => drop(held.recv()),
            Event::Stop => return Err(Stopped),
        }
        self.pass_on()
    }

    fn requests(&mut self, requests: Vec<Request>, sent_ms: u64) {
        let mut now = self.clock.now();
        let waited_ms = now.monotonic_ms.saturating_sub(sent_ms);
        for request in requests {
            let queued = self.metrics.member_queue.fetch_sub(1, Ordering::Relaxed);
            self.metrics.member_queue_size.add(queued as u64);
            self.metrics.member_queue_time.add(waited_ms);
            self.replica.handle(now, Input::Request(request));
            let done = self.clock.now();
            self.metrics.member_process_time.add(done.monotonic_ms.saturating_sub(now.monotonic_ms));
            now = done;
        }
    }

    /// Tells the member which sessions were heard of by their connections.
    fn touch(&mut self) {
        self.replica.handle(self.clock.now(), Input::Touched(self.registry.touched()));
    }

    /// Carries out what the member wants done, but for the disk, which is told at the end of the turn.
    fn pass_on(&mut self) -> Result<(), Stopped> {
        while let Some(output) = self.replica.poll_output() {
            match output {
                Output::Persist { ticket, write } => self.persist(ticket, write)?,
                Output::ReplaceState { ticket } => self.reload_after(ticket)?,
                Output::Zab(zab::Output::Resigned) => {
                    if let Some(done) = self.resigned.take() {
                        // Who waited may have lost patience.
                        let _ = done.send(());
                    }
                }
                Output::Zab(output) => {
                    self.count_syncs(&output);
                    let shared = Arc::clone(&self.shared);
                    self.peers()?.carry_out(output, &shared)?;
                }
                Output::RoleChanged(role) => {
                    self.metrics.role_since_ms.store(self.clock.monotonic_ms(), Ordering::Relaxed);
                    tracing::info!(?role, zxid = %self.shared.tree().last_zxid(), "this member's role has changed");
                    self.role.send_replace(role);
                }
                Output::ReadOnly(serves) => {
                    tracing::info!(serves, "clients that only read, without a leader");
                    self.read_only.store(serves, Ordering::Relaxed);
                }
                Output::Connected { conn, response } => match self.registry.get(conn) {
                    Some(handle) => handle.send(Outgoing::Connected(response)),
                    None => self.metrics.stale_replies.add(1),
                },
                Output::Close { conn } => {
                    if let Some(handle) = self.registry.get(conn) {
                        handle.cancel.cancel();
                    }
                }
                Output::Fatal(why) => {
                    tracing::error!(%why, "the member cannot go on; the server stops");
                    return Err(Stopped);
                }
            }
        }
        Ok(())
    }

    /// How learners are brought up to date.
    fn count_syncs(&self, output: &zab::Output) {
        match output {
            zab::Output::SendSnapshot { .. } => self.metrics.snapshots_sent.add(1),
            zab::Output::Send { packet: Packet::Diff { .. } | Packet::Trunc { .. }, .. } => {
                self.metrics.diffs_sent.add(1);
            }
            _ => {}
        }
    }

    fn persist(&mut self, ticket: Ticket, write: Write) -> Result<(), Stopped> {
        let Write::Append { zxid, payload } = write else {
            let change = self.peers()?.change(&write)?;
            self.tasks.push(DiskTask::Change { ticket, change, reload: false });
            return Ok(());
        };
        if self.peers.is_some() && matches!(self.replica.role(), Role::Leading { .. }) {
            self.metrics.proposal_sizes.add_one(payload.len() as u64);
        }
        if !matches!(self.tasks.last(), Some(DiskTask::Append(_))) {
            self.tasks.push(DiskTask::Append(LogBatch::default()));
        }
        if let Some(DiskTask::Append(batch)) = self.tasks.last_mut() {
            batch.entries.push((zxid, payload));
            batch.through = ticket;
        }
        Ok(())
    }

    /// The change with this ticket is the one that was asked for last.
    fn reload_after(&mut self, wanted: Ticket) -> Result<(), Stopped> {
        match self.tasks.last_mut() {
            Some(DiskTask::Change { ticket, reload, .. }) if *ticket == wanted => {
                *reload = true;
                Ok(())
            }
            _ => {
                tracing::error!(
                    ticket = wanted,
                    "the state is to be read after a change that is not the last; the server stops"
                );
                Err(Stopped)
            }
        }
    }

    /// To answer for what a standalone server cannot do would break its promises.
    fn peers(&mut self) -> Result<&mut Peers, Stopped> {
        self.peers.as_mut().ok_or_else(|| {
            tracing::error!("a standalone server was asked for what only an ensemble does; it stops");
            Stopped
        })
    }

    /// Gives the disk what was gathered for it.
    fn flush(&mut self) -> Result<(), Stopped> {
        if self.tasks.is_empty() {
            return Ok(());
        }
        let sent_ms = self.clock.monotonic_ms();
        let mut tasks = std::mem::take(&mut self.tasks);
        for task in &mut tasks {
            if let DiskTask::Append(batch) = task {
                batch.sent_ms = sent_ms;
                self.metrics.disk_entries.add(batch.entries.len() as u64);
                self.metrics.disk_queue.fetch_add(batch.entries.len(), Ordering::Relaxed);
            }
        }
        self.disk.send(tasks).map_err(|_| Stopped)
    }
}
