//! Who is told of what: watches per connection and path, and which of them an event fires (protocol §2.9). It never knows
//! the tree; it is told what changed.

mod table;

pub use table::{WatchTable, Watched};

use crate::wire::EventKind;

/// A connection that watches.
pub type WatcherId = u64;

/// What the table says to a set of watchers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchEvent<'a> {
    /// What happened.
    pub kind: EventKind,
    /// Where.
    pub path: &'a str,
}
