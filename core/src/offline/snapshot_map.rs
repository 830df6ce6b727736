//! A whole snapshot by path, for tools that look at two of them, or at sums over subtrees.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Failure, Tool};
use crate::storage::snapshot::{Item, SnapshotReader};
use crate::storage::{Error, SnapshotFile};
use crate::wire::{Acl, StatPersisted, path};

/// A snapshot in memory.
pub(super) struct SnapshotMap {
    /// Every znode by its path, the root as `/`; a parent comes before what is below it.
    pub(super) nodes: BTreeMap<String, Node>,
    /// Session timeouts in milliseconds by id.
    pub(super) sessions: BTreeMap<i64, i32>,
}

/// What a snapshot says of a znode.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) data: Option<Box<[u8]>>,
    pub(super) acl: Arc<[Acl]>,
    pub(super) stat: StatPersisted,
}

/// Sums over a znode and everything below it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// Bytes of data, its own included.
    pub(super) bytes: u64,
    /// Znodes below it.
    pub(super) descendants: u64,
}

impl SnapshotMap {
    /// Reads a file.
    pub(super) fn load(tool: &Tool<'_>, file: &SnapshotFile, max_buffer: usize) -> Result<Self, Failure> {
        tool.begin(&file.path);
        let mut reader = SnapshotReader::open(tool.disk.as_ref(), file, max_buffer)?;
        let mut acls: BTreeMap<i64, Arc<[Acl]>> = BTreeMap::from([(-1, Acl::open().into())]);
        let mut map = SnapshotMap { nodes: BTreeMap::new(), sessions: BTreeMap::new() };
        while let Some(item) = reader.next_item()? {
            match item {
                Item::Session { id, timeout_ms } => {
                    map.sessions.insert(id, timeout_ms);
                }
                Item::Acl { key, acl } => {
                    acls.insert(key, acl.into());
                }
                Item::Node { path, acl_key, stat } => {
                    let Some(acl) = acls.get(&acl_key).cloned() else {
                        let what = format!("the node {path:?} has the ACL {acl_key}, which is not in the table").into();
                        return Err(Error::Corrupt { path: file.path.clone(), offset: reader.offset(), what }.into());
                    };
                    let path = if path.is_empty() { "/".to_owned() } else { path };
                    map.nodes.insert(path, Node { data: reader.data().map(Box::from), acl, stat });
                }
            }
        }
        tool.progress.finish();
        Ok(map)
    }

    /// The sums over every subtree, by the path of its top.
    pub(super) fn sums(&self) -> BTreeMap<&str, Sum> {
        let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
        // What is below a znode has a longer path that begins with its own, and comes first in this order.
        for (path, node) in self.nodes.iter().rev() {
            let sum = sums.entry(path).or_default();
            sum.bytes += node.data.as_ref().map_or(0, |data| data.len() as u64);
            let sum = *sum;
            if path != "/" {
                let above = sums.entry(path::parent(path)).or_default();
                above.bytes += sum.bytes;
                above.descendants += sum.descendants + 1;
            }
        }
        sums
    }
}

/// How many levels below the root a path is.
pub(super) fn depth(path: &str) -> usize {
    if path == "/" { 0 } else { path.matches('/').count() }
}
