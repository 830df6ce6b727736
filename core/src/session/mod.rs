//! Sessions: their ids and passwords, and when they expire (protocol §2.11). Time is given; it never knows a clock,
//! a socket or the tree.

mod identity;
mod tracker;

pub use identity::{SessionIds, password, password_matches};
pub use tracker::{SessionTracker, TouchError};
