//! The thread that feeds the replica: it takes what has queued, lets the machine work, and passes on what comes out.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use bytes::Bytes;

use super::clock::Clock;
use super::registry::{Outgoing, Registry};
use crate::replica::{ConnId, Input, Output, Replica, Request};
use crate::wire::Zxid;
use crate::wire::proto::ConnectRequest;

/// What happens to the member.
#[derive(Debug)]
pub(super) enum Event {
    /// A client's first record.
    Connect { conn: ConnId, request: ConnectRequest },
    /// Requests of one connection, in their order.
    Requests(Vec<Request>),
    /// A connection is gone.
    Disconnected(ConnId),
    /// The log is on disk up to here.
    Persisted(Zxid),
    /// End the thread.
    Stop,
}

/// Entries for the log, in their order.
pub(super) type LogBatch = Vec<(Zxid, Bytes)>;

/// Events taken in one turn before their outputs are passed on.
const MOST_PER_TURN: usize = 256;

/// Runs until [`Event::Stop`], or until the disk thread is gone: then nothing can be acknowledged any more.
pub(super) fn run(
    mut replica: Replica,
    clock: Clock,
    registry: &Arc<Registry>,
    events: &Receiver<Event>,
    log: &Sender<LogBatch>,
) {
    loop {
        let wait_ms = replica.poll_timeout().saturating_sub(clock.monotonic_ms());
        match events.recv_timeout(Duration::from_millis(wait_ms)) {
            Ok(event) => {
                if handle(&mut replica, clock, event).is_break() {
                    return;
                }
                for event in events.try_iter().take(MOST_PER_TURN) {
                    if handle(&mut replica, clock, event).is_break() {
                        return;
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if clock.monotonic_ms() >= replica.poll_timeout() {
            let now = clock.now();
            replica.handle(now, Input::Touched(registry.touched()));
            replica.handle(now, Input::Tick);
        }
        if pass_on(&mut replica, registry, log).is_err() {
            return;
        }
    }
}

fn handle(replica: &mut Replica, clock: Clock, event: Event) -> std::ops::ControlFlow<()> {
    let now = clock.now();
    match event {
        Event::Connect { conn, request } => replica.handle(now, Input::Connect { conn, request }),
        Event::Requests(requests) => {
            for request in requests {
                replica.handle(now, Input::Request(request));
            }
        }
        Event::Disconnected(conn) => replica.handle(now, Input::Disconnected { conn }),
        Event::Persisted(zxid) => replica.handle(now, Input::Persisted { zxid }),
        Event::Stop => return std::ops::ControlFlow::Break(()),
    }
    std::ops::ControlFlow::Continue(())
}

fn pass_on(
    replica: &mut Replica,
    registry: &Registry,
    log: &Sender<LogBatch>,
) -> Result<(), std::sync::mpsc::SendError<LogBatch>> {
    let mut batch = LogBatch::new();
    while let Some(output) = replica.poll_output() {
        match output {
            Output::Persist { zxid, entry } => batch.push((zxid, entry)),
            Output::Reply { conn, frame, close } => send(registry, conn, Outgoing::Reply { frame, close }),
            Output::Connected { conn, response } => send(registry, conn, Outgoing::Connected(response)),
            Output::Close { conn } => {
                if let Some(handle) = registry.get(conn) {
                    handle.cancel.cancel();
                }
            }
        }
    }
    if batch.is_empty() { Ok(()) } else { log.send(batch) }
}

fn send(registry: &Registry, conn: ConnId, outgoing: Outgoing) {
    if let Some(handle) = registry.get(conn) {
        handle.send(outgoing);
    }
}
