//! A walk that fetches what is in the znodes: data and access lists, several requests ahead of itself.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::client::{Call, Client, Error, Visited, Walk};
use crate::wire::{Acl, ErrorCode, Stat};

/// Znodes whose contents are on their way at once.
const AHEAD: usize = 32;
/// Bytes of data that are on their way at once, unless a single znode has more.
const AHEAD_BYTES: usize = 4 * 1024 * 1024;

/// The contents of a znode and everything below it, in the order of a [`Walk`]. Memory is bounded by the two constants above, and the walk.
pub(super) struct Contents {
    client: Client,
    walk: Walk,
    /// What belongs to the servers and not to applications, and is left out.
    skips_system: bool,
    ahead: VecDeque<Asked>,
    bytes: usize,
    is_over: bool,
}

/// One znode, or that it may not be read.
#[derive(Debug)]
pub(super) enum Content {
    Znode(Znode),
    Denied(String),
}

/// A znode with all that is in it.
#[derive(Debug)]
pub(super) struct Znode {
    pub(super) path: String,
    pub(super) stat: Stat,
    pub(super) data: Bytes,
    pub(super) acl: Vec<Acl>,
}

struct UnderWay {
    node: Visited,
    data: Call<(Bytes, Stat)>,
    acl: Call<(Vec<Acl>, Stat)>,
}

enum Asked {
    Znode(Box<UnderWay>),
    Denied(String),
}

impl Contents {
    /// Begins at `path`, which must exist. What is below `/zookeeper` is left out, unless `path` is.
    pub(super) fn new(client: &Client, path: &str) -> Self {
        let skips_system = !is_system(client, path);
        let walk = client.walk(path);
        Self { client: client.clone(), walk, skips_system, ahead: VecDeque::new(), bytes: 0, is_over: false }
    }

    /// The next znode, or `None` at the end. What goes meanwhile is left out.
    ///
    /// # Errors
    /// NONODE for the first path, and what ends the walk: a lost connection for example.
    pub(super) async fn next(&mut self) -> Result<Option<Content>, Error> {
        loop {
            self.ask_ahead().await?;
            let UnderWay { node, data, acl } = match self.ahead.pop_front() {
                None => return Ok(None),
                Some(Asked::Denied(path)) => return Ok(Some(Content::Denied(path))),
                Some(Asked::Znode(under_way)) => *under_way,
            };
            self.bytes -= node.stat.data_length.max(0) as usize;
            let (data, acl) = (data.await, acl.await);
            match data.and_then(|data| acl.map(|acl| (data, acl))) {
                Ok(((data, stat), (acl, _))) => {
                    return Ok(Some(Content::Znode(Znode { path: node.path, stat, data, acl })));
                }
                Err(error) if error.is_no_node() => {}
                Err(error) if is_denied(&error) => return Ok(Some(Content::Denied(node.path))),
                Err(error) => return Err(error),
            }
        }
    }

    async fn ask_ahead(&mut self) -> Result<(), Error> {
        while !self.is_over && self.ahead.len() < AHEAD && (self.ahead.is_empty() || self.bytes < AHEAD_BYTES) {
            match self.walk.next().await {
                None => self.is_over = true,
                Some(Ok(node)) if self.skips_system && is_system(&self.client, &node.path) => {}
                Some(Ok(node)) => {
                    self.bytes += node.stat.data_length.max(0) as usize;
                    let (data, acl) = (self.client.get_data(&node.path), self.client.get_acl(&node.path));
                    self.ahead.push_back(Asked::Znode(Box::new(UnderWay { node, data, acl })));
                }
                Some(Err(error)) => self.ahead.push_back(Asked::Denied(denied_path(error)?)),
            }
        }
        Ok(())
    }
}

/// Whether it is `/zookeeper` or below it.
pub(super) fn is_system(client: &Client, path: &str) -> bool {
    let complete = client.complete_path(path);
    complete.strip_prefix("/zookeeper").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether it says that the znode may not be read.
pub(super) fn is_denied(error: &Error) -> bool {
    error.code() == Some(ErrorCode::NoAuth)
}

/// The path of a znode that may not be read; any other error as it is.
pub(super) fn denied_path(error: Error) -> Result<String, Error> {
    match error.path() {
        Some(path) if is_denied(&error) => Ok(path.to_owned()),
        _ => Err(error),
    }
}
