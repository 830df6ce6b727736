//! The requests of a session: queued until they can be written, outstanding until they are answered. Pure.
//!
//! A server answers a connection's requests in their order (protocol §2.15), so a reply belongs to the oldest outstanding request or the
//! connection is of no use.

use std::collections::VecDeque;

use bytes::BytesMut;

use super::request::{Request, Special, Ticket, Time, WatchRequest, append};

/// How many queued requests may pile up, as a multiple of those still wanted at the last look, before the abandoned ones are taken out.
const SWEEP_FACTOR: usize = 2;
/// Below this many queued requests nobody looks for abandoned ones.
const SWEEP_MIN: usize = 64;

/// Queued and outstanding requests.
#[derive(Debug)]
pub(super) struct Pending<T, W> {
    queued: VecDeque<Request<T, W>>,
    outstanding: VecDeque<Outstanding<T, W>>,
    next_xid: i32,
    sweep_at: usize,
}

/// A request that was written.
#[derive(Debug)]
pub(super) struct Outstanding<T, W> {
    pub(super) xid: i32,
    /// When it was given to the socket, or a little earlier.
    pub(super) sent_at: Time,
    pub(super) write: bool,
    pub(super) special: Option<Special>,
    pub(super) ticket: Option<T>,
    pub(super) watch: Option<WatchRequest<W>>,
}

impl<T: Ticket, W> Pending<T, W> {
    pub(super) fn new() -> Self {
        Pending { queued: VecDeque::new(), outstanding: VecDeque::new(), next_xid: 1, sweep_at: SWEEP_MIN }
    }

    /// Queues a request behind all others.
    pub(super) fn enqueue(&mut self, request: Request<T, W>) {
        self.queued.push_back(request);
    }

    /// How many requests wait to be written.
    pub(super) fn queued(&self) -> usize {
        self.queued.len()
    }

    /// How many were written and are not answered.
    pub(super) fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// The next request to write, which nobody may have abandoned; what was abandoned before it goes to `dropped`.
    pub(super) fn next(&mut self, dropped: &mut Vec<WatchRequest<W>>) -> Option<Request<T, W>> {
        loop {
            let request = self.queued.pop_front()?;
            if !request.is_abandoned() {
                return Some(request);
            }
            dropped.extend(request.watch);
        }
    }

    /// Appends an ordinary request to `out`; it is outstanding from now on.
    pub(super) fn write(&mut self, request: Request<T, W>, now: Time, out: &mut BytesMut) {
        let xid = self.next_xid;
        // The counter wraps to 1 (protocol §2.2): 0 and below have meanings of their own.
        self.next_xid = xid.checked_add(1).unwrap_or(1);
        append(out, &request.frame, xid);
        let Request { write, special, ticket, watch, frame: _ } = request;
        if let Some(ticket) = &ticket {
            ticket.sent(xid);
        }
        self.outstanding.push_back(Outstanding { xid, sent_at: now, write, special, ticket, watch });
    }

    /// The request that a reply answers; `None` when the server broke the order.
    pub(super) fn answered(&mut self, xid: i32) -> Option<Outstanding<T, W>> {
        if self.outstanding.front()?.xid != xid {
            return None;
        }
        self.outstanding.pop_front()
    }

    /// Takes all outstanding requests, oldest first: their connection is gone. What only concerned that connection leaves the queue too.
    pub(super) fn lose(&mut self) -> VecDeque<Outstanding<T, W>> {
        self.queued.retain(|request| request.special != Some(Special::RemoveWatch));
        std::mem::take(&mut self.outstanding)
    }

    /// Takes all queued requests, oldest first.
    pub(super) fn drain_queued(&mut self) -> VecDeque<Request<T, W>> {
        std::mem::take(&mut self.queued)
    }

    /// Takes abandoned requests out of the queue, now and then: for a queue that nobody writes out, so that callers who give up do not make
    /// it grow. The cost is spread over the requests queued since.
    pub(super) fn sweep(&mut self) -> Vec<WatchRequest<W>> {
        let mut dropped = Vec::new();
        if self.queued.len() >= self.sweep_at {
            self.queued.retain_mut(|request| {
                let abandoned = request.is_abandoned();
                if abandoned {
                    dropped.extend(request.watch.take());
                }
                !abandoned
            });
            self.sweep_at = SWEEP_MIN.max(self.queued.len() * SWEEP_FACTOR);
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;
    use crate::client::request::{Answer, NoRecord};
    use crate::wire::OpCode;

    #[derive(Debug, Default, Clone)]
    struct Flag(Rc<Cell<bool>>);

    impl Ticket for Flag {
        fn is_abandoned(&self) -> bool {
            self.0.get()
        }

        fn complete(self, _answer: Answer) {}
    }

    fn request(special: Option<Special>) -> (Request<Flag, ()>, Flag) {
        let flag = Flag::default();
        let mut request = Request::new(OpCode::Sync, false, special, &NoRecord);
        request.ticket = Some(flag.clone());
        (request, flag)
    }

    fn write_all(pending: &mut Pending<Flag, ()>) -> Vec<i32> {
        let mut out = BytesMut::new();
        while let Some(request) = pending.next(&mut Vec::new()) {
            pending.write(request, Time::ZERO, &mut out);
        }
        out.chunks(12).map(|frame| i32::from_be_bytes(frame[4..8].try_into().unwrap())).collect()
    }

    #[test]
    fn xids_count_from_one_and_wrap_to_one() {
        let mut pending = Pending::new();
        pending.enqueue(request(None).0);
        assert_eq!(write_all(&mut pending), [1]);
        pending.next_xid = i32::MAX;
        pending.enqueue(request(None).0);
        pending.enqueue(request(None).0);
        assert_eq!(write_all(&mut pending), [i32::MAX, 1]);
        let answered: Vec<bool> = [1, i32::MAX, 1].map(|xid| pending.answered(xid).is_some()).to_vec();
        assert_eq!(answered, [true, true, true]);
    }

    #[test]
    fn a_reply_out_of_order_belongs_to_nobody() {
        let mut pending = Pending::new();
        pending.enqueue(request(None).0);
        pending.enqueue(request(None).0);
        write_all(&mut pending);
        assert!(pending.answered(2).is_none());
        assert!(pending.answered(1).is_some());
        assert!(pending.answered(2).is_some());
        assert!(pending.answered(3).is_none());
    }

    #[test]
    fn a_request_nobody_waits_for_is_not_written() {
        let mut pending = Pending::new();
        let (first, dropped) = request(None);
        pending.enqueue(first);
        pending.enqueue(request(None).0);
        dropped.0.set(true);
        assert_eq!(write_all(&mut pending).len(), 1);
        assert_eq!((pending.queued(), pending.outstanding()), (0, 1));
    }

    #[test]
    fn a_lost_connection_takes_what_was_written_and_the_removals() {
        let mut pending = Pending::new();
        pending.enqueue(request(None).0);
        write_all(&mut pending);
        pending.enqueue(request(Some(Special::RemoveWatch)).0);
        pending.enqueue(request(None).0);
        assert_eq!(pending.lose().len(), 1);
        assert_eq!(pending.drain_queued().len(), 1);
    }

    #[test]
    fn callers_who_give_up_do_not_make_the_queue_grow() {
        let mut pending = Pending::new();
        for _ in 0..10_000 {
            let (request, flag) = request(None);
            flag.0.set(true);
            pending.enqueue(request);
            pending.sweep();
            assert!(pending.queued.len() <= SWEEP_MIN);
        }
    }
}
