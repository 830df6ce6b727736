//! The thread that feeds the replica: it takes what has queued, lets the machine work, and passes on what comes out.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::clock::Clock;
use super::metrics::Metrics;
use super::registry::{Outgoing, Registry};
use crate::replica::{ConnId, Input, Output, Replica, Request};
use crate::wire::Zxid;
use crate::wire::proto::ConnectRequest;
use crate::zab::{Ticket, Write};

/// What happens to the member.
#[derive(Debug)]
pub(super) enum Event {
    /// A client's first record.
    Connect { conn: ConnId, request: ConnectRequest },
    /// Requests of one connection, in their order, and the monotonic millisecond in which they were sent.
    Requests { requests: Vec<Request>, sent_ms: u64 },
    /// A connection is gone.
    Disconnected(ConnId),
    /// Everything up to this ticket is on disk.
    Persisted(Ticket),
    /// Tell when the sessions expire, by monotonic milliseconds.
    Sessions(oneshot::Sender<Vec<(u64, Vec<i64>)>>),
    /// End the thread.
    Stop,
}

/// Entries for the log, in their order.
#[derive(Debug, Default)]
pub(super) struct LogBatch {
    pub(super) entries: Vec<(Zxid, Bytes)>,
    /// The ticket of the last of them.
    pub(super) through: Ticket,
    /// The monotonic millisecond in which they were sent.
    pub(super) sent_ms: u64,
}

/// What the thread works with.
pub(super) struct EventLoop {
    pub(super) replica: Replica,
    pub(super) clock: Clock,
    pub(super) registry: Arc<Registry>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) log: Sender<LogBatch>,
}

/// Ends the thread.
struct Stopped;

/// Events taken in one turn before their outputs are passed on.
const MOST_PER_TURN: usize = 256;

impl EventLoop {
    /// Runs until [`Event::Stop`], or until the disk thread is gone: then nothing can be acknowledged any more.
    pub(super) fn run(mut self, events: &Receiver<Event>) {
        // Whatever ended it is told by who ended it.
        let _ = self.run_until_stopped(events);
    }

    fn run_until_stopped(&mut self, events: &Receiver<Event>) -> Result<(), Stopped> {
        loop {
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
            }
            self.pass_on()?;
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), Stopped> {
        let now = self.clock.now();
        match event {
            Event::Connect { conn, request } => self.replica.handle(now, Input::Connect { conn, request }),
            Event::Requests { requests, sent_ms } => self.requests(requests, sent_ms),
            Event::Disconnected(conn) => self.replica.handle(now, Input::Disconnected { conn }),
            Event::Persisted(through) => self.replica.handle(now, Input::Persisted { through }),
            Event::Sessions(answer) => {
                self.touch();
                // Who asked may be gone.
                let _ = answer.send(self.replica.session_buckets());
            }
            Event::Stop => return Err(Stopped),
        }
        Ok(())
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

    fn pass_on(&mut self) -> Result<(), Stopped> {
        let (mut entries, mut through) = (Vec::new(), 0);
        while let Some(output) = self.replica.poll_output() {
            match output {
                Output::Persist { ticket, write: Write::Append { zxid, payload } } => {
                    entries.push((zxid, payload));
                    through = ticket;
                }
                // A standalone member only appends; to answer for what was not done would break its promises.
                other @ (Output::Persist { .. }
                | Output::ReplaceState { .. }
                | Output::Zab(_)
                | Output::RoleChanged(_)) => {
                    tracing::error!(output = ?other, "a standalone server was asked for what only an ensemble does; it stops");
                    return Err(Stopped);
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
        if entries.is_empty() {
            return Ok(());
        }
        self.metrics.disk_entries.add(entries.len() as u64);
        self.metrics.disk_queue.fetch_add(entries.len(), Ordering::Relaxed);
        self.log.send(LogBatch { entries, through, sent_ms: self.clock.monotonic_ms() }).map_err(|_| Stopped)
    }
}
