//! A connection to the client port that can send anything at all: whole frames, halves of frames, and bytes that were
//! never a frame. It has no session life of its own: no pings, no reconnect.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use menagerie_core::jute::{Decode, Encode, Reader};
use menagerie_core::wire::proto::{ConnectRequest, ConnectResponse, ReplyHeader, RequestHeader};
use menagerie_core::wire::{OpCode, frame};

/// How long a server may take to answer or to hang up.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest frame taken from a server, in bytes.
const MOST_RECEIVED: usize = 64 << 20;

/// The content of the next frame; `input` keeps what was read behind it.
///
/// # Errors
/// `UnexpectedEof` at the end of the stream, and whatever the stream says.
pub fn receive(stream: &mut TcpStream, input: &mut BytesMut) -> io::Result<Bytes> {
    let mut chunk = [0; 16 * 1024];
    loop {
        if let Some(content) = frame::take(input, MOST_RECEIVED).map_err(io::Error::other)? {
            return Ok(content);
        }
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => input.extend_from_slice(&chunk[..read]),
        }
    }
}

/// A blocking connection.
#[derive(Debug)]
pub struct RawConnection {
    stream: TcpStream,
    /// What was read and not yet taken.
    input: BytesMut,
}

impl RawConnection {
    /// Connects to 127.0.0.1:`port`, and sends nothing.
    pub fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: BytesMut::new() })
    }

    /// This end of it, as the server's log names it.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends one record as a frame.
    pub fn send(&mut self, record: &impl Encode) -> io::Result<()> {
        self.send_bytes(&frame::of(record))
    }

    /// Opens a session with a timeout of ten seconds.
    pub fn open_session(&mut self) -> io::Result<ConnectResponse> {
        self.open_session_for(10_000)
    }

    /// Opens a session with a timeout in milliseconds.
    pub fn open_session_for(&mut self, timeout_ms: i32) -> io::Result<ConnectResponse> {
        let password = Some(Bytes::from_static(&[0; 16]));
        self.send(&ConnectRequest { timeout_ms, password, read_only: Some(false), ..Default::default() })?;
        let reply = self.receive()?;
        ConnectResponse::from_bytes(&reply).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Sends a request and returns its reply's header and body. Only for servers that send nothing else meanwhile.
    pub fn request(&mut self, xid: i32, op: OpCode, body: &impl Encode) -> io::Result<(ReplyHeader, Bytes)> {
        let mut out = BytesMut::new();
        frame::put(&mut out, |out| {
            RequestHeader { xid, op: op as i32 }.encode(out);
            body.encode(out);
        });
        self.send_bytes(&out)?;
        let reply = self.receive()?;
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let mut reader = Reader::new(&reply);
        let header = ReplyHeader::decode(&mut reader).map_err(invalid)?;
        let body = reply.slice(reply.len() - reader.remaining()..);
        Ok((header, body))
    }

    /// The content of the next frame.
    ///
    /// # Errors
    /// `UnexpectedEof` when the server hangs up before it, `ConnectionReset` when it does so rudely.
    pub fn receive(&mut self) -> io::Result<Bytes> {
        receive(&mut self.stream, &mut self.input)
    }

    /// Waits until the server hangs up, reading past whatever it still sends; an error when it does not.
    pub fn wait_for_hang_up(mut self) -> io::Result<()> {
        let mut ignored = [0; 4096];
        loop {
            match self.stream.read(&mut ignored) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
                Err(error) => {
                    return Err(io::Error::new(error.kind(), format!("the server keeps talking to us: {error}")));
                }
            }
        }
    }
}
