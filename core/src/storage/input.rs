//! Reads jute values from a stream of any length, with a running checksum and the offset for errors. It holds one value at
//! a time, and allocates no more than the limit for it, whatever the bytes claim.

use std::borrow::Cow;
use std::io::{self, Read};

use adler2::Adler32;

use super::checksum;
use crate::wire::{Acl, Id, Perms, StatPersisted, Zxid};

/// Why a stream cannot be read on.
#[derive(Debug)]
pub(super) enum Failure {
    /// The stream itself failed.
    Io(io::Error),
    /// Its bytes are wrong.
    Format {
        /// Where, in bytes from the stream's start.
        offset: u64,
        /// What is wrong.
        what: Cow<'static, str>,
    },
}

/// The stream.
pub(super) struct Input<R> {
    reader: R,
    adler: Adler32,
    offset: u64,
    max_length: usize,
}

impl<R: Read> Input<R> {
    /// Reads from `reader`, one small piece at a time, so it should be buffered. No string or buffer may be longer than
    /// `max_length` bytes.
    pub(super) fn new(reader: R, max_length: usize) -> Self {
        Input { reader, adler: Adler32::new(), offset: 0, max_length }
    }

    /// Bytes read so far.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The checksum of the bytes read so far.
    pub(super) fn checksum(&self) -> i64 {
        checksum::value(self.adler)
    }

    /// The running checksum itself, to go on with over [`Input::rest`].
    pub(super) fn adler(&self) -> Adler32 {
        self.adler
    }

    /// A failure at the current offset.
    pub(super) fn failure(&self, what: impl Into<Cow<'static, str>>) -> Failure {
        Failure::at(self.offset, what)
    }

    pub(super) fn int(&mut self) -> Result<i32, Failure> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(super) fn long(&mut self) -> Result<i64, Failure> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// Reads a buffer into `out`, replacing what was there. Returns whether it was anything but null.
    pub(super) fn buffer(&mut self, out: &mut Vec<u8>) -> Result<bool, Failure> {
        out.clear();
        let length = self.int()?;
        if length == -1 {
            return Ok(false);
        }
        let Some(length) = usize::try_from(length).ok().filter(|length| *length <= self.max_length) else {
            return Err(
                self.failure(format!("the unreasonable length {length} (the limit is {} bytes)", self.max_length))
            );
        };
        out.resize(length, 0);
        self.fill(out)?;
        Ok(true)
    }

    /// A string that must be there; `scratch` is overwritten.
    pub(super) fn string(&mut self, scratch: &mut Vec<u8>) -> Result<String, Failure> {
        if !self.buffer(scratch)? {
            return Err(self.failure("null where a string is needed"));
        }
        Ok(String::from_utf8_lossy(scratch).into_owned())
    }

    /// How many elements a vector has; null counts as none.
    pub(super) fn count(&mut self) -> Result<i32, Failure> {
        match self.int()? {
            -1 => Ok(0),
            count if count < 0 => Err(self.failure(format!("the count {count}"))),
            count => Ok(count),
        }
    }

    pub(super) fn acl(&mut self) -> Result<Vec<Acl>, Failure> {
        let mut scratch = Vec::new();
        let mut acl = Vec::new();
        for _ in 0..self.count()? {
            acl.push(Acl {
                perms: Perms(self.int()?),
                id: Id { scheme: self.string(&mut scratch)?, id: self.string(&mut scratch)? },
            });
        }
        Ok(acl)
    }

    pub(super) fn stat(&mut self) -> Result<StatPersisted, Failure> {
        Ok(StatPersisted {
            czxid: Zxid(self.long()?),
            mzxid: Zxid(self.long()?),
            ctime: self.long()?,
            mtime: self.long()?,
            version: self.int()?,
            cversion: self.int()?,
            aversion: self.int()?,
            ephemeral_owner: self.long()?,
            pzxid: Zxid(self.long()?),
        })
    }

    /// Whatever follows, up to `limit` bytes.
    pub(super) fn rest(&mut self, limit: u64) -> Result<Vec<u8>, Failure> {
        let mut rest = Vec::new();
        match self.reader.by_ref().take(limit).read_to_end(&mut rest) {
            Ok(_) => Ok(rest),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// A stream that ends, or that a decompressor cannot make sense of, is damaged; anything else is the disk's fault.
    fn failed(&self, error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.failure("it ends too early"),
            io::ErrorKind::InvalidData => self.failure(format!("it cannot be uncompressed: {error}")),
            _ => Failure::Io(error),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Failure> {
        if let Err(error) = self.reader.read_exact(bytes) {
            return Err(self.failed(error));
        }
        self.adler.write_slice(bytes);
        self.offset += bytes.len() as u64;
        Ok(())
    }
}

impl Failure {
    /// Wrong bytes at an offset.
    pub(super) fn at(offset: u64, what: impl Into<Cow<'static, str>>) -> Self {
        Failure::Format { offset, what: what.into() }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}
