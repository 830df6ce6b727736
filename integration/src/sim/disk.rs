//! One member's disk. What is written becomes durable later, in order; a crash forgets the rest, or all but some of it.

use std::collections::VecDeque;

use bytes::Bytes;
use menagerie_core::wire::Zxid;
use menagerie_core::zab::{Entry, Epochs, RecentLog, Recovered, Ticket, Write};

use super::sabotage::Sabotage;

/// A transaction.
pub type Txn = (Zxid, Bytes);

/// What survives a crash.
#[derive(Clone, Debug, Default)]
struct Image {
    accepted: u32,
    current: u32,
    /// What the snapshot has, as the transactions that led to it.
    snapshot: Vec<Txn>,
    log: Vec<Txn>,
}

/// A write with everything it needs.
#[derive(Debug)]
struct Queued {
    ticket: Ticket,
    /// `None` when a planted bug has dropped it.
    write: Option<Write>,
    /// The state to install.
    state: Vec<Txn>,
}

/// The disk.
#[derive(Debug, Default)]
pub struct Disk {
    image: Image,
    queue: VecDeque<Queued>,
    sabotage: Option<Sabotage>,
}

impl Disk {
    /// An empty disk.
    pub fn new(sabotage: Option<Sabotage>) -> Self {
        Disk { sabotage, ..Disk::default() }
    }

    /// Asks for a change; `state` is what a snapshot holds.
    pub fn write(&mut self, ticket: Ticket, write: Option<Write>, state: Vec<Txn>) {
        self.queue.push_back(Queued { ticket, write, state });
    }

    /// The newest write that is not durable.
    pub fn newest(&self) -> Option<Ticket> {
        self.queue.back().map(|queued| queued.ticket)
    }

    /// Makes everything up to `through` durable.
    pub fn sync(&mut self, through: Ticket) {
        while let Some(queued) = self.queue.pop_front_if(|queued| queued.ticket <= through) {
            self.apply(queued);
        }
    }

    /// A crash: of what is not durable, the first `kept` writes are on disk by chance.
    pub fn crash(&mut self, kept: usize) {
        for _ in 0..kept.min(self.queue.len()) {
            if let Some(queued) = self.queue.pop_front() {
                self.apply(queued);
            }
        }
        let lost = std::mem::take(&mut self.queue);
        if self.sabotage == Some(Sabotage::EpochBeforeHistory) {
            let epochs =
                |write: &Option<Write>| matches!(write, Some(Write::AcceptedEpoch(_) | Write::CurrentEpoch(_)));
            lost.into_iter().filter(|queued| epochs(&queued.write)).for_each(|queued| self.apply(queued));
        }
        if self.sabotage == Some(Sabotage::SoundTailCut) {
            self.image.log.pop();
        }
    }

    /// How many writes are not durable.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Whether the transaction would survive a crash now.
    pub fn has(&self, txn: &Txn) -> bool {
        let holds =
            |txns: &[Txn]| txns.binary_search_by_key(&txn.0, |(zxid, _)| *zxid).is_ok_and(|at| txns[at].1 == txn.1);
        holds(&self.image.log) || holds(&self.image.snapshot)
    }

    /// What a start finds: the whole state, and what a `Peer` needs, with the last `window` transactions in memory.
    pub fn recover(&self, window: usize) -> Result<(Vec<Txn>, Recovered), String> {
        let Image { accepted, current, snapshot, log } = &self.image;
        let mut state = snapshot.clone();
        state.extend_from_slice(log);
        let last = state.last().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
        // With files that were never written, a server takes the epoch of its last transaction.
        let accepted = (*accepted).max(last.epoch()).max(*current);
        let epochs = Epochs::new(accepted, *current).map_err(|error| error.to_string())?;
        let recent = log.len().saturating_sub(window);
        let before = log[..recent].last().or(snapshot.last()).map_or(Zxid::ZERO, |(zxid, _)| *zxid);
        let entries = log[recent..].iter().map(|(zxid, payload)| Entry { zxid: *zxid, payload: payload.clone() });
        let log = RecentLog::new(before, entries.collect(), window, usize::MAX);
        Ok((state, Recovered { epochs, log }))
    }

    /// Up to `most` transactions of the log after `after` and up to `through`; `None` when it is not known to have had `after`, or
    /// does not reach `through`.
    pub fn history(&self, after: Zxid, through: Zxid, most: usize) -> Option<Vec<Entry>> {
        let log = &self.image.log;
        let from = log.partition_point(|(zxid, _)| *zxid <= after);
        let before = if from == 0 { self.image.snapshot.last() } else { log.get(from - 1) };
        let is_known = before.is_some_and(|(zxid, _)| *zxid == after);
        let to = log.partition_point(|(zxid, _)| *zxid <= through);
        let reaches = log[..to].last().is_some_and(|(zxid, _)| *zxid == through);
        let entry = |(zxid, payload): &Txn| Entry { zxid: *zxid, payload: payload.clone() };
        (is_known && reaches && from < to).then(|| log[from..to].iter().take(most).map(entry).collect())
    }

    fn apply(&mut self, Queued { write, state, .. }: Queued) {
        let image = &mut self.image;
        let Some(write) = write else { return };
        match write {
            Write::AcceptedEpoch(epoch) => image.accepted = epoch,
            Write::CurrentEpoch(epoch) => image.current = epoch,
            Write::Append { zxid, payload } => image.log.push((zxid, payload)),
            Write::Truncate { to } => {
                image.log.retain(|(zxid, _)| *zxid <= to);
                image.snapshot.retain(|(zxid, _)| *zxid <= to);
            }
            Write::InstallSnapshot { .. } => {
                if self.sabotage != Some(Sabotage::SnapshotKeepsLog) {
                    image.log.clear();
                }
                image.snapshot = state;
            }
        }
    }
}
