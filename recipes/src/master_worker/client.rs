//! The client's side: hand in tasks, and look at those that are there. It never knows who does them.

use bytes::Bytes;
use menagerie_core::client::{self, Client};
use menagerie_core::wire::{CreateMode, path};

use crate::codec::Codec;
use crate::retry::{PAUSE, until_answered};
use crate::{Error, mark};

use super::TaskHandle;
use super::layout::{self, Layout};
use super::record::{TaskRecord, check_word};
use super::status::{TaskStatus, statuses};

/// Hands in tasks to a cluster.
///
/// ```no_run
/// # async fn example() -> Result<(), menagerie_recipes::Error> {
/// use menagerie_recipes::master_worker::TaskClient;
/// let tasks = TaskClient::new();
/// let task = tasks.submit("square", "12").await?;
/// assert_eq!(task.await?.output, "144");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TaskClient {
    client: Option<Client>,
    root: String,
}

impl TaskClient {
    /// A client of the cluster at the tree's root, through the [ambient client](crate::ambient).
    pub fn new() -> Self {
        TaskClient { client: None, root: "/".to_owned() }
    }

    /// As [`TaskClient::new`], through `client`.
    pub fn on(client: &Client) -> Self {
        TaskClient { client: Some(client.clone()), ..TaskClient::new() }
    }

    /// Where the cluster is in the tree; `/` by default.
    pub fn root(mut self, root: impl Into<String>) -> Self {
        self.root = root.into();
        self
    }

    /// Hands in a task, exactly once also when the reply is lost. It is done whether its handle is awaited or not. Dropping this future
    /// may leave the task handed in.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `kind` is not a single word; whatever ends the session.
    pub async fn submit(&self, kind: impl Into<String>, payload: impl Into<Bytes>) -> Result<TaskHandle, Error> {
        let record = TaskRecord { kind: kind.into(), payload: payload.into() };
        check_word("kind of task", &record.kind)?;
        let (client, layout) = self.connect().await?;
        let name = submit(&client, &layout, &record).await?;
        Ok(TaskHandle::new(client, layout, name))
    }

    /// As [`TaskClient::submit`], with a typed payload.
    pub async fn submit_as<T>(
        &self,
        kind: impl Into<String>,
        codec: &impl Codec<T>,
        payload: &T,
    ) -> Result<TaskHandle, Error> {
        let payload = codec.encode(payload)?;
        self.submit(kind, payload).await
    }

    /// A handle on a task that was handed in before, perhaps by another process, by its name ([`TaskHandle::name`]). Asks no server.
    pub async fn attach(&self, name: impl Into<String>) -> Result<TaskHandle, Error> {
        let name = name.into();
        check_word("name of a task", &name)?;
        let (client, layout) = self.connect().await?;
        Ok(TaskHandle::new(client, layout, name))
    }

    /// All tasks that have not been collected, in the order of their numbers, and where each stands.
    pub async fn list(&self) -> Result<Vec<(String, TaskStatus)>, Error> {
        let (client, layout) = self.connect().await?;
        statuses(&client, &layout).await
    }

    async fn connect(&self) -> Result<(Client, Layout), Error> {
        layout::resolve(self.client.clone(), &self.root).await
    }
}

impl Default for TaskClient {
    fn default() -> Self {
        TaskClient::new()
    }
}

async fn submit(client: &Client, layout: &Layout, record: &TaskRecord) -> Result<String, Error> {
    let mark = mark::new();
    let data = record.encode(&mark);
    let wanted = path::join(&layout.tasks(), "task-");
    loop {
        match client.create(&wanted, data.clone(), CreateMode::PersistentSequential).await {
            Ok(created) => return Ok(path::name(&created.path).to_owned()),
            Err(error) if error.may_have_applied() => {
                if let Some(name) = find(client, layout, &mark).await? {
                    return Ok(name);
                }
            }
            Err(error) if error.is_no_node() => layout.ensure(client).await?,
            Err(error) if error.is_retryable() => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Looks for the task that a create whose reply was lost may have left. Tasks stay until their client collects them, so it is there if it
/// was made; and it is one of the newest.
async fn find(client: &Client, layout: &Layout, mark: &str) -> Result<Option<String>, client::Error> {
    let tasks = layout.tasks();
    until_answered(|| client.sync(&tasks)).await?;
    let mut names = match until_answered(|| client.get_children(&tasks)).await {
        Ok(names) => names,
        Err(error) if error.is_no_node() => return Ok(None),
        Err(error) => return Err(error),
    };
    names.sort_unstable();
    for name in names.into_iter().rev() {
        match until_answered(|| client.get_data(&layout.task(&name))).await {
            Ok((data, _)) if mark::bears(&data, mark) => return Ok(Some(name)),
            Err(error) if !error.is_no_node() => return Err(error),
            _ => {}
        }
    }
    Ok(None)
}
