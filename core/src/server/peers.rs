//! The other members as the event loop deals with them: it carries out what consensus wants said, and keeps the snapshots that
//! come from a leader until they are wanted. Of packets it knows only which one ends the history of a learner.

use std::collections::BTreeMap;
use std::io::{self, Read, Write as IoWrite};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk_writer::{Change, disk};
use super::event_loop::Event;
use super::history::{HistoryReaders, Wanted};
use super::member_files::MemberFiles;
use super::quorum::{Quorum, SnapshotSource, SnapshotStore};
use crate::replica::Shared;
use crate::storage::{self, ReceivedSnapshot, RecoverOptions, snapshot};
use crate::tree::{CONFIG_PATH, DataTree, SnapshotCursor};
use crate::wire::Zxid;
use crate::wire::ensemble::Ensemble;
use crate::wire::quorum::Packet;
use crate::zab::{self, LinkId, Write};

/// Ends the member's thread.
pub(super) struct Stopped;

/// The other members.
pub(super) struct Peers {
    quorum: Arc<Quorum>,
    received: Arc<ReceivedSnapshots>,
    history: HistoryReaders,
    /// `snapshotSizeFactor`.
    history_per_snapshot: f64,
    /// None for a member without a file of its own.
    files: Option<MemberFiles>,
    /// Those in force.
    members: Ensemble,
}

impl Peers {
    pub(super) fn new(
        quorum: Arc<Quorum>,
        received: Arc<ReceivedSnapshots>,
        (history, history_per_snapshot): (HistoryReaders, f64),
        files: Option<MemberFiles>,
        members: Ensemble,
    ) -> Self {
        Peers { quorum, received, history, history_per_snapshot, files, members }
    }

    /// The sockets.
    pub(super) fn quorum(&self) -> Arc<Quorum> {
        Arc::clone(&self.quorum)
    }

    /// Before the member is told of it: for a link that is gone nothing is read any more, and of it no snapshot is wanted.
    pub(super) fn note(&mut self, input: &zab::Input) {
        if let zab::Input::LinkClosed { link } = input {
            self.history.forget(*link);
            if let Some(snapshot) = self.received.take(*link) {
                snapshot.discard();
            }
        }
    }

    pub(super) fn carry_out(&mut self, output: zab::Output, shared: &Arc<Shared>) -> Result<(), Stopped> {
        match output {
            zab::Output::Notify { to, notification } => self.quorum.notify(to, &notification),
            zab::Output::Connect { leader } => self.quorum.connect(leader),
            zab::Output::Send { link, packet } => {
                if matches!(packet, Packet::NewLeader { .. }) {
                    self.history.forget(link);
                }
                self.quorum.send(link, &packet);
            }
            zab::Output::SendSnapshot { link, zxid } => {
                tracing::info!(link, %zxid, "sending a snapshot to a learner that is too far behind");
                self.quorum.send_snapshot(link, zxid, Box::new(Image::of(shared)));
            }
            zab::Output::ReadHistory { link, after, through } => {
                // What a snapshot would be about now. The newest on disk may be long out of date.
                let snapshot_bytes = shared.tree().approximate_data_size();
                let bytes_at_most = (snapshot_bytes as f64 * self.history_per_snapshot) as u64;
                self.history.read(link, Wanted { after, through, bytes_at_most });
            }
            zab::Output::Disconnect { link } => self.quorum.disconnect(link),
            zab::Output::MembersProposed(next) => {
                self.write(|files| files.propose(&next))?;
                // Both can be reached until one of them is in force.
                let mut members = self.members.clone();
                members.members.extend(next.members);
                self.quorum.set_members(&members);
            }
            zab::Output::Activated(members) => {
                tracing::info!(
                    version = format_args!("{:x}", members.version),
                    "these members are in force: {members}"
                );
                self.write(|files| files.activate(&members))?;
                self.quorum.set_members(&members);
                self.members = members;
            }
            // The replica keeps the others to itself.
            other => tracing::warn!(output = ?other, "nothing is known to be done about it"),
        }
        Ok(())
    }

