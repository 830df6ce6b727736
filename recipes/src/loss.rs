//! Tells the holder of something that it is no longer held. It never knows what is held.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use menagerie_core::client::{Call, Client, EventKind, OneshotWatch, State, StateWatch, WeakClient};
use menagerie_core::wire::{Stat, Zxid};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::debug;

use crate::retry;

/// How something that was held came not to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Loss {
    /// The connection was lost. The session may live on, and the znode with it; but others cannot be kept from acting for long.
    #[error("the connection was lost")]
    Suspended,
    /// No server has been heard of for so long that the session may have expired.
    #[error("the session may have expired unheard")]
    DeadlinePassed,
    /// A server said that the session has expired.
    #[error("the session has expired")]
    SessionExpired,
    /// The client was closed.
    #[error("the client was closed")]
    SessionClosed,
    /// Somebody deleted the znode.
    #[error("the znode was deleted")]
    NodeDeleted,
    /// The holder itself gave it back.
    #[error("it was released")]
    Released,
}

/// When to count as lost what may or may not be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LossPolicy {
    /// As soon as the connection is lost: the safe choice, and the price is that a short blip stops the work.
    #[default]
    Suspended,
    /// When the session has expired, or may have: [`Held::valid_until`](crate::Held::valid_until) has passed. Work goes on over blips.
    Expired,
}

/// The part of the session's timeout that is kept back from [`valid_until`], for clocks that run apart and tasks that are late.
const MARGIN_DIVISOR: u32 = 10;

/// Until when the server that serves this session keeps it: the last acknowledged request's send time plus the negotiated timeout, less
/// a margin of a tenth of it. The server counts from the same request, but from when it came in, which is later. A server that is cut off
/// from its leader may be wrong about it ([`Client::valid_until`]). `None` before a connect.
pub(crate) fn valid_until(client: &Client) -> Option<Instant> {
    let deadline = client.valid_until()?;
    deadline.checked_sub(client.negotiated_timeout() / MARGIN_DIVISOR).map(Instant::from)
}

/// Resolves when something held is lost; for [`Loss::Released`] too. Clones tell the same.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Lost {
    verdict: watch::Receiver<Option<Loss>>,
    waiting: Pin<Box<dyn Future<Output = Loss> + Send + Sync>>,
}

impl Lost {
    fn new(verdict: watch::Receiver<Option<Loss>>) -> Self {
        let mut waiter = verdict.clone();
        let waiting = Box::pin(async move {
            // The sender stays as long as the holder does; without either, it was released.
            waiter.wait_for(Option::is_some).await.ok().and_then(|loss| *loss).unwrap_or(Loss::Released)
        });
        Lost { verdict, waiting }
    }

    /// How it was lost, if it is known to be.
    pub fn loss(&self) -> Option<Loss> {
        *self.verdict.borrow()
    }
}

impl Future for Lost {
    type Output = Loss;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Loss> {
        self.waiting.as_mut().poll(context)
    }
}

impl Clone for Lost {
    fn clone(&self) -> Self {
        Lost::new(self.verdict.clone())
    }
}

impl std::fmt::Debug for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lost").field("loss", &self.loss()).finish_non_exhaustive()
    }
}

/// A znode of ours under a watch: what a contender has from its create on, before and while it holds.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) path: String,
    pub(crate) czxid: Zxid,
}

/// A read of our own znode with a watch on it, sent but perhaps not answered.
pub(crate) type OwnWatch = Call<(Bytes, Stat, OneshotWatch)>;

