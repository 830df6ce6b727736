//! What members of an ensemble say to each other: packets of the quorum port, notifications and greetings of the election
//! port (protocol §5). Data only: it never knows who leads, nor who may say what when.

mod greeting;
mod notification;
mod packet;
mod packet_codec;
#[cfg(test)]
mod recorded;
mod stream;

pub use greeting::{Greeting, GreetingError, MAX_GREETING_ADDRESSES};
pub use notification::{MAX_NOTIFICATION, Notification, ServerState};
pub use packet::{ForwardedRequest, LearnerInfo, Packet, QuorumPacket, Touch, kind};
pub use stream::{PacketError, take_packet};

/// The version of the quorum protocol that this code speaks, and the lowest it accepts: epochs are agreed upon by
/// LEADERINFO and ACKEPOCH (protocol §5.4).
pub const PROTOCOL_VERSION: i32 = 0x1_0000;

/// What follows the snapshot in the stream after a SNAP packet, as a jute string (protocol §5.5).
pub const SNAPSHOT_SIGNATURE: &str = "BenWasHere";
