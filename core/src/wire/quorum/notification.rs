//! The messages of the election port: each is one server's vote and state, in a frame of its own (protocol §5.2).

use bytes::{Bytes, BytesMut};

use crate::jute::{Decode, DecodeError, Encode, Put, Reader};
use crate::wire::Zxid;

/// The longest body of a notification, in bytes.
pub const MAX_NOTIFICATION: usize = 512 * 1024;

/// Bytes of the form without a peer epoch, and the most of those in which no version is looked for: 3.4 writes 36 or 40.
const WITHOUT_EPOCH: usize = 28;
const WITHOUT_VERSION: usize = 40;
/// The version that has the configuration's text.
const WITH_CONFIG: i32 = 2;

/// What a server is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerState {
    /// It looks for a leader.
    Looking,
    /// It follows one, and votes.
    Following,
    /// It leads.
    Leading,
    /// It follows one without a vote.
    Observing,
}

impl ServerState {
    const ALL: [ServerState; 4] =
        [ServerState::Looking, ServerState::Following, ServerState::Leading, ServerState::Observing];

    /// The number on the wire.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The state with this number.
    pub fn from_code(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// A vote and the state of who sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// What the sender is doing.
    pub state: ServerState,
    /// Whom it votes for or follows. `i64::MIN` from those who vote for nobody.
    pub leader: i64,
    /// The last zxid of whom it votes for.
    pub zxid: Zxid,
    /// The sender's round of election.
    pub round: i64,
    /// The epoch of whom it votes for.
    pub peer_epoch: i64,
    /// The form: 0 without version and configuration (40 bytes), 1 without configuration (44 bytes), 2 with all.
    pub version: i32,
    /// The text of the sender's configuration, in form 2.
    pub config: Bytes,
}

impl Notification {
    /// The form that is sent.
    pub const VERSION: i32 = WITH_CONFIG;
}

/// The body, in the form that `version` names. The frame around it is [`crate::wire::frame`]'s.
impl Encode for Notification {
    fn encode(&self, out: &mut BytesMut) {
        out.put_int(self.state.code());
        out.put_long(self.leader);
        self.zxid.encode(out);
        out.put_long(self.round);
        out.put_long(self.peer_epoch);
        out.put_int(self.version);
        if self.version >= 1 {
            out.put_buffer(Some(&self.config));
        }
    }
}

/// Reads all forms, older ones by their length. The error is one to ignore the message for, not the connection.
impl Decode for Notification {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let length = reader.remaining();
        let code = reader.int()?;
        let state = ServerState::from_code(code)
            .ok_or(DecodeError::BadValue { what: "a server's state", value: i64::from(code) })?;
        let (leader, zxid, round) = (reader.long()?, Zxid::decode(reader)?, reader.long()?);
        let peer_epoch = if length == WITHOUT_EPOCH { zxid.0 >> 32 } else { reader.long()? };
        let version = if length <= WITHOUT_VERSION { 0 } else { reader.int()?.max(0) };
        let config = if version >= WITH_CONFIG { reader.buffer()?.unwrap_or_default() } else { Bytes::new() };
        Ok(Notification { state, leader, zxid, round, peer_epoch, version, config })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    fn vote(version: i32) -> Notification {
        Notification {
            state: ServerState::Looking,
            leader: 3,
            zxid: Zxid::new(5, 9),
            round: 2,
            peer_epoch: 5,
            version,
            config: if version >= 2 { Bytes::from_static(b"version=0") } else { Bytes::new() },
        }
    }

    #[test]
    fn every_form_is_read_by_its_length() {
        for version in [0, 1, 2] {
            assert_eq!(Notification::from_bytes(&vote(version).to_bytes()), Ok(vote(version)));
        }
        for (version, length) in [(0, 40), (1, 44), (2, 53)] {
            assert_eq!(vote(version).to_bytes().len(), length);
        }
        assert_eq!(Notification::from_bytes(&vote(0).to_bytes().slice(..36)), Ok(vote(0)));
        let oldest = vote(0).to_bytes().slice(..28);
        assert_eq!(Notification::from_bytes(&oldest), Ok(vote(0)), "the epoch is the zxid's");
        assert!(Notification::from_bytes(&oldest.slice(..27)).is_err());
        let mut negative = BytesMut::from(&vote(1).to_bytes()[..]);
        negative[36..40].copy_from_slice(&(-5_i32).to_be_bytes());
        assert_eq!(Notification::from_bytes(&negative.freeze()), Ok(vote(0)), "a version below all is the oldest");
        let mut unknown = BytesMut::from(&vote(2).to_bytes()[..]);
        unknown[3] = 4;
        assert!(Notification::from_bytes(&unknown.freeze()).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(0u8.., 0..80)) {
            let _ = Notification::from_bytes(&Bytes::from(bytes));
        }
    }
}
