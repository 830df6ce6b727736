//! The three kinds of measured values: counters, summaries, and summaries with percentiles. It never knows what is measured.

use std::sync::atomic::{AtomicU64, Ordering};

/// Values below this have a bucket of their own; so milliseconds are exact where it matters.
const EXACT: usize = 256;
/// Buckets for each doubling above that: a percentile is off by less than one in 64.
const PER_DOUBLING: usize = 64;
/// The first power of two that shares buckets, and how many doublings follow it.
const FIRST_SHARED: u32 = EXACT.trailing_zeros();
const DOUBLINGS: usize = 24;

/// Something that is counted.
#[derive(Debug, Default)]
pub(in crate::server) struct Counter(AtomicU64);

impl Counter {
    pub(in crate::server) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(in crate::server) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// Something that is measured: how often, the least, the most and the sum.
#[derive(Debug)]
pub(in crate::server) struct Summary {
    count: AtomicU64,
    min: AtomicU64,
    max: AtomicU64,
    sum: AtomicU64,
}

/// What a summary says; all 0 when nothing was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::server) struct Reading {
    pub(in crate::server) average: f64,
    pub(in crate::server) min: u64,
    pub(in crate::server) max: u64,
    pub(in crate::server) count: u64,
    pub(in crate::server) sum: u64,
}

impl Default for Summary {
    fn default() -> Self {
        Summary {
            count: AtomicU64::new(0),
            min: AtomicU64::new(u64::MAX),
            max: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }
}

impl Summary {
    pub(in crate::server) fn add(&self, value: u64) {
        self.add_many(value, 1);
    }

    /// The same value, measured `times` times.
    pub(in crate::server) fn add_many(&self, value: u64, times: u64) {
        if times == 0 {
            return;
        }
        self.count.fetch_add(times, Ordering::Relaxed);
        self.sum.fetch_add(value.saturating_mul(times), Ordering::Relaxed);
        self.min.fetch_min(value, Ordering::Relaxed);
        self.max.fetch_max(value, Ordering::Relaxed);
    }

    pub(in crate::server) fn read(&self) -> Reading {
        let (count, sum) = (self.count.load(Ordering::Relaxed), self.sum.load(Ordering::Relaxed));
        if count == 0 {
            return Reading::default();
        }
        Reading {
            // Four places, as the reference rounds.
            average: (sum as f64 / count as f64 * 10_000.0).round() / 10_000.0,
            min: self.min.load(Ordering::Relaxed),
            max: self.max.load(Ordering::Relaxed),
            count,
            sum,
        }
    }

    pub(super) fn reset(&self) {
        for zero in [&self.count, &self.max, &self.sum] {
            zero.store(0, Ordering::Relaxed);
        }
        self.min.store(u64::MAX, Ordering::Relaxed);
    }
}

/// A summary that also knows its percentiles.
#[derive(Debug)]
pub(in crate::server) struct Distribution {
    summary: Summary,
    buckets: Box<[AtomicU64]>,
}

impl Default for Distribution {
    fn default() -> Self {
        let buckets = (0..EXACT + DOUBLINGS * PER_DOUBLING).map(|_| AtomicU64::new(0)).collect();
        Distribution { summary: Summary::default(), buckets }
    }
}

impl Distribution {
    pub(in crate::server) fn add(&self, value: u64) {
        self.add_many(value, 1);
    }

    /// The same value, measured `times` times.
    pub(in crate::server) fn add_many(&self, value: u64, times: u64) {
        self.summary.add_many(value, times);
        if let Some(bucket) = self.buckets.get(bucket_of(value)) {
            bucket.fetch_add(times, Ordering::Relaxed);
        }
    }

    pub(in crate::server) fn read(&self) -> Reading {
        self.summary.read()
    }

    /// The values below which these shares of the measurements lie, interpolated and rounded as the reference does; ascending
    /// shares between 0 and 1.
    pub(in crate::server) fn percentiles<const N: usize>(&self, shares: [f64; N]) -> [u64; N] {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let count: u64 = counts.iter().sum();
        shares.map(|share| {
            let position = share * (count + 1) as f64;
            let below = position.floor();
            let low = nth(&counts, (below as u64).clamp(1, count.max(1))) as f64;
            let high = nth(&counts, (below as u64 + 1).clamp(1, count.max(1))) as f64;
            (low + (position - below) * (high - low)).round() as u64
        })
    }

    pub(super) fn reset(&self) {
        self.summary.reset();
        for bucket in &self.buckets {
            bucket.store(0, Ordering::Relaxed);
        }
    }
}

/// The `n`th smallest value, counted from 1; 0 when there is none.
fn nth(counts: &[u64], n: u64) -> u64 {
    let mut seen = 0;
    let found = counts.iter().position(|count| {
        seen += count;
        seen >= n
    });
    found.map_or(0, value_of)
}

fn bucket_of(value: u64) -> usize {
    if value < EXACT as u64 {
        return value as usize;
    }
    let power = value.ilog2();
    let within = (value >> (power - PER_DOUBLING.trailing_zeros())) as usize - PER_DOUBLING;
    let doubling = (power - FIRST_SHARED) as usize;
    if doubling < DOUBLINGS { EXACT + doubling * PER_DOUBLING + within } else { EXACT + DOUBLINGS * PER_DOUBLING - 1 }
}

/// The least value of a bucket.
fn value_of(bucket: usize) -> u64 {
    let Some(shared) = bucket.checked_sub(EXACT) else { return bucket as u64 };
    let (doubling, within) = (shared / PER_DOUBLING, shared % PER_DOUBLING);
    ((PER_DOUBLING + within) as u64) << (FIRST_SHARED as usize + doubling - PER_DOUBLING.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_measured_is_all_zero() {
        let distribution = Distribution::default();
        assert_eq!(distribution.read(), Reading::default());
        assert_eq!(distribution.percentiles([0.5, 0.999]), [0, 0]);
    }

    #[test]
    fn a_summary_rounds_to_four_places_and_forgets_when_reset() {
        let summary = Summary::default();
        for value in [5, 7, 13] {
            summary.add(value);
        }
        assert_eq!(summary.read(), Reading { average: 8.3333, min: 5, max: 13, count: 3, sum: 25 });
        summary.reset();
        assert_eq!(summary.read(), Reading::default());
        summary.add_many(2, 4);
        assert_eq!(summary.read(), Reading { average: 2.0, min: 2, max: 2, count: 4, sum: 8 });
    }

    /// The pairs are what a reference server showed for these measurements.
    #[test]
    fn percentiles_are_the_references() {
        for (values, expected) in
            [(&[5, 7, 13][..], [7, 13, 13, 13]), (&[1, 2], [2, 2, 2, 2]), (&[1, 4, 1], [1, 4, 4, 4])]
        {
            let distribution = Distribution::default();
            for value in values {
                distribution.add(*value);
            }
            assert_eq!(distribution.percentiles([0.5, 0.95, 0.99, 0.999]), expected, "{values:?}");
        }
    }

    #[test]
    fn long_times_are_found_again_within_one_in_64() {
        for value in [0, 255, 256, 257, 1000, 65_535, 1 << 31, (1 << 32) - 1] {
            let found = value_of(bucket_of(value));
            assert!(found <= value && value - found <= value / 64, "{value}: {found}");
        }
        assert_eq!(bucket_of(u64::MAX), EXACT + DOUBLINGS * PER_DOUBLING - 1);
    }
}
