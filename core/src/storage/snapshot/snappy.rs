//! The stream that Java's snappy library writes: a header, then blocks, each with its compressed length before it (protocol
//! §6.5). The bytes read are trusted in nothing: no block may be longer than any writer makes one.

use std::io::{self, Read, Write};

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

/// What a stream begins with; two version numbers follow.
pub(super) const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
/// What the library puts into one block.
const BLOCK: usize = 32 << 10;
/// The longest block that is believed; the library's can be configured.
const LONGEST_BLOCK: usize = 16 << 20;

/// Uncompresses a stream.
pub(super) struct SnappyReader<R> {
    reader: R,
    started: bool,
    compressed: Vec<u8>,
    block: Vec<u8>,
    /// How much of the block has been given.
    given: usize,
}

impl<R: Read> SnappyReader<R> {
    pub(super) fn new(reader: R) -> Self {
        SnappyReader { reader, started: false, compressed: Vec::new(), block: Vec::new(), given: 0 }
    }

    fn start(&mut self) -> io::Result<()> {
        let mut header = [0; 16];
        self.reader.read_exact(&mut header)?;
        // The second number is the oldest version that can read this one.
        if header[..8] != MAGIC || header[12..] != VERSIONS[4..] {
            return Err(invalid("it is no snappy stream of a version that is known"));
        }
        self.started = true;
        Ok(())
    }

    /// Reads the next block; false at the end of the stream, which is nowhere but between two blocks.
    fn next_block(&mut self) -> io::Result<bool> {
        let mut length = [0; 4];
        match self.reader.read(&mut length[..1])? {
            0 => return Ok(false),
            _ => self.reader.read_exact(&mut length[1..])?,
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > max_compress_len(LONGEST_BLOCK) {
            return Err(invalid(format!("a block of the unreasonable length {length}")));
        }
        self.compressed.resize(length, 0);
        self.reader.read_exact(&mut self.compressed)?;
        let plain = decompress_len(&self.compressed).map_err(invalid)?;
        if plain > LONGEST_BLOCK {
            return Err(invalid(format!("a block of the unreasonable length {plain}")));
        }
        self.block.resize(plain, 0);
        Decoder::new().decompress(&self.compressed, &mut self.block).map_err(invalid)?;
        self.given = 0;
        Ok(true)
    }
}

impl<R: Read> Read for SnappyReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.started {
            self.start()?;
        }
        while self.given == self.block.len() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let rest = self.block.get(self.given..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        let (Some(from), Some(to)) = (rest.get(..length), buffer.get_mut(..length)) else { return Ok(0) };
        to.copy_from_slice(from);
        self.given += length;
        Ok(length)
    }
}

/// Compresses into a stream.
pub(super) struct SnappyWriter<W> {
    out: W,
    started: bool,
    block: Vec<u8>,
}

impl<W: Write> SnappyWriter<W> {
    pub(super) fn new(out: W) -> Self {
        SnappyWriter { out, started: false, block: Vec::with_capacity(BLOCK) }
    }

    pub(super) fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == BLOCK {
                self.flush_block()?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.flush_block()?;
        Ok(self.out)
    }

    fn flush_block(&mut self) -> io::Result<()> {
        if !self.started {
            self.out.write_all(&MAGIC)?;
            self.out.write_all(&VERSIONS)?;
            self.started = true;
        }
        if self.block.is_empty() {
            return Ok(());
        }
        let compressed = Encoder::new().compress_vec(&self.block).map_err(io::Error::other)?;
        self.out.write_all(&(compressed.len() as u32).to_be_bytes())?;
        self.out.write_all(&compressed)?;
        self.block.clear();
        Ok(())
    }
}

fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut writer = SnappyWriter::new(Vec::new());
        for piece in bytes.chunks(1000) {
            writer.write_all(piece).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read(stream: &[u8]) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        SnappyReader::new(stream).read_to_end(&mut bytes).map(|_| bytes)
    }

    #[test]
    fn what_is_written_is_read_block_by_block() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK] {
            let bytes: Vec<u8> = (0..length).map(|at| (at * at / 7) as u8).collect();
            assert_eq!(read(&compressed(&bytes)).unwrap(), bytes, "{length}");
        }
        assert_eq!(compressed(b"")[..], *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
    }

    #[test]
    fn a_stream_that_is_cut_or_claims_much_is_an_error() {
        let stream = compressed(&[7; 5000]);
        for cut in (0..stream.len()).filter(|cut| *cut != 16) {
            assert_eq!(read(&stream[..cut]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{cut}");
        }
        let mut long = stream.clone();
        long[16] = 0x7f;
        assert_eq!(read(&long).unwrap_err().kind(), io::ErrorKind::InvalidData);
        // The block says itself how long it becomes: here 4 GiB.
        let bomb = [&stream[..16], &[0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
        assert_eq!(read(&bomb).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(read(b"it is no snappy stream").unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
