//! A walk through a subtree, several requests ahead of itself. It never knows what is done with the znodes it finds.

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::wire::{Stat, path};

use super::{Call, Client, Error};

/// Requests under way at once: enough that the network's latency does not count, few enough that nobody else waits.
const AHEAD: usize = 64;

/// One znode that a [`Walk`] has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Visited {
    /// Its path.
    pub path: String,
    /// How far below the walk's root it is; 0 for the root itself.
    pub depth: usize,
    /// Whether no sibling comes after it, as far as is known: one that goes meanwhile is counted.
    pub is_last: bool,
    /// Its Stat, at the time its children were listed.
    pub stat: Stat,
}

/// A walk through a znode and everything below it: parents before their children, children in the order of their names.
///
/// It is a stream ([`Walk::next`] needs no trait), and asks for the children of up to 64 znodes ahead. It is no snapshot: the tree may change
/// while it is walked. A znode that goes before the walk comes to it is left out; one that is created meanwhile is seen if its parent was not
/// listed yet. Memory is needed for the paths that are known and not yet visited: the siblings along the way, not the whole tree.
///
/// An error is an item of its own and does not end the walk. After one that [may pass](Error::is_retryable), a lost connection for
/// example, the walk asks again for the same znode; after any other, NOAUTH for example, it goes on without that znode and what is below it.
/// Dropping a walk loses nothing but itself.
#[derive(Debug)]
#[must_use = "nothing is asked before the first `next`"]
pub struct Walk {
    client: Client,
    /// What is still to be visited, the next one last.
    stack: Vec<Pending>,
    max_depth: usize,
}

#[derive(Debug)]
struct Pending {
    path: String,
    depth: usize,
    children: Option<Call<(Vec<String>, Stat)>>,
}

impl Client {
    /// Walks through the znode at `path`, which must exist, and everything below it.
    pub fn walk(&self, path: &str) -> Walk {
        let root = Pending { path: path.to_owned(), depth: 0, children: None };
        Walk { client: self.clone(), stack: vec![root], max_depth: usize::MAX }
    }
}

impl Walk {
    /// Goes no deeper than so many levels below the root; 0 is the root alone.
    pub fn max_depth(mut self, max_depth: usize) -> Self {
        self.max_depth = max_depth;
        self
    }

    /// The next znode, or `None` at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// NONODE for the root only; whatever else listing children fails with.
    pub async fn next(&mut self) -> Option<Result<Visited, Error>> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Visited, Error>>> {
        loop {
            self.ask_ahead();
            let Some(Pending { children: Some(call), .. }) = self.stack.last_mut() else { return Poll::Ready(None) };
            let answer = std::task::ready!(Pin::new(call).poll(context));
            let Some(Pending { path, depth, .. }) = self.stack.pop() else { return Poll::Ready(None) };
            return Poll::Ready(Some(match answer {
                Ok((children, stat)) => {
                    let is_last = self.stack.last().is_none_or(|next| next.depth < depth);
                    if depth < self.max_depth {
                        self.push(&path, depth + 1, children);
                    }
                    Ok(Visited { path, depth, is_last, stat })
                }
                Err(error) if error.is_no_node() && depth > 0 => continue,
                Err(error) => {
                    if error.is_retryable() {
                        self.stack.push(Pending { path, depth, children: None });
                    }
                    Err(error)
                }
            }));
        }
    }

    fn ask_ahead(&mut self) {
        let client = &self.client;
        for pending in self.stack.iter_mut().rev().take(AHEAD).filter(|pending| pending.children.is_none()) {
            pending.children = Some(client.get_children_with_stat(&pending.path));
        }
    }

    fn push(&mut self, parent: &str, depth: usize, mut children: Vec<String>) {
        children.sort_unstable_by(|a, b| b.cmp(a));
        let pending = |name: String| Pending { path: path::join(parent, &name), depth, children: None };
        self.stack.extend(children.into_iter().map(pending));
    }
}

impl futures_core::Stream for Walk {
    type Item = Result<Visited, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}
