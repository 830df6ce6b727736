//! Transactions as logs and proposals carry them (protocol §6.3).

use bytes::{Bytes, BytesMut};

use super::{Acl, OpCode, Zxid};
use crate::jute::{Decode, DecodeError, Encode, Put, Reader};

records! {
    /// What every transaction says of itself.
    pub struct TxnHeader {
        /// The session that asked for it.
        pub client_id: i64,
        /// The client's xid of the request.
        pub cxid: i32,
        /// Its place in the order of all transactions.
        pub zxid: Zxid,
        /// The leader's time, milliseconds since the Unix epoch.
        pub time_ms: i64,
        /// The op code that says which record follows.
        pub kind: i32,
    }

    /// The digest of the whole tree after the transaction.
    pub struct TxnDigest {
        /// The digest's version; 2 is the one there is.
        pub version: i32,
        /// The digest.
        pub tree_digest: i64,
    }
}

/// The digest version that this code computes.
pub const DIGEST_VERSION: i32 = 2;

/// A znode comes into being.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateTxn {
    /// Its full path, sequence number included.
    pub path: String,
    /// Its data.
    pub data: Option<Bytes>,
    /// Its ACL, expanded.
    pub acl: Vec<Acl>,
    /// Whether the header's session owns it.
    pub ephemeral: bool,
    /// The parent's persisted cversion after this; −1 when the record is too old to say.
    pub parent_cversion: i32,
}

/// The change a transaction makes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Txn {
    /// create or create2; inside a multi it is written as create, which every version can read.
    Create(
        /// Whether the code is create2's.
        bool,
        /// The record.
        CreateTxn,
    ),
    /// createContainer; `ephemeral` is not on the wire and false.
    CreateContainer(
        /// The record.
        CreateTxn,
    ),
    /// createTTL; `ephemeral` is not on the wire and false.
    CreateTtl(
        /// The record.
        CreateTxn,
        /// The time to live in milliseconds.
        i64,
    ),
    /// delete.
    Delete {
        /// The path.
        path: String,
    },
    /// deleteContainer: the server reaped a container or TTL znode.
    DeleteContainer {
        /// The path.
        path: String,
    },
    /// setData.
    SetData {
        /// The path.
        path: String,
        /// The data.
        data: Option<Bytes>,
        /// The version after it.
        version: i32,
    },
    /// reconfig: setData on the configuration's znode.
    Reconfig {
        /// The path.
        path: String,
        /// The configuration's text.
        data: Option<Bytes>,
        /// The version after it.
        version: i32,
    },
    /// setACL.
    SetAcl {
        /// The path.
        path: String,
        /// The list, expanded.
        acl: Vec<Acl>,
        /// The ACL version after it.
        version: i32,
    },
    /// check: changes nothing.
    Check {
        /// The path.
        path: String,
        /// The version checked, plus one.
        version: i32,
    },
    /// All of them, or, when one is [`Txn::Error`], none.
    Multi(
        /// The transactions inside.
        Vec<Txn>,
    ),
    /// A session is opened.
    CreateSession {
        /// Its timeout in milliseconds.
        timeout_ms: i32,
    },
    /// A session ends.
    CloseSession {
        /// Its ephemeral znodes; `None` when the record is too old to list them.
        paths: Option<Vec<String>>,
    },
    /// A write that failed: it used a zxid and changes nothing.
    Error {
        /// The error code.
        err: i32,
    },
}

impl Txn {
    /// The code of the header before the record.
    pub fn kind(&self) -> OpCode {
        match self {
            Txn::Create(false, _) => OpCode::Create,
            Txn::Create(true, _) => OpCode::Create2,
            Txn::CreateContainer(_) => OpCode::CreateContainer,
            Txn::CreateTtl(..) => OpCode::CreateTtl,
            Txn::Delete { .. } => OpCode::Delete,
            Txn::DeleteContainer { .. } => OpCode::DeleteContainer,
            Txn::SetData { .. } => OpCode::SetData,
            Txn::Reconfig { .. } => OpCode::Reconfig,
            Txn::SetAcl { .. } => OpCode::SetAcl,
            Txn::Check { .. } => OpCode::Check,
            Txn::Multi(_) => OpCode::Multi,
            Txn::CreateSession { .. } => OpCode::CreateSession,
            Txn::CloseSession { .. } => OpCode::CloseSession,
            Txn::Error { .. } => OpCode::Error,
        }
    }

    /// Reads the record that a header of this kind announces.
    ///
    /// # Errors
    /// [`DecodeError::BadValue`] for a kind that no transaction has.
    pub fn decode(kind: i32, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match OpCode::from_i32(kind) {
            Some(OpCode::Multi) => decode_multi(reader),
            Some(OpCode::CreateSession) => Ok(Txn::CreateSession { timeout_ms: reader.int()? }),
            Some(OpCode::CloseSession) => {
                let paths = if ends_without_paths(reader)? { None } else { Some(Vec::decode(reader)?) };
                Ok(Txn::CloseSession { paths })
            }
            Some(OpCode::SetAcl) => {
                Ok(Txn::SetAcl { path: reader.string()?, acl: Vec::decode(reader)?, version: reader.int()? })
            }
            Some(OpCode::Reconfig) => {
                Ok(Txn::Reconfig { path: reader.string()?, data: reader.buffer()?, version: reader.int()? })
            }
            _ => decode_nested(kind, reader),
        }
    }
}

