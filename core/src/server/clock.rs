//! The one place where the server reads clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::replica::Time;

/// A monotonic clock that starts with the server, beside the wall clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Clock { started: Instant::now() }
    }

    /// Milliseconds since the server started.
    pub(super) fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn now(&self) -> Time {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time { monotonic_ms: self.monotonic_ms(), wall_ms: i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX) }
    }
}
