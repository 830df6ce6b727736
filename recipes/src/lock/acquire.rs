//! How a [`Lock`](super::Lock) is asked for. It never knows how turns are taken.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use menagerie_core::client::Client;
use tracing::{Instrument, debug_span};

use crate::contender::Contest;
use crate::limits::Bound;
use crate::loss::{Loss, LossPolicy};
use crate::parents::Parents;
use crate::protected::Naming;
use crate::{Error, ambient};

use super::queue::{Contender, list};
use super::{LockGuard, Ticket};

/// A lock about to be asked for. Awaiting it acquires.
#[derive(Debug, Clone)]
#[must_use = "nothing is acquired until this is awaited"]
pub struct Acquire {
    client: Option<Client>,
    path: String,
    timeout: Option<Duration>,
    payload: Bytes,
    parents: Parents,
    naming: Naming,
    loss_policy: LossPolicy,
}

impl Acquire {
    pub(super) fn new(client: Option<Client>, path: String) -> Self {
        Acquire {
            client,
            path,
            timeout: None,
            payload: Bytes::new(),
            parents: Parents::default(),
            naming: Naming::default(),
            loss_policy: LossPolicy::default(),
        }
    }

    /// Gives up after this time with [`Error::Timeout`]: one bound for all that acquiring takes. Without it, waits as long as the session
    /// lives.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Data of the contender's znode, for people who look who holds the lock; empty by default.
    pub fn payload(mut self, payload: impl Into<Bytes>) -> Self {
        self.payload = payload.into();
        self
    }

    /// What to do about missing directories; [`Parents::Container`] by default.
    pub fn parents(mut self, parents: Parents) -> Self {
        self.parents = parents;
        self
    }

    /// Whose names to use; [`Naming::Curator`] by default. All who share the lock must use the same.
    pub fn naming(mut self, naming: Naming) -> Self {
        self.naming = naming;
        self
    }

    /// When the guard counts as lost; [`LossPolicy::Suspended`] by default.
    pub fn loss_policy(mut self, policy: LossPolicy) -> Self {
        self.loss_policy = policy;
        self
    }

    /// The lock if nobody holds it or waits for it now, else `None`, without waiting for anyone. Bounded by the timeout if there is one.
    /// When it returns `None`, nothing of it is left on the server.
    ///
    /// # Errors
    /// Among others [`Error::Client`] with NOAUTH when this session may create in the directory but not delete there: its place in the
    /// queue then stays as long as the session, and holds up those behind it.
    pub async fn try_acquire(self) -> Result<Option<LockGuard>, Error> {
        let bound = self.bound();
        bound.apply(self.try_now()).await
    }

    /// Takes a place in the queue and returns at once, for callers that want to know where they stand before they wait. Bounded by the
    /// timeout if there is one.
    ///
    /// ```
    /// # use menagerie_core::{client::Client, embedded::Server};
    /// # use menagerie_recipes::Lock;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::start().await?;
    /// # let client = Client::connect(server.connect_string()).await?;
    /// let lock = Lock::on(&client, "/lock");
    /// let first = lock.acquire().await?;
    /// let ticket = lock.enqueue().await?;
    /// assert_eq!(ticket.position().await?, 1);
    /// first.release().await?;
    /// let second = ticket.wait().await?;
    /// # drop(second);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn enqueue(self) -> Result<Ticket, Error> {
        let bound = self.bound();
        bound.apply(self.place()).await
    }

    /// Who holds the lock (first) and who waits, in the order of the queue. Waits for nobody.
    pub async fn contenders(self) -> Result<Vec<Contender>, Error> {
        let client = ambient::resolve(self.client, &self.path).await?;
        list(&client, &self.path, &self.naming).await
    }

    async fn wait(self) -> Result<LockGuard, Error> {
        loop {
            match self.clone().place().await?.wait().await {
                // Somebody removed our place in the queue, perhaps with the whole directory: start again at its end.
                Err(Error::Lost(Loss::NodeDeleted)) => {}
                outcome => return outcome,
            }
        }
    }

    async fn try_now(self) -> Result<Option<LockGuard>, Error> {
        let ticket = self.place().await?;
        if ticket.position().await? == 0 { ticket.wait().await.map(Some) } else { ticket.leave().await.map(|()| None) }
    }

    async fn place(self) -> Result<Ticket, Error> {
        let client = ambient::resolve(self.client, &self.path).await?;
        let Acquire { path: directory, naming, payload, parents, loss_policy, .. } = self;
        let place = Contest { client, directory, naming, payload, parents }.enqueue().await?;
        Ok(Ticket::new(place, loss_policy))
    }

    fn bound(&self) -> Bound {
        Bound::new(&self.path, self.timeout)
    }
}

impl IntoFuture for Acquire {
    type Output = Result<LockGuard, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Waits in the queue for the lock. Dropping the future leaves the queue, in the background.
    fn into_future(self) -> Self::IntoFuture {
        let span = debug_span!("lock.acquire", path = self.path);
        let bound = self.bound();
        Box::pin(async move { bound.apply(self.wait()).await }.instrument(span))
    }
}