/// Whether a closeSession lists no paths: nothing is left, or a digest alone. Read as paths, those twelve bytes would be
/// two empty ones, which no session owns.
fn ends_without_paths(reader: &Reader<'_>) -> Result<bool, DecodeError> {
    const DIGEST_BYTES: usize = 12;
    Ok(match reader.remaining() {
        0 => true,
        DIGEST_BYTES => reader.clone().int()? == DIGEST_VERSION,
        _ => false,
    })
}

/// The kinds that also stand inside a multi.
fn decode_nested(kind: i32, reader: &mut Reader<'_>) -> Result<Txn, DecodeError> {
    Ok(match OpCode::from_i32(kind) {
        Some(OpCode::Create) => Txn::Create(false, decode_create(reader, true)?),
        Some(OpCode::Create2) => Txn::Create(true, decode_create(reader, true)?),
        Some(OpCode::CreateContainer) => Txn::CreateContainer(decode_create(reader, false)?),
        Some(OpCode::CreateTtl) => {
            let create = decode_create(reader, false)?;
            Txn::CreateTtl(create, reader.long()?)
        }
        Some(OpCode::Delete) => Txn::Delete { path: reader.string()? },
        Some(OpCode::DeleteContainer) => Txn::DeleteContainer { path: reader.string()? },
        Some(OpCode::SetData) => {
            Txn::SetData { path: reader.string()?, data: reader.buffer()?, version: reader.int()? }
        }
        Some(OpCode::Check) => Txn::Check { path: reader.string()?, version: reader.int()? },
        Some(OpCode::Error) => Txn::Error { err: reader.int()? },
        _ => {
            return Err(DecodeError::BadValue { what: "the kind of a transaction", value: kind.into() });
        }
    })
}

fn decode_create(reader: &mut Reader<'_>, has_ephemeral: bool) -> Result<CreateTxn, DecodeError> {
    let path = reader.string()?;
    let data = reader.buffer()?;
    let acl = Vec::decode(reader)?;
    let ephemeral = has_ephemeral && reader.bool()?;
    // Logs written before 3.4 end here.
    let parent_cversion = if reader.remaining() == 0 { -1 } else { reader.int()? };
    Ok(CreateTxn { path, data, acl, ephemeral, parent_cversion })
}

fn decode_multi(reader: &mut Reader<'_>) -> Result<Txn, DecodeError> {
    let txns = reader.vector(|reader| {
        let kind = reader.int()?;
        let record = reader.buffer()?.unwrap_or_default();
        decode_nested(kind, &mut Reader::new(&record))
    })?;
    Ok(Txn::Multi(txns))
}

/// The record alone; the header before it holds its kind.
impl Encode for Txn {
    fn encode(&self, out: &mut BytesMut) {
        match self {
            Txn::Create(_, create) => {
                encode_create(create, out);
                out.put_bool(create.ephemeral);
                out.put_int(create.parent_cversion);
            }
            Txn::CreateContainer(create) => {
                encode_create(create, out);
                out.put_int(create.parent_cversion);
            }
            Txn::CreateTtl(create, ttl_ms) => {
                encode_create(create, out);
                out.put_int(create.parent_cversion);
                out.put_long(*ttl_ms);
            }
            Txn::Delete { path } | Txn::DeleteContainer { path } => out.put_str(path),
            Txn::SetData { path, data, version } | Txn::Reconfig { path, data, version } => {
                out.put_str(path);
                out.put_buffer(data.as_deref());
                out.put_int(*version);
            }
            Txn::SetAcl { path, acl, version } => {
                out.put_str(path);
                out.put_vector(acl);
                out.put_int(*version);
            }
            Txn::Check { path, version } => {
                out.put_str(path);
                out.put_int(*version);
            }
            Txn::Multi(txns) => encode_multi(txns, out),
            Txn::CreateSession { timeout_ms } => out.put_int(*timeout_ms),
            Txn::CloseSession { paths: None } => {}
            Txn::CloseSession { paths: Some(paths) } => out.put_vector(paths),
            Txn::Error { err } => out.put_int(*err),
        }
    }
}

fn encode_create(create: &CreateTxn, out: &mut BytesMut) {
    out.put_str(&create.path);
    out.put_buffer(create.data.as_deref());
    out.put_vector(&create.acl);
}

