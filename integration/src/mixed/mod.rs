//! One of our consensus members beside members of the reference, over real sockets: whether the machine speaks the protocol is
//! asked of somebody else's servers.
//!
//! What surrounds the machine here is as small as it can be: blocking sockets with a thread each, a disk that is memory, and a
//! state machine that opens sessions and makes znodes for the reference's clients without checking anything. It never restarts
//! and keeps its whole history in the window, so it sends no snapshots; of one that it gets, it keeps the bytes.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`member`] | our member: its thread, and what tests may ask it |
//! | [`voices`] | connections of the election port |
//! | [`links`] | connections of the quorum port |
//! | [`answers`] | transactions for what the clients of the reference's followers ask |
//! | [`neighbour`] | a member that is a process of the reference |

pub mod answers;
pub mod links;
pub mod member;
pub mod neighbour;
pub mod voices;

use std::io;

use menagerie_core::wire::ensemble::Ensemble;

use crate::port;

/// The tick of all members, in milliseconds, and their limits in ticks.
pub const TICK_MS: u64 = 500;
/// `initLimit`.
pub const INIT_LIMIT: u64 = 40;
/// `syncLimit`.
pub const SYNC_LIMIT: u64 = 20;

/// The ports of one member.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// The number in `server.N`.
    pub id: i64,
    /// Where learners dial.
    pub quorum: u16,
    /// Where votes are exchanged.
    pub election: u16,
    /// Where clients connect; ours has none.
    pub client: u16,
    /// Whether it only observes.
    pub observer: bool,
}

/// Free ports for members 1 to `count`.
pub fn ports(count: i64) -> io::Result<Vec<Ports>> {
    let member = |id| {
        let (quorum, election, client) = (port::free()?, port::free()?, port::free()?);
        Ok(Ports { id, quorum, election, client, observer: false })
    };
    (1..=count).map(member).collect()
}

/// The `server.N` lines of these members.
pub fn server_lines(members: &[Ports]) -> String {
    let line = |member: &Ports| {
        let role = if member.observer { "observer" } else { "participant" };
        format!("server.{}=127.0.0.1:{}:{}:{role}", member.id, member.quorum, member.election)
    };
    members.iter().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

/// The same as a configuration.
pub fn ensemble(members: &[Ports]) -> io::Result<Ensemble> {
    server_lines(members).parse().map_err(io::Error::other)
}
