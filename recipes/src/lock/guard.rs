//! What holding a [`Lock`](super::Lock) gives beyond what all guards have.

use std::ops::Deref;

use menagerie_core::client::{Multi, Version};

use crate::{Error, Held};

/// The lock, held. Dropping it releases it in the background; [`LockGuard::release`] waits and tells how it went.
///
/// See [`Held`], to which it dereferences, for [`lost`](Held::lost), [`is_valid`](Held::is_valid), [`token`](Held::token) and
/// [`run`](Held::run).
#[derive(Debug)]
#[must_use = "a guard that is dropped releases the lock"]
pub struct LockGuard {
    held: Held,
}

impl LockGuard {
    pub(super) fn new(held: Held) -> Self {
        LockGuard { held }
    }

    /// Releases the lock and waits until the next in the queue can have it. The release is ordered by this call: dropping the future does
    /// not take it back.
    ///
    /// # Errors
    /// [`Error::Lost`] or [`Error::SessionExpired`] when the lock was not held any more; [`Error::Client`] when the server refuses to
    /// remove its znode, which then stays as long as the session.
    pub fn release(self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        self.held.release()
    }

    /// A multi that is applied only while the lock is held: its first operation checks the lock's znode. That makes operation 0 of
    /// [`multi_failure`](menagerie_core::client::Error::multi_failure) the lock itself, with NONODE, and yours start at 1.
    ///
    /// ```
    /// # use menagerie_core::{client::{Client, Version}, embedded::Server, wire::CreateMode};
    /// # use menagerie_recipes::Lock;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::start().await?;
    /// # let client = Client::connect(server.connect_string()).await?;
    /// client.create("/balance", "100", CreateMode::Persistent).await?;
    /// let guard = Lock::on(&client, "/lock").acquire().await?;
    /// guard.fenced().set_data("/balance", "90", Version::Any).commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn fenced(&self) -> Multi {
        self.held.client().multi().check(self.held.path(), Version::Any)
    }
}

impl Deref for LockGuard {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.held
    }
}
