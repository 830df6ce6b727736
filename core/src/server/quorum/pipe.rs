//! Bounded pipes between a thread that may block and a task that may not. They never know what flows through them.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes, BytesMut};
use tokio::sync::mpsc;

/// Bytes that a writer gathers before it passes them on.
const CHUNK: usize = 64 * 1024;
/// Chunks that may be under way.
const DEPTH: usize = 4;

/// A pipe from a thread to a task.
pub(super) fn to_task() -> (PipeWriter, mpsc::Receiver<Bytes>) {
    let (sender, receiver) = mpsc::channel(DEPTH);
    (PipeWriter { sender, gathered: BytesMut::new() }, receiver)
}

/// A pipe from a task to a thread.
pub(super) fn to_thread() -> (mpsc::Sender<Bytes>, PipeReader) {
    let (sender, receiver) = mpsc::channel(DEPTH);
    (sender, PipeReader { receiver, current: Bytes::new() })
}

/// The thread's end. What was written since the last flush is lost when it is dropped.
pub(super) struct PipeWriter {
    sender: mpsc::Sender<Bytes>,
    gathered: BytesMut,
}

impl Write for PipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK);
        self.gathered.extend_from_slice(&bytes[..taken]);
        if self.gathered.len() >= CHUNK {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the connection that the snapshot goes to is gone");
        self.sender.blocking_send(self.gathered.split().freeze()).map_err(gone)
    }
}

/// The thread's end. It reads an end when the task has dropped the other one.
pub(super) struct PipeReader {
    receiver: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl PipeReader {
    /// What came through the pipe and was not read.
    pub(super) fn into_rest(mut self) -> BytesMut {
        let mut rest = BytesMut::from(&self.current[..]);
        while let Ok(chunk) = self.receiver.try_recv() {
            rest.extend_from_slice(&chunk);
        }
        rest
    }
}

impl Read for PipeReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                Some(chunk) => self.current = chunk,
                None => return Ok(0),
            }
        }
        let taken = into.len().min(self.current.len());
        into[..taken].copy_from_slice(&self.current[..taken]);
        self.current.advance(taken);
        Ok(taken)
    }
}
