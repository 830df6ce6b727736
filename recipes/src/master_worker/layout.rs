//! Where everything of a cluster is in the tree. It never knows what is written there.

use menagerie_core::client::{Client, Error};

use crate::parents::{self, Parents};

/// The paths of one cluster, below its root.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Empty for the root of the tree, so that it can stand before a slash.
    prefix: String,
}

impl Layout {
    pub(super) fn new(root: &str) -> Self {
        Layout { prefix: root.trim_end_matches('/').to_owned() }
    }

    pub(super) fn master(&self) -> String {
        format!("{}/master", self.prefix)
    }

    pub(super) fn workers(&self) -> String {
        format!("{}/workers", self.prefix)
    }

    pub(super) fn worker(&self, worker: &str) -> String {
        format!("{}/workers/{worker}", self.prefix)
    }

    pub(super) fn tasks(&self) -> String {
        format!("{}/tasks", self.prefix)
    }

    pub(super) fn task(&self, task: &str) -> String {
        format!("{}/tasks/{task}", self.prefix)
    }

    pub(super) fn status(&self, task: &str) -> String {
        format!("{}/tasks/{task}/status", self.prefix)
    }

    pub(super) fn assign(&self) -> String {
        format!("{}/assign", self.prefix)
    }

    /// Where a worker finds its assignments.
    pub(super) fn letter_box(&self, worker: &str) -> String {
        format!("{}/assign/{worker}", self.prefix)
    }

    pub(super) fn assignment(&self, worker: &str, task: &str) -> String {
        format!("{}/assign/{worker}/{task}", self.prefix)
    }

    /// Makes the three directories, whoever comes first. They are persistent: were `/tasks` to go and come again, its numbers would start
    /// again too.
    pub(super) async fn ensure(&self, client: &Client) -> Result<(), Error> {
        for directory in [self.tasks(), self.workers(), self.assign()] {
            ensure(client, &directory).await?;
        }
        Ok(())
    }

    pub(super) async fn ensure_letter_box(&self, client: &Client, worker: &str) -> Result<(), Error> {
        ensure(client, &self.letter_box(worker)).await
    }
}

async fn ensure(client: &Client, directory: &str) -> Result<(), Error> {
    loop {
        match parents::ensure(client, directory, Parents::Persistent).await {
            Err(error) if error.is_retryable() => tokio::time::sleep(crate::retry::PAUSE).await,
            outcome => return outcome,
        }
    }
}
