//! The front door of [`Lock`]: through the ambient client, or through a given one. It never knows how a lock is acquired.

use menagerie_core::client::Client;

use crate::{Error, ambient};

use super::{Acquire, Contender, LockGuard, Ticket};

/// A fair lock across processes: whoever asked first gets it first, one at a time.
///
/// * **Guarantee.** While a guard is valid no other contender of the same directory holds one; the one exception is told at
///   [`Held::valid_until`](crate::Held::valid_until). Each contender is an ephemeral sequential znode and watches only the one before it, so
///   a release wakes one process, however many wait.
/// * **Failure.** A holder that dies gives the lock up when its session expires; a holder that is cut off learns of it through
///   [`Held::lost`](crate::Held::lost) before that, with the same exception. A lock is never taken up again by a new session.
/// * **Fencing.** [`Held::token`](crate::Held::token) for outside resources, [`LockGuard::fenced`] for writes into the service.
/// * **Cancellation.** Dropping any of its futures or guards, anywhere, leaves neither znode nor watch.
/// * **Interoperation.** Apache Curator's `InterProcessMutex` (Java) by default, Kazoo's `Lock` (Python) by [`Acquire::naming`].
///
/// ```
/// use menagerie_recipes::Lock;
/// # use menagerie_core::{client::Client, embedded::Server};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::start().await?;
/// # menagerie_recipes::init(Client::connect(server.connect_string()).await?);
/// let guard = Lock::acquire("/lock").await?;
/// println!("ours, with fencing token {}", guard.token());
/// assert!(Lock::try_acquire("/lock").await?.is_none());
/// guard.release().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Lock(());

impl Lock {
    /// Asks the [ambient client](crate::ambient) for the lock whose contenders are the children of `path`. Await it for the guard, or set
    /// options first.
    pub fn acquire(path: impl Into<String>) -> Acquire {
        Acquire::new(None, path.into())
    }

    /// The lock of `path` through `client`, to be asked for any number of times.
    ///
    /// ```
    /// # use menagerie_core::{client::Client, embedded::Server};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::start().await?;
    /// use menagerie_recipes::Lock;
    /// let client = Client::connect(server.connect_string()).await?;
    /// let lock = Lock::on(&client, "/jobs/nightly");
    /// let guard = lock.acquire().payload("host-7").await?;
    /// assert_eq!(lock.contenders().await?[0].payload, "host-7");
    /// assert!(lock.try_acquire().await?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn on(client: &Client, path: impl Into<String>) -> BoundLock {
        BoundLock { client: client.clone(), path: path.into() }
    }

    /// The lock if it is free, through the ambient client; see [`Acquire::try_acquire`].
    pub async fn try_acquire(path: impl Into<String>) -> Result<Option<LockGuard>, Error> {
        Lock::acquire(path).try_acquire().await
    }

    /// Who holds the lock and who waits, through the ambient client; first the holder; see [`BoundLock::contenders`].
    pub async fn contenders(path: impl Into<String>) -> Result<Vec<Contender>, Error> {
        Lock::on(&ambient::client().await?, path).contenders().await
    }
}

/// A [`Lock`] of one client and one path ([`Lock::on`]). It holds nothing by itself.
#[derive(Debug, Clone)]
pub struct BoundLock {
    client: Client,
    path: String,
}

impl BoundLock {
    /// Asks for the lock. Await it for the guard, or set options first.
    pub fn acquire(&self) -> Acquire {
        Acquire::new(Some(self.client.clone()), self.path.clone())
    }

    /// The lock if it is free; see [`Acquire::try_acquire`].
    pub async fn try_acquire(&self) -> Result<Option<LockGuard>, Error> {
        self.acquire().try_acquire().await
    }

    /// A place in the queue; see [`Acquire::enqueue`].
    pub async fn enqueue(&self) -> Result<Ticket, Error> {
        self.acquire().enqueue().await
    }

    /// Who holds the lock (first) and who waits, in the order of the queue. Waits for nobody; see
    /// [`Acquire::contenders`].
    pub async fn contenders(&self) -> Result<Vec<Contender>, Error> {
        self.acquire().contenders().await
    }
}
