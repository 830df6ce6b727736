//! Where tasks stand, for clients and people that look. It never changes anything.

use std::collections::BTreeMap;

use futures_util::future::{select_all, try_join_all};
use futures_util::{FutureExt, Stream, StreamExt, stream};
use menagerie_core::client::{Client, OneshotWatch};

use crate::Error;
use crate::loss::Loss;
use crate::retry::{reread, until_answered};

use super::layout::Layout;
use super::record::StatusRecord;

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskStatus {
    /// It waits for a worker.
    Waiting,
    /// A worker has it.
    Assigned {
        /// Which.
        worker: String,
    },
    /// It has its result, which waits to be collected.
    Done {
        /// Whose result it is.
        worker: String,
    },
    /// Its handler has failed: that is its result.
    Failed {
        /// Whose handler.
        worker: String,
        /// What it said.
        message: String,
    },
}

impl TaskStatus {
    /// Whether no other status can follow.
    pub fn is_final(&self) -> bool {
        matches!(self, TaskStatus::Done { .. } | TaskStatus::Failed { .. })
    }
}

impl From<StatusRecord> for TaskStatus {
    fn from(StatusRecord { worker, outcome }: StatusRecord) -> Self {
        match outcome {
            Ok(_) => TaskStatus::Done { worker },
            Err(message) => TaskStatus::Failed { worker, message },
        }
    }
}

/// All tasks, and where each stands.
pub(super) async fn statuses(client: &Client, layout: &Layout) -> Result<Vec<(String, TaskStatus)>, Error> {
    // The letter boxes before the statuses: a task that is finished in between is then seen as done, and not as waiting.
    let mut assigned = BTreeMap::new();
    for worker in children(client, layout.assign()).await? {
        for task in children(client, layout.letter_box(&worker)).await? {
            assigned.insert(task, worker.clone());
        }
    }
    let mut tasks = children(client, layout.tasks()).await?;
    tasks.sort_unstable();
    let reads = tasks.iter().map(async |task| {
        let path = layout.status(task);
        match until_answered(|| client.get_data(&path)).await {
            Ok((data, _)) => StatusRecord::decode(&data, &path).map(Some),
            Err(error) if error.is_no_node() => Ok(None),
            Err(error) => Err(Error::from(error)),
        }
    });
    let statuses = try_join_all(reads).await?;
    let status_of = |(task, record): (String, Option<StatusRecord>)| {
        let status = match (record, assigned.remove(&task)) {
            (Some(record), _) => record.into(),
            (None, Some(worker)) => TaskStatus::Assigned { worker },
            (None, None) => TaskStatus::Waiting,
        };
        (task, status)
    };
    Ok(tasks.into_iter().zip(statuses).map(status_of).collect())
}

async fn children(client: &Client, path: String) -> Result<Vec<String>, Error> {
    match until_answered(|| client.get_children(&path)).await {
        Err(error) if error.is_no_node() => Ok(Vec::new()),
        names => Ok(names?),
    }
}

/// The statuses of one task as they change; ends after a final one or an error.
pub(super) fn follow(
    client: Client,
    layout: Layout,
    task: String,
) -> impl Stream<Item = Result<TaskStatus, Error>> + Send + use<> {
    let start = Some((client, layout, task, None));
    let step = |state: Option<(Client, Layout, String, Option<TaskStatus>)>| async move {
        let (client, layout, task, last) = state?;
        match next(&client, &layout, &task, last.as_ref()).await {
            Ok(status) if status.is_final() => Some((Ok(status), None)),
            Ok(status) => Some((Ok(status.clone()), Some((client, layout, task, Some(status))))),
            Err(error) => Some((Err(error), None)),
        }
    };
    stream::unfold(start, step).boxed()
}

async fn next(client: &Client, layout: &Layout, task: &str, last: Option<&TaskStatus>) -> Result<TaskStatus, Error> {
    loop {
        let (status, watches) = look(client, layout, task).await?;
        if last != Some(&status) {
            return Ok(status);
        }
        select_all(watches.into_iter().map(|watch| watch.changed().boxed())).await;
    }
}

/// Where the task stands, with watches on all that could change it; all are set before anything is read that a change could make old.
async fn look(client: &Client, layout: &Layout, task: &str) -> Result<(TaskStatus, Vec<OneshotWatch>), Error> {
    let status = layout.status(task);
    let path = layout.task(task);
    let mut watches = Vec::new();
    let (workers, _, watch) = match until_answered(|| client.get_children_and_watch(&layout.assign())).await {
        Err(error) if error.is_no_node() => return Err(Error::Lost(Loss::NodeDeleted)),
        workers => workers?,
    };
    watches.push(watch);
    let reads: Vec<_> = workers
        .into_iter()
        .map(|worker| (layout.assignment(&worker, task), worker))
        .map(|(path, worker)| (client.exists_and_watch(&path), path, worker))
        .collect();
    let mut assigned = None;
    for (read, path, worker) in reads {
        let (found, watch) = reread(read, || client.exists_and_watch(&path)).await?;
        watches.push(watch);
        if found.is_some() {
            assigned = Some(worker);
        }
    }
    // The status last: a task that is finished meanwhile is then seen as done, and not as waiting.
    let (found, watch) = until_answered(|| client.exists_and_watch(&status)).await?;
    watches.push(watch);
    if found.is_some() {
        let (data, _) = until_answered(|| client.get_data(&status)).await?;
        return Ok((StatusRecord::decode(&data, &status)?.into(), watches));
    }
    match until_answered(|| client.get_data_and_watch(&path)).await {
        Ok((_, _, watch)) => watches.push(watch),
        Err(error) if error.is_no_node() => return Err(Error::Lost(Loss::NodeDeleted)),
        Err(error) => return Err(error.into()),
    }
    let status = assigned.map_or(TaskStatus::Waiting, |worker| TaskStatus::Assigned { worker });
    Ok((status, watches))
}
