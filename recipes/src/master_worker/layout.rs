//! Where everything of a cluster is in the tree. It never knows what is written there.

use menagerie_core::client::{self, Client};
use menagerie_core::wire::path::join;

use crate::parents::{self, Parents};
use crate::{Error, ambient};

/// The client to work through, and the paths of the cluster at `root`; a root that is no path is refused.
pub(super) async fn resolve(given: Option<Client>, root: &str) -> Result<(Client, Layout), Error> {
    let client = ambient::resolve(given, root).await?;
    Ok((client, Layout { root: root.to_owned() }))
}

/// The paths of one cluster, below its root.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: String,
}

impl Layout {
    pub(super) fn master(&self) -> String {
        join(&self.root, "master")
    }

    pub(super) fn workers(&self) -> String {
        join(&self.root, "workers")
    }

    pub(super) fn worker(&self, worker: &str) -> String {
        join(&self.workers(), worker)
    }

    pub(super) fn tasks(&self) -> String {
        join(&self.root, "tasks")
    }

    pub(super) fn task(&self, task: &str) -> String {
        join(&self.tasks(), task)
    }

    pub(super) fn status(&self, task: &str) -> String {
        join(&self.task(task), "status")
    }

    pub(super) fn assign(&self) -> String {
        join(&self.root, "assign")
    }

    /// Where a worker finds its assignments.
    pub(super) fn letter_box(&self, worker: &str) -> String {
        join(&self.assign(), worker)
    }

    pub(super) fn assignment(&self, worker: &str, task: &str) -> String {
        join(&self.letter_box(worker), task)
    }

    /// Makes the three directories, whoever comes first. They are persistent: were `/tasks` to go and come again, its numbers would start
    /// again too.
    pub(super) async fn ensure(&self, client: &Client) -> Result<(), client::Error> {
        for directory in [self.tasks(), self.workers(), self.assign()] {
            ensure(client, &directory).await?;
        }
        Ok(())
    }

    pub(super) async fn ensure_letter_box(&self, client: &Client, worker: &str) -> Result<(), client::Error> {
        ensure(client, &self.letter_box(worker)).await
    }
}

async fn ensure(client: &Client, directory: &str) -> Result<(), client::Error> {
    loop {
        match parents::ensure(client, directory, Parents::Persistent).await {
            Err(error) if error.is_retryable() => tokio::time::sleep(crate::retry::PAUSE).await,
            outcome => return outcome,
        }
    }
}
