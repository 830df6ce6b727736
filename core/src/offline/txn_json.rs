//! One transaction as one JSON object. Ids are strings in hexadecimal, because JSON's readers lose the low bits of such numbers.

use serde_json::{Map, Value, json};

use super::{render, source, txn_text};
use crate::storage::LogEntry;
use crate::wire::Acl;
use crate::wire::txn::{CreateTxn, Txn, TxnRecord};

/// The object.
pub(super) fn object(entry: &LogEntry, record: &TxnRecord) -> Value {
    let header = &record.header;
    let mut fields = map([
        ("file", json!(source::name(&entry.path))),
        ("offset", json!(entry.offset)),
        ("zxid", json!(header.zxid.to_string())),
        ("session", json!(hex(header.client_id))),
        ("cxid", json!(header.cxid)),
        ("time", json!(render::time(header.time_ms))),
    ]);
    fields.extend(txn(&record.txn));
    if let Some(digest) = &record.digest {
        fields.insert("digest".to_owned(), json!(hex(digest.tree_digest)));
    }
    Value::Object(fields)
}

/// A list of access, one object for each entry.
pub(super) fn acl(acl: &[Acl]) -> Value {
    let entry = |acl: &Acl| json!({ "scheme": acl.id.scheme, "id": acl.id.id, "perms": acl.perms.to_string() });
    acl.iter().map(entry).collect()
}

/// An id or a digest, all of whose bits count.
pub(super) fn hex(number: i64) -> String {
    format!("0x{number:x}")
}

fn txn(txn: &Txn) -> Map<String, Value> {
    let mut fields = match txn {
        Txn::Create(_, record) => {
            let mut fields = create(record);
            fields.insert("ephemeral".to_owned(), json!(record.ephemeral));
            fields
        }
        Txn::CreateContainer(record) => create(record),
        Txn::CreateTtl(record, ttl_ms) => {
            let mut fields = create(record);
            fields.insert("ttlMs".to_owned(), json!(ttl_ms));
            fields
        }
        Txn::Delete { path } | Txn::DeleteContainer { path } => map([("path", json!(path))]),
        Txn::SetData { path, data, version } | Txn::Reconfig { path, data, version } => {
            map([("path", json!(path)), ("data", json!(render::base64(data.as_deref()))), ("version", json!(version))])
        }
        Txn::SetAcl { path, acl: list, version } => {
            map([("path", json!(path)), ("acl", acl(list)), ("version", json!(version))])
        }
        Txn::Check { path, version } => map([("path", json!(path)), ("version", json!(version))]),
        Txn::Multi(txns) => map([("txns", txns.iter().map(|txn| Value::Object(self::txn(txn))).collect())]),
        Txn::CreateSession { timeout_ms } => map([("timeoutMs", json!(timeout_ms))]),
        Txn::CloseSession { paths } => map([("paths", json!(paths))]),
        Txn::Error { err } => map([("error", json!(err))]),
    };
    fields.insert("type".to_owned(), json!(txn_text::kind(txn)));
    fields
}

fn create(record: &CreateTxn) -> Map<String, Value> {
    map([
        ("path", json!(record.path)),
        ("data", json!(render::base64(record.data.as_deref()))),
        ("acl", acl(&record.acl)),
        ("parentCversion", json!(record.parent_cversion)),
    ])
}

fn map<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
