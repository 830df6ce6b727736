//! One task, seen by whoever handed it in. It never knows who does it before the tree says so.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::Stream;
use menagerie_core::client::{self, Client, Version};
use tracing::warn;

use crate::codec::{Codec, CodecError};
use crate::loss::Loss;
use crate::retry::until_answered;
use crate::{Error, retry};

use super::layout::Layout;
use super::record::StatusRecord;
use super::status::{TaskStatus, follow};

/// A task that was handed in. Await it for its result, which also removes it from the tree; dropping it leaves the task to be done, and its
/// result to be fetched by [`TaskClient::attach`](super::TaskClient::attach). Clones share the result once one of them has read it.
#[derive(Debug, Clone)]
#[must_use = "the task's result stays in the tree until it is awaited"]
pub struct TaskHandle {
    client: Client,
    layout: Layout,
    name: String,
    /// The result from when it was read. It may be gone from the tree before whoever reads it has returned it.
    record: Arc<OnceLock<StatusRecord>>,
}

/// How a task ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Completed {
    /// The task.
    pub task: String,
    /// The worker whose result counts.
    pub worker: String,
    /// What its handler returned.
    pub output: Bytes,
}

impl Completed {
    /// The output as a value.
    pub fn decode<T>(&self, codec: &impl Codec<T>) -> Result<T, CodecError> {
        codec.decode(&self.output)
    }
}

impl TaskHandle {
    pub(super) fn new(client: Client, layout: Layout, name: String) -> Self {
        TaskHandle { client, layout, name, record: Arc::default() }
    }

    /// The task's name, such as `task-0000000000`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the task stands, now and whenever that changes, until it is done. States that come and go between two looks are not seen. It
    /// sets one watch per worker; awaiting the handle needs but two. Dropping the stream removes them.
    pub fn status(&self) -> impl Stream<Item = Result<TaskStatus, Error>> + Send + use<> {
        follow(self.client.clone(), self.layout.clone(), self.name.clone())
    }

    async fn result(self) -> Result<Completed, Error> {
        let record = if let Some(record) = self.record.get() {
            record.clone()
        } else {
            let record = self.wait().await?;
            // A clone of the handle may have been faster; it has read the same.
            self.record.get_or_init(|| record).clone()
        };
        if let Err(error) = self.collect().await {
            warn!(task = self.name, %error, "the result is read, and stays in the tree: it cannot be removed");
        }
        let TaskHandle { name: task, .. } = self;
        match record.outcome {
            Ok(output) => Ok(Completed { task, worker: record.worker, output }),
            Err(message) => Err(Error::TaskFailed { task, worker: record.worker, message }),
        }
    }

    async fn wait(&self) -> Result<StatusRecord, Error> {
        let (task, status) = (self.layout.task(&self.name), self.layout.status(&self.name));
        loop {
            let (found, appears) = until_answered(|| self.client.exists_and_watch(&status)).await?;
            if found.is_some() {
                match until_answered(|| self.client.get_data(&status)).await {
                    Ok((data, _)) => return StatusRecord::decode(&data, &status),
                    Err(error) if error.is_no_node() => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            // A task that is withdrawn will never have a status.
            let changes = match until_answered(|| self.client.get_data_and_watch(&task)).await {
                Ok((_, _, changes)) => changes,
                Err(error) if error.is_no_node() => return Err(Error::Lost(Loss::NodeDeleted)),
                Err(error) => return Err(error.into()),
            };
            tokio::select! {
                biased;
                _ = appears.changed() => {}
                _ = changes.changed() => {}
            }
        }
    }

    /// Removes status and task together. Nobody else will ever change them, so it can be tried until it is done.
    async fn collect(&self) -> Result<(), client::Error> {
        let (task, status) = (self.layout.task(&self.name), self.layout.status(&self.name));
        loop {
            let multi = self.client.multi().delete(&status, Version::Any).delete(&task, Version::Any);
            match multi.commit().await {
                Err(error) if error.is_retryable() => tokio::time::sleep(retry::PAUSE).await,
                // Collected before: by a first try whose reply was lost, or through another handle.
                Err(error) if !error.is_no_node() => return Err(error),
                _ => return Ok(()),
            }
        }
    }
}

impl IntoFuture for TaskHandle {
    type Output = Result<Completed, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Waits until the task is done, removes it from the tree, and returns its output; the output also when it cannot be removed.
    ///
    /// Dropping the future leaves no watch. When it is dropped late, as a timeout may do it, the result may be removed from the tree and
    /// returned to nobody: keep a clone of the handle, which has it then, and await that.
    ///
    /// [`Error::TaskFailed`] when its handler failed; [`Error::Lost`] when somebody removed the task.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.result())
    }
}
