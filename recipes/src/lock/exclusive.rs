//! The naive lock: one ephemeral znode. It never knows who else waits, and so wakes them all.

use std::ops::Deref;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use menagerie_core::client::Client;

use crate::Error;
use crate::held::Held;
use crate::limits::{Bound, check_path};
use crate::loss::LossPolicy;
use crate::parents::Parents;
use crate::sole::Claim;

/// A lock that is one ephemeral znode: whoever creates it holds the lock, and everybody else watches it.
///
/// * **Guarantee.** One holder at a time. No order among those who wait: a newcomer may be faster than any of them.
/// * **Cost.** Every release wakes all who wait, and all but one of them wake in vain (the herd). Use [`Lock`](super::Lock), which wakes
///   one; this is here because it is how the idea is taught, and because it shows in figures what the herd costs.
/// * **Failure, cancellation.** As with [`Lock`](super::Lock).
/// * **Fencing.** [`Held::token`] only. The znode's name is every holder's, so a check of it in a multi would not prove whose it is.
///
/// ```
/// # use menagerie_core::{client::Client, embedded::Server};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::start().await?;
/// # let client = Client::connect(server.connect_string()).await?;
/// use menagerie_recipes::lock::Exclusive;
/// let guard = Exclusive::on(&client, "/lock").acquire().await?;
/// assert!(client.exists("/lock").await?.is_some());
/// guard.release().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Exclusive {
    client: Client,
    path: String,
}

impl Exclusive {
    /// The lock whose znode is `path`, through `client`, to be asked for any number of times.
    pub fn on(client: &Client, path: impl Into<String>) -> Self {
        Exclusive { client: client.clone(), path: path.into() }
    }

    /// Asks for the lock. Await it for the guard, or set options first.
    pub fn acquire(&self) -> AcquireExclusive {
        AcquireExclusive { lock: self.clone(), timeout: None, payload: Bytes::new() }
    }
}

/// An [`Exclusive`] lock about to be asked for. Awaiting it acquires.
#[derive(Debug, Clone)]
#[must_use = "nothing is acquired until this is awaited"]
pub struct AcquireExclusive {
    lock: Exclusive,
    timeout: Option<Duration>,
    payload: Bytes,
}

impl AcquireExclusive {
    /// Gives up after this time with [`Error::Timeout`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// What the znode says of its holder; a line with a GUID is added.
    pub fn payload(mut self, payload: impl Into<Bytes>) -> Self {
        self.payload = payload.into();
        self
    }

    async fn wait(self) -> Result<ExclusiveGuard, Error> {
        let AcquireExclusive { lock: Exclusive { client, path }, payload, .. } = self;
        check_path(&path)?;
        let claim = Claim { client, path, payload, parents: Parents::default(), stamp: None };
        let won = claim.win(LossPolicy::default()).await?;
        Ok(ExclusiveGuard { held: won.held })
    }
}

impl IntoFuture for AcquireExclusive {
    type Output = Result<ExclusiveGuard, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Waits for the lock. Dropping the future leaves nothing.
    fn into_future(self) -> Self::IntoFuture {
        let bound = Bound::new(&self.lock.path, self.timeout);
        Box::pin(bound.apply(self.wait()))
    }
}

/// An [`Exclusive`] lock, held; see [`Held`]. Dropping it releases it in the background.
#[derive(Debug)]
#[must_use = "a guard that is dropped releases the lock"]
pub struct ExclusiveGuard {
    held: Held,
}

impl ExclusiveGuard {
    /// Releases the lock and waits until another can have it; as [`LockGuard::release`](super::LockGuard::release).
    pub fn release(self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        self.held.release()
    }
}

impl Deref for ExclusiveGuard {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.held
    }
}
