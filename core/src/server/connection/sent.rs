//! What was sent, for the counters: the frames in a buffer, and the header of a reply. It never changes a byte.

use bytes::Bytes;

use crate::jute::Decode;
use crate::wire::proto::ReplyHeader;

/// A frame's length, and a reply's header.
const LENGTH: usize = 4;
const HEADER: usize = 16;

/// The contents of the whole frames of `out`, without their lengths.
pub(super) fn frames(mut out: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = out.split_first_chunk::<LENGTH>()?;
        let (frame, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        out = rest;
        Some(frame)
    })
}

/// The header of a reply's frame.
pub(super) fn header(frame: &Bytes) -> Option<ReplyHeader> {
    let whole = frame.len() >= LENGTH + HEADER;
    whole.then(|| ReplyHeader::from_bytes(&frame.slice(LENGTH..LENGTH + HEADER)).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Zxid, frame};

    #[test]
    fn frames_are_counted_and_half_ones_are_not() {
        let first = frame::of(&7_i32);
        let second = frame::of(&ReplyHeader { xid: 1, zxid: Zxid(2), err: -3 });
        let out = [&first[..], &second[..], &[0, 0, 0, 9, 1]].concat();
        assert_eq!(frames(&out).map(<[u8]>::len).collect::<Vec<_>>(), [4, 16]);
        assert_eq!(header(&second).map(|header| (header.xid, header.zxid, header.err)), Some((1, Zxid(2), -3)));
        assert_eq!(header(&first), None);
    }
}
