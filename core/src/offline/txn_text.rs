//! One transaction as one line of text, and what kinds of transactions are called.

use std::fmt::Write;

use super::render;
use crate::wire::ErrorCode;
use crate::wire::txn::{CreateTxn, Txn, TxnRecord};

/// The line, without its end. Of data no more than `data_shown` bytes are shown.
pub(super) fn line(record: &TxnRecord, data_shown: usize) -> String {
    let header = &record.header;
    let mut out = format!(
        "{} zxid {} session 0x{:x} cxid 0x{:x} ",
        render::time(header.time_ms),
        header.zxid,
        header.client_id,
        header.cxid
    );
    write_txn(&mut out, &record.txn, data_shown);
    if let Some(digest) = &record.digest {
        let _ = write!(out, " digest 0x{:x}", digest.tree_digest);
    }
    out
}

/// What a kind of transaction is called, in the reference server's words.
pub(super) fn kind(txn: &Txn) -> &'static str {
    match txn {
        Txn::Create(false, _) => "create",
        Txn::Create(true, _) => "create2",
        Txn::CreateContainer(_) => "createContainer",
        Txn::CreateTtl(..) => "createTTL",
        Txn::Delete { .. } => "delete",
        Txn::DeleteContainer { .. } => "deleteContainer",
        Txn::SetData { .. } => "setData",
        Txn::Reconfig { .. } => "reconfig",
        Txn::SetAcl { .. } => "setACL",
        Txn::Check { .. } => "check",
        Txn::Multi(_) => "multi",
        Txn::CreateSession { .. } => "createSession",
        Txn::CloseSession { .. } => "closeSession",
        Txn::Error { .. } => "error",
    }
}

/// Whether the transaction is about the znode `top` or one below it.
pub(super) fn is_about(txn: &Txn, top: &str) -> bool {
    let is_at = |path: &str| is_at_or_below(path, top);
    match txn {
        Txn::Create(_, create) | Txn::CreateContainer(create) | Txn::CreateTtl(create, _) => is_at(&create.path),
        Txn::Delete { path }
        | Txn::DeleteContainer { path }
        | Txn::SetData { path, .. }
        | Txn::Reconfig { path, .. }
        | Txn::SetAcl { path, .. }
        | Txn::Check { path, .. } => is_at(path),
        Txn::Multi(txns) => txns.iter().any(|txn| is_about(txn, top)),
        Txn::CloseSession { paths } => paths.iter().flatten().any(|path| is_at(path)),
        Txn::CreateSession { .. } | Txn::Error { .. } => false,
    }
}

/// Whether `path` is `top`, or below it.
pub(super) fn is_at_or_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || top.ends_with('/'))
}

fn write_txn(out: &mut String, txn: &Txn, data_shown: usize) {
    out.push_str(kind(txn));
    let _ = match txn {
        Txn::Create(_, create) | Txn::CreateContainer(create) => {
            write_create(out, create, data_shown);
            Ok(())
        }
        Txn::CreateTtl(create, ttl_ms) => {
            write_create(out, create, data_shown);
            write!(out, " ttl {ttl_ms}ms")
        }
        Txn::Delete { path } | Txn::DeleteContainer { path } => write!(out, " {}", render::path(path)),
        Txn::SetData { path, data, version } | Txn::Reconfig { path, data, version } => {
            let data = render::data(data.as_deref(), data_shown);
            write!(out, " {} data {data} version {version}", render::path(path))
        }
        Txn::SetAcl { path, acl, version } => {
            write!(out, " {} acl {} aversion {version}", render::path(path), render::acl(acl))
        }
        Txn::Check { path, version } => write!(out, " {} version {version}", render::path(path)),
        Txn::Multi(txns) => {
            out.push_str(" [");
            for (index, txn) in txns.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "; " });
                write_txn(out, txn, data_shown);
            }
            out.push(']');
            Ok(())
        }
        Txn::CreateSession { timeout_ms } => write!(out, " timeout {timeout_ms}ms"),
        Txn::CloseSession { paths } => {
            paths.iter().flatten().try_for_each(|path| write!(out, " {}", render::path(path)))
        }
        Txn::Error { err } => write!(out, " {err} {}", ErrorCode::from_i32(*err).name()),
    };
}

fn write_create(out: &mut String, create: &CreateTxn, data_shown: usize) {
    let data = render::data(create.data.as_deref(), data_shown);
    let _ = write!(out, " {} data {data} acl {}", render::path(&create.path), render::acl(&create.acl));
    out.push_str(if create.ephemeral { " ephemeral" } else { "" });
    let _ = write!(out, " parentCversion {}", create.parent_cversion);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_filter_takes_the_znode_and_what_is_below_it_and_nothing_beside_it() {
        let delete = |path: &str| Txn::Delete { path: path.to_owned() };
        for (path, top, is_in) in [
            ("/a", "/a", true),
            ("/a/b", "/a", true),
            ("/ab", "/a", false),
            ("/", "/a", false),
            ("/a", "/", true),
            ("/a/b", "/a/", true),
        ] {
            assert_eq!(is_about(&delete(path), top), is_in, "{path} {top}");
        }
        assert!(is_about(&Txn::Multi(vec![Txn::Error { err: 0 }, delete("/a/b")]), "/a"));
        assert!(is_about(&Txn::CloseSession { paths: Some(vec!["/a".into()]) }, "/a"));
        assert!(!is_about(&Txn::CloseSession { paths: None }, "/a"));
    }
}
