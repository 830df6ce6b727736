//! Builds a tree from the parts of a snapshot (protocol §6.5). It never knows files or bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::DataTree;
use super::arena::ROOT;
use super::edit::NewNode;
use crate::wire::{Acl, StatPersisted, Zxid};

/// Why nodes do not make a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The first node is not the root.
    #[error("the first node is {path:?}, not the root")]
    NoRoot {
        /// Its path.
        path: String,
    },
    /// A node stands before its parent, or has none.
    #[error("the node {path:?} has no parent before it")]
    NoParent {
        /// Its path.
        path: String,
    },
    /// A node's ACL is not in the table.
    #[error("the node {path:?} has the ACL {key}, which is not in the table")]
    NoAcl {
        /// Its path.
        path: String,
        /// The missing key.
        key: i64,
    },
}

/// A tree under construction: the ACL table first, then the nodes, parents before their children.
#[derive(Debug)]
pub struct TreeLoader {
    tree: DataTree,
    acls: BTreeMap<i64, Arc<[Acl]>>,
    has_root: bool,
}

impl TreeLoader {
    /// Starts with nothing. For `seed` see [`DataTree::with_seed`].
    pub fn new(seed: u64) -> Self {
        TreeLoader { tree: DataTree::bare(seed), acls: BTreeMap::from([(-1, Acl::open().into())]), has_root: false }
    }

    /// Adds an entry of the ACL table.
    pub fn acl(&mut self, key: i64, acl: Vec<Acl>) {
        self.acls.insert(key, acl.into());
    }

    /// Adds a node; `path` is empty for the root, which comes first. A node that is there already is replaced.
    ///
    /// # Errors
    /// [`LoadError`] when the root, the parent or the ACL is missing.
    pub fn node(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl_key: i64,
        stat: StatPersisted,
    ) -> Result<(), LoadError> {
        let Some(acl) = self.acls.get(&acl_key).cloned() else {
            return Err(LoadError::NoAcl { path: path.to_owned(), key: acl_key });
        };
        if !self.has_root && !path.is_empty() {
            return Err(LoadError::NoRoot { path: path.to_owned() });
        }
        self.has_root = true;
        if let Some(slot) = self.tree.arena.find(path) {
            self.replace(slot, data, &acl, stat);
            return Ok(());
        }
        let parent = path
            .rsplit_once('/')
            .filter(|(_, name)| !name.is_empty())
            .and_then(|(parent, _)| self.tree.arena.find(parent));
        let Some(parent) = parent else {
            return Err(LoadError::NoParent { path: path.to_owned() });
        };
        self.tree.insert(NewNode { path, parent, data, acl: &acl, stat });
        Ok(())
    }

    /// The tree as of `zxid`, with the system nodes that an old snapshot lacks, and with every quota's subtree counted.
    ///
    /// # Errors
    /// [`LoadError::NoRoot`] when no node was added.
    pub fn finish(mut self, zxid: Zxid) -> Result<DataTree, LoadError> {
        if !self.has_root {
            return Err(LoadError::NoRoot { path: String::new() });
        }
        self.tree.add_missing_system_nodes();
        self.tree.recount_quotas();
        self.tree.last_zxid = zxid;
        Ok(self.tree)
    }

    fn replace(&mut self, slot: u32, data: Option<&[u8]>, acl: &[Acl], stat: StatPersisted) {
        let tree = &mut self.tree;
        if slot != ROOT
            && let Some(node) = tree.arena.get(slot)
        {
            tree.owners.remove(node.kind(), slot);
        }
        tree.permit(slot, acl);
        tree.rewrite(slot, data, |old| *old = stat);
        if slot != ROOT
            && let Some(node) = tree.arena.get(slot)
        {
            tree.owners.add(node.kind(), slot);
        }
    }
}
