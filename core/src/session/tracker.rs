//! When sessions expire: buckets a tick wide, so that one look finds all that are due (protocol §2.11).

use std::collections::{BTreeMap, BTreeSet};

/// Why a session cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TouchError {
    /// No such session: it never was, or it has ended.
    #[error("the session is unknown")]
    Unknown,
    /// The session is being closed.
    #[error("the session is closing")]
    Closing,
}

#[derive(Debug, Clone)]
struct Session {
    timeout_ms: u64,
    bucket_ms: u64,
    closing: bool,
}

/// The sessions of an ensemble and their expiry. Times are milliseconds of the caller's monotonic clock.
#[derive(Debug)]
pub struct SessionTracker {
    tick_ms: u64,
    sessions: BTreeMap<i64, Session>,
    buckets: BTreeMap<u64, BTreeSet<i64>>,
}

impl SessionTracker {
    /// A tracker whose buckets are `tick_ms` wide (at least 1).
    pub fn new(tick_ms: u64) -> Self {
        SessionTracker { tick_ms: tick_ms.max(1), sessions: BTreeMap::new(), buckets: BTreeMap::new() }
    }

    /// Tracks a session from now on, or gives a tracked one a new timeout.
    pub fn open(&mut self, id: i64, timeout_ms: u64, now_ms: u64) {
        self.forget(id);
        let bucket_ms = bucket(self.tick_ms, now_ms, timeout_ms);
        self.sessions.insert(id, Session { timeout_ms, bucket_ms, closing: false });
        self.buckets.entry(bucket_ms).or_default().insert(id);
    }

    /// The session was heard of at `at_ms`. An older touch than the last one changes nothing.
    ///
    /// # Errors
    /// [`TouchError`] when the session is not alive.
    pub fn touch(&mut self, id: i64, at_ms: u64) -> Result<(), TouchError> {
        let tick_ms = self.tick_ms;
        let session = self.sessions.get_mut(&id).ok_or(TouchError::Unknown)?;
        if session.closing {
            return Err(TouchError::Closing);
        }
        let bucket_ms = bucket(tick_ms, at_ms, session.timeout_ms);
        if bucket_ms > session.bucket_ms {
            let old = std::mem::replace(&mut session.bucket_ms, bucket_ms);
            self.leave(old, id);
            self.buckets.entry(bucket_ms).or_default().insert(id);
        }
        Ok(())
    }

    /// As [`SessionTracker::touch`], and from now on with this timeout, which another member has agreed upon with the client.
    ///
    /// # Errors
    /// [`TouchError`] when the session is not alive.
    pub fn touch_for(&mut self, id: i64, timeout_ms: u64, at_ms: u64) -> Result<(), TouchError> {
        self.check(id)?;
        if let Some(session) = self.sessions.get_mut(&id) {
            session.timeout_ms = timeout_ms;
        }
        self.touch(id, at_ms)
    }

    /// Whether the session is alive.
    ///
    /// # Errors
    /// [`TouchError`] when it is not.
    pub fn check(&self, id: i64) -> Result<(), TouchError> {
        match self.sessions.get(&id) {
            None => Err(TouchError::Unknown),
            Some(session) if session.closing => Err(TouchError::Closing),
            Some(_) => Ok(()),
        }
    }

    /// Marks a session as closing: it can no longer be used, and will not be found due.
    pub fn set_closing(&mut self, id: i64) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.closing = true;
            let bucket_ms = session.bucket_ms;
            self.leave(bucket_ms, id);
        }
    }

    /// The session has ended.
    pub fn forget(&mut self, id: i64) {
        if let Some(session) = self.sessions.remove(&id) {
            self.leave(session.bucket_ms, id);
        }
    }

    /// The sessions whose time has passed; each is marked closing, so that it is returned once.
    pub fn due(&mut self, now_ms: u64) -> Vec<i64> {
        let mut due = Vec::new();
        while let Some(bucket) = self.buckets.first_entry().filter(|bucket| *bucket.key() <= now_ms) {
            due.extend(bucket.remove());
        }
        for id in &due {
            if let Some(session) = self.sessions.get_mut(id) {
                session.closing = true;
            }
        }
        due
    }

    /// The buckets in the order in which they are due, each with its sessions; closing sessions are in none.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, impl Iterator<Item = i64>)> {
        self.buckets.iter().map(|(due_ms, sessions)| (*due_ms, sessions.iter().copied()))
    }

    /// When the next session may be due.
    pub fn next_due_ms(&self) -> Option<u64> {
        self.buckets.keys().next().copied()
    }

    /// Number of sessions, closing ones included.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    fn leave(&mut self, bucket_ms: u64, id: i64) {
        if let Some(bucket) = self.buckets.get_mut(&bucket_ms) {
            bucket.remove(&id);
            if bucket.is_empty() {
                self.buckets.remove(&bucket_ms);
            }
        }
    }
}

/// The end of the tick after the one in which the timeout ends.
fn bucket(tick_ms: u64, heard_ms: u64, timeout_ms: u64) -> u64 {
    ((heard_ms + timeout_ms) / tick_ms + 1) * tick_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_dies_between_its_timeout_and_a_tick_later() {
        let mut tracker = SessionTracker::new(2000);
        tracker.open(1, 4000, 500);
        assert_eq!(tracker.next_due_ms(), Some(6000));
        assert!(tracker.due(5999).is_empty());
        assert_eq!(tracker.due(6000), [1]);
        assert!(tracker.due(6000).is_empty(), "returned once");
        assert_eq!(tracker.touch(1, 6000), Err(TouchError::Closing));
    }

    #[test]
    fn a_touch_moves_it_on_and_an_old_touch_does_not_move_it_back() {
        let mut tracker = SessionTracker::new(2000);
        tracker.open(1, 4000, 0);
        assert_eq!(tracker.touch(1, 3000), Ok(()));
        assert_eq!(tracker.touch(1, 100), Ok(()));
        assert_eq!(tracker.next_due_ms(), Some(8000));
        assert_eq!(tracker.touch(2, 0), Err(TouchError::Unknown));
    }

    #[test]
    fn a_closing_session_is_not_found_due() {
        let mut tracker = SessionTracker::new(1000);
        tracker.open(1, 1000, 0);
        tracker.set_closing(1);
        assert!(tracker.due(u64::MAX).is_empty());
        assert_eq!(tracker.check(1), Err(TouchError::Closing));
        tracker.forget(1);
        assert!(tracker.is_empty());
    }
}
