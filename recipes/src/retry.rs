//! Makes calls again that can be made twice without harm. It never knows what they do.

use std::time::Duration;

use menagerie_core::client::{Call, Error};

/// Between two tries. A call made while disconnected waits in the client for the next connection, so this only keeps a
/// server that refuses us at once from being asked in a tight loop.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// The longest of the pauses that grow.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Pauses between tries that may fail for a reason that stays: each is twice as long as the one before, up to a second.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Backoff { next: PAUSE }
    }

    /// Whether there has been no pause yet.
    pub(crate) fn is_new(&self) -> bool {
        self.next == PAUSE
    }

    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
    }
}

/// Makes an idempotent call until it gets an answer, which may be a refusal, or the session ends.
pub(crate) async fn until_answered<T>(mut call: impl FnMut() -> Call<T>) -> Result<T, Error> {
    reread(call(), call).await
}

/// As [`until_answered`] for a call that was made already, together with others so that they share a round trip.
pub(crate) async fn reread<T>(mut made: Call<T>, mut again: impl FnMut() -> Call<T>) -> Result<T, Error> {
    loop {
        match made.await {
            Err(error) if error.is_retryable() => tokio::time::sleep(PAUSE).await,
            answered => return answered,
        }
        made = again();
    }
}
