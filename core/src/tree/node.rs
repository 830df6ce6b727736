//! One znode as the arena stores it, and as readers see it. It never knows how it is found.

use std::sync::Arc;

use super::acl_table::AclKey;
use super::{DataTree, digest};
use crate::wire::{Acl, Stat, StatPersisted, Ttl, path};

/// A stored znode. Kept small: two hundred thousand of them are a common tree.
#[derive(Debug)]
pub(super) struct Node {
    /// The full path; empty for the root.
    pub(super) path: Box<str>,
    pub(super) data: Option<Box<[u8]>>,
    /// Most nodes are leaves, so the list of children is one pointer until there is one.
    children: Option<Box<Children>>,
    pub(super) stat: StatPersisted,
    pub(super) parent: u32,
    /// Where this node stands in its parent's list.
    pub(super) place: u32,
    pub(super) acl: AclKey,
    /// CRC-32 of path and data: the front of the digest, which is then cheap to bring up to date when only the stat
    /// changes, as a parent's does with each child.
    pub(super) body_crc: u32,
}

#[derive(Debug, Default)]
struct Children(Vec<u32>);

impl Node {
    pub(super) fn new(path: &str, data: Option<&[u8]>, acl: AclKey, stat: StatPersisted, parent: u32) -> Self {
        Node {
            body_crc: digest::body_crc(path, data),
            path: path.into(),
            data: data.map(Box::from),
            children: None,
            stat,
            parent,
            place: 0,
            acl,
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn children(&self) -> &[u32] {
        self.children.as_deref().map_or(&[], |children| &children.0)
    }

    /// This node's part of the tree's digest.
    pub(super) fn digest(&self) -> u64 {
        digest::with_stat(&self.path, self.body_crc, &self.stat)
    }

    /// Bytes of path and data.
    pub(super) fn size(&self) -> u64 {
        (self.path.len() + self.data.as_ref().map_or(0, |data| data.len())) as u64
    }

    pub(super) fn kind(&self) -> NodeKind {
        NodeKind::of_owner(self.stat.ephemeral_owner)
    }

    /// Adds a child and returns its place.
    pub(super) fn add_child(&mut self, slot: u32) -> u32 {
        let children = &mut self.children.get_or_insert_default().0;
        children.push(slot);
        (children.len() - 1) as u32
    }

    /// Takes the child out of its place; returns the child that stands there now, if another moved in.
    pub(super) fn remove_child(&mut self, place: u32) -> Option<u32> {
        let children = &mut self.children.as_deref_mut()?.0;
        if place as usize >= children.len() {
            return None;
        }
        children.swap_remove(place as usize);
        // A directory that was wide once gives its memory back; small lists keep theirs, as they soon fill again.
        if children.capacity() > 64 && children.len() < children.capacity() / 4 {
            children.shrink_to(children.len() * 2);
        }
        children.get(place as usize).copied()
    }
}

/// How long a znode lives (protocol §2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// Until it is deleted.
    Persistent,
    /// As long as this session.
    Ephemeral(i64),
    /// Until some time after its last child is gone.
    Container,
    /// Until it has no children and was not written for a while.
    Ttl {
        /// Time to live after the last write, in milliseconds.
        ms: i64,
    },
}

impl NodeKind {
    /// The kind that a persisted `ephemeralOwner` encodes.
    pub const fn of_owner(owner: i64) -> Self {
        if owner == 0 {
            NodeKind::Persistent
        } else if owner == Ttl::CONTAINER_OWNER {
            NodeKind::Container
        } else if let Some(ms) = Ttl::of_owner(owner) {
            NodeKind::Ttl { ms }
        } else {
            NodeKind::Ephemeral(owner)
        }
    }

    /// The persisted `ephemeralOwner` of this kind.
    pub const fn owner(self) -> i64 {
        match self {
            NodeKind::Persistent => 0,
            NodeKind::Ephemeral(session) => session,
            NodeKind::Container => Ttl::CONTAINER_OWNER,
            NodeKind::Ttl { ms } => Ttl::owner(ms),
        }
    }
}

/// A znode to read, as long as the tree is not changed.
#[derive(Debug, Clone, Copy)]
pub struct NodeRef<'a> {
    tree: &'a DataTree,
    node: &'a Node,
}

impl<'a> NodeRef<'a> {
    pub(super) fn new(tree: &'a DataTree, node: &'a Node) -> Self {
        NodeRef { tree, node }
    }

    /// The full path; `/` for the root.
    pub fn path(&self) -> &'a str {
        if self.node.path.is_empty() { "/" } else { &self.node.path }
    }

    /// The data. Null and empty are different values.
    pub fn data(&self) -> Option<&'a [u8]> {
        self.node.data.as_deref()
    }

    /// The Stat that clients see (protocol §2.7.1).
    pub fn stat(&self) -> Stat {
        let stat = &self.node.stat;
        let num_children = self.node.children().len() as i32;
        Stat {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            ctime: stat.ctime,
            mtime: stat.mtime,
            version: stat.version,
            cversion: stat.cversion.wrapping_mul(2).wrapping_sub(num_children),
            aversion: stat.aversion,
            ephemeral_owner: match self.kind() {
                NodeKind::Ephemeral(session) => session,
                NodeKind::Persistent | NodeKind::Container | NodeKind::Ttl { .. } => 0,
            },
            data_length: self.node.data.as_ref().map_or(0, |data| data.len() as i32),
            num_children,
            pzxid: stat.pzxid,
        }
    }

    /// The Stat that snapshots store; its `cversion` counts creations only.
    pub fn persisted(&self) -> &'a StatPersisted {
        &self.node.stat
    }

    /// The access control list.
    pub fn acl(&self) -> &'a Arc<[Acl]> {
        self.tree.acls.get(self.node.acl)
    }

    /// The children's names, in the same order on every read until one is created or deleted.
    pub fn children(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        let tree = self.tree;
        self.node.children().iter().map(|slot| tree.arena.get(*slot).map_or("", |child| path::name(&child.path)))
    }

    /// Number of children.
    pub fn child_count(&self) -> usize {
        self.node.children().len()
    }

    /// How long it lives.
    pub fn kind(&self) -> NodeKind {
        self.node.kind()
    }

    /// This node's part of [`DataTree::digest`].
    pub fn digest(&self) -> u64 {
        self.node.digest()
    }

    /// What [`NodeRef::digest`] would be with another stat and the same data.
    pub fn digest_with(&self, stat: &StatPersisted) -> u64 {
        digest::with_stat(&self.node.path, self.node.body_crc, stat)
    }
}
