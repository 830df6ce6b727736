//! How fast sessions may be opened: a bucket of tokens, and a probability of being refused that grows while the bucket is
//! empty (the BLUE algorithm; protocol §2.14). Time and chance come in as arguments.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::NewSessionsConfig;

/// What a connect request asks for; its cost depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Weight {
    /// A new session.
    Open,
    /// A session that is there already.
    Renew,
}

/// The bucket.
#[derive(Debug)]
pub(in crate::server) struct NewSessions {
    config: NewSessionsConfig,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: u64,
    filled_ms: u64,
    drop_probability: f64,
    frozen_ms: u64,
}

impl NewSessions {
    /// A full bucket.
    pub(in crate::server) fn new(config: NewSessionsConfig) -> Self {
        let tokens = config.tokens.map_or(0, u64::from);
        let state = State { tokens, filled_ms: 0, drop_probability: 0.0, frozen_ms: 0 };
        NewSessions { config, state: Mutex::new(state) }
    }

    /// Whether a session may be opened at `now_ms`, and pays for it. `chance` is a random number from 0 to below 1.
    pub(in crate::server) fn admit(&self, weight: Weight, now_ms: u64, chance: f64) -> bool {
        let Some(capacity) = self.config.tokens.map(u64::from) else { return true };
        let mut state = self.lock();
        self.fill(&mut state, capacity, now_ms);
        if let Some(freeze_ms) = self.config.freeze_time_ms.map(u64::from) {
            self.adjust(&mut state, capacity, now_ms, freeze_ms);
            if chance < state.drop_probability {
                return false;
            }
        }
        let cost = self.cost(weight);
        if state.tokens < cost {
            return false;
        }
        state.tokens -= cost;
        true
    }

    /// How many tokens are missing in the bucket.
    pub(in crate::server) fn deficit(&self) -> u64 {
        self.config.tokens.map_or(0, u64::from).saturating_sub(self.lock().tokens)
    }

    /// How likely the next session is refused although there are tokens; 0 to 1.
    pub(in crate::server) fn drop_probability(&self) -> f64 {
        self.lock().drop_probability
    }

    fn cost(&self, weight: Weight) -> u64 {
        match weight {
            _ if !self.config.weight_enabled => 1,
            Weight::Open => self.config.global_session_weight.into(),
            Weight::Renew => self.config.renew_session_weight.into(),
        }
    }

    fn fill(&self, state: &mut State, capacity: u64, now_ms: u64) {
        let every_ms = u64::from(self.config.fill_time_ms.max(1));
        let times = now_ms.saturating_sub(state.filled_ms) / every_ms;
        state.tokens = state.tokens.saturating_add(times.saturating_mul(self.config.fill_count.into())).min(capacity);
        // What is left of an interval counts for the next one.
        state.filled_ms += times * every_ms;
    }

    fn adjust(&self, state: &mut State, capacity: u64, now_ms: u64, freeze_ms: u64) {
        if now_ms.saturating_sub(state.frozen_ms) <= freeze_ms {
            return;
        }
        let used = capacity - state.tokens;
        let few = (capacity as f64 * self.config.decrease_ratio).round() as u64;
        if used == capacity {
            state.drop_probability = (state.drop_probability + self.config.drop_increase).min(1.0);
        } else if used <= few {
            state.drop_probability = (state.drop_probability - self.config.drop_decrease).max(0.0);
        }
        state.frozen_ms = now_ms;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `tries` sessions are admitted at one moment.
    fn admitted(bucket: &NewSessions, tries: usize, now_ms: u64) -> usize {
        (0..tries).filter(|_| bucket.admit(Weight::Open, now_ms, 0.5)).count()
    }

    #[test]
    fn without_tokens_everybody_may() {
        let bucket = NewSessions::new(NewSessionsConfig::default());
        assert_eq!(admitted(&bucket, 10_000, 0), 10_000);
        assert_eq!((bucket.deficit(), bucket.drop_probability()), (0, 0.0));
    }

    #[test]
    fn the_bucket_empties_and_fills() {
        let config = NewSessionsConfig { tokens: Some(5), fill_time_ms: 10, fill_count: 2, ..Default::default() };
        let bucket = NewSessions::new(config);
        assert_eq!((admitted(&bucket, 9, 0), bucket.deficit()), (5, 5));
        assert_eq!(admitted(&bucket, 9, 9), 0);
        assert_eq!(admitted(&bucket, 9, 25), 4);
        assert_eq!(admitted(&bucket, 9, 30), 2, "the rest of the last interval counts");
        assert_eq!(admitted(&bucket, 9, 1_000_000), 5, "never more than it holds");
    }

    #[test]
    fn weights_are_what_a_session_costs() {
        let config = NewSessionsConfig { tokens: Some(6), weight_enabled: true, ..Default::default() };
        let bucket = NewSessions::new(config);
        assert!(bucket.admit(Weight::Open, 0, 0.5) && bucket.admit(Weight::Renew, 0, 0.5));
        assert!(!bucket.admit(Weight::Renew, 0, 0.5), "one token is left");
    }

    #[test]
    fn while_it_is_empty_more_and_more_are_refused_by_chance() {
        let config = NewSessionsConfig {
            tokens: Some(1),
            fill_time_ms: 1000,
            freeze_time_ms: Some(5),
            drop_increase: 0.25,
            drop_decrease: 0.25,
            ..Default::default()
        };
        let bucket = NewSessions::new(config);
        assert!(bucket.admit(Weight::Open, 0, 0.0));
        for (now_ms, probability) in [(6, 0.25), (7, 0.25), (12, 0.5), (18, 0.75), (24, 1.0), (30, 1.0)] {
            assert!(!bucket.admit(Weight::Open, now_ms, 0.9));
            assert!((bucket.drop_probability() - probability).abs() < 1e-9, "at {now_ms}");
        }
        assert!(!bucket.admit(Weight::Open, 2000, 0.7), "there is a token, and chance refuses it");
        assert!((bucket.drop_probability() - 0.75).abs() < 1e-9);
        assert!(bucket.admit(Weight::Open, 2006, 0.7), "a full bucket makes it less likely");
    }
}
