//! Removes the znodes that nobody wants any more. One task per session does it, because whoever stopped wanting a znode may be a
//! future dropped in mid-call, or a guard dropped outside any runtime: all that a drop does is to send a message (recipes §4.1, rule 2).
//! It never knows what a znode stood for.

use std::sync::Arc;

use menagerie_core::client::{self, Client, WeakClient};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use crate::mark;
use crate::protected::{find, is_owner, through};
use crate::retry::Backoff;

/// What to remove, by what is known of it.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// A path that no other znode will ever have, because its name holds a GUID.
    Unique(String),
    /// Whatever a create with this prefix has left in the directory; its reply has not been seen.
    Prefixed { directory: String, prefix: String },
    /// A path that others use too: remove it only while its data end with this mark and it belongs to this session.
    Marked { path: String, mark: String },
}

/// What came of a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// The znode is gone, by our doing as far as can be known.
    Removed,
    /// There was none.
    Missing,
}

/// Sees to it that a znode goes when this is dropped, however that comes about.
#[derive(Debug)]
pub(crate) struct Cleanup {
    janitor: Arc<Janitor>,
    /// `None` once it is given.
    order: Option<Order>,
    outcome: watch::Receiver<Option<Outcome>>,
}

/// How a removal went.
type Outcome = Result<Removal, client::Error>;

impl Cleanup {
    /// To be made before the create is sent.
    pub(crate) fn arm(client: &Client, target: Target) -> Self {
        let janitor = client.extension(|| Janitor::start(client));
        let (done, outcome) = watch::channel(None);
        Cleanup { janitor, order: Some(Order { client: client.downgrade(), target, done }), outcome }
    }

    /// More has become known of what to remove.
    pub(crate) fn retarget(&mut self, target: Target) {
        if let Some(order) = &mut self.order {
            order.target = target;
        }
    }

    /// Orders the removal now. The future tells how it went; dropping it changes nothing.
    pub(crate) fn finish(mut self) -> impl Future<Output = Outcome> + Send + use<> {
        self.give_order();
        self.outcome()
    }

    /// Tells how the removal went, whenever it is ordered.
    pub(crate) fn outcome(&self) -> impl Future<Output = Outcome> + Send + use<> {
        let mut outcome = self.outcome.clone();
        async move {
            let known = outcome.wait_for(Option::is_some).await.ok().and_then(|known| known.clone());
            // The janitor carries out every order unless its runtime is gone, and the session's task with it.
            known.unwrap_or(Ok(Removal::Missing))
        }
    }

    fn give_order(&mut self) {
        if let Some(order) = self.order.take() {
            self.janitor.order(order);
        }
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        self.give_order();
    }
}

/// The session's end of the janitor's task, kept in the client's extension slot.
#[derive(Debug)]
struct Janitor {
    orders: mpsc::UnboundedSender<Order>,
}

#[derive(Debug)]
struct Order {
    /// Weak: a session must not live on because something of it is to be removed; its end removes everything.
    client: WeakClient,
    target: Target,
    done: watch::Sender<Option<Outcome>>,
}

impl Janitor {
    /// Its task belongs to the session: it ends with the last client, and runs where the session does.
    fn start(client: &Client) -> Self {
        let (sender, orders) = mpsc::unbounded_channel();
        client.spawn(work(orders));
        Janitor { orders: sender }
    }

    fn order(&self, order: Order) {
        if let Err(refused) = self.orders.send(order) {
            // Only at the runtime's end; the session ends with it, and the znode with the session.
            debug!(target = ?refused.0.target, "no runtime to remove a znode in");
        }
    }
}

/// Ends when the session's last client is dropped, and the sender with it. Orders run side by side: one that waits for a connection
/// does not hold up those of another chroot, and a thousand releases do not take a thousand round trips one after the other.
async fn work(mut orders: mpsc::UnboundedReceiver<Order>) {
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(order) => drop(under_way.spawn(carry_out(order))),
                None => break,
            },
            Some(_ended) = under_way.join_next() => {}
        }
    }
    while under_way.join_next().await.is_some() {}
}

/// Tries until the znode is known to be gone, or the session is.
async fn carry_out(order: Order) {
    let mut backoff = Backoff::new();
    let mut tried = false;
    let outcome = loop {
        match remove(&order.client, &order.target).await {
            // An earlier try may have removed it without our hearing of it.
            Ok(Removal::Missing) if tried => break Ok(Removal::Removed),
            Err(error) if error.is_retryable() || error.is_bad_version() => {
                tried |= error.may_have_applied();
                debug!(target = ?order.target, %error, "removing again");
                backoff.pause().await;
            }
            outcome => break outcome,
        }
    };
    match &outcome {
        Ok(removal) => debug!(target = ?order.target, ?removal, "cleaned up"),
        Err(error) if error.is_session_expired() || error.is_closed() => {
            debug!(target = ?order.target, "the session has ended, and the znode with it");
        }
        Err(error) => {
            warn!(target = ?order.target, %error, "a znode cannot be removed; it stays until its session ends");
        }
    }
    order.done.send_replace(Some(outcome));
}

async fn remove(client: &WeakClient, target: &Target) -> Outcome {
    match target {
        Target::Unique(path) => delete(client, path, -1).await,
        Target::Prefixed { directory, prefix } => match find(client, directory, prefix).await? {
            Some((path, _)) => delete(client, &path, -1).await,
            None => Ok(Removal::Missing),
        },
        Target::Marked { path, mark } => {
            let Some(synced) = through(client, |client| client.sync(path)).await else { return Ok(Removal::Missing) };
            synced?;
            match through(client, |client| client.get_data(path)).await {
                Some(Ok((data, stat))) if mark::bears(&data, mark) && is_owner(client, &stat) => {
                    delete(client, path, stat.version).await
                }
                Some(Err(error)) if !error.is_no_node() => Err(error),
                _ => Ok(Removal::Missing),
            }
        }
    }
}

async fn delete(client: &WeakClient, path: &str, version: i32) -> Outcome {
    match through(client, |client| client.delete(path, version)).await {
        Some(Ok(())) => Ok(Removal::Removed),
        Some(Err(error)) if !error.is_no_node() => Err(error),
        _ => Ok(Removal::Missing),
    }
}