/// Resolves when `node` is gone, or the session.
pub(crate) async fn gone(client: WeakClient, node: Node, mut own: OwnWatch) -> Loss {
    loop {
        match own.await {
            // The same path under another creation is not ours; that of a node deleted and made again while we were cut off.
            Ok((_, stat, _)) if stat.czxid != node.czxid => return Loss::NodeDeleted,
            Ok((_, _, watch)) => match watch.changed().await.kind {
                EventKind::NodeDeleted => return Loss::NodeDeleted,
                EventKind::SessionExpired => return Loss::SessionExpired,
                kind if kind.is_final() => return Loss::SessionClosed,
                _ => {}
            },
            Err(error) if error.is_no_node() => return Loss::NodeDeleted,
            Err(error) if error.is_session_expired() => return Loss::SessionExpired,
            Err(error) if error.is_retryable() => tokio::time::sleep(retry::PAUSE).await,
            Err(error) => {
                debug!(path = node.path, %error, "cannot watch what is held");
                return Loss::SessionClosed;
            }
        }
        let Some(client) = client.upgrade() else { return Loss::SessionClosed };
        own = client.get_data_and_watch(&node.path);
    }
}

/// A boxed [`gone`], which moves from the contender to the monitor.
pub(crate) type Gone = Pin<Box<dyn Future<Output = Loss> + Send + Sync>>;

/// The holder's end of what is known of its hold. Dropping it is a release.
#[derive(Debug)]
pub(crate) struct Oversight(Verdict);

impl Oversight {
    /// Starts to watch over a hold. The task ends with the hold: `removed` tells that the removal of a released hold's znode is over.
    pub(crate) fn start<T: 'static>(
        client: &Client,
        gone: Gone,
        policy: LossPolicy,
        removed: impl Future<Output = T> + Send + 'static,
    ) -> Self {
        let verdict = Verdict(Arc::new(watch::Sender::new(None)));
        client.spawn(monitor(client.downgrade(), client.states(), gone, policy, verdict.clone(), removed));
        Oversight(verdict)
    }

    pub(crate) fn lost(&self) -> Lost {
        self.0.lost()
    }

    pub(crate) fn loss(&self) -> Option<Loss> {
        *self.0.0.borrow()
    }
}

impl Drop for Oversight {
    fn drop(&mut self) {
        self.0.pronounce(Loss::Released);
    }
}

#[derive(Debug, Clone)]
struct Verdict(Arc<watch::Sender<Option<Loss>>>);

impl Verdict {
    /// What is lost stays lost: the first verdict counts.
    fn pronounce(&self, loss: Loss) {
        self.0.send_if_modified(|verdict| {
            let first = verdict.is_none();
            verdict.get_or_insert(loss);
            first
        });
    }

    fn lost(&self) -> Lost {
        Lost::new(self.0.subscribe())
    }
}

async fn monitor<T>(
    client: WeakClient,
    mut states: StateWatch,
    mut gone: Gone,
    policy: LossPolicy,
    verdict: Verdict,
    removed: impl Future<Output = T>,
) {
    let released = verdict.lost();
    tokio::select! {
        biased;
        // The znode is about to be deleted. Let the watch see it, which is one request less than to remove the watch: the event comes
        // before the removal's answer. When the removal is refused, the watch goes now.
        _released = released => drop(removed.await),
        loss = &mut gone => verdict.pronounce(loss),
        loss = state_loss(&mut states, policy) => verdict.pronounce(loss),
        loss = deadline_loss(&client) => verdict.pronounce(loss),
    }
}

async fn state_loss(states: &mut StateWatch, policy: LossPolicy) -> Loss {
    let wanted = |state: State| policy == LossPolicy::Suspended && !state.is_connected();
    match states.wait_for(wanted).await {
        State::Expired => Loss::SessionExpired,
        state if state.is_final() => Loss::SessionClosed,
        _ => Loss::Suspended,
    }
}

/// Looks again at each deadline: every acknowledged ping has moved it on.
async fn deadline_loss(client: &WeakClient) -> Loss {
    loop {
        let Some(deadline) = client.upgrade().and_then(|client| valid_until(&client)) else {
            return Loss::DeadlinePassed;
        };
        if deadline <= Instant::now() {
            return Loss::DeadlinePassed;
        }
        tokio::time::sleep_until(deadline).await;
    }
}
