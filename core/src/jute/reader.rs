//! Reads jute values from the front of a byte slice. It allocates nothing but the strings and vectors it returns.

use std::borrow::Cow;

use bytes::Bytes;

use super::DecodeError;

/// A cursor over one frame, record or buffer. Buffers it returns are slices of the input, not copies.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    input: &'a Bytes,
    position: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the start of `input`.
    pub fn new(input: &'a Bytes) -> Self {
        Reader { input, position: 0 }
    }

    /// Bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.input.len() - self.position
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Everything not yet read, as a slice of the input; nothing is left afterwards.
    pub fn rest(&mut self) -> Bytes {
        let rest = self.input.slice(self.position..);
        self.position = self.input.len();
        rest
    }

    /// One byte; any non-zero value is true (protocol §10, Q20).
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.take(1)?[0] != 0)
    }

    /// Four bytes, big-endian.
    pub fn int(&mut self) -> Result<i32, DecodeError> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4)?);
        Ok(i32::from_be_bytes(bytes))
    }

    /// Eight bytes, big-endian.
    pub fn long(&mut self) -> Result<i64, DecodeError> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        Ok(i64::from_be_bytes(bytes))
    }

    /// A string, or `None` for null. Bytes that are not UTF-8 are replaced by U+FFFD, as the reference does.
    pub fn str(&mut self) -> Result<Option<Cow<'a, str>>, DecodeError> {
        match self.length()? {
            None => Ok(None),
            Some(length) => Ok(Some(String::from_utf8_lossy(self.take(length)?))),
        }
    }

    /// A string that must be there.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedNull`] for null.
    pub fn needed_str(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        let offset = self.position;
        self.str()?.ok_or(DecodeError::UnexpectedNull { offset })
    }

    /// An owned string that must be there.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedNull`] for null.
    pub fn string(&mut self) -> Result<String, DecodeError> {
        self.needed_str().map(Cow::into_owned)
    }

    /// A buffer as a slice of the input, or `None` for null. Null and empty are different values.
    pub fn buffer(&mut self) -> Result<Option<Bytes>, DecodeError> {
        match self.length()? {
            None => Ok(None),
            Some(length) => {
                let start = self.position;
                self.take(length)?;
                Ok(Some(self.input.slice(start..start + length)))
            }
        }
    }

    /// A counted vector; null reads as empty. `element` reads one element.
    pub fn vector<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let offset = self.position;
        let Some(count) = self.length()? else {
            return Ok(Vec::new());
        };
        // Every element takes at least one byte, so a count above what is left is a lie; say so before reserving.
        if count > self.remaining() {
            return Err(DecodeError::Truncated { offset, wanted: count, available: self.remaining() });
        }
        let mut elements = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(elements)
    }

    fn length(&mut self) -> Result<Option<usize>, DecodeError> {
        let offset = self.position;
        match self.int()? {
            -1 => Ok(None),
            length if length < 0 => Err(DecodeError::NegativeLength { offset, length }),
            length => Ok(Some(length as usize)),
        }
    }

    fn take(&mut self, wanted: usize) -> Result<&'a [u8], DecodeError> {
        let available = self.remaining();
        if wanted > available {
            return Err(DecodeError::Truncated { offset: self.position, wanted, available });
        }
        let taken = &self.input[self.position..self.position + wanted];
        self.position += wanted;
        Ok(taken)
    }
}
