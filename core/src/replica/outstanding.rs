//! The state that validation sees: the applied tree, overlaid with what is proposed and not yet applied (protocol §7.2).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::tree::{DataTree, node_digest};
use crate::wire::{Acl, StatPersisted, Zxid};

/// A znode as it will be when everything proposed is applied.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) stat: StatPersisted,
    pub(super) children: i32,
    pub(super) acl: Arc<[Acl]>,
    pub(super) data: Data,
    digest: u64,
}

/// A znode's data, which only its digest and its quota ask for.
#[derive(Debug, Clone)]
pub(super) enum Data {
    /// What the tree has: it is not copied.
    Applied,
    /// What is proposed.
    Proposed(Option<Bytes>),
}

impl Node {
    /// A znode that is not there yet, or is about to change; its digest is computed when it is proposed.
    pub(super) fn new(stat: StatPersisted, acl: Arc<[Acl]>, data: Option<Bytes>) -> Self {
        Node { stat, children: 0, acl, data: Data::Proposed(data), digest: 0 }
    }

    /// Bytes of the data of this node, which stands at `path`.
    pub(super) fn data_length(&self, tree: &DataTree, path: &str) -> i64 {
        match &self.data {
            Data::Proposed(data) => data.as_ref().map_or(0, Bytes::len) as i64,
            Data::Applied => tree.node(path).and_then(|node| node.data()).map_or(0, <[u8]>::len) as i64,
        }
    }

    fn digest_at(&self, tree: &DataTree, path: &str) -> u64 {
        match &self.data {
            Data::Proposed(data) => node_digest(path, data.as_deref(), &self.stat),
            Data::Applied => tree.node(path).map_or(0, |node| node.digest_with(&self.stat)),
        }
    }
}

/// What is proposed for a path: a znode, or its absence.
#[derive(Debug, Clone)]
struct Change {
    zxid: Zxid,
    node: Option<Node>,
}

/// The overlay.
#[derive(Debug)]
pub(super) struct Outstanding {
    changes: BTreeMap<String, Change>,
    by_zxid: VecDeque<(Zxid, String)>,
    undo: Vec<(String, Option<Change>)>,
    digest: u64,
}

impl Outstanding {
    /// Nothing proposed over a tree with this digest.
    pub(super) fn new(digest: u64) -> Self {
        Outstanding { changes: BTreeMap::new(), by_zxid: VecDeque::new(), undo: Vec::new(), digest }
    }

    /// The digest of the tree after everything proposed.
    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    /// The znode at a path, or `None` when there will be none.
    pub(super) fn node(&self, tree: &DataTree, path: &str) -> Option<Node> {
        match self.changes.get(path) {
            Some(change) => change.node.clone(),
            None => tree.node(path).map(|node| Node {
                stat: node.persisted().clone(),
                children: node.child_count() as i32,
                acl: Arc::clone(node.acl()),
                data: Data::Applied,
                digest: node.digest(),
            }),
        }
    }

    /// Proposes a znode, or its absence, for a path. `before` is what [`Outstanding::node`] said.
    pub(super) fn set(
        &mut self,
        tree: &DataTree,
        zxid: Zxid,
        path: &str,
        before: Option<&Node>,
        mut after: Option<Node>,
    ) {
        if let Some(node) = &mut after {
            node.digest = node.digest_at(tree, path);
        }
        let digest_of = |node: Option<&Node>| node.map_or(0, |node| node.digest);
        self.digest = self.digest.wrapping_sub(digest_of(before)).wrapping_add(digest_of(after.as_ref()));
        let old = self.changes.insert(path.to_owned(), Change { zxid, node: after });
        self.undo.push((path.to_owned(), old));
        self.by_zxid.push_back((zxid, path.to_owned()));
    }

    /// Starts a write whose changes can be taken back.
    pub(super) fn begin(&mut self) -> u64 {
        self.undo.clear();
        self.digest
    }

    /// Takes back everything since [`Outstanding::begin`], which returned `digest`.
    pub(super) fn roll_back(&mut self, digest: u64) {
        let undo = std::mem::take(&mut self.undo);
        for (path, old) in undo.into_iter().rev() {
            self.by_zxid.pop_back();
            match old {
                Some(change) => self.changes.insert(path, change),
                None => self.changes.remove(&path),
            };
        }
        self.digest = digest;
    }

    /// Everything up to `zxid` is applied: the tree says it now.
    pub(super) fn applied(&mut self, zxid: Zxid) {
        while let Some((_, path)) = self.by_zxid.pop_front_if(|(of, _)| *of <= zxid) {
            if self.changes.get(&path).is_some_and(|change| change.zxid <= zxid) {
                self.changes.remove(&path);
            }
        }
    }

    /// The session's ephemeral znodes as they will be, in order of their paths.
    pub(super) fn ephemerals(&self, tree: &DataTree, session: i64) -> Vec<String> {
        let applied = tree.ephemerals(session).filter(|path| !self.changes.contains_key(*path)).map(str::to_owned);
        let proposed = self
            .changes
            .iter()
            .filter(|(_, change)| change.node.as_ref().is_some_and(|node| node.stat.ephemeral_owner == session))
            .map(|(path, _)| path.clone());
        let mut paths: Vec<String> = applied.chain(proposed).collect();
        paths.sort_unstable();
        paths
    }
}
