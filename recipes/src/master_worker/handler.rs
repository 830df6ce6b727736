//! What an application writes: how a kind of task is done. It never knows where tasks come from.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use menagerie_core::client::{Client, Multi, Version};

use crate::FencingToken;
use crate::codec::{Codec, CodecError};

/// Does tasks of one kind, several at a time.
///
/// ```
/// use bytes::Bytes;
/// use menagerie_recipes::codec::Text;
/// use menagerie_recipes::master_worker::{Handler, Task, TaskFailure};
///
/// struct Square;
///
/// #[async_trait::async_trait]
/// impl Handler for Square {
///     async fn handle(&self, task: &Task) -> Result<Bytes, TaskFailure> {
///         let number: i64 = task.decode(&Text)?.parse()?;
///         Ok((number * number).to_string().into())
///     }
/// }
/// ```
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Does one task, and returns its output. A failure and a panic are results too: the task is done, and its client is told.
    ///
    /// The future is dropped at its next await point when the task is taken from this worker. The output counts once, but the work may be
    /// begun more than once, when a worker dies over it: for effects outside the service, see [`Task::token`]; inside, [`Task::fenced`].
    async fn handle(&self, task: &Task) -> Result<Bytes, TaskFailure>;
}

/// A task in a worker's hands.
#[derive(Debug)]
pub struct Task {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) payload: Bytes,
    pub(super) token: FencingToken,
    pub(super) client: Client,
    pub(super) assignment: String,
}

impl Task {
    /// Its name, such as `task-0000000000`: no other task of the cluster has it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What its client handed in.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The payload as a value.
    pub fn decode<T>(&self, codec: &impl Codec<T>) -> Result<T, CodecError> {
        codec.decode(&self.payload)
    }

    /// Higher with every time the task is assigned, for resources that can compare it.
    pub fn token(&self) -> FencingToken {
        self.token
    }

    /// A multi that is applied only while the task is this worker's: operation 0 checks its assignment, and yours start at 1.
    pub fn fenced(&self) -> Multi {
        self.client.multi().check(&self.assignment, Version::Any)
    }
}

/// Why a handler failed, for the task's client to read. Any error becomes one by `?`.
pub struct TaskFailure(String);

impl TaskFailure {
    /// A failure that says this.
    pub fn new(message: impl Into<String>) -> Self {
        TaskFailure(message.into())
    }

    /// What it says.
    pub fn message(&self) -> &str {
        &self.0
    }
}

/// With the whole chain of causes. `TaskFailure` is no `Error` itself, which is what makes this possible.
impl<E: std::error::Error> From<E> for TaskFailure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_message = cause.to_string();
            // Some errors repeat their cause in their own message.
            if !message.ends_with(&cause_message) {
                message.push_str(": ");
                message.push_str(&cause_message);
            }
            source = cause.source();
        }
        TaskFailure(message)
    }
}

impl fmt::Debug for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
