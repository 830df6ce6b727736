//! The bytes of a connection: what the client has sent is read, and what it is sent is written as it takes it.

use std::io::ErrorKind;
use std::sync::atomic::Ordering;

use bytes::{Buf, BytesMut};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{Connection, Ended};

/// What is read from the socket at once, at most, when nothing longer is announced.
const READ_CHUNK: usize = 16 * 1024;
/// A buffer that grew beyond this is given back when it is empty.
const KEPT: usize = 4 * READ_CHUNK;

impl Connection {
    /// Reads what the socket has; false when the client has closed it.
    pub(super) fn fill(&mut self, stream: &TcpStream) -> bool {
        self.input.reserve(READ_CHUNK);
        match stream.try_read_buf(&mut self.input) {
            Ok(0) => false,
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }

    /// Writes everything out. Meanwhile nothing is read and nothing more is made for the client. One that takes bytes is
    /// alive, though nothing is heard of it; one that takes none for its session's timeout loses the session, and with it
    /// the connection.
    pub(super) async fn write_out(&mut self, stream: &TcpStream, cancel: &CancellationToken) -> Result<(), Ended> {
        let mut waited = false;
        while !self.out.is_empty() {
            match stream.try_write(&self.out) {
                Ok(0) => return Err(Ended::ByClient),
                Ok(written) => {
                    self.out.advance(written);
                    if waited {
                        self.handle.heard_ms.store(self.context.clock.monotonic_ms(), Ordering::Relaxed);
                    }
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return Err(Ended::ByClient),
            }
            waited = true;
            self.handle.writing.store(true, Ordering::Relaxed);
            tokio::select! {
                biased;
                ready = stream.writable() => if ready.is_err() {
                    return Err(Ended::ByClient);
                },
                () = cancel.cancelled() => return Err(Ended::ByServer),
            }
        }
        if waited {
            self.handle.writing.store(false, Ordering::Relaxed);
        }
        if self.out.capacity() > KEPT {
            self.out = BytesMut::new();
        }
        Ok(())
    }
}
