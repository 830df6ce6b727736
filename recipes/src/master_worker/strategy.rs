//! Which worker gets a task. It never knows the tree.

use std::fmt;

/// A worker that could take a task: alive, able to do its kind, and with a free slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate<'a> {
    /// Its name.
    pub name: &'a str,
    /// How many tasks it has in hand.
    pub load: usize,
    /// How many it does at a time.
    pub slots: usize,
}

/// How a [`Master`](super::Master) chooses. A new master starts with the strategy as it was given, so what one remembers may be forgotten.
pub trait Strategy: Send + 'static {
    /// The index of the worker that gets the task. `candidates` is not empty, and sorted by name. An index out of bounds leaves the task
    /// waiting until something changes.
    fn choose(&mut self, task: &str, candidates: &[Candidate<'_>]) -> usize;
}

/// Round and round, by name; workers that come and go do not disturb the round.
#[derive(Debug, Clone, Default)]
pub struct RoundRobin {
    last: String,
}

impl Strategy for RoundRobin {
    fn choose(&mut self, _task: &str, candidates: &[Candidate<'_>]) -> usize {
        let next = candidates.iter().position(|candidate| candidate.name > self.last.as_str()).unwrap_or(0);
        if let Some(chosen) = candidates.get(next) {
            chosen.name.clone_into(&mut self.last);
        }
        next
    }
}

/// Whoever has the least in hand for its number of slots; the first by name among equals.
#[derive(Debug, Clone, Copy, Default)]
pub struct LeastLoaded;

impl Strategy for LeastLoaded {
    fn choose(&mut self, _task: &str, candidates: &[Candidate<'_>]) -> usize {
        // load / slots, without the division.
        let least = candidates.iter().enumerate().min_by(|(_, a), (_, b)| (a.load * b.slots).cmp(&(b.load * a.slots)));
        least.map_or(0, |(index, _)| index)
    }
}

impl fmt::Debug for dyn Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Strategy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates<'a>(of: &[(&'a str, usize, usize)]) -> Vec<Candidate<'a>> {
        of.iter().map(|&(name, load, slots)| Candidate { name, load, slots }).collect()
    }

    #[test]
    fn round_robin_goes_on_where_it_was_when_workers_change() {
        let mut strategy = RoundRobin::default();
        let all = candidates(&[("a", 0, 1), ("b", 0, 1), ("c", 0, 1)]);
        let chosen: Vec<_> = (0..4).map(|_| strategy.choose("t", &all)).collect();
        assert_eq!(chosen, [0, 1, 2, 0]);
        assert_eq!(strategy.choose("t", &candidates(&[("a", 0, 1), ("c", 0, 1)])), 1);
    }

    #[test]
    fn least_loaded_counts_in_slots() {
        assert_eq!(LeastLoaded.choose("t", &candidates(&[("a", 1, 2), ("b", 1, 4), ("c", 2, 8)])), 1);
    }
}
