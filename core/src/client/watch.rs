//! Watches as applications hold them. Dropping one removes it; it never knows which server holds its other end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::State;
use super::chroot::Chroot;
use super::event::{EventKind, EventQueue, WatchedEvent};
use super::handle::CommandSender;
use super::request::{Command, WatchId};

/// The application's end of one watch, from the moment its call is made. Dropping it anywhere removes the watch.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) queue: Arc<EventQueue>,
    pub(super) id: WatchId,
    pub(super) chroot: Chroot,
    pub(super) commands: CommandSender,
}

impl Registration {
    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<WatchedEvent>> {
        self.queue
            .poll_next(context)
            .map(|event| event.map(|event| WatchedEvent { path: self.chroot.inward(event.path), ..event }))
    }

    /// What a watch says whose session ended while nobody was looking.
    fn ended(&self) -> WatchedEvent {
        WatchedEvent {
            kind: EventKind::Closed,
            path: self.chroot.inward(self.id.path.to_string()),
            state: State::Closed,
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if self.queue.abandon() {
            // The task is gone only when the session has ended, and the watch with it.
            let _session_ended = self.commands.send(Command::Unwatch(self.id.clone()));
        }
    }
}

/// A watch for one change of a znode (protocol §2.9), set by the call that returned it.
///
/// It survives reconnects: what changed in between is reported then. Watches of one client on the same path and of the same
/// kind share one watch on the server, and all are told. Dropping it removes it, on the server too when no other watch of this
/// client needs it there.
#[derive(Debug)]
#[must_use = "a watch that is dropped is removed"]
pub struct OneshotWatch {
    registration: Registration,
}

impl OneshotWatch {
    pub(super) fn new(registration: Registration) -> Self {
        OneshotWatch { registration }
    }

    /// Waits for the change, or for the end of the session ([`EventKind::is_final`]). Dropping the future drops the watch; to look
    /// without giving it up, use [`OneshotWatch::poll_changed`] or keep the pinned future.
    pub async fn changed(mut self) -> WatchedEvent {
        std::future::poll_fn(|context| self.poll_changed(context)).await
    }

    /// As [`OneshotWatch::changed`], without giving the watch up. Not to be polled again once it was ready.
    pub fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<WatchedEvent> {
        self.registration.poll_next(context).map(|event| event.unwrap_or_else(|| self.registration.ended()))
    }
}

/// A watch for all changes of a znode, or of it and everything below it ([`AddWatchMode`](crate::wire::AddWatchMode)), until it is
/// dropped. It is a stream of events that ends after the session does.
///
/// After every reconnect it yields [`EventKind::Resynced`]: servers do not report what persistent watches missed, so look again.
/// The same event stands for events dropped when more than a few thousand wait to be read.
#[derive(Debug)]
#[must_use = "a watch that is dropped is removed"]
pub struct PersistentWatch {
    registration: Registration,
}

impl PersistentWatch {
    pub(super) fn new(registration: Registration) -> Self {
        PersistentWatch { registration }
    }

    /// Waits for the next event; `None` after the event that told the end of the session. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<WatchedEvent> {
        std::future::poll_fn(|context| self.registration.poll_next(context)).await
    }
}

impl futures_core::Stream for PersistentWatch {
    type Item = WatchedEvent;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<WatchedEvent>> {
        self.registration.poll_next(context)
    }
}
