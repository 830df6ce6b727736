//! `menagerie snapshot to-json`: one JSON object for each znode.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use serde_json::{Value, json};

use super::options::SnapshotToJson;
use super::{Outcome, Tool, render, source, txn_json};
use crate::storage::snapshot::{Item, SnapshotReader};
use crate::tree::NodeKind;
use crate::wire::{Acl, StatPersisted};

/// Prints the snapshot as it is read.
pub(super) fn run(tool: &mut Tool<'_>, options: &SnapshotToJson) -> Outcome {
    if std::io::stdout().is_terminal() {
        tool.progress.silence();
    }
    let file = source::snapshot(tool.disk.as_ref(), &options.file)?.file;
    tool.begin(&file.path);
    let mut reader = SnapshotReader::open(tool.disk.as_ref(), &file, options.limits.max_buffer)?;
    let mut acls = BTreeMap::from([(-1, txn_json::acl(&Acl::open()))]);
    while let Some(item) = reader.next_item()? {
        match item {
            Item::Session { .. } => {}
            Item::Acl { key, acl } => {
                acls.insert(key, txn_json::acl(&acl));
            }
            Item::Node { path, acl_key, stat } => {
                let acl = acls.get(&acl_key).unwrap_or(&Value::Null);
                let mut object = json!({
                    "path": if path.is_empty() { "/" } else { &path },
                    "data": render::base64(reader.data()),
                    "acl": acl,
                    "stat": stat_object(&stat),
                });
                add_kind(&mut object, &stat);
                writeln!(tool.out, "{object}")?;
            }
        }
    }
    Ok(true)
}

fn add_kind(object: &mut Value, stat: &StatPersisted) {
    match NodeKind::of_owner(stat.ephemeral_owner) {
        NodeKind::Persistent => object["kind"] = json!("persistent"),
        NodeKind::Container => object["kind"] = json!("container"),
        NodeKind::Ephemeral(session) => {
            object["kind"] = json!("ephemeral");
            object["session"] = json!(txn_json::hex(session));
        }
        NodeKind::Ttl { ms } => {
            object["kind"] = json!("ttl");
            object["ttlMs"] = json!(ms);
        }
    }
}

/// The Stat as it is stored: `cversion` counts creations only.
fn stat_object(stat: &StatPersisted) -> Value {
    json!({
        "czxid": stat.czxid.to_string(),
        "mzxid": stat.mzxid.to_string(),
        "pzxid": stat.pzxid.to_string(),
        "ctime": stat.ctime,
        "mtime": stat.mtime,
        "version": stat.version,
        "childrenCreated": stat.cversion,
        "aversion": stat.aversion,
    })
}
