//! Whole members and their clients in one thread: consensus, tree, sessions and watches, on a network that loses and delays and
//! disks that forget, in virtual time. Everything that happens follows from a seed.
//!
//! A run has a phase of faults and then a calm one, in which all must heal. [`oracle`] sees every step of every member; what the
//! clients did and saw is checked at the end by [`crate::check`].
//!
//! | module | what it is |
//! | --- | --- |
//! | [`options`] | how many members and clients, which planted bug |
//! | [`world`] | the queue of events and the loop |
//! | [`carry`] | carries out what members want done |
//! | [`member`] | one member: its replica, its disk, its connections |
//! | [`connection`] | a client's connection as a server serves it |
//! | [`clients`] | what the clients do |
//! | [`operator`] | who changes the members |
//! | [`faults`] | which fault happens when, and how |
//! | [`oracle`] | what must always hold |
//! | [`command`] | the command line |

pub mod carry;
pub mod clients;
pub mod command;
pub mod connection;
pub mod faults;
pub mod member;
pub mod operator;
pub mod options;
pub mod oracle;
pub mod world;

pub use super::oracle::Violation;
pub use command::Service;
pub use options::{Options, Sabotage};
pub use world::{Report, World};

/// Runs one seed.
///
/// # Errors
/// What was broken, and when.
pub fn run(options: &Options) -> Result<Report, Violation> {
    World::new(options.clone()).run()
}

/// The last events before the violation that this seed leads to, one a line.
pub fn trace(options: &Options) -> Vec<String> {
    let mut world = World::new(Options { trace: true, ..options.clone() });
    // How it ends is known already.
    let _ = world.run();
    world.into_trace()
}
