//! Jute: the serialisation primitives of the ZooKeeper protocol (protocol §1).
//!
//! Big-endian integers, length-prefixed strings and buffers, counted vectors. A record is its fields in order, with no
//! tags, no padding and no length. This module never knows what a znode is; it bounds what it allocates by the bytes it
//! was given, so that a hostile length costs nothing.

mod error;
mod reader;
mod writer;

pub use error::DecodeError;
pub use reader::Reader;
pub use writer::Put;

use bytes::{Bytes, BytesMut};

/// `jute.maxbuffer`: the default limit of one client frame, in bytes (1 MiB − 1, protocol §1).
pub const DEFAULT_MAX_BUFFER: usize = 0xf_ffff;

/// A value that can be written as jute.
pub trait Encode {
    /// Appends the value's encoding to `out`.
    fn encode(&self, out: &mut BytesMut);

    /// The value's encoding on its own.
    fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::new();
        self.encode(&mut out);
        out.freeze()
    }
}

/// A value that can be read from jute.
pub trait Decode: Sized {
    /// Reads one value.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes end early or a length or value is out of range.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Reads one value from the front of `bytes`; bytes after it are ignored, as the reference does.
    ///
    /// # Errors
    /// As [`Decode::decode`].
    fn from_bytes(bytes: &Bytes) -> Result<Self, DecodeError> {
        Self::decode(&mut Reader::new(bytes))
    }
}

impl Encode for bool {
    fn encode(&self, out: &mut BytesMut) {
        out.put_bool(*self);
    }
}

impl Decode for bool {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.bool()
    }
}

impl Encode for i32 {
    fn encode(&self, out: &mut BytesMut) {
        out.put_int(*self);
    }
}

impl Decode for i32 {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.int()
    }
}

impl Encode for i64 {
    fn encode(&self, out: &mut BytesMut) {
        out.put_long(*self);
    }
}

impl Decode for i64 {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.long()
    }
}

impl Encode for String {
    fn encode(&self, out: &mut BytesMut) {
        out.put_str(self);
    }
}

/// A string that must be there: null is an error. Read `Option<String>` where null has a meaning.
impl Decode for String {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.string()
    }
}

impl Encode for Option<String> {
    fn encode(&self, out: &mut BytesMut) {
        out.put_opt_str(self.as_deref());
    }
}

impl Decode for Option<String> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(reader.str()?.map(std::borrow::Cow::into_owned))
    }
}

impl Encode for Option<Bytes> {
    fn encode(&self, out: &mut BytesMut) {
        out.put_buffer(self.as_deref());
    }
}

impl Decode for Option<Bytes> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.buffer()
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, out: &mut BytesMut) {
        out.put_vector(self);
    }
}

/// A null vector reads as an empty one: no record of the protocol tells them apart.
impl<T: Decode> Decode for Vec<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.vector(T::decode)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn null_and_empty_buffers_are_different_values() {
        let null: Option<Bytes> = None;
        let empty = Some(Bytes::new());
        assert_eq!(null.to_bytes().as_ref(), [0xff; 4]);
        assert_eq!(empty.to_bytes().as_ref(), [0; 4]);
        assert_eq!(Option::<Bytes>::from_bytes(&null.to_bytes()).unwrap(), null);
        assert_eq!(Option::<Bytes>::from_bytes(&empty.to_bytes()).unwrap(), empty);
    }

    #[test]
    fn a_huge_length_is_refused_before_anything_is_allocated() {
        let bytes = Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff, 1]);
        assert!(matches!(Option::<Bytes>::from_bytes(&bytes), Err(DecodeError::Truncated { .. })));
        assert!(matches!(Vec::<i64>::from_bytes(&bytes), Err(DecodeError::Truncated { .. })));
        let negative = Bytes::from_static(&[0xff, 0xff, 0xff, 0xfe]);
        assert!(matches!(Option::<Bytes>::from_bytes(&negative), Err(DecodeError::NegativeLength { length: -2, .. })));
    }

    #[test]
    fn text_that_is_not_utf8_is_replaced_as_the_reference_does() {
        let bytes = Bytes::from_static(&[0, 0, 0, 2, b'/', 0xff]);
        assert_eq!(String::from_bytes(&bytes).unwrap(), "/\u{fffd}");
    }

    #[test]
    fn any_non_zero_byte_is_true() {
        assert!(bool::from_bytes(&Bytes::from_static(&[7])).unwrap());
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back(text in ".{0,40}", data in proptest::option::of(proptest::collection::vec(0u8.., 0..64)), longs in proptest::collection::vec(proptest::num::i64::ANY, 0..20)) {
            let data = data.map(Bytes::from);
            let mut out = BytesMut::new();
            text.encode(&mut out);
            data.encode(&mut out);
            longs.encode(&mut out);
            let bytes = out.freeze();
            let mut reader = Reader::new(&bytes);
            proptest::prop_assert_eq!(String::decode(&mut reader).unwrap(), text);
            proptest::prop_assert_eq!(Option::<Bytes>::decode(&mut reader).unwrap(), data);
            proptest::prop_assert_eq!(Vec::<i64>::decode(&mut reader).unwrap(), longs);
            proptest::prop_assert_eq!(reader.remaining(), 0);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(0u8.., 0..64)) {
            let bytes = Bytes::from(bytes);
            let _ = Vec::<String>::from_bytes(&bytes);
            let _ = Vec::<Option<Bytes>>::from_bytes(&bytes);
        }
    }
}
