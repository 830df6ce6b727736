//! Why bytes could not be read as jute. It never knows which record they were meant to be.

/// Bytes that are not the jute value they should be. Offsets count from the start of the frame, record or buffer read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end before the value does.
    #[error("{wanted} bytes wanted at offset {offset}, {available} left")]
    Truncated {
        /// Where the value starts.
        offset: usize,
        /// Bytes the value needs.
        wanted: usize,
        /// Bytes there are.
        available: usize,
    },
    /// A length below −1 (−1 means null).
    #[error("length {length} at offset {offset}")]
    NegativeLength {
        /// Where the length stands.
        offset: usize,
        /// The length read.
        length: i32,
    },
    /// Null where the record needs a value.
    #[error("null at offset {offset} where a value is needed")]
    UnexpectedNull {
        /// Where the null stands.
        offset: usize,
    },
    /// A value outside of what its field allows.
    #[error("{what} cannot be {value}")]
    BadValue {
        /// The field, in the protocol's words.
        what: &'static str,
        /// The value read.
        value: i64,
    },
}
