//! The forms in which snapshots are compressed, `snapshot.compression.method` (protocol §6.5): the whole file, seals and all,
//! goes through a compressor, and the file's name says through which. It never knows what a snapshot holds.

use std::io::{self, BufReader, Read, Write};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::snappy::{self, SnappyReader, SnappyWriter};

/// A form of compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// gzip, as `snapshot.<zxid>.gz`.
    Gzip,
    /// The stream of Java's snappy library, as `snapshot.<zxid>.snappy`. It is not the framing format that other programs write.
    Snappy,
}

impl Compression {
    /// The end of the file's name, which is also the value of `snapshot.compression.method`.
    pub const fn suffix(self) -> &'static str {
        match self {
            Compression::Gzip => "gz",
            Compression::Snappy => "snappy",
        }
    }

    /// The form with this suffix.
    pub fn of_suffix(suffix: &str) -> Option<Self> {
        [Compression::Gzip, Compression::Snappy].into_iter().find(|form| form.suffix() == suffix)
    }

    /// What such a file begins with.
    pub(super) const fn magic(self) -> &'static [u8] {
        match self {
            Compression::Gzip => &[0x1f, 0x8b],
            Compression::Snappy => &snappy::MAGIC,
        }
    }

    /// What `reader` holds, uncompressed. Bytes that are no such stream are [`io::ErrorKind::InvalidData`], and a stream that
    /// ends too early is [`io::ErrorKind::UnexpectedEof`].
    pub(super) fn decoder(self, reader: BufReader<Box<dyn Read + Send>>) -> Box<dyn Read + Send> {
        match self {
            Compression::Gzip => Box::new(Gunzip(MultiGzDecoder::new(reader))),
            Compression::Snappy => Box::new(SnappyReader::new(reader)),
        }
    }
}

/// Compresses what is written, or does not.
pub(super) enum Encoder<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
    Snappy(SnappyWriter<W>),
}

impl<W: Write> Encoder<W> {
    pub(super) fn new(form: Option<Compression>, out: W) -> Self {
        match form {
            None => Encoder::Plain(out),
            Some(Compression::Gzip) => Encoder::Gzip(GzEncoder::new(out, flate2::Compression::default())),
            Some(Compression::Snappy) => Encoder::Snappy(SnappyWriter::new(out)),
        }
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Encoder::Plain(out) => out.write_all(bytes),
            Encoder::Gzip(out) => out.write_all(bytes),
            Encoder::Snappy(out) => out.write_all(bytes),
        }
    }

    /// Ends the stream and gives back what it was written to.
    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Encoder::Plain(out) => Ok(out),
            Encoder::Gzip(out) => out.finish(),
            Encoder::Snappy(out) => out.finish(),
        }
    }
}

/// The library calls bad bytes an invalid argument; here they are bad bytes.
struct Gunzip<R>(MultiGzDecoder<R>);

impl<R: io::BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => io::Error::new(io::ErrorKind::InvalidData, error),
            _ => error,
        })
    }
}
