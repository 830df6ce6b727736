//! How many bytes of large requests may be in work at once (protocol §2.14). It never knows what a request is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::ThrottleConfig;

/// The account of large requests.
#[derive(Debug)]
pub(in crate::server) struct LargeRequests {
    /// Longer ones are large. `None`: none is.
    threshold: Option<usize>,
    most: usize,
    bytes: AtomicUsize,
}

/// The bytes of one large request, given back when it is dropped.
#[derive(Debug)]
pub(in crate::server) struct Reserved {
    account: Arc<LargeRequests>,
    bytes: usize,
}

impl LargeRequests {
    pub(in crate::server) fn new(config: &ThrottleConfig) -> Self {
        LargeRequests { threshold: config.large_threshold, most: config.large_max_bytes, bytes: AtomicUsize::new(0) }
    }

    /// Whether a request of so many bytes is large.
    pub(in crate::server) fn is_large(&self, bytes: usize) -> bool {
        self.threshold.is_some_and(|threshold| bytes > threshold)
    }

    /// Reserves a large request's bytes; `None` when those of others leave no room.
    pub(in crate::server) fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Reserved> {
        let room = |held: usize| held.checked_add(bytes).filter(|all| *all <= self.most);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok()?;
        Some(Reserved { account: Arc::clone(self), bytes })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.account.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_is_reserved_is_given_back() {
        let config = ThrottleConfig { large_threshold: Some(10), large_max_bytes: 100, ..Default::default() };
        let account = Arc::new(LargeRequests::new(&config));
        assert!(!account.is_large(10) && account.is_large(11));
        let first = account.reserve(60).unwrap();
        assert!(account.reserve(41).is_none());
        let second = account.reserve(40).unwrap();
        drop(first);
        assert!(account.reserve(61).is_none() && account.reserve(60).is_some());
        drop(second);
        assert_eq!(account.bytes.load(Ordering::Relaxed), 0);
        assert!(!LargeRequests::new(&ThrottleConfig::default()).is_large(usize::MAX));
    }
}
