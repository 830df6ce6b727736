//! The children of a znode, read again only after they have changed. It never knows what they stand for.

use std::task::{Context, Poll};

use menagerie_core::client::{Client, Error, OneshotWatch};

use crate::retry::until_answered;

/// A znode's children as last read, under a watch.
#[derive(Debug)]
pub(crate) struct Directory {
    path: String,
    names: Vec<String>,
    /// `None` when it is to be read again.
    watch: Option<OneshotWatch>,
}

impl Directory {
    pub(crate) fn new(path: String) -> Self {
        Directory { path, names: Vec::new(), watch: None }
    }

    /// The children's names, sorted.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.names.binary_search_by(|known| known.as_str().cmp(name)).is_ok()
    }

    /// Reads the children if they may have changed since, and returns whether it did.
    ///
    /// # Errors
    /// NONODE when there is no such znode, with no watch left behind.
    pub(crate) async fn refresh(&mut self, client: &Client) -> Result<bool, Error> {
        if self.watch.is_some() {
            return Ok(false);
        }
        let (mut names, _, watch) = until_answered(|| client.get_children_and_watch(&self.path)).await?;
        names.sort_unstable();
        self.names = names;
        self.watch = Some(watch);
        Ok(true)
    }

    /// Counts a child that we have made, before the watch tells of it.
    pub(crate) fn expect(&mut self, name: &str) {
        if let Err(place) = self.names.binary_search_by(|known| known.as_str().cmp(name)) {
            self.names.insert(place, name.to_owned());
        }
    }

    /// Makes the next [`Directory::refresh`] read.
    pub(crate) fn doubt(&mut self) {
        self.watch = None;
    }

    /// Ready when the children may have changed since they were read.
    pub(crate) fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.watch {
            None => Poll::Ready(()),
            Some(watch) => {
                std::task::ready!(watch.poll_changed(context));
                self.watch = None;
                Poll::Ready(())
            }
        }
    }
}
