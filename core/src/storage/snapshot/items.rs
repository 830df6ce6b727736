//! The part that files and streams have in common, as it is read: sessions, access control lists, nodes, one at a time.
//! The bytes are trusted in nothing.

use std::io::Read;
use std::path::Path;

use super::body::END_MARK;
use crate::storage::Error;
use crate::storage::input::{Failure, Input};
use crate::wire::{Acl, StatPersisted};

/// One thing that a snapshot holds. They come in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A session that was open.
    Session {
        /// Its id.
        id: i64,
        /// Its timeout in milliseconds.
        timeout_ms: i32,
    },
    /// An entry of the table of access control lists.
    Acl {
        /// What nodes call it.
        key: i64,
        /// The list.
        acl: Vec<Acl>,
    },
    /// A znode, after its parent. Its data are the reader's, until it reads on.
    Node {
        /// The path; empty for the root.
        path: String,
        /// Its list: a key of the table, or −1 for the open one.
        acl_key: i64,
        /// Its Stat.
        stat: StatPersisted,
    },
}

/// How far the reading came.
pub(super) struct Body {
    section: Section,
    path: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
}

/// What comes next; a number is how many of it are left, once that was read.
enum Section {
    Sessions(Option<i32>),
    Acls(Option<i32>),
    Nodes,
    End,
}

impl Body {
    pub(super) fn new() -> Self {
        Body { section: Section::Sessions(None), path: Vec::new(), data: Vec::new(), has_data: false }
    }

    /// The data of the node that was read last.
    pub(super) fn data(&self) -> Option<&[u8]> {
        self.has_data.then_some(&self.data[..])
    }

    /// The next item, or `None` after the last node.
    pub(super) fn next<R: Read>(&mut self, input: &mut Input<R>) -> Result<Option<Item>, Failure> {
        loop {
            match &mut self.section {
                Section::Sessions(left @ None) | Section::Acls(left @ None) => *left = Some(input.count()?),
                Section::Sessions(Some(0)) => self.section = Section::Acls(None),
                Section::Acls(Some(0)) => self.section = Section::Nodes,
                Section::Sessions(Some(left)) => {
                    *left -= 1;
                    return Ok(Some(Item::Session { id: input.long()?, timeout_ms: input.int()? }));
                }
                Section::Acls(Some(left)) => {
                    *left -= 1;
                    return Ok(Some(Item::Acl { key: input.long()?, acl: input.acl()? }));
                }
                Section::Nodes => match self.node(input)? {
                    Some(node) => return Ok(Some(node)),
                    None => self.section = Section::End,
                },
                Section::End => return Ok(None),
            }
        }
    }

    fn node<R: Read>(&mut self, input: &mut Input<R>) -> Result<Option<Item>, Failure> {
        let path = input.string(&mut self.path)?;
        if path == END_MARK {
            return Ok(None);
        }
        self.has_data = input.buffer(&mut self.data)?;
        Ok(Some(Item::Node { path, acl_key: input.long()?, stat: input.stat()? }))
    }
}

/// A failure of the stream or the file `path`.
pub(super) fn named(failure: Failure, path: &Path) -> Error {
    match failure {
        Failure::Io(source) => Error::io("read", path)(source),
        Failure::Format { offset, what } => Error::corrupt(path, offset, what),
    }
}