/// A create2 inside a multi is written as a create, whose record is the same: 3.8.0 knows no create2 there, and when it
/// reads its log it drops such a multi whole.
fn encode_multi(txns: &[Txn], out: &mut BytesMut) {
    out.put_int(txns.len() as i32);
    for txn in txns {
        let kind = if matches!(txn, Txn::Create(..)) { OpCode::Create } else { txn.kind() };
        out.put_int(kind.code());
        let start = out.len();
        out.put_int(0);
        txn.encode(out);
        let length = (out.len() - start - 4) as i32;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

/// A whole entry of a log, or the payload of a proposal: header, record and, where digests are on, the digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxnRecord {
    /// The header.
    pub header: TxnHeader,
    /// The change.
    pub txn: Txn,
    /// The tree's digest after it.
    pub digest: Option<TxnDigest>,
}

impl Encode for TxnRecord {
    fn encode(&self, out: &mut BytesMut) {
        self.header.encode(out);
        self.txn.encode(out);
        if let Some(digest) = &self.digest {
            digest.encode(out);
        }
    }
}

impl Decode for TxnRecord {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = TxnHeader::decode(reader)?;
        let txn = Txn::decode(header.kind, reader)?;
        let digest = if reader.remaining() == 0 { None } else { Some(TxnDigest::decode(reader)?) };
        Ok(TxnRecord { header, txn, digest })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn hex(text: &str) -> Bytes {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    fn written_as_read(bytes: &Bytes) -> TxnRecord {
        let record = TxnRecord::from_bytes(bytes).unwrap();
        assert_eq!(&record.to_bytes(), bytes);
        record
    }

    /// Protocol §8.4, the first two records of a log that 3.8.0 wrote.
    #[test]
    fn the_reference_servers_records_are_read_and_written_to_the_byte() {
        let session = written_as_read(&hex(
            "01000016371f0000 00000000 0000000000000001 000001a20ab6b98b fffffff6 00002710 00000002 0000000051c6d660",
        ));
        assert_eq!(session.txn, Txn::CreateSession { timeout_ms: 10_000 });
        assert_eq!(session.digest.unwrap().tree_digest, 0x51c6_d660);
        let create = written_as_read(&hex("01000016371f0000 00000001 0000000000000002 000001a20ab6b993 0000000f
             000000022f61 000000026869 000000010000001f00000005776f726c6400000006616e796f6e65 00 00000001
             00000002 000000007b7763f5"));
        let Txn::Create(true, record) = create.txn else { panic!("not create2") };
        assert_eq!((record.path.as_str(), record.data.as_deref()), ("/a", Some(&b"hi"[..])));
        assert_eq!((record.acl, record.parent_cversion), (Acl::open(), 1));
    }

    #[test]
    fn a_failed_multi_is_a_list_of_errors() {
        let bytes = hex("00000003 ffffffff 0000000400000000 ffffffff 00000004ffffff99 ffffffff 00000004fffffffe");
        let txn = Txn::decode(OpCode::Multi.code(), &mut Reader::new(&bytes)).unwrap();
        assert_eq!(txn, Txn::Multi(vec![Txn::Error { err: 0 }, Txn::Error { err: -103 }, Txn::Error { err: -2 }]));
        assert_eq!(txn.to_bytes(), bytes);
    }

    /// The reference server 3.8.0 read a log of ours, found a create2 inside a multi, and served a tree without anything
    /// that the multi had made.
    #[test]
    fn a_create2_inside_a_multi_is_written_as_a_create() {
        let create = CreateTxn { path: "/a".into(), ..CreateTxn::default() };
        let written = Txn::Multi(vec![Txn::Create(true, create.clone())]).to_bytes();
        let read = Txn::decode(OpCode::Multi.code(), &mut Reader::new(&written)).unwrap();
        assert_eq!(read, Txn::Multi(vec![Txn::Create(false, create)]));
    }

    #[test]
    fn a_close_without_a_body_is_from_before_3_6() {
        let nothing = Bytes::new();
        let txn = Txn::decode(OpCode::CloseSession.code(), &mut Reader::new(&nothing)).unwrap();
        assert_eq!(txn, Txn::CloseSession { paths: None });
    }

    /// What the reference writes with `closeSessionTxn.enabled=false`; it was refused as damaged.
    #[test]
    fn a_close_with_a_digest_and_no_paths_is_read() {
        let bytes =
            hex("01000016371f0000 00000001 0000000000000002 000001a20ab6b993 fffffff5 00000002 000000007b7763f5");
        let record = written_as_read(&bytes);
        assert_eq!(record.txn, Txn::CloseSession { paths: None });
        assert_eq!(record.digest, Some(TxnDigest { version: DIGEST_VERSION, tree_digest: 0x7b77_63f5 }));
        // As long, but one path and no digest.
        let bytes =
            hex("01000016371f0000 00000001 0000000000000002 000001a20ab6b993 fffffff5 00000001 00000004 2f616263");
        assert_eq!(written_as_read(&bytes).txn, Txn::CloseSession { paths: Some(vec!["/abc".into()]) });
    }

    #[test]
    fn a_multi_inside_a_multi_is_refused() {
        let bytes = hex("00000001 0000000e 00000004 00000000");
        assert!(Txn::decode(OpCode::Multi.code(), &mut Reader::new(&bytes)).is_err());
    }
}
