//! What our member proposes when it leads and a follower's client asks for something. Nothing is checked: the clients of the tests
//! ask only for what is right.

use bytes::Bytes;
use menagerie_core::jute::{Decode, Encode};
use menagerie_core::wire::proto::CreateRequest;
use menagerie_core::wire::quorum::ForwardedRequest;
use menagerie_core::wire::txn::{CreateTxn, Txn, TxnHeader, TxnRecord};
use menagerie_core::wire::{ErrorCode, OpCode, Zxid};

/// The transaction for a request, as a payload; `None` for a sync, which has none.
pub fn payload(request: &ForwardedRequest, zxid: Zxid) -> Option<Bytes> {
    let txn = match OpCode::from_i32(request.op) {
        Some(OpCode::Sync) => return None,
        Some(OpCode::CreateSession) => {
            i32::from_bytes(&request.body).ok().map(|timeout_ms| Txn::CreateSession { timeout_ms })
        }
        Some(OpCode::CloseSession) => Some(Txn::CloseSession { paths: Some(Vec::new()) }),
        Some(OpCode::Create) => CreateRequest::from_bytes(&request.body).ok().map(created),
        _ => None,
    };
    let txn = txn.unwrap_or(Txn::Error { err: ErrorCode::Unimplemented.code() });
    let header = TxnHeader {
        client_id: request.session,
        cxid: request.cxid,
        zxid,
        time_ms: 1_795_000_000_000,
        kind: txn.kind().code(),
    };
    Some(TxnRecord { header, txn, digest: None }.to_bytes())
}

fn created(CreateRequest { path, data, acl, .. }: CreateRequest) -> Txn {
    Txn::Create(false, CreateTxn { path, data, acl, ephemeral: false, parent_cversion: 1 })
}
