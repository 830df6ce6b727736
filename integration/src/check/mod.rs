//! Holds a history of what clients did and saw to what the service promises. Histories come from a simulation or from real
//! processes: whoever has the clients' logs ([`ClientLog`]) and the one order of transactions, from any member's log.
//!
//! ```text
//!   clients' logs ──┐                         ┌─ writes: each has one place in the order, and is answered by what it does there;
//!                   ├─▶ replay in the order ──┤          who was answered before another asked stands before it
//!   transactions ───┘   against a model       ├─ reads: what the state was at the zxid of the reply; a client never goes back
//!                                             ├─ watches: once, with the first change, before anything newer is shown
//!                                             └─ sessions: unique, never revived; an ephemeral lives as long as its session
//! ```
//!
//! | module | what it is |
//! | --- | --- |
//! | [`history`] | what is recorded |
//! | [`model`] | a tree by its rules, written apart from the service's |
//! | [`replay`] | the order of transactions against the model |
//! | [`client`] | one client's order, and its watches |
//! | [`times`] | real time: writes and syncs of different clients |
//! | [`speaker`] | a client as a pure machine of frames that writes its own log |

pub mod client;
pub mod history;
pub mod model;
pub mod replay;
pub mod speaker;
#[cfg(test)]
mod tests;
pub mod times;

use std::fmt;

pub use history::{Action, Answer, ClientLog, History, NodeView, Step, What};
pub use speaker::Speaker;

/// A promise that the history breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which promise, in a few words.
    pub promise: &'static str,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.what)
    }
}

impl std::error::Error for Broken {}

/// What a history was like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Writes that were answered.
    pub writes: usize,
    /// Reads that were answered.
    pub reads: usize,
    /// Events of watches.
    pub events: usize,
    /// Syncs that were answered by a leader that had been surpassed: it could not know of the last writes.
    pub stale_syncs: usize,
}

/// Checks a whole history.
///
/// # Errors
/// The first promise that is found broken.
pub fn check(history: &History) -> Result<Summary, Broken> {
    let replayed = replay::replay(history)?;
    let mut summary = Summary::default();
    for log in &history.clients {
        client::check(log, &replayed, &mut summary)?;
    }
    times::check(history, &replayed, &mut summary)?;
    Ok(summary)
}

fn broken<T>(promise: &'static str, what: String) -> Result<T, Broken> {
    Err(Broken { promise, what })
}
