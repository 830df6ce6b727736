//! The quorum port: links to learners and to the leader, each with a number that is never used again (protocol §5.4). It never
//! looks into a packet.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::link::{self, Direction};
use super::queue::{Overflow, SendQueue};
use super::snapshots::SnapshotSource;
use super::{Shared, dial};
use crate::wire::Zxid;
use crate::wire::quorum::Packet;
use crate::zab::{Input, LinkId, ServerId};

/// Links that may be open at once; each can make this member hold some memory.
const LINKS_AT_MOST: usize = 256;

/// The sending side of one link.
pub(super) struct Link {
    pub(super) id: LinkId,
    pub(super) queue: SendQueue,
    pub(super) closed: CancellationToken,
}

/// All links of this member.
pub(super) struct Links {
    shared: Arc<Shared>,
    table: Mutex<BTreeMap<LinkId, Arc<Link>>>,
    numbers: AtomicU64,
    /// Ends the dial that is under way.
    dialling: Mutex<CancellationToken>,
}

impl Links {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Links { shared, table: Mutex::default(), numbers: AtomicU64::new(1), dialling: Mutex::default() }
    }

    pub(super) fn send(&self, link: LinkId, packet: &Packet) {
        let Some(link) = self.get(link) else { return };
        if link.queue.push(packet) == Err(Overflow) {
            let limit = self.shared.settings.queue_bytes;
            tracing::warn!(link = link.id, limit, "a learner does not keep up with what it is sent; closing its link");
            link.closed.cancel();
        }
    }

    pub(super) fn send_snapshot(&self, link: LinkId, zxid: Zxid, source: Box<dyn SnapshotSource>) {
        self.send(link, &Packet::Snap { zxid });
        if let Some(link) = self.get(link) {
            link.queue.push_snapshot(source);
        }
    }

    pub(super) fn waiting_bytes(&self, link: LinkId) -> Option<usize> {
        self.get(link).map(|link| link.queue.waiting_bytes())
    }

    pub(super) fn disconnect(&self, link: LinkId) {
        if let Some(link) = self.get(link) {
            link.closed.cancel();
        }
    }

    /// Somebody has dialled.
    pub(super) fn accepted(self: &Arc<Self>, stream: TcpStream) {
        if self.table().len() >= LINKS_AT_MOST {
            tracing::warn!("too many links of the quorum port are open; closing another");
            return;
        }
        self.open(stream, Direction::Accepted, |link| Input::Accepted { link });
    }

    pub(super) fn connect(self: &Arc<Self>, leader: ServerId) {
        let superseded = CancellationToken::new();
        let earlier =
            std::mem::replace(&mut *self.dialling.lock().unwrap_or_else(PoisonError::into_inner), superseded.clone());
        earlier.cancel();
        let links = Arc::clone(self);
        self.shared.spawn(async move {
            let dialled = tokio::select! {
                dialled = links.dial(leader) => dialled,
                () = superseded.cancelled() => return,
            };
            match dialled {
                Ok(stream) => links.open(stream, Direction::Dialled, |link| Input::Connected { link, leader }),
                Err(error) => {
                    tracing::warn!(leader, %error, "the quorum port of the leader cannot be reached");
                    (links.shared.inputs)(Input::ConnectFailed { leader }.into());
                }
            }
        });
    }

    /// Once: when to try again, consensus knows.
    async fn dial(&self, leader: ServerId) -> io::Result<TcpStream> {
        dial::first(self.shared.book.quorum(leader), self.shared.settings.leader_timeout).await
    }

    fn open(self: &Arc<Self>, stream: TcpStream, direction: Direction, opened: impl FnOnce(LinkId) -> Input) {
        let id = self.numbers.fetch_add(1, Ordering::Relaxed);
        let queue = SendQueue::new(self.shared.settings.queue_bytes);
        let link = Arc::new(Link { id, queue, closed: CancellationToken::new() });
        self.table().insert(id, Arc::clone(&link));
        (self.shared.inputs)(opened(id).into());
        let links = Arc::clone(self);
        self.shared.spawn(async move {
            let ended = tokio::select! {
                ended = link::run(&links.shared, &link, stream, direction) => ended,
                () = link.closed.cancelled() => Ok(()),
            };
            if let Err(error) = ended {
                tracing::warn!(link = id, %error, "a link of the quorum port ended");
            }
            links.table().remove(&id);
            (links.shared.inputs)(Input::LinkClosed { link: id }.into());
        });
    }

    /// Whether everything that was sent has been taken by its socket.
    pub(super) fn are_written(&self) -> bool {
        self.table().values().all(|link| link.queue.is_empty())
    }

    fn get(&self, link: LinkId) -> Option<Arc<Link>> {
        self.table().get(&link).map(Arc::clone)
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<LinkId, Arc<Link>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
