//! A place in a lock's queue, between asking and holding.

use std::fmt;

use crate::Error;
use crate::contender::Place;
use crate::loss::LossPolicy;

use super::LockGuard;

/// A place in a lock's queue. Dropping it gives the place up in the background.
#[must_use = "a ticket that is dropped gives up its place"]
pub struct Ticket {
    place: Place,
    loss_policy: LossPolicy,
}

impl Ticket {
    pub(super) fn new(place: Place, loss_policy: LossPolicy) -> Self {
        Ticket { place, loss_policy }
    }

    /// The contender's znode.
    pub fn path(&self) -> &str {
        self.place.path()
    }

    /// How many are ahead now: 0 means that the lock is ours to take.
    ///
    /// # Errors
    /// [`Error::Lost`] or [`Error::SessionExpired`] when the place is gone.
    pub async fn position(&self) -> Result<usize, Error> {
        self.place.position().await
    }

    /// Waits until nobody is ahead, and holds the lock. Dropping the future gives the place up.
    ///
    /// # Errors
    /// [`Error::Lost`] or [`Error::SessionExpired`] as soon as the place is known to be gone.
    pub async fn wait(mut self) -> Result<LockGuard, Error> {
        self.place.wait_turn().await?;
        Ok(LockGuard::new(self.place.hold(self.loss_policy)))
    }

    /// Gives the place up, and waits until it is empty. The removal is ordered when this is first polled, and dropping the future does not
    /// take it back.
    ///
    /// # Errors
    /// [`Error::Client`] when the server refuses to remove its znode, which then stays as long as the session.
    pub async fn leave(self) -> Result<(), Error> {
        self.place.leave().await
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("path", &self.path()).finish_non_exhaustive()
    }
}
