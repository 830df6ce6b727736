//! For the tests of the tools: a snapshot that was still being written when a later transaction came.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::Tool;
use super::progress::Progress;
use crate::storage::snapshot::{self, SnapshotOptions};
use crate::storage::{Disk, MemDisk};
use crate::tree::{DataTree, SnapshotCursor};
use crate::wire::txn::{CreateTxn, Txn, TxnHeader};
use crate::wire::{Acl, Zxid};

/// Where the snapshot is.
pub(super) const DIR: &str = "/data/version-2";

/// A disk with the snapshot `snapshot.5`, with `/early`, made by transaction 5, in which the root shows that 6 made `/late` after the
/// snapshot was begun.
pub(super) fn disk() -> MemDisk {
    let (disk, dir) = (MemDisk::new(), Path::new(DIR));
    disk.create_dir_all(dir).unwrap();
    let mut tree = DataTree::new();
    create(&mut tree, 5, "/early");
    let cursor = SnapshotCursor::new(&tree);
    create(&mut tree, 6, "/late");
    let options = SnapshotOptions::default();
    snapshot::write(&disk, dir, cursor, &BTreeMap::new(), &options, |see| see(&tree)).unwrap();
    disk
}

/// A tool that reads it.
pub(super) fn tool(out: &mut dyn Write) -> Tool<'_> {
    let progress = Arc::new(Progress::new(Box::new(std::io::sink()), false));
    Tool { disk: Arc::new(disk()), progress, out }
}

fn create(tree: &mut DataTree, zxid: i64, path: &str) {
    let create =
        CreateTxn { path: path.to_owned(), data: None, acl: Acl::open(), ephemeral: false, parent_cversion: -1 };
    let txn = Txn::Create(false, create);
    let header = TxnHeader { zxid: Zxid(zxid), kind: txn.kind().code(), ..TxnHeader::default() };
    tree.apply(&header, &txn, &mut Vec::new());
}
