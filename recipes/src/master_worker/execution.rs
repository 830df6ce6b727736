//! One task done by one worker: read it, hand it to its handler, and write the result if the task is still this worker's.
//! It never knows how tasks are chosen.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use menagerie_core::client::{Client, Error, Version};
use menagerie_core::wire::{CreateMode, ErrorCode};
use tokio::sync::oneshot;
use tracing::{debug, warn};

use crate::error::is_session_over;
use crate::mark;
use crate::retry::{Backoff, reread, until_answered};

use super::event::{Listener, WorkerEvent};
use super::handler::{Handler, Task, TaskFailure};
use super::layout::Layout;
use super::record::{StatusRecord, TaskRecord};

/// What all executions of a worker share.
pub(super) struct Execution {
    client: Client,
    layout: Layout,
    worker: String,
    handlers: BTreeMap<String, Arc<dyn Handler>>,
    listener: Listener<WorkerEvent>,
}

/// What became of a result.
enum Fate {
    Committed,
    Rejected,
    Uncertain,
}

impl Execution {
    pub(super) fn new(
        client: Client,
        layout: Layout,
        worker: String,
        handlers: BTreeMap<String, Arc<dyn Handler>>,
        listener: Listener<WorkerEvent>,
    ) -> Self {
        Execution { client, layout, worker, handlers, listener }
    }

    pub(super) fn worker(&self) -> &str {
        &self.worker
    }

    /// Does the task, and stops when it is taken away. Dropping the future leaves the task as it was, or done.
    pub(super) async fn run(self: Arc<Self>, name: String, taken_away: oneshot::Receiver<Infallible>) {
        match self.execute(&name, taken_away).await {
            Ok(Some(event)) => self.listener.tell(event),
            Ok(None) => {}
            // The session's end, which the worker hears of too.
            Err(error) => debug!(task = name, %error, "not finished"),
        }
    }

    async fn execute(
        &self,
        name: &str,
        taken_away: oneshot::Receiver<Infallible>,
    ) -> Result<Option<WorkerEvent>, Error> {
        let Some(task) = self.read(name).await? else { return Ok(None) };
        let (kind, name) = (task.kind.clone(), name.to_owned());
        self.listener.tell(WorkerEvent::Started { task: name.clone(), kind });
        let outcome = tokio::select! {
            biased;
            outcome = self.handle(&task) => outcome.map_err(|failure| failure.message().to_owned()),
            // Only the handler is stopped. Once there is a result, the transaction decides whether it counts.
            _taken = taken_away => return Ok(Some(WorkerEvent::Abandoned { task: name })),
        };
        let mut record = StatusRecord { worker: self.worker.clone(), outcome };
        let fate = self.finish(&task, &mut record).await?;
        Ok(Some(match fate {
            Fate::Committed => WorkerEvent::Committed { task: name, failed: record.outcome.is_err() },
            Fate::Rejected => WorkerEvent::Rejected { task: name },
            Fate::Uncertain => WorkerEvent::Uncertain { task: name },
        }))
    }

    /// The task, if it is still to be done here. What must not be read is asked for until it may be, or is taken away.
    async fn read(&self, name: &str) -> Result<Option<Task>, Error> {
        let mut backoff = Backoff::new();
        loop {
            match self.try_read(name).await {
                Err(error) if !is_session_over(&error) => later(&mut backoff, name, "reading it", &error).await,
                outcome => return outcome,
            }
        }
    }

