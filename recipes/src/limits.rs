//! Bounds on what callers ask for: a deadline for a whole acquisition, and paths that are paths. It never knows the recipe.

use std::time::Duration;

use menagerie_core::wire::path;

use crate::Error;

/// One deadline for the whole of an acquisition, on the monotonic clock.
pub(crate) struct Bound {
    path: String,
    timeout: Option<Duration>,
}

impl Bound {
    pub(crate) fn new(path: &str, timeout: Option<Duration>) -> Self {
        Bound { path: path.to_owned(), timeout }
    }

    /// Drops `work` when its time is up: it must be safe to drop at every await point it has.
    pub(crate) async fn apply<T>(self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let Some(after) = self.timeout else { return work.await };
        match tokio::time::timeout(after, work).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(Error::Timeout { path: self.path, after }),
        }
    }
}

/// Refuses what no server would accept, before anything is sent.
pub(crate) fn check_path(path: &str) -> Result<(), Error> {
    path::validate(path).map_err(|source| Error::Path { path: path.to_owned(), source })
}
