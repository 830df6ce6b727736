//! Zab: the order of all transactions (protocol §5, §7). Payloads are opaque: it never knows the tree, files or sockets.
//!
//! Today it holds the leader's side of the broadcast phase, for the ensemble of one that a standalone server is: a
//! proposal is committed when a quorum has it on disk, and proposals commit in the order in which they were made.

mod broadcast;

pub use broadcast::Leader;

/// A member's number, its `myid`.
pub type ServerId = i64;
