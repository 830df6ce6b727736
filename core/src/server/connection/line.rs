//! The requests of one connection that wait for their replies, in the order of both. It never knows sockets.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::super::throttle::{Reserved, Turn};
use crate::wire::OpCode;

/// Requests that may be in line; then the socket is not read until some are answered.
const MOST_REQUESTS: usize = 1024;
/// Bytes of requests that may be in line; then the same. One request may go beyond it.
const MOST_BYTES: usize = 4 << 20;

/// A request that is in line.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) xid: i32,
    pub(super) op: Option<OpCode>,
    /// What follows the header; gone when it is at the member.
    pub(super) body: Bytes,
    /// The monotonic millisecond in which it was read.
    pub(super) since_ms: u64,
    /// What it costs while it is in line, in bytes.
    pub(super) bytes: usize,
    /// Its share of what large requests may hold, until it leaves the line.
    pub(super) _large: Option<Reserved>,
    pub(super) place: Place,
}

/// Where a request waits.
#[derive(Debug)]
pub(super) enum Place {
    /// At the member; its turn ends with the reply.
    Member { _turn: Turn },
    /// Here, behind a write.
    Read,
    /// Here: behind a read that is behind a write, or until there is a turn for it.
    Held,
    /// Refused in its turn by THROTTLEDOP.
    Throttled,
    /// An operation there is none of: refused in its turn, and nothing behind it is done.
    Unknown,
}

/// The line. What stands in it counts as outstanding for the whole server.
#[derive(Debug)]
pub(super) struct Line {
    entries: VecDeque<Waiting>,
    bytes: usize,
    outstanding: Arc<AtomicUsize>,
}

impl Line {
    pub(super) fn new(outstanding: Arc<AtomicUsize>) -> Self {
        Line { entries: VecDeque::new(), bytes: 0, outstanding }
    }

    pub(super) fn push(&mut self, waiting: Waiting) {
        self.bytes += waiting.bytes;
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        self.entries.push_back(waiting);
    }

    /// Takes the oldest request, if it waits in such a place.
    pub(super) fn pop_if(&mut self, wanted: impl FnOnce(&Place) -> bool) -> Option<Waiting> {
        let waiting = self.entries.pop_front_if(|waiting| wanted(&waiting.place))?;
        self.bytes -= waiting.bytes;
        self.outstanding.fetch_sub(1, Ordering::Relaxed);
        Some(waiting)
    }

    /// The oldest request that is not at the member, if it is held: nothing but the member's is before it.
    pub(super) fn first_held(&mut self) -> Option<&mut Waiting> {
        let at_member = self.entries.partition_point(|waiting| matches!(waiting.place, Place::Member { .. }));
        self.entries.get_mut(at_member).filter(|waiting| matches!(waiting.place, Place::Held))
    }

    /// Requests that are held.
    pub(super) fn held(&self) -> usize {
        self.entries.iter().filter(|waiting| matches!(waiting.place, Place::Held)).count()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= MOST_REQUESTS || self.bytes >= MOST_BYTES
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.outstanding.fetch_sub(self.entries.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn waiting(xid: i32, bytes: usize, place: Place) -> Waiting {
        Waiting { xid, op: Some(OpCode::SetData), body: Bytes::new(), since_ms: 0, bytes, _large: None, place }
    }

    #[test]
    fn it_is_full_by_number_and_by_bytes() {
        let outstanding = Arc::new(AtomicUsize::new(0));
        let mut line = Line::new(Arc::clone(&outstanding));
        for xid in 0..4 {
            assert!(!line.is_full());
            line.push(waiting(xid, 1 << 20, Place::Read));
        }
        assert!(line.is_full(), "four of a megabyte");
        line.pop_if(|_| true).unwrap();
        assert!(!line.is_full());
        for xid in 0..1021 {
            line.push(waiting(xid, 1, Place::Read));
        }
        assert!(line.is_full(), "1024 of them");
        assert_eq!(outstanding.load(Ordering::Relaxed), 1024);
        drop(line);
        assert_eq!(outstanding.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_held_request_is_first_only_when_the_members_alone_are_before_it() {
        let mut line = Line::new(Arc::default());
        line.push(waiting(1, 0, Place::Member { _turn: Turn::default() }));
        line.push(waiting(2, 0, Place::Held));
        line.push(waiting(3, 0, Place::Read));
        line.push(waiting(4, 0, Place::Held));
        assert_eq!((line.first_held().map(|waiting| waiting.xid), line.held()), (Some(2), 2));
        line.first_held().unwrap().place = Place::Member { _turn: Turn::default() };
        assert!(line.first_held().is_none(), "a read is before it");
        assert!(line.pop_if(|place| matches!(place, Place::Read)).is_none());
        assert_eq!([line.pop_if(|_| true).unwrap().xid, line.pop_if(|_| true).unwrap().xid], [1, 2]);
        line.pop_if(|place| matches!(place, Place::Read)).unwrap();
        assert_eq!(line.first_held().map(|waiting| waiting.xid), Some(4));
    }
}
