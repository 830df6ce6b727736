//! Reads the log on disk for learners that are further behind than the window in memory reaches, each on a thread of its own,
//! because files block. It never knows what is in a transaction, and sends nothing itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use super::disk_writer::disk;
use super::event_loop::Event;
use super::quorum::Quorum;
use crate::storage::{self, LogRange};
use crate::wire::Zxid;
use crate::zab::{Entry, Input, LinkId};

/// How much is read at once, in bytes and in transactions; and how much may still wait to be sent to the learner before more
/// is read for it.
const PIECE_BYTES: usize = 1 << 20;
const PIECE_ENTRIES: usize = 1000;
/// How often a learner is looked at that does not take what was sent to it.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Where the log is.
#[derive(Debug, Clone)]
pub(super) struct LogPlace {
    pub(super) snapshot_dir: PathBuf,
    pub(super) log_dir: PathBuf,
    /// The longest entry, in bytes.
    pub(super) max_entry_bytes: usize,
}

/// After which transaction, and through which.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) after: Zxid,
    pub(super) through: Zxid,
    /// How much a learner may be sent instead of a snapshot, in bytes.
    pub(super) bytes_at_most: u64,
}

/// All that is being read.
pub(super) struct HistoryReaders {
    place: LogPlace,
    quorum: Arc<Quorum>,
    events: Sender<Event>,
    running: BTreeMap<LinkId, Sender<Wanted>>,
}

impl HistoryReaders {
    pub(super) fn new(place: LogPlace, quorum: Arc<Quorum>, events: Sender<Event>) -> Self {
        HistoryReaders { place, quorum, events, running: BTreeMap::new() }
    }

    /// Begins to read, or goes on; the answer is an event.
    pub(super) fn read(&mut self, link: LinkId, wanted: Wanted) {
        if self.running.get(&link).is_some_and(|reader| reader.send(wanted).is_ok()) {
            return;
        }
        let (sender, requests) = mpsc::channel();
        let (place, quorum, events) = (self.place.clone(), Arc::clone(&self.quorum), self.events.clone());
        let reader = Reader { link, place, quorum, events, requests, open: None, sent_bytes: 0 };
        let thread = std::thread::Builder::new().name("menagerie-history".to_owned()).spawn(move || reader.run());
        match thread {
            // It takes what is sent to it: it has just begun.
            Ok(_) if sender.send(wanted).is_ok() => {
                self.running.insert(link, sender);
            }
            _ => drop(self.events.send(Event::Peer(Input::NoHistory { link }.into()))),
        }
    }

    /// Nothing more is wanted for this link.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.running.remove(&link);
    }
}

/// Reads for one learner.
struct Reader {
    link: LinkId,
    place: LogPlace,
    quorum: Arc<Quorum>,
    events: Sender<Event>,
    requests: Receiver<Wanted>,
    /// What is being read, and up to where.
    open: Option<(LogRange, Zxid)>,
    sent_bytes: u64,
}

/// Why the learner gets no more.
enum Stop {
    /// Nobody wants it any more.
    Gone,
    /// It is not there.
    NotThere(storage::Error),
    /// A snapshot is less.
    TooMuch,
}

impl From<storage::Error> for Stop {
    fn from(error: storage::Error) -> Self {
        Stop::NotThere(error)
    }
}

impl Reader {
    fn run(mut self) {
        let link = self.link;
        while let Ok(wanted) = self.requests.recv() {
            let read = self.wait_for_room().and_then(|()| self.piece(wanted));
            let (input, goes_on) = match read {
                Ok(entries) => (Input::History { link, entries }, true),
                Err(Stop::Gone) => return,
                Err(Stop::NotThere(error)) => {
                    tracing::info!(link, %error, "the log on disk does not have what a learner lacks");
                    (Input::NoHistory { link }, false)
                }
                Err(Stop::TooMuch) => {
                    let limit = wanted.bytes_at_most;
                    tracing::info!(link, limit, "a learner lacks more than a snapshot is worth");
                    (Input::NoHistory { link }, false)
                }
            };
            if self.events.send(Event::Peer(input.into())).is_err() || !goes_on {
                return;
            }
        }
    }

    /// Until the learner has taken most of what was sent to it.
    fn wait_for_room(&self) -> Result<(), Stop> {
        loop {
            match self.quorum.waiting_bytes(self.link) {
                None => return Err(Stop::Gone),
                Some(waiting) if waiting <= PIECE_BYTES => return Ok(()),
                // Nothing is asked for before this is answered.
                Some(_) => match self.requests.recv_timeout(LOOK_AGAIN) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(_) | Err(RecvTimeoutError::Disconnected) => return Err(Stop::Gone),
                },
            }
        }
    }

    fn piece(&mut self, wanted: Wanted) -> Result<Vec<Entry>, Stop> {
        if self.open.as_ref().is_none_or(|(_, through)| *through <= wanted.after) {
            self.check(wanted)?;
            self.open = Some((self.range(wanted)?, wanted.through));
        }
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let Some((range, _)) = &mut self.open else { return Err(Stop::Gone) };
        while bytes < PIECE_BYTES
            && entries.len() < PIECE_ENTRIES
            && let Some((zxid, payload)) = range.next_entry()?
        {
            bytes += payload.len();
            entries.push(Entry { zxid, payload });
        }
        self.sent_bytes += bytes as u64;
        Ok(entries)
    }

    fn range(&self, Wanted { after, through, .. }: Wanted) -> Result<LogRange, storage::Error> {
        let LogPlace { snapshot_dir, log_dir, max_entry_bytes } = &self.place;
        storage::log_range(&disk(), snapshot_dir, log_dir, after, through, *max_entry_bytes)
    }

    /// Reads all of it before anything is sent: a learner that was sent a part, and then has to take a snapshot, has waited for
    /// nothing; and of a log that does not reach that far, nothing may be believed.
    fn check(&self, wanted: Wanted) -> Result<(), Stop> {
        let (mut range, mut bytes) = (self.range(wanted)?, self.sent_bytes);
        while let Some((_, payload)) = range.next_entry()? {
            bytes += payload.len() as u64;
            if bytes > wanted.bytes_at_most {
                return Err(Stop::TooMuch);
            }
        }
        Ok(())
    }
}
