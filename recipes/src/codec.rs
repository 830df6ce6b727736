//! How typed payloads become a znode's bytes. It never knows which recipe they belong to.

use std::sync::Arc;

use bytes::Bytes;

/// Writes values of type `T` as bytes and reads them back.
pub trait Codec<T> {
    /// The bytes of `value`.
    fn encode(&self, value: &T) -> Result<Bytes, CodecError>;
    /// The value in `bytes`.
    fn decode(&self, bytes: &Bytes) -> Result<T, CodecError>;
}

/// A payload that is not what its codec reads or writes.
#[derive(Debug, Clone, thiserror::Error)]
#[error("payload: {source}")]
pub struct CodecError {
    source: Arc<dyn std::error::Error + Send + Sync>,
}

impl CodecError {
    /// Wraps a codec's own error.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        CodecError { source: Arc::from(source.into()) }
    }
}

/// UTF-8 text, which the shell shows as it is.
///
/// ```
/// use menagerie_recipes::codec::{Codec, Text};
/// let bytes = Text.encode(&"42".to_owned())?;
/// assert_eq!(Text.decode(&bytes)?, "42");
/// # Ok::<(), menagerie_recipes::codec::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Text;

impl Codec<String> for Text {
    fn encode(&self, value: &String) -> Result<Bytes, CodecError> {
        Ok(Bytes::copy_from_slice(value.as_bytes()))
    }

    fn decode(&self, bytes: &Bytes) -> Result<String, CodecError> {
        std::str::from_utf8(bytes).map(str::to_owned).map_err(CodecError::new)
    }
}

/// JSON, for anything that serde knows (feature `json`, on by default).
///
/// ```
/// use menagerie_recipes::codec::{Codec, Json};
/// let bytes = Json.encode(&vec![1, 2, 3])?;
/// assert_eq!(&bytes[..], b"[1,2,3]");
/// assert_eq!(Codec::<Vec<i32>>::decode(&Json, &bytes)?, [1, 2, 3]);
/// # Ok::<(), menagerie_recipes::codec::CodecError>(())
/// ```
#[cfg(feature = "json")]
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

#[cfg(feature = "json")]
impl<T: serde::Serialize + serde::de::DeserializeOwned> Codec<T> for Json {
    fn encode(&self, value: &T) -> Result<Bytes, CodecError> {
        serde_json::to_vec(value).map(Bytes::from).map_err(CodecError::new)
    }

    fn decode(&self, bytes: &Bytes) -> Result<T, CodecError> {
        serde_json::from_slice(bytes).map_err(CodecError::new)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_bad_payload_says_what_is_wrong_with_it() {
        let error = Text.decode(&Bytes::from_static(&[0xff])).unwrap_err();
        assert!(error.to_string().starts_with("payload: invalid utf-8"), "{error}");
    }
}
