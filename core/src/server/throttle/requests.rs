//! How many writes may be in work at once, and what becomes of those that waited too long for their turn (protocol §2.14).
//!
//! Reads are served by their connections at once and wait for nobody. A turn is given in the order in which connections
//! asked for it, and given back when the write is answered or its connection is gone.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;

use super::ThrottleConfig;

/// The turns of the whole server.
#[derive(Debug)]
pub(in crate::server) struct RequestThrottle {
    turns: Option<Arc<Semaphore>>,
    op_wait_ms: Option<u64>,
    stale_latency_check: bool,
    drop_stale: bool,
}

/// Permission for one write to be in work.
#[derive(Debug, Default)]
pub(in crate::server) struct Turn {
    /// `None` where there is no limit.
    _permit: Option<OwnedSemaphorePermit>,
}

/// What becomes of a write whose turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Verdict {
    Execute,
    /// Executed, though nobody may wait for it any more.
    Stale,
    /// Its connection is closed: nothing behind it may be executed either.
    DropStale,
    /// Refused by THROTTLEDOP.
    Refuse,
}

/// One connection's place in the queue for turns.
#[derive(Debug)]
pub(in crate::server) struct Queue {
    turns: Option<(Arc<Semaphore>, PollSemaphore)>,
    ready: Option<OwnedSemaphorePermit>,
    waiting: bool,
}

impl RequestThrottle {
    pub(in crate::server) fn new(config: &ThrottleConfig) -> Self {
        RequestThrottle {
            turns: config.max_requests.map(|most| Arc::new(Semaphore::new(most as usize))),
            op_wait_ms: config.op_wait_ms.map(u64::from),
            stale_latency_check: config.stale_latency_check,
            drop_stale: config.drop_stale,
        }
    }

    /// A place for a new connection.
    pub(in crate::server) fn queue(&self) -> Queue {
        let turns = self.turns.as_ref().map(|turns| (Arc::clone(turns), PollSemaphore::new(Arc::clone(turns))));
        Queue { turns, ready: None, waiting: false }
    }

    /// Judges a write that waited so long for its turn, of a session with this timeout.
    pub(in crate::server) fn judge(&self, waited_ms: u64, session_timeout_ms: u64, may_refuse: bool) -> Verdict {
        if self.stale_latency_check && waited_ms > session_timeout_ms {
            return if self.drop_stale { Verdict::DropStale } else { Verdict::Stale };
        }
        match self.op_wait_ms {
            Some(most) if may_refuse && waited_ms > most => Verdict::Refuse,
            _ => Verdict::Execute,
        }
    }
}

impl Queue {
    /// A turn, if there is one now. Otherwise the connection waits in [`Queue::ready`].
    pub(in crate::server) fn try_take(&mut self) -> Option<Turn> {
        let Some((turns, _)) = &self.turns else { return Some(Turn::default()) };
        let permit = self.ready.take().or_else(|| Arc::clone(turns).try_acquire_owned().ok());
        self.waiting = permit.is_none();
        permit.map(|permit| Turn { _permit: Some(permit) })
    }

    /// Whether a write waits for a turn.
    pub(in crate::server) fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Completes when a turn has come, for the next [`Queue::try_take`]. Dropping it does not give up the place.
    pub(in crate::server) async fn ready(&mut self) {
        let Some((_, poll)) = &mut self.turns else { return };
        self.ready = std::future::poll_fn(|context| poll.poll_acquire(context)).await;
        self.waiting = false;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[tokio::test]
    async fn turns_are_limited_and_given_in_the_order_of_asking() {
        let throttle = RequestThrottle::new(&ThrottleConfig { max_requests: Some(1), ..Default::default() });
        let (mut first, mut second, mut third) = (throttle.queue(), throttle.queue(), throttle.queue());
        let turn = first.try_take().unwrap();
        assert!(second.try_take().is_none() && second.is_waiting());
        assert!(futures_ready(&mut second).await.is_none(), "there is none yet, and the place is kept");
        drop(turn);
        assert!(third.try_take().is_none(), "who waits is served before who comes");
        second.ready().await;
        let turn = second.try_take().unwrap();
        assert!(!second.is_waiting());
        drop(turn);
        assert!(third.try_take().is_some());
    }

    /// One look at whether a turn has come.
    async fn futures_ready(queue: &mut Queue) -> Option<()> {
        tokio::time::timeout(std::time::Duration::from_millis(1), queue.ready()).await.ok()
    }

    #[test]
    fn without_a_limit_every_turn_comes_at_once() {
        let mut queue = RequestThrottle::new(&ThrottleConfig::default()).queue();
        assert!((0..10_000).all(|_| queue.try_take().is_some()));
    }

    #[test]
    fn who_waited_too_long_is_refused_or_stale() {
        let config = ThrottleConfig { op_wait_ms: Some(10), ..Default::default() };
        let throttle = RequestThrottle::new(&config);
        assert_eq!(throttle.judge(10, 5, true), Verdict::Execute);
        assert_eq!(throttle.judge(11, 5, true), Verdict::Refuse);
        assert_eq!(throttle.judge(11, 5, false), Verdict::Execute);
        let throttle = RequestThrottle::new(&ThrottleConfig { stale_latency_check: true, ..config.clone() });
        assert_eq!(throttle.judge(11, 5, true), Verdict::DropStale);
        let throttle = RequestThrottle::new(&ThrottleConfig { stale_latency_check: true, drop_stale: false, ..config });
        assert_eq!(throttle.judge(11, 5, true), Verdict::Stale);
    }
}
