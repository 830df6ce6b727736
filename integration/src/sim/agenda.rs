//! What is to happen, by virtual time; of two things at one time the one that was planned first. It never knows what they are.

use std::collections::BTreeMap;

/// The events that are to come.
#[derive(Debug)]
pub struct Agenda<E> {
    events: BTreeMap<(u64, u64), E>,
    planned: u64,
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Agenda { events: BTreeMap::new(), planned: 0 }
    }
}

impl<E> Agenda<E> {
    /// Something happens at this millisecond.
    pub fn plan(&mut self, at_ms: u64, event: E) {
        self.planned += 1;
        self.events.insert((at_ms, self.planned), event);
    }

    /// Takes what happens next, and when, unless that is after `end_ms`.
    pub fn next_until(&mut self, end_ms: u64) -> Option<(u64, E)> {
        let entry = self.events.first_entry().filter(|entry| entry.key().0 <= end_ms)?;
        let at_ms = entry.key().0;
        Some((at_ms, entry.remove()))
    }
}
