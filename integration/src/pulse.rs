//! How long writes were not acknowledged after a blow, such as the leader's death: the time from the blow to the first
//! acknowledgement of a write that was *asked for* after it. What was on its way at the blow says nothing.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shared by many writers.
#[derive(Debug, Default)]
pub struct Pulse {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    acknowledged: u64,
    last: Option<Instant>,
    longest: Duration,
    blow: Option<Instant>,
    first: Option<Instant>,
}

impl Pulse {
    /// When a write is asked for.
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    /// A write that was asked for at `asked` is acknowledged.
    pub fn acknowledged(&self, asked: Instant) {
        let now = Instant::now();
        let mut state = self.lock();
        state.acknowledged += 1;
        let pause = state.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        state.longest = state.longest.max(pause);
        state.last = Some(now);
        if state.first.is_none() && state.blow.is_some_and(|blow| asked > blow) {
            state.first = Some(now);
        }
    }

    /// The blow falls now.
    pub fn blow(&self) {
        let mut state = self.lock();
        state.blow = Some(Instant::now());
        state.first = None;
    }

    /// The time from the last blow to the first write after it, once there is one.
    pub fn recovered_after(&self) -> Option<Duration> {
        let state = self.lock();
        Some(state.first?.saturating_duration_since(state.blow?))
    }

    /// How many writes were acknowledged.
    pub fn count(&self) -> u64 {
        self.lock().acknowledged
    }

    /// The longest time between two acknowledgements.
    pub fn longest_pause(&self) -> Duration {
        self.lock().longest
    }

    /// Forgets when the last acknowledgement was, and the longest pause: writers have been at rest.
    pub fn begin(&self) {
        let mut state = self.lock();
        state.last = None;
        state.longest = Duration::ZERO;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_asked_before_the_blow_is_no_recovery() {
        let pulse = Pulse::default();
        let before = pulse.now();
        std::thread::sleep(Duration::from_millis(1));
        pulse.blow();
        pulse.acknowledged(before);
        assert_eq!(pulse.recovered_after(), None);
        std::thread::sleep(Duration::from_millis(1));
        pulse.acknowledged(pulse.now());
        let first = pulse.recovered_after();
        assert!(first.is_some_and(|first| first >= Duration::from_millis(1)));
        pulse.acknowledged(pulse.now());
        assert_eq!(pulse.recovered_after(), first);
        assert_eq!(pulse.count(), 3);
        assert!(pulse.longest_pause() >= Duration::from_millis(1));
    }
}
