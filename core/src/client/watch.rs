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
        self.queue.poll_next(context).map(|event| {
            event.map(|event| match event.kind {
                // The queue, when it is full, does not know what it is a queue of.
                EventKind::Resynced => WatchedEvent { path: self.path(), ..event },
                _ => WatchedEvent { path: self.chroot.inward(event.path), ..event },
            })
        })
    }

    /// The watched path, as the application named it.
    fn path(&self) -> String {
        self.chroot.inward(self.id.path.to_string())
    }

    /// What a watch says whose session ended while nobody was looking.
    fn ended(&self) -> WatchedEvent {
        WatchedEvent { kind: EventKind::Closed, path: self.path(), state: State::Closed }
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
/// The same event stands for those that were dropped because nobody read them: when 4096 wait, all of them are, and those that come after
/// it wait again. So a reader may be slow, costs bounded memory, and knows when it has missed something.
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
