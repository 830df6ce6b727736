//! The first record in each direction on a connection (protocol §2.1). Neither has a header, and each ends with a byte
//! that old clients neither send nor expect.

use bytes::{Bytes, BytesMut};

use crate::jute::{Decode, DecodeError, Encode, Put, Reader};
use crate::wire::Zxid;

/// Bytes of a session's password.
pub const PASSWORD_LENGTH: usize = 16;

/// A client's wish to open or resume a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectRequest {
    /// Always 0.
    pub protocol_version: i32,
    /// The highest zxid the client has seen.
    pub last_zxid_seen: Zxid,
    /// The session timeout wished for, in milliseconds.
    pub timeout_ms: i32,
    /// The session to resume, or 0 for a new one.
    pub session_id: i64,
    /// The session's password.
    pub password: Option<Bytes>,
    /// Whether a read-only server will do; `None` when the client is too old to say.
    pub read_only: Option<bool>,
}

/// A server's answer. A timeout of 0 or less says that the session has expired.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectResponse {
    /// Always 0.
    pub protocol_version: i32,
    /// The negotiated session timeout in milliseconds.
    pub timeout_ms: i32,
    /// The session's id.
    pub session_id: i64,
    /// The session's password.
    pub password: Option<Bytes>,
    /// Whether this server is read-only; `None` leaves the byte out, for clients that did not send theirs.
    pub read_only: Option<bool>,
}

impl Encode for ConnectRequest {
    fn encode(&self, out: &mut BytesMut) {
        out.put_int(self.protocol_version);
        self.last_zxid_seen.encode(out);
        out.put_int(self.timeout_ms);
        out.put_long(self.session_id);
        out.put_buffer(self.password.as_deref());
        put_read_only(self.read_only, out);
    }
}

impl Decode for ConnectRequest {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(ConnectRequest {
            protocol_version: reader.int()?,
            last_zxid_seen: Zxid::decode(reader)?,
            timeout_ms: reader.int()?,
            session_id: reader.long()?,
            password: reader.buffer()?,
            read_only: read_only(reader)?,
        })
    }
}

impl Encode for ConnectResponse {
    fn encode(&self, out: &mut BytesMut) {
        out.put_int(self.protocol_version);
        out.put_int(self.timeout_ms);
        out.put_long(self.session_id);
        out.put_buffer(self.password.as_deref());
        put_read_only(self.read_only, out);
    }
}

impl Decode for ConnectResponse {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(ConnectResponse {
            protocol_version: reader.int()?,
            timeout_ms: reader.int()?,
            session_id: reader.long()?,
            password: reader.buffer()?,
            read_only: read_only(reader)?,
        })
    }
}

fn put_read_only(read_only: Option<bool>, out: &mut BytesMut) {
    if let Some(read_only) = read_only {
        out.put_bool(read_only);
    }
}

fn read_only(reader: &mut Reader<'_>) -> Result<Option<bool>, DecodeError> {
    if reader.remaining() == 0 { Ok(None) } else { reader.bool().map(Some) }
}