    /// A member that forgets who the members are could agree with others who did the same.
    fn write(&self, write: impl FnOnce(&MemberFiles) -> io::Result<()>) -> Result<(), Stopped> {
        let Some(files) = &self.files else { return Ok(()) };
        write(files).map_err(|error| {
            tracing::error!(%error, ?files, "cannot write who the members are; the server stops");
            Stopped
        })
    }

    /// What a change means for the disk.
    pub(super) fn change(&self, write: &Write) -> Result<Change, Stopped> {
        match *write {
            Write::AcceptedEpoch(epoch) => Ok(Change::AcceptedEpoch(epoch)),
            Write::CurrentEpoch(epoch) => Ok(Change::CurrentEpoch(epoch)),
            Write::Truncate { to } => Ok(Change::Truncate { to }),
            Write::InstallSnapshot { link, zxid } => {
                let received = self.received.take(link).filter(|snapshot| snapshot.zxid() == zxid);
                received.map(|snapshot| Change::Install(Box::new(snapshot))).ok_or_else(|| {
                    tracing::error!(link, %zxid, "the snapshot that was to be installed is not there; the server stops");
                    Stopped
                })
            }
            Write::Append { .. } => {
                tracing::error!("an entry of the log came as another change; the server stops");
                Err(Stopped)
            }
        }
    }
}

/// The members that a state shows; none that a standalone server wrote.
pub(super) fn members_shown(tree: &DataTree) -> Option<Ensemble> {
    let members: Ensemble = std::str::from_utf8(tree.node(CONFIG_PATH)?.data()?).ok()?.parse().ok()?;
    (!members.members.is_empty()).then_some(members)
}

/// The state as of now, for a learner. Like a snapshot on disk it is walked while the tree goes on: what a learner is sent
/// behind it makes it whole.
struct Image {
    shared: Arc<Shared>,
    cursor: SnapshotCursor,
    sessions: BTreeMap<i64, i32>,
}

impl Image {
    fn of(shared: &Arc<Shared>) -> Self {
        // Commits hold the tree while they open and close sessions: under its lock both are of one moment.
        let tree = shared.tree();
        Image { cursor: SnapshotCursor::new(&tree), sessions: shared.sessions(), shared: Arc::clone(shared) }
    }
}

impl SnapshotSource for Image {
    fn write_to(self: Box<Self>, mut out: &mut dyn IoWrite) -> io::Result<()> {
        let Image { shared, cursor, sessions } = *self;
        let look = |see: &mut dyn FnMut(&DataTree)| see(&shared.tree());
        snapshot::write_stream(&mut out, cursor, &sessions, look).map_err(io::Error::other)
    }
}

/// Snapshots that came from a leader, by the link they came on.
pub(super) struct ReceivedSnapshots {
    snapshot_dir: PathBuf,
    options: RecoverOptions,
    events: Sender<Event>,
    waiting: Mutex<BTreeMap<LinkId, ReceivedSnapshot>>,
}

impl ReceivedSnapshots {
    pub(super) fn new(snapshot_dir: PathBuf, options: RecoverOptions, events: Sender<Event>) -> Self {
        ReceivedSnapshots { snapshot_dir, options, events, waiting: Mutex::default() }
    }

    fn take(&self, link: LinkId) -> Option<ReceivedSnapshot> {
        self.waiting().remove(&link)
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<LinkId, ReceivedSnapshot>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SnapshotStore for ReceivedSnapshots {
    fn receive(&self, link: LinkId, zxid: Zxid, image: &mut dyn Read) -> io::Result<()> {
        tracing::info!(link, %zxid, "receiving the leader's snapshot");
        let received = storage::receive_snapshot(&disk(), &self.snapshot_dir, link, zxid, image, &self.options);
        let received = received.map_err(io::Error::other)?;
        if let Some(members) = members_shown(received.tree()) {
            // Who sends to a thread that has ended is stopped itself.
            let _ = self.events.send(Event::Peer(zab::Input::SnapshotMembers { link, members }.into()));
        }
        self.waiting().insert(link, received);
        Ok(())
    }
}
