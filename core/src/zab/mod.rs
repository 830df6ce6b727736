//! Zab: the order of all transactions, agreed upon by a quorum (protocol §5). Payloads are opaque: it never knows the tree,
//! files, sockets or clocks.
//!
//! [`Peer`] is one member as a machine. It is given an [`Input`] with the time, and then says by [`Output`]s what it wants
//! done; each says what the caller owes it. Nothing happens inside that does not come from an input, so a run can be repeated
//! exactly.
//!
//! ```text
//!                       ┌──────────────┐  a quorum names me   ┌─ leader ────────────────────────────────┐
//!            ┌─────────▶│   election   │─────────────────────▶│ discovery ▶ synchronization ▶ broadcast │
//!  lost      │          └──────┬───────┘                      └─────────────────────────────────────────┘
//!  leader or │                 │ a quorum names another          ▲ FOLLOWERINFO ACKEPOCH  │ LEADERINFO DIFF TRUNC SNAP
//!  quorum    │                 ▼                                 │ ACK  PING  REQUEST     ▼ NEWLEADER PROPOSAL COMMIT
//!            │          ┌─ learner ────────────────────────────────────────────┐
//!            └──────────│ discovery ▶ synchronization ▶ broadcast, or observer │
//!                       └──────────────────────────────────────────────────────┘
//! ```
//!
//! Four promises carry everything, and each is one about disks:
//! - an epoch is on disk before it is promised to anybody ([`Write::AcceptedEpoch`]);
//! - a history is on disk before its epoch is ([`Write::CurrentEpoch`]), and that before the leader is told;
//! - a proposal is on disk before it is acknowledged;
//! - a proposal is committed when a quorum has acknowledged it to the leader of its own epoch, and everything before it.
//!
//! A standalone server is a leader without learners ([`Peer::standalone`]), through the same code.

mod broadcast;
mod committed_log;
mod config;
mod core;
mod election;
mod epoch;
mod input;
mod invariants;
mod leader;
mod learner;
mod learner_sync;
mod members;
mod observer;
mod output;
mod peer;
mod quit;
mod quorum;
mod resign;

pub use committed_log::{Entry, RecentLog};
pub use config::Config;
pub use epoch::{EpochError, Epochs};
pub use input::Input;
pub use leader::Standing;
pub use output::{Output, Role, Write};
pub use peer::{Peer, Recovered};
pub use quit::ProposeError;
pub use quorum::{Quorum, Quorums};

use quit::Quit;

/// A member's number, its `myid`.
pub type ServerId = i64;

/// A connection of the quorum port, as the caller numbers it.
pub type LinkId = u64;

/// A change of the disk, counted from 1 since the start.
pub type Ticket = u64;
