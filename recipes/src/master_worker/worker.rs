//! A worker: registers, and does what it finds in its letter box. It never knows who else works.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;

use menagerie_core::client::Client;
use tokio::sync::oneshot;
use tokio::task::{self, JoinSet};
use tracing::{debug, info, warn};

use crate::Error;
use crate::directory::Directory;
use crate::loss::LossPolicy;
use crate::parents::Parents;
use crate::retry::Backoff;
use crate::sole::{Claim, Won};

use super::event::{Listener, WorkerEvent};
use super::execution::Execution;
use super::handler::Handler;
use super::host_name;
use super::layout::{self, Layout};
use super::record::{WorkerRecord, check_word};

/// Does the tasks that a [`Master`](super::Master) assigns to it, by the handlers registered for their kinds.
///
/// * **Guarantee.** Its result is written in the same transaction that checks and removes its assignment. When the task was given to another
///   meanwhile, nothing is written.
/// * **Failure.** When it dies, its tasks go to other workers once its session has expired. When its session expires while it lives, it
///   drops what it does, and [`Worker::run`] returns.
/// * **Names.** A second worker of the same name waits for the first to go, as a restarted process waits for its old session.
///
/// ```no_run
/// # use bytes::Bytes;
/// # use menagerie_recipes::master_worker::{Handler, Task, TaskFailure, Worker};
/// # struct Square;
/// # #[async_trait::async_trait]
/// # impl Handler for Square {
/// #     async fn handle(&self, _task: &Task) -> Result<Bytes, TaskFailure> { Ok(Bytes::new()) }
/// # }
/// # async fn example() -> Result<(), menagerie_recipes::Error> {
/// Worker::new().name("worker1.example.com").slots(4).handler("square", Square).run().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a worker does nothing until it runs"]
pub struct Worker {
    client: Option<Client>,
    root: String,
    name: String,
    slots: usize,
    handlers: BTreeMap<String, Arc<dyn Handler>>,
    listener: Listener<WorkerEvent>,
}

impl Worker {
    /// A worker of the cluster at the tree's root, through the [ambient client](crate::ambient).
    pub fn new() -> Self {
        Worker {
            client: None,
            root: "/".to_owned(),
            name: host_name(),
            slots: 1,
            handlers: BTreeMap::new(),
            listener: Listener::default(),
        }
    }

    /// As [`Worker::new`], through `client`.
    pub fn on(client: &Client) -> Self {
        Worker { client: Some(client.clone()), ..Worker::new() }
    }

    /// Where the cluster is in the tree; `/` by default.
    pub fn root(mut self, root: impl Into<String>) -> Self {
        self.root = root.into();
        self
    }

    /// Its name below `/workers`; the host's name by default.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How many tasks it does at a time; 1 by default, and at least that.
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = slots.max(1);
        self
    }

    /// How tasks of this kind are done. Masters give a worker only tasks of kinds that it has a handler for.
    pub fn handler(mut self, kind: impl Into<String>, handler: impl Handler) -> Self {
        self.handlers.insert(kind.into(), Arc::new(handler));
        self
    }

    /// Told of all that happens, in the worker's own tasks: it must not block.
    pub fn on_event(mut self, listener: impl Fn(WorkerEvent) + Send + Sync + 'static) -> Self {
        self.listener = Listener::new(listener);
        self
    }

    /// Registers and works. When the session is over it returns: make a new client, and a new worker, if you want to go on. Dropping the
    /// future drops what is being done, and unregisters; masters then give its tasks to others.
    pub async fn run(mut self) -> Result<Infallible, Error> {
        check_word("worker", &self.name)?;
        self.handlers.keys().try_for_each(|kind| check_word("kind of task", kind))?;
        let (client, layout) = layout::resolve(self.client.take(), &self.root).await?;
        let record = WorkerRecord { slots: self.slots, kinds: Some(self.handlers.keys().cloned().collect()) };
        let claim = Claim {
            client: client.clone(),
            path: layout.worker(&self.name),
            payload: record.encode(),
            parents: Parents::Require,
            stamp: None,
        };
        let slots = self.slots;
        let listener = self.listener.clone();
        let execution =
            Arc::new(Execution::new(client.clone(), layout.clone(), self.name, self.handlers, self.listener));
        loop {
            let won = register(&claim, &layout, execution.worker()).await?;
            info!(worker = execution.worker(), "registered");
            listener.tell(WorkerEvent::Registered);
            let lost = won.held.lost();
            let loss = tokio::select! {
                biased;
                loss = lost => loss,
                end = serve(&client, &layout, &execution, slots) => return end,
            };
            info!(worker = execution.worker(), %loss, "no longer registered");
            listener.tell(WorkerEvent::Unregistered);
            match won.held.release().await {
                Err(error) if error.is_session_over() => return Err(error),
                _ => {}
            }
        }
    }
}

impl Default for Worker {
    fn default() -> Self {
        Worker::new()
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).field("root", &self.root).finish_non_exhaustive()
    }
}

/// Waits until the worker is registered. Directories that somebody has removed, also meanwhile, are made again.
async fn register(claim: &Claim, layout: &Layout, worker: &str) -> Result<Won, Error> {
    let mut backoff = Backoff::new();
    loop {
        layout.ensure(&claim.client).await?;
        // The letter box first: once the worker is registered, the master may want to put something in.
        layout.ensure_letter_box(&claim.client, worker).await?;
        match claim.win(LossPolicy::Expired).await {
            Err(Error::Client(error)) if error.is_no_node() => {
                warn!(worker, %error, "the cluster's directories are gone; making them again");
                backoff.pause().await;
            }
            outcome => return outcome,
        }
    }
}

/// The executions under way.
#[derive(Default)]
struct Running {
    set: JoinSet<()>,
    /// By the task's name. Dropping the sender takes the task from its handler.
    tasks: HashMap<String, (task::Id, oneshot::Sender<Infallible>)>,
}

impl Running {
    fn start(&mut self, execution: &Arc<Execution>, name: &str) {
        let (keep, taken_away) = oneshot::channel();
        let handle = self.set.spawn(Arc::clone(execution).run(name.to_owned(), taken_away));
        self.tasks.insert(name.to_owned(), (handle.id(), keep));
    }

    /// Waits for one to end; pending while there is none.
    async fn ended(&mut self) {
        match self.set.join_next_with_id().await {
            Some(Ok((ended, ()))) => self.tasks.retain(|_, (id, _)| *id != ended),
            Some(Err(error)) => self.tasks.retain(|_, (id, _)| *id != error.id()),
            None => std::future::pending().await,
        }
    }
}

/// Keeps what runs in step with what is in the letter box, until dropped.
async fn serve(
    client: &Client,
    layout: &Layout,
    execution: &Arc<Execution>,
    slots: usize,
) -> Result<Infallible, Error> {
    let mut letter_box = Directory::new(layout.letter_box(execution.worker()));
    let mut running = Running::default();
    loop {
        match letter_box.refresh(client).await {
            Ok(_) => {}
            Err(error) if error.is_no_node() => {
                debug!(worker = execution.worker(), "the letter box is gone; making it again");
                layout.ensure_letter_box(client, execution.worker()).await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        running.tasks.retain(|name, _| letter_box.contains(name));
        for name in letter_box.names() {
            if running.set.len() < slots && !running.tasks.contains_key(name) {
                running.start(execution, name);
            }
        }
        tokio::select! {
            biased;
            // Its assignment has been removed, which the list does not show yet: it must not be begun again.
            () = running.ended() => letter_box.doubt(),
            () = poll_fn(|context| letter_box.poll_changed(context)) => {}
        }
    }
}
