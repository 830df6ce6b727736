//! An ensemble in one thread: pure Zab members, a network that loses and delays, disks that forget, virtual time. Everything that
//! happens follows from a seed.
//!
//! A run has a phase of faults and then a calm one. [`oracle`] sees everything, and ends the run at the first step at which a
//! promise is broken; after the calm phase every member must follow one leader and have the same transactions.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`options`] | how many members, which faults, which planted bug |
//! | [`world`] | the queue of events and the loop |
//! | [`member`] | the caller of one `Peer`: what a server's shell owes it, done right or, for a planted bug, wrong |
//! | [`members`] | changes of members |
//! | [`agenda`] | what is to happen |
//! | [`disk`] | writes that are durable later, and forgotten in a crash before |
//! | [`network`] | links and partitions |
//! | [`nemesis`] | when which fault happens |
//! | [`oracle`] | what must always hold |
//! | [`planted`] | the names of planted bugs |
//! | [`command`] | the command line |
//! | [`service`] | whole members with clients, in the same manner |
//! | [`sabotage`] | planted bugs |

pub mod agenda;
pub mod command;
pub mod disk;
pub mod member;
pub mod members;
pub mod nemesis;
pub mod network;
pub mod options;
pub mod oracle;
pub mod planted;
pub mod sabotage;
pub mod service;
pub mod world;

pub use options::Options;
pub use oracle::Violation;
pub use sabotage::Sabotage;
pub use world::{Report, World};

/// Runs one seed. The error says what was broken, and when.
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
