//! Counters of the whole server, as the four-letter words print them.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the server has done since it started.
#[derive(Debug)]
pub(super) struct Stats {
    received: AtomicU64,
    sent: AtomicU64,
    latency_min_ms: AtomicU64,
    latency_max_ms: AtomicU64,
    latency_total_ms: AtomicU64,
    latency_count: AtomicU64,
}

/// Latencies in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Latency {
    pub(super) min: u64,
    pub(super) average: f64,
    pub(super) max: u64,
}

impl Default for Stats {
    fn default() -> Self {
        Stats {
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            latency_min_ms: AtomicU64::new(u64::MAX),
            latency_max_ms: AtomicU64::new(0),
            latency_total_ms: AtomicU64::new(0),
            latency_count: AtomicU64::new(0),
        }
    }
}

impl Stats {
    pub(super) fn add_received(&self, packets: u64) {
        self.received.fetch_add(packets, Ordering::Relaxed);
    }

    pub(super) fn add_sent(&self, packets: u64) {
        self.sent.fetch_add(packets, Ordering::Relaxed);
    }

    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// `requests` were answered, each after `ms` milliseconds.
    pub(super) fn add_latency(&self, requests: u64, ms: u64) {
        self.latency_min_ms.fetch_min(ms, Ordering::Relaxed);
        self.latency_max_ms.fetch_max(ms, Ordering::Relaxed);
        self.latency_total_ms.fetch_add(ms * requests, Ordering::Relaxed);
        self.latency_count.fetch_add(requests, Ordering::Relaxed);
    }

    pub(super) fn latency(&self) -> Latency {
        let count = self.latency_count.load(Ordering::Relaxed);
        if count == 0 {
            return Latency { min: 0, average: 0.0, max: 0 };
        }
        let total = self.latency_total_ms.load(Ordering::Relaxed);
        Latency {
            min: self.latency_min_ms.load(Ordering::Relaxed),
            average: (total as f64 / count as f64 * 10_000.0).round() / 10_000.0,
            max: self.latency_max_ms.load(Ordering::Relaxed),
        }
    }
}