    async fn try_read(&self, name: &str) -> Result<Option<Task>, Error> {
        let (assignment, path) = (self.layout.assignment(&self.worker, name), self.layout.task(name));
        let (first, second) = (self.client.get_data(&assignment), self.client.get_data(&path));
        let token = match reread(first, || self.client.get_data(&assignment)).await {
            Ok((_, stat)) => stat.czxid.into(),
            Err(error) if error.is_no_node() => return Ok(None),
            Err(error) => return Err(error),
        };
        let data = match reread(second, || self.client.get_data(&path)).await {
            Ok((data, _)) => data,
            Err(error) if error.is_no_node() => {
                self.forget(name, &assignment).await?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let TaskRecord { kind, payload } = TaskRecord::decode(&data);
        Ok(Some(Task { name: name.to_owned(), kind, payload, token, client: self.client.clone(), assignment }))
    }

    async fn handle(&self, task: &Task) -> Result<Bytes, TaskFailure> {
        let Some(handler) = self.handlers.get(&task.kind) else {
            return Err(TaskFailure::new(format!("no handler for {:?}", task.kind)));
        };
        // A handler that panics has said how its task ends: the next worker would only panic too. Whatever the panic left half done is
        // the handler's own.
        match AssertUnwindSafe(handler.handle(task)).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(panic) => {
                let message = panic
                    .downcast_ref::<&str>()
                    .copied()
                    .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
                Err(TaskFailure::new(format!("the handler panicked: {}", message.unwrap_or("without a message"))))
            }
        }
    }

    /// Writes the result and removes the assignment, together or not at all. A result that cannot be written at all, because it is too long,
    /// becomes a failure. One that may not be written yet, for want of a permission or of quota, is kept and written later: giving
    /// the assignment up would only have the work done again.
    async fn finish(&self, task: &Task, record: &mut StatusRecord) -> Result<Fate, Error> {
        let mark = mark::new();
        let (name, status) = (task.name.as_str(), self.layout.status(&task.name));
        let assignment = task.assignment.as_str();
        let (mut backoff, mut in_doubt) = (Backoff::new(), false);
        loop {
            let multi = self.client.multi().check(assignment, Version::Any);
            let multi = multi.create(&status, record.encode(&mark), CreateMode::Persistent);
            let Err(error) = multi.delete(assignment, Version::Any).commit().await else { return Ok(Fate::Committed) };
            match error.multi_failure() {
                // The assignment is gone: through a first try whose reply was lost, or it was never ours to finish.
                Some((0, ErrorCode::NoNode)) if in_doubt => return self.whose_is(name, &mark).await,
                Some((0, ErrorCode::NoNode)) => return Ok(Fate::Rejected),
                Some((1, ErrorCode::NoNode | ErrorCode::NodeExists)) => {
                    warn!(task = name, %error, "assigned to this worker, but withdrawn or done");
                    self.forget(name, assignment).await?;
                    return Ok(Fate::Rejected);
                }
                None if is_session_over(&error) => return Err(error),
                None if error.code() == Some(ErrorCode::BadArguments) && record.outcome.is_ok() => {
                    warn!(task = name, %error, "the output cannot be written");
                    record.outcome = Err(format!("the output cannot be written: {error}"));
                }
                _ => {
                    in_doubt |= error.may_have_applied();
                    later(&mut backoff, name, "writing its result", &error).await;
                }
            }
        }
    }

    /// Whose the result is after a lost reply.
    async fn whose_is(&self, name: &str, mark: &str) -> Result<Fate, Error> {
        let (task, status) = (self.layout.task(name), self.layout.status(name));
        until_answered(|| self.client.sync(&status)).await?;
        match until_answered(|| self.client.get_data(&status)).await {
            Ok((data, _)) if mark::bears(&data, mark) => Ok(Fate::Committed),
            Ok(_) => Ok(Fate::Rejected),
            Err(error) if error.is_no_node() => match until_answered(|| self.client.exists(&task)).await? {
                // Had it been written, it would be there: status and task are collected together.
                Some(_) => Ok(Fate::Rejected),
                None => Ok(Fate::Uncertain),
            },
            Err(error) => Err(error),
        }
    }

    /// Removes an assignment of ours to a task that needs nothing more. While it stays, the task would be taken for one to be done.
    async fn forget(&self, name: &str, assignment: &str) -> Result<(), Error> {
        let mut backoff = Backoff::new();
        loop {
            match self.client.delete(assignment, Version::Any).await {
                Err(error) if is_session_over(&error) => return Err(error),
                Err(error) if !error.is_no_node() => later(&mut backoff, name, "giving it up", &error).await,
                _ => return Ok(()),
            }
        }
    }
}

/// Waits until something that failed can be tried again. It is told once, since it may go on for long.
async fn later(backoff: &mut Backoff, task: &str, what: &str, error: &Error) {
    if backoff.is_new() && !error.is_retryable() {
        warn!(task, %error, "{what} is refused; trying again until it is not");
    } else {
        debug!(task, %error, "{what} failed; trying again");
    }
    backoff.pause().await;
}
