//! The sockets between the members of an ensemble: votes on the election port, a leader's and its learners' packets and
//! snapshots on the quorum port (protocol §5.1, §5.4–5.7). It carries out the network's share of [`zab::Output`] and
//! reports by [`zab::Input`]; it never knows who leads, nor what a packet means.
//!
//! ```text
//!                     notify ┌───────────┐ newest only ┌───────┐
//!  event loop ──────────────▶│ elections │────────────▶│ voice │⇄ election port of each peer
//!     ▲    │                 └───────────┘             └───────┘
//!     │    └─ send ─────────▶ queue of a link ────────▶ writer ┐
//!     │                                                        ├⇄ quorum port of the leader, or of each learner
//!     └───────── Arrival ◀───────────────────────────── reader ┘
//! ```
//!
//! Every method returns at once and may be called from any thread. Memory is bounded: of notifications only the newest waits;
//! what waits for a learner is at most [`Settings::queue_bytes`], and a learner that lets more pile up is disconnected; what
//! arrives faster than the event loop takes it is not read (see [`Arrival`]); snapshots go through small pipes.
//!
//! A member that may lead listens on its quorum port from the start, not only while it leads as the reference does: learners
//! that have noticed its election first then need not dial a second time. Who dials a member that does not lead is hung up on
//! by [`zab::Peer`], and dials again after its next election.
//!
//! [`zab::Output`]: crate::zab::Output
//! [`zab::Input`]: crate::zab::Input
//! [`zab::Peer`]: crate::zab::Peer

mod arrival;
mod book;
mod dial;
mod elections;
mod link;
mod links;
mod listen;
mod pipe;
mod queue;
mod settings;
mod snapshots;
#[cfg(test)]
mod tests;
mod voice;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use arrival::{Arrival, Inputs};
pub use settings::{MemberSettings, Settings};
pub use snapshots::{SnapshotSource, SnapshotStore};

use super::ServerError;
use crate::wire::Zxid;
use crate::wire::ensemble::Ensemble;
use crate::wire::quorum::{Notification, Packet};
use crate::zab::{LinkId, ServerId};
use book::Book;
use elections::Elections;
use links::Links;
use listen::Listeners;

/// Between two looks at what waits to be written.
const GLANCE: Duration = Duration::from_millis(1);

/// What all tasks of the sockets share.
struct Shared {
    settings: Settings,
    book: Book,
    inputs: Inputs,
    snapshots: Arc<dyn SnapshotStore>,
    runtime: Handle,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Shared {
    /// Runs a task until the end of these sockets. The caller may be a thread outside the runtime.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        let until_stopped = async move {
            tokio::select! {
                () = task => {}
                () = stop.cancelled() => {}
            }
        };
        self.tasks.spawn_on(until_stopped, &self.runtime);
    }
}

/// The sockets of one member. Dropping it closes them.
pub struct Quorum {
    shared: Arc<Shared>,
    elections: Elections,
    links: Arc<Links>,
    listeners: Arc<Listeners>,
}

impl Quorum {
    /// Opens the election port, and the quorum port when this member votes. Everything that happens is told to `inputs`;
    /// snapshots that come are given to `snapshots`.
    ///
    /// # Errors
    /// [`ServerError::BindQuorum`] when a port cannot be listened on after `electionPortBindRetry` attempts.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn start(
        settings: Settings,
        inputs: Inputs,
        snapshots: Arc<dyn SnapshotStore>,
    ) -> Result<Self, ServerError> {
        let shared = Arc::new(Shared {
            book: Book::new(&settings.ensemble),
            settings,
            inputs,
            snapshots,
            runtime: Handle::current(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        });
        let elections = Elections::start(&shared);
        let links = Arc::new(Links::new(Arc::clone(&shared)));
        let listeners = Arc::new(Listeners::new(Arc::clone(&shared), elections.clone(), Arc::clone(&links)));
        // From here on a failure closes what is open already.
        let quorum = Quorum { shared, elections, links, listeners };
        quorum.listeners.open().await?;
        Ok(quorum)
    }

    /// [`crate::zab::Output::Notify`].
    pub fn notify(&self, to: ServerId, notification: &Notification) {
        self.elections.notify(to, notification);
    }

    /// [`crate::zab::Output::Connect`]. It takes the place of a dial that is still under way, which is then not answered.
    pub fn connect(&self, leader: ServerId) {
        self.links.connect(leader);
    }

    /// [`crate::zab::Output::Send`]. A link that is gone is no error: its end is reported as an input.
    pub fn send(&self, link: LinkId, packet: &Packet) {
        self.links.send(link, packet);
    }

    /// [`crate::zab::Output::SendSnapshot`]: a SNAP packet with `zxid`, the image that `source` writes, the signature.
    pub fn send_snapshot(&self, link: LinkId, zxid: Zxid, source: Box<dyn SnapshotSource>) {
        self.links.send_snapshot(link, zxid, source);
    }

    /// Bytes of packets that wait to be sent on this link; `None` when it is gone.
    pub fn waiting_bytes(&self, link: LinkId) -> Option<usize> {
        self.links.waiting_bytes(link)
    }

    /// [`crate::zab::Output::Disconnect`]. What still waits to be sent is dropped.
    pub fn disconnect(&self, link: LinkId) {
        self.links.disconnect(link);
    }

    /// The members are others, or elsewhere, from now on. Connections that are open stay open; listeners move when the own
    /// addresses or the own role have changed, and try until they succeed.
    pub fn set_members(&self, ensemble: &Ensemble) {
        if self.shared.book.set(ensemble) {
            let listeners = Arc::clone(&self.listeners);
            self.shared.spawn(async move {
                if let Err(error) = listeners.open().await {
                    tracing::error!(%error, "this member cannot be reached by others at its new addresses");
                }
            });
        }
        self.elections.members_changed();
    }

    /// Waits until the sockets have taken what was sent, for `patience` at most.
    ///
    /// Cancel safe.
    pub async fn flush(&self, patience: Duration) {
        let written = async {
            while !self.links.are_written() {
                tokio::time::sleep(GLANCE).await;
            }
        };
        // What a learner does not take in time, it asks its next leader for.
        let _ = tokio::time::timeout(patience, written).await;
    }

    /// Closes every connection and both ports, and waits until nothing of them runs any more.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Drop for Quorum {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
    }
}

impl std::fmt::Debug for Quorum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quorum").field("server_id", &self.shared.settings.server_id).finish_non_exhaustive()
    }
}
