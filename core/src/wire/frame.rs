//! Frames of the client port: a four-byte length, then as many bytes (protocol §1).

use bytes::{Buf, Bytes, BytesMut};

use crate::jute::{Encode, Put};

/// A length that no frame may have. The connection it came from cannot be understood any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A length below zero.
    #[error("frame length {0} is negative")]
    Negative(
        /// The length read.
        i32,
    ),
    /// A length above `jute.maxbuffer`.
    #[error("frame length {length} is above the limit of {limit} bytes (jute.maxbuffer)")]
    TooLong {
        /// The length read.
        length: usize,
        /// The limit in force.
        limit: usize,
    },
}

/// Takes the next whole frame off the front of `input`, without its length; `None` while it is incomplete.
///
/// # Errors
/// [`FrameError`] for a length outside `0..=limit`; `input` is left as it was.
pub fn take(input: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, FrameError> {
    let Some(length) = input.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = i32::from_be_bytes(*length);
    let Ok(length) = usize::try_from(length) else {
        return Err(FrameError::Negative(length));
    };
    if length > limit {
        return Err(FrameError::TooLong { length, limit });
    }
    if input.len() < 4 + length {
        return Ok(None);
    }
    input.advance(4);
    Ok(Some(input.split_to(length).freeze()))
}

/// Appends a frame whose content `write` appends.
pub fn put(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_int(0);
    write(out);
    let length = (out.len() - start - 4) as i32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// The frame of one record.
pub fn of(record: &impl Encode) -> Bytes {
    let mut out = BytesMut::new();
    put(&mut out, |out| record.encode(out));
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_only_when_it_is_whole() {
        let mut input = BytesMut::from(&[0, 0, 0, 2, 7][..]);
        assert_eq!(take(&mut input, 10), Ok(None));
        input.extend_from_slice(&[8, 9]);
        assert_eq!(take(&mut input, 10), Ok(Some(Bytes::from_static(&[7, 8]))));
        assert_eq!(&input[..], [9]);
    }

    #[test]
    fn lengths_out_of_range_are_refused() {
        assert_eq!(take(&mut BytesMut::from(&[0xff; 4][..]), 10), Err(FrameError::Negative(-1)));
        assert_eq!(
            take(&mut BytesMut::from(&[0, 0, 0, 11][..]), 10),
            Err(FrameError::TooLong { length: 11, limit: 10 })
        );
        assert_eq!(take(&mut BytesMut::from(&[0, 0, 0, 0][..]), 10), Ok(Some(Bytes::new())));
    }

    #[test]
    fn the_length_is_filled_in_afterwards() {
        assert_eq!(of(&7_i32).as_ref(), [0, 0, 0, 4, 0, 0, 0, 7]);
    }
}
