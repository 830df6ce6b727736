//! Walks a subtree in the order of its paths, several requests ahead of itself.

use crate::client::{Call, Client, Error};
use crate::wire::path;

/// Requests under way at once: enough that the network's latency does not count, few enough that nobody else waits.
const AHEAD: usize = 64;

/// The paths of a znode and everything below it, parents first, children in order of their names. A znode that goes while
/// the walk is on is left out.
pub(super) struct Walk {
    client: Client,
    /// What is still to be visited, the next one last.
    stack: Vec<Pending>,
    /// Whether the first path is still to come, which is the only one that must exist.
    at_root: bool,
}

struct Pending {
    path: String,
    children: Option<Call<Vec<String>>>,
}

impl Walk {
    /// Begins at `path`, which must exist.
    pub(super) fn new(client: &Client, path: &str) -> Self {
        let pending = Pending { path: path.to_owned(), children: None };
        Self { client: client.clone(), stack: vec![pending], at_root: true }
    }

    /// The next path, or `None` at the end.
    ///
    /// # Errors
    /// NONODE for the first path only; whatever else a list of children fails with.
    pub(super) async fn next(&mut self) -> Result<Option<String>, Error> {
        loop {
            self.ask_ahead();
            let Some(Pending { path, children: Some(call) }) = self.stack.pop() else { return Ok(None) };
            let at_root = std::mem::take(&mut self.at_root);
            match call.await {
                Ok(children) => {
                    self.push(&path, children);
                    return Ok(Some(path));
                }
                Err(error) if error.is_no_node() && !at_root => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn ask_ahead(&mut self) {
        let client = &self.client;
        for pending in self.stack.iter_mut().rev().take(AHEAD).filter(|pending| pending.children.is_none()) {
            pending.children = Some(client.get_children(&pending.path));
        }
    }

    fn push(&mut self, parent: &str, mut children: Vec<String>) {
        children.sort_unstable_by(|a, b| b.cmp(a));
        let pending = |name: String| Pending { path: path::join(parent, &name), children: None };
        self.stack.extend(children.into_iter().map(pending));
    }
}
