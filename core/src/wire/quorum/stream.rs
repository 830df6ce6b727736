//! Packets off a stream of the quorum port, where they stand back to back without a length in front (protocol §1).

use bytes::BytesMut;

use super::QuorumPacket;
use crate::jute::{Decode, DecodeError};

/// Bytes from which no packet can be read. The connection they came from cannot be understood any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// A packet above the limit.
    #[error("a quorum packet of more than {limit} bytes (jute.maxbuffer)")]
    TooLong {
        /// The limit in force.
        limit: usize,
    },
    /// A length below −1.
    #[error("length {0} in a quorum packet")]
    NegativeLength(
        /// The length read.
        i32,
    ),
    /// The packet is whole, and makes no sense.
    #[error("a quorum packet: {0}")]
    Malformed(
        /// Why.
        #[from]
        DecodeError,
    ),
}

/// Takes the next whole packet off the front of `input`; `None` while it is incomplete. After a SNAP packet a snapshot
/// stands in the stream, which is no packet: the caller reads that before it asks here again.
///
/// # Errors
/// [`PacketError`] for a packet of more than `limit` bytes or with impossible lengths; `input` is left as it was.
pub fn take_packet(input: &mut BytesMut, limit: usize) -> Result<Option<QuorumPacket>, PacketError> {
    match length(input, limit)? {
        None => Ok(None),
        Some(length) => Ok(Some(QuorumPacket::from_bytes(&input.split_to(length).freeze())?)),
    }
}

/// The length of the first packet, or `None` when not all of it is there. Looks only at lengths, so a packet that comes in
/// many pieces costs little each time.
fn length(input: &[u8], limit: usize) -> Result<Option<usize>, PacketError> {
    let mut scan = Scan { input, at: 0, limit };
    scan.skip(12)?;
    scan.skip_sized()?;
    let strings = 2 * scan.length()?.unwrap_or(0).max(0).unsigned_abs() as usize;
    for _ in 0..strings {
        // Once past the end there is nothing more to learn, whatever the count says.
        if scan.at > input.len() {
            break;
        }
        scan.skip_sized()?;
    }
    Ok((scan.at <= input.len()).then_some(scan.at))
}

/// A position that may lie beyond what has arrived, never beyond the limit.
struct Scan<'a> {
    input: &'a [u8],
    at: usize,
    limit: usize,
}

impl Scan<'_> {
    fn skip(&mut self, bytes: usize) -> Result<(), PacketError> {
        self.at += bytes;
        if self.at > self.limit { Err(PacketError::TooLong { limit: self.limit }) } else { Ok(()) }
    }

    /// The length at this position; `None` when it has not arrived, and then the position is past the end.
    fn length(&mut self) -> Result<Option<i32>, PacketError> {
        let bytes = self.input.get(self.at..).and_then(<[u8]>::first_chunk::<4>).copied();
        self.skip(4)?;
        match bytes.map(i32::from_be_bytes) {
            Some(length) if length < -1 => Err(PacketError::NegativeLength(length)),
            length => Ok(length),
        }
    }

    fn skip_sized(&mut self) -> Result<(), PacketError> {
        let length = self.length()?.unwrap_or(0).max(0);
        self.skip(length.unsigned_abs() as usize)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::jute::Encode;
    use crate::wire::{Id, Zxid};
    use bytes::Bytes;
    use proptest::prelude::*;

    fn packet(data: Option<Vec<u8>>, ids: Option<Vec<(String, String)>>) -> QuorumPacket {
        let authinfo = ids.map(|ids| ids.into_iter().map(|(scheme, id)| Id { scheme, id }).collect());
        QuorumPacket { kind: 1, zxid: Zxid(-1), data: data.map(Bytes::from), authinfo }
    }

    #[test]
    fn a_packet_above_the_limit_is_refused_before_it_has_arrived() {
        let mut input = BytesMut::from(&packet(Some(vec![7; 100]), None).to_bytes()[..20]);
        assert_eq!(take_packet(&mut input, 1000), Ok(None));
        assert_eq!(take_packet(&mut input, 99), Err(PacketError::TooLong { limit: 99 }));
        // Two thousand million identities, of which none has come.
        let mut many = BytesMut::from(&packet(None, Some(Vec::new())).to_bytes()[..]);
        many[16] = 0x7f;
        assert_eq!(take_packet(&mut many, 1000), Ok(None));
        let mut negative = BytesMut::from(&packet(None, None).to_bytes()[..]);
        negative[15] = 0xfe;
        assert_eq!(take_packet(&mut negative, 1000), Err(PacketError::NegativeLength(-2)));
    }

    proptest! {
        #[test]
        fn packets_are_found_however_the_stream_is_cut(
            packets in prop::collection::vec(
                (prop::option::of(prop::collection::vec(0u8.., 0..40)), prop::option::of(prop::collection::vec((".{0,4}", ".{0,4}"), 0..3))),
                0..6),
            cut in 1usize..50,
        ) {
            let packets: Vec<_> = packets.into_iter().map(|(data, ids)| packet(data, ids)).collect();
            let whole: Vec<u8> = packets.iter().flat_map(|packet| packet.to_bytes().to_vec()).collect();
            let (mut input, mut found) = (BytesMut::new(), Vec::new());
            for piece in whole.chunks(cut) {
                input.extend_from_slice(piece);
                while let Some(packet) = take_packet(&mut input, 4096).unwrap() {
                    found.push(packet);
                }
            }
            prop_assert_eq!(found, packets);
            prop_assert!(input.is_empty());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(0u8.., 0..80)) {
            let mut input = BytesMut::from(&bytes[..]);
            if let Ok(Some(packet)) = take_packet(&mut input, 64) {
                let _ = super::super::Packet::try_from(packet);
            }
        }
    }
}
