//! What all roles of a member share: its epochs, its log, its disk's queue and what it wants done. It decides nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::committed_log::{Entry, RecentLog};
use super::epoch::Epochs;
use super::quorum::Quorums;
use super::{Config, LinkId, Output, Ticket, Write};
use crate::wire::Zxid;
use crate::wire::quorum::{Packet, Touch};

/// How many touched sessions are kept between two PINGs.
const TOUCHES_AT_MOST: usize = 100_000;

#[derive(Debug)]
pub(super) struct Core {
    pub(super) config: Config,
    pub(super) quorums: Arc<Quorums>,
    pub(super) epochs: Epochs,
    pub(super) log: RecentLog,
    pub(super) outputs: VecDeque<Output>,
    issued: Ticket,
    persisted: Ticket,
    touches: BTreeMap<i64, i32>,
}

impl Core {
    pub(super) fn new(config: Config, quorums: Quorums, epochs: Epochs, log: RecentLog) -> Self {
        let quorums = Arc::new(quorums);
        Core {
            config,
            quorums,
            epochs,
            log,
            outputs: VecDeque::new(),
            issued: 0,
            persisted: 0,
            touches: BTreeMap::new(),
        }
    }

    pub(super) fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn send(&mut self, link: LinkId, packet: Packet) {
        self.outputs.push_back(Output::Send { link, packet });
    }

    fn persist(&mut self, write: Write) -> Ticket {
        self.issued += 1;
        self.outputs.push_back(Output::Persist { ticket: self.issued, write });
        self.issued
    }

    /// Promises an epoch. The promise may be told when the ticket is persisted.
    pub(super) fn promise(&mut self, epoch: u32) -> Ticket {
        self.epochs.promise(epoch);
        self.persist(Write::AcceptedEpoch(epoch))
    }

    /// The log now is the history with which the leader of `epoch` began.
    pub(super) fn take_over(&mut self, epoch: u32) -> Ticket {
        if epoch == self.epochs.current() {
            return self.issued;
        }
        self.epochs.take_over(epoch);
        self.persist(Write::CurrentEpoch(epoch))
    }

    pub(super) fn append(&mut self, zxid: Zxid, payload: Bytes) -> Ticket {
        self.log.push(Entry { zxid, payload: payload.clone() });
        self.persist(Write::Append { zxid, payload })
    }

    pub(super) fn truncate(&mut self, to: Zxid) {
        self.log.truncate(to);
        self.persist(Write::Truncate { to });
    }

    pub(super) fn install_snapshot(&mut self, link: LinkId, zxid: Zxid) {
        self.log.reset(zxid);
        self.persist(Write::InstallSnapshot { link, zxid });
    }

    /// Everything up to `zxid` is committed: gives the caller what it has not got yet.
    pub(super) fn commit(&mut self, zxid: Zxid) {
        for Entry { zxid, payload } in self.log.commit(zxid) {
            self.outputs.push_back(Output::Committed { zxid, payload });
        }
    }

    /// The newest change of the disk that was asked for.
    pub(super) fn last_ticket(&self) -> Ticket {
        self.issued
    }

    pub(super) fn is_persisted(&self, ticket: Ticket) -> bool {
        ticket <= self.persisted
    }

    pub(super) fn persisted(&mut self, through: Ticket) {
        self.persisted = self.persisted.max(through.min(self.issued));
    }

    pub(super) fn touch(&mut self, touches: Vec<Touch>) {
        for Touch { session, timeout_ms } in touches {
            // A touch that does not fit is lost, as one in a lost packet would be; the next comes with the session's next ping.
            if self.touches.len() < TOUCHES_AT_MOST || self.touches.contains_key(&session) {
                self.touches.insert(session, timeout_ms);
            }
        }
    }

    pub(super) fn take_touches(&mut self) -> Vec<Touch> {
        std::mem::take(&mut self.touches)
            .into_iter()
            .map(|(session, timeout_ms)| Touch { session, timeout_ms })
            .collect()
    }
}
