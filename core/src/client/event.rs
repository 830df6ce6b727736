//! Watch events as applications get them, and the queue they wait in. It never knows who watches what.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::wire;

use super::State;
use super::request::Watcher;

/// Events that may wait in one persistent watch. When more come, they are replaced by one [`EventKind::Resynced`], so that a
/// slow reader costs bounded memory and still learns that it has to look again.
pub(super) const QUEUE_LIMIT: usize = 4096;

/// What happened to a watched znode, or to the watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// The znode was created.
    NodeCreated,
    /// The znode was deleted.
    NodeDeleted,
    /// The znode's data were set.
    NodeDataChanged,
    /// A child was created or deleted.
    NodeChildrenChanged,
    /// For persistent watches: the client reconnected or read too slowly, so that events may have been missed. Look again.
    Resynced,
    /// The session has expired; no event will follow.
    SessionExpired,
    /// The client was closed; no event will follow.
    Closed,
    /// The credentials were refused; no event will follow.
    AuthFailed,
}

impl EventKind {
    /// Whether the event is about the end of the session, and not about a znode.
    pub const fn is_final(self) -> bool {
        matches!(self, EventKind::SessionExpired | EventKind::Closed | EventKind::AuthFailed)
    }

    /// The kind of a notification; `None` for those no server sends.
    pub(super) fn of_wire(code: i32) -> Option<Self> {
        match wire::EventKind::from_i32(code)? {
            wire::EventKind::NodeCreated => Some(EventKind::NodeCreated),
            wire::EventKind::NodeDeleted => Some(EventKind::NodeDeleted),
            wire::EventKind::NodeDataChanged => Some(EventKind::NodeDataChanged),
            wire::EventKind::NodeChildrenChanged => Some(EventKind::NodeChildrenChanged),
            _ => None,
        }
    }

    /// The event that ends all watches when the session enters a final state.
    pub(super) fn of_final(state: State) -> Self {
        match state {
            State::Expired => EventKind::SessionExpired,
            State::AuthFailed => EventKind::AuthFailed,
            _ => EventKind::Closed,
        }
    }
}

/// One event of a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedEvent {
    /// What happened.
    pub kind: EventKind,
    /// The znode it happened to; the watched path for events about the session.
    pub path: String,
    /// Where the session stood when the event came.
    pub state: State,
}

/// The events of one watch that the application has not taken yet.
#[derive(Debug)]
pub(super) struct EventQueue {
    one_shot: bool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    events: VecDeque<WatchedEvent>,
    waker: Option<Waker>,
    /// No more events will come.
    ended: bool,
    /// Nobody will take them.
    abandoned: bool,
}

impl EventQueue {
    /// A queue that ends with its first event if `one_shot`, else with the session.
    pub(super) fn new(one_shot: bool) -> Self {
        EventQueue { one_shot, inner: Mutex::default() }
    }

    /// The next event; `None` when no more will come.
    pub(super) fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<WatchedEvent>> {
        let mut inner = self.lock();
        if let Some(event) = inner.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        if inner.ended {
            return Poll::Ready(None);
        }
        inner.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// Says that nobody waits any more; returns whether events could still have come.
    pub(super) fn abandon(&self) -> bool {
        let mut inner = self.lock();
        inner.abandoned = true;
        inner.events.clear();
        !inner.ended
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it is held, and a queue is whole after every statement.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher for std::sync::Arc<EventQueue> {
    fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    fn tell(&self, event: WatchedEvent) {
        let mut inner = self.lock();
        if inner.abandoned || inner.ended {
            return;
        }
        inner.ended = self.one_shot || event.kind.is_final();
        if inner.events.len() < QUEUE_LIMIT || event.kind.is_final() {
            inner.events.push_back(event);
        } else {
            inner.events.clear();
            inner.events.push_back(WatchedEvent { kind: EventKind::Resynced, ..event });
        }
        if let Some(waker) = inner.waker.take() {
            drop(inner);
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn event(kind: EventKind) -> WatchedEvent {
        WatchedEvent { kind, path: "/a".into(), state: State::Connected }
    }

    fn take(queue: &EventQueue) -> Poll<Option<WatchedEvent>> {
        queue.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_one_shot_queue_ends_with_its_first_event() {
        let queue = Arc::new(EventQueue::new(true));
        assert!(take(&queue).is_pending());
        queue.tell(event(EventKind::NodeCreated));
        queue.tell(event(EventKind::NodeDeleted));
        assert_eq!(take(&queue), Poll::Ready(Some(event(EventKind::NodeCreated))));
        assert_eq!(take(&queue), Poll::Ready(None));
        assert!(!queue.abandon());
    }

    #[test]
    fn a_reader_too_slow_is_told_to_look_again() {
        let queue = Arc::new(EventQueue::new(false));
        for _ in 0..=QUEUE_LIMIT {
            queue.tell(event(EventKind::NodeDataChanged));
        }
        queue.tell(event(EventKind::SessionExpired));
        assert_eq!(take(&queue), Poll::Ready(Some(event(EventKind::Resynced))));
        assert_eq!(take(&queue), Poll::Ready(Some(event(EventKind::SessionExpired))));
        assert_eq!(take(&queue), Poll::Ready(None));
    }

    #[test]
    fn an_abandoned_queue_keeps_nothing() {
        let queue = Arc::new(EventQueue::new(false));
        queue.tell(event(EventKind::NodeCreated));
        assert!(queue.abandon());
        queue.tell(event(EventKind::NodeDeleted));
        assert!(queue.is_abandoned() && take(&queue).is_pending());
    }
}
