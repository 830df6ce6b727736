//! What the master–worker flow promises: each task has exactly one result, whoever dies when and whichever reply is lost
//! (recipes §6, scenario 24; §7.3).
#![allow(clippy::disallowed_methods, reason = "a test starts tasks and threads as an application does")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use menagerie_core::client::{Client, CreateOptions, SessionCredentials, Version};
use menagerie_core::wire::{Acl, CreateMode, OpCode, Perms};
use menagerie_recipes::Error;
use menagerie_recipes::codec::{Codec, Json, Text};
use menagerie_recipes::master_worker::{
    Handler, LeastLoaded, Master, MasterEvent, RoundRobin, Strategy, Task, TaskClient, TaskFailure, TaskStatus, Worker,
    WorkerEvent,
};
use support::{Fault, LONG_SESSION, Proxy, Service, TestResult, eventually, soon};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

/// Squares numbers, each when the gate lets it through.
struct Square {
    gate: Arc<Semaphore>,
    begun: Arc<AtomicUsize>,
}

#[async_trait::async_trait]
impl Handler for Square {
    async fn handle(&self, task: &Task) -> Result<Bytes, TaskFailure> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await?.forget();
        let number: i64 = task.decode(&Text)?.parse()?;
        Ok((number * number).to_string().into())
    }
}

/// Adds numbers, and panics when there are none.
struct Sum;

#[async_trait::async_trait]
impl Handler for Sum {
    async fn handle(&self, task: &Task) -> Result<Bytes, TaskFailure> {
        let numbers: Vec<i64> = task.decode(&Json)?;
        assert!(!numbers.is_empty(), "nothing to add");
        Ok(Json.encode(&numbers.iter().sum::<i64>())?)
    }
}

/// Returns so many bytes.
struct Long;

#[async_trait::async_trait]
impl Handler for Long {
    async fn handle(&self, task: &Task) -> Result<Bytes, TaskFailure> {
        Ok(vec![0; task.decode(&Text)?.parse()?].into())
    }
}

/// A member of the cluster with a session of its own, which can be cut off.
struct Member<E> {
    proxy: Proxy,
    session: Option<SessionCredentials>,
    events: mpsc::UnboundedReceiver<E>,
    run: JoinHandle<Error>,
}

impl<E: std::fmt::Debug> Member<E> {
    /// The next event that is wanted; those before it are dropped.
    async fn hears<T>(&mut self, what: &str, mut wanted: impl FnMut(&E) -> Option<T>) -> TestResult<T> {
        let listen = async {
            loop {
                match self.events.recv().await {
                    Some(event) => {
                        if let Some(found) = wanted(&event) {
                            return Ok(found);
                        }
                    }
                    None => return Err("the member has stopped"),
                }
            }
        };
        Ok(soon(what, listen).await??)
    }

    /// As when its machine is unplugged: nobody is told, and its session has to expire.
    async fn die(self, service: &Service) -> TestResult {
        self.proxy.part().await;
        self.run.abort();
        service.expire(self.session).await
    }
}

struct Cluster {
    service: Service,
    root: String,
    gate: Arc<Semaphore>,
    begun: Arc<AtomicUsize>,
}

impl Cluster {
    async fn start() -> TestResult<Self> {
        let service = Service::start().await?;
        let root = service.path("cluster");
        Ok(Cluster { service, root, gate: Arc::new(Semaphore::new(0)), begun: Arc::default() })
    }

    async fn session(&self) -> TestResult<(Proxy, Client)> {
        let proxy = Proxy::start(self.service.hosts()).await?;
        let client = Client::builder().hosts(proxy.hosts()).session_timeout(LONG_SESSION).connect().await?;
        Ok((proxy, client))
    }

    async fn master(&self, name: &str) -> TestResult<Member<MasterEvent>> {
        self.master_with(name, LeastLoaded).await
    }

    async fn master_with(&self, name: &str, strategy: impl Strategy) -> TestResult<Member<MasterEvent>> {
        let (proxy, client) = self.session().await?;
        let session = client.session();
        let (sender, events) = mpsc::unbounded_channel();
        let master = Master::on(&client).root(&self.root).name(name).strategy(strategy);
        let master = master.on_event(move |event| drop(sender.send(event)));
        let run = tokio::spawn(async move { stopped(master.run().await) });
        Ok(Member { proxy, session, events, run })
    }

    async fn worker(&self, name: &str) -> TestResult<Member<WorkerEvent>> {
        let (proxy, client) = self.session().await?;
        let session = client.session();
        let (sender, events) = mpsc::unbounded_channel();
        let square = Square { gate: Arc::clone(&self.gate), begun: Arc::clone(&self.begun) };
        let worker = Worker::on(&client).root(&self.root).name(name);
        let worker = worker.handler("square", square).handler("sum", Sum).handler("long", Long);
        let worker = worker.on_event(move |event| drop(sender.send(event)));
        let run = tokio::spawn(async move { stopped(worker.run().await) });
        Ok(Member { proxy, session, events, run })
    }

    async fn tasks(&self) -> TestResult<TaskClient> {
        Ok(TaskClient::on(&self.service.client().await?).root(&self.root))
    }

    /// Lets this many handlers through.
    fn open(&self, handlers: usize) {
        self.gate.add_permits(handlers);
    }

    /// Lets everybody do only this with the znode: some of the letters `cdrwa`.
    async fn permit(&self, of: &str, letters: &str) -> TestResult {
        self.service.permit(&format!("{}/{of}", self.root), letters).await
    }

    /// As `deleteall` in the shell, in one transaction.
    async fn delete_all(&self, of: &str) -> TestResult {
        let operator = self.service.client().await?;
        loop {
            let mut paths = vec![format!("{}/{of}", self.root)];
            for next in 0.. {
                let Some(path) = paths.get(next).cloned() else { break };
                let children = operator.get_children(&path).await?;
                paths.extend(children.iter().map(|name| format!("{path}/{name}")));
            }
            let deletes = paths.iter().rev().fold(operator.multi(), |multi, path| multi.delete(path, Version::Any));
            match deletes.commit().await {
                // Somebody has made another child meanwhile.
                Err(error) if error.is_no_node() || error.is_not_empty() => {}
                outcome => return Ok(outcome.map(drop)?),
            }
        }
    }

    async fn children(&self, of: &str) -> TestResult<Vec<String>> {
        self.service.children(format!("{}/{of}", self.root).trim_end_matches('/')).await
    }
}

fn stopped(outcome: Result<std::convert::Infallible, Error>) -> Error {
    let Err(error) = outcome;
    error
}

fn started(event: &WorkerEvent) -> Option<String> {
    match event {
        WorkerEvent::Started { task, .. } => Some(task.clone()),
        _ => None,
    }
}

fn committed(event: &WorkerEvent) -> Option<String> {
    match event {
        WorkerEvent::Committed { task, .. } => Some(task.clone()),
        _ => None,
    }
}

fn registered(event: &WorkerEvent) -> Option<()> {
    matches!(event, WorkerEvent::Registered).then_some(())
}

fn joined(event: &MasterEvent) -> Option<String> {
    match event {
        MasterEvent::WorkerJoined { worker } => Some(worker.clone()),
        _ => None,
    }
}

fn elected(event: &MasterEvent) -> Option<i32> {
    match event {
        MasterEvent::Elected { epoch } => Some(*epoch),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_are_handed_in_done_and_collected() -> TestResult {
    let cluster = Cluster::start().await?;
    let tasks = cluster.tasks().await?;
    cluster.open(10);
    // The order in which the members come does not matter.
    let square = tasks.submit("square", "12").await?;
    let _worker = cluster.worker("w1").await?;
    let _master = cluster.master("m1").await?;
    let sum = tasks.submit_as("sum", &Json, &vec![1, 2, 3]).await?;
    let done = soon("the square", square.into_future()).await??;
    assert_eq!((done.worker.as_str(), done.decode(&Text)?.as_str()), ("w1", "144"));
    let done = soon("the sum", sum.into_future()).await??;
    assert_eq!(Codec::<i64>::decode(&Json, &done.output)?, 6);

    // A failure, a panic and an output that no znode can hold are results.
    let failing = tasks.submit("square", "twelve").await?;
    let error = soon("the failure", failing.into_future()).await?.err().ok_or("it did not fail")?;
    assert!(matches!(&error, Error::TaskFailed { message, .. } if message.contains("invalid digit")), "{error}");
    let panicking = tasks.submit_as("sum", &Json, &Vec::<i64>::new()).await?;
    let error = soon("the panic", panicking.into_future()).await?.err().ok_or("it did not fail")?;
    assert!(matches!(&error, Error::TaskFailed { message, .. } if message.contains("nothing to add")), "{error}");

    let too_long = tasks.submit("long", "2000000").await?;
    let error = soon("the failure", too_long.into_future()).await?.err().ok_or("it did not fail")?;
    assert!(matches!(&error, Error::TaskFailed { message, .. } if message.contains("cannot be written")), "{error}");

    assert!(tasks.list().await?.is_empty());
    assert!(cluster.children("assign/w1").await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_tells_where_it_stands() -> TestResult {
    let cluster = Cluster::start().await?;
    let tasks = cluster.tasks().await?;
    let handle = tasks.submit("square", "3").await?;
    let mut statuses = handle.status();
    assert_eq!(soon("waiting", statuses.next()).await?.transpose()?, Some(TaskStatus::Waiting));
    let _worker = cluster.worker("w1").await?;
    let _master = cluster.master("m1").await?;
    let assigned = TaskStatus::Assigned { worker: "w1".into() };
    assert_eq!(soon("assigned", statuses.next()).await?.transpose()?, Some(assigned.clone()));
    assert_eq!(tasks.list().await?, [(handle.name().to_owned(), assigned)]);
    cluster.open(1);
    let done = TaskStatus::Done { worker: "w1".into() };
    assert_eq!(soon("done", statuses.next()).await?.transpose()?, Some(done));
    assert!(soon("the end", statuses.next()).await?.is_none());
    drop(statuses);
    // Somebody else can fetch the result.
    let other = cluster.tasks().await?.attach(handle.name()).await?;
    assert_eq!(other.await?.output, "9");
    // Whoever comes later is told that there is nothing left to wait for.
    assert!(matches!(soon("told", handle.into_future()).await?, Err(Error::Lost(_))));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_task_of_a_dead_worker_goes_to_another_and_its_late_result_is_refused() -> TestResult {
    let cluster = Cluster::start().await?;
    let tasks = cluster.tasks().await?;
    let mut master = cluster.master("m1").await?;
    let mut first = cluster.worker("w1").await?;
    let handle = tasks.submit("square", "5").await?;
    let task = first.hears("w1 begins", started).await?;
    let mut second = cluster.worker("w2").await?;
    // It is only cut off, and still at work; but its session expires.
    first.proxy.part().await;
    cluster.service.expire(first.session).await?;
    let reassigned = master.hears("the task is reassigned", |event| match event {
        MasterEvent::Reassigned { task, from, to } => Some((task.clone(), from.clone(), to.clone())),
        _ => None,
    });
    assert_eq!(reassigned.await?, (task.clone(), "w1".into(), "w2".into()));
    assert_eq!(second.hears("w2 begins", started).await?, task);
    first.proxy.heal();
    cluster.open(2);
    assert_eq!(second.hears("w2 commits", committed).await?, task);
    let error = soon("w1 stops", first.run).await??;
    assert!(error.is_session_over(), "{error}");
    while let Ok(event) = first.events.try_recv() {
        assert!(committed(&event).is_none(), "{event:?}");
    }
    assert_eq!(handle.await?.worker, "w2");
    assert_eq!(cluster.begun.load(Ordering::SeqCst), 2);
    // The letter box of the dead worker goes too.
    eventually("only w2's letter box is left", || cluster.children("assign"), |boxes| *boxes == ["w2"]).await?;
    Ok(())
}

/// Its session lives, so that it is the transaction that refuses it, and not the end of its session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_worker_whose_session_lives_cannot_overwrite_a_result() -> TestResult {
    let cluster = Cluster::start().await?;
    let operator = cluster.service.client().await?;
    let tasks = cluster.tasks().await?;
    let _master = cluster.master("m1").await?;
    let mut worker = cluster.worker("w1").await?;
    let handle = tasks.submit("square", "5").await?;
    let task = worker.hears("w1 begins", started).await?;
    // Its handler returns, and the connection breaks over its commit. While it is away the task is taken from it and done by another.
    worker.proxy.inject_partition(Fault::BeforeRequest(OpCode::Multi));
    cluster.open(1);
    eventually("w1 is about to commit", async || Ok(worker.proxy.is_armed()), |armed| !armed).await?;
    let status = format!("{}/tasks/{task}/status", cluster.root);
    let assignment = format!("{}/assign/w1/{task}", cluster.root);
    let other =
        operator.multi().delete(&assignment, Version::Any).create(&status, "done w2 25", CreateMode::Persistent);
    other.commit().await?;
    worker.proxy.heal();
    let rejected = |event: &WorkerEvent| matches!(event, WorkerEvent::Rejected { .. }).then_some(());
    worker.hears("w1 is rejected", rejected).await?;
    assert_eq!(operator.get_data(&status).await?.0, "done w2 25");
    assert_eq!(soon("the result", handle.into_future()).await??.worker, "w2");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn master_and_worker_die_together_and_nothing_is_lost() -> TestResult {
    let cluster = Cluster::start().await?;
    let tasks = cluster.tasks().await?;
    let mut first_master = cluster.master("m1").await?;
    assert_eq!(first_master.hears("m1 is elected", elected).await?, 1);
    let mut second_master = cluster.master("m2").await?;
    let mut first = cluster.worker("w1").await?;
    let mut handles = Vec::new();
    for number in 0..4 {
        handles.push(tasks.submit("square", number.to_string()).await?);
    }
    first.hears("w1 begins", started).await?;
    first_master.die(&cluster.service).await?;
    first.die(&cluster.service).await?;
    let _second = cluster.worker("w2").await?;
    assert_eq!(second_master.hears("m2 is elected", elected).await?, 2);
    cluster.open(10);
    for (number, handle) in handles.into_iter().enumerate() {
        let done = soon("every task is done", handle.into_future()).await??;
        assert_eq!((done.worker.as_str(), done.decode(&Text)?), ("w2", (number * number).to_string()));
    }
    assert!(tasks.list().await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_was_replaced_assigns_nothing() -> TestResult {
    let cluster = Cluster::start().await?;
    let operator = cluster.service.client().await?;
    let tasks = cluster.tasks().await?;
    let mut master = cluster.master("m1").await?;
    assert_eq!(master.hears("m1 is elected", elected).await?, 1);
    // Another master has been elected, and gone, while this one looked away; and a znode of the same name and version stands there. All
    // that tells them apart is the version of /assign.
    operator.set_data(&format!("{}/assign", cluster.root), "another\n", Version::Any).await?;
    let mut worker = cluster.worker("w1").await?;
    let handle = tasks.submit("square", "2").await?;
    master.hears("m1 notices", |event| matches!(event, MasterEvent::Deposed).then_some(())).await?;
    assert_eq!(master.hears("m1 is elected again", elected).await?, 3);
    worker.hears("w1 begins", started).await?;
    cluster.open(1);
    assert_eq!(handle.await?.output, "4");
    assert_eq!(cluster.begun.load(Ordering::SeqCst), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_reply_is_lost_each_task_is_there_once_and_has_one_result() -> TestResult {
    let cluster = Cluster::start().await?;
    let mut master = cluster.master("m1").await?;
    master.hears("m1 is elected", elected).await?;
    let mut worker = cluster.worker("w1").await?;
    worker.hears("w1 registers", registered).await?;
    let proxy = Proxy::start(cluster.service.hosts()).await?;
    let client = Client::builder().hosts(proxy.hosts()).session_timeout(LONG_SESSION).connect().await?;
    let tasks = TaskClient::on(&client).root(&cluster.root);
    for (round, fault) in [Fault::BeforeReply as fn(OpCode) -> Fault, Fault::BeforeRequest].into_iter().enumerate() {
        // Of submit, of assign, of finish, of collect.
        proxy.inject(fault(OpCode::Create2));
        master.proxy.inject(fault(OpCode::Multi));
        let handle = soon("submit", tasks.submit("square", "7")).await??;
        assert!(!proxy.is_armed(), "submit's create was not lost");
        let task = worker.hears("w1 begins", started).await?;
        assert!(!master.proxy.is_armed(), "the assignment was not lost");
        assert_eq!(handle.name(), task);
        assert_eq!(tasks.list().await?.len(), 1);
        worker.proxy.inject(fault(OpCode::Multi));
        proxy.inject(fault(OpCode::Multi));
        cluster.open(1);
        let done = soon("the result", handle.into_future()).await??;
        assert_eq!(done.output, "49");
        assert!(!proxy.is_armed() && !worker.proxy.is_armed(), "collect and finish were not lost");
        let fate = worker.hears("w1 knows what became of it", |event| match event {
            WorkerEvent::Committed { .. } => Some(true),
            // Its client may have collected the task before the worker could look.
            WorkerEvent::Uncertain { .. } => Some(false),
            _ => None,
        });
        assert!(fate.await? || round == 0);
        assert!(tasks.list().await?.is_empty());
        assert_eq!(cluster.begun.load(Ordering::SeqCst), round + 1);
    }
    Ok(())
}

/// A master gave a dead worker's task to another, and did not hear of it. What it had read of the other's letter box before was old by
/// then, so it took the task for one that nobody has, and gave it to a third as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_to_a_reassignment_gives_the_task_to_one_worker_only() -> TestResult {
    let cluster = Cluster::start().await?;
    let tasks = cluster.tasks().await?;
    // Round and round, so that a second choice is another one than the first.
    let mut master = cluster.master_with("m1", RoundRobin::default()).await?;
    let mut first = cluster.worker("w1").await?;
    let handle = tasks.submit("square", "6").await?;
    let task = first.hears("w1 begins", started).await?;
    let _others = [cluster.worker("w2").await?, cluster.worker("w3").await?];
    for _worker in ["w1", "w2", "w3"] {
        master.hears("the master sees the workers", joined).await?;
    }
    // The master has to ask a server that knows before it looks again, however often that takes.
    master.proxy.inject_all([Fault::BeforeReply(OpCode::Multi), Fault::BeforeReply(OpCode::Sync)]);
    first.die(&cluster.service).await?;
    // It has looked again when it removes the dead worker's letter box, and has done all that it made of it when it sees the next worker.
    eventually("w1's letter box goes", || cluster.children("assign"), |boxes| *boxes == ["w2", "w3"]).await?;
    let _last = cluster.worker("w4").await?;
    assert_eq!(master.hears("the master sees w4", joined).await?, "w4");
    let mut assignments = Vec::new();
    for worker in cluster.children("assign").await? {
        assignments.extend(cluster.children(&format!("assign/{worker}")).await?);
    }
    assert_eq!(assignments, [task]);
    assert!(!master.proxy.is_armed(), "no reply was lost, or nothing was asked of a server that knows");
    cluster.open(3);
    assert_eq!(soon("the result", handle.into_future()).await??.output, "36");
    assert_eq!(cluster.begun.load(Ordering::SeqCst), 2);
    Ok(())
}

/// A worker that was not allowed to write a status gave its assignment up instead; so the task came back to it, and was worked out again
/// and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_is_refused_is_kept_until_it_can_be_written() -> TestResult {
    let cluster = Cluster::start().await?;
    let tasks = cluster.tasks().await?;
    let _master = cluster.master("m1").await?;
    let mut worker = cluster.worker("w1").await?;
    let handle = tasks.submit("square", "5").await?;
    let task = format!("tasks/{}", worker.hears("w1 begins", started).await?);
    cluster.permit(&task, "ra").await?;
    cluster.open(100);
    let tries = async || Ok(worker.proxy.seen(OpCode::Multi));
    eventually("w1 tries to write its result, and tries again", tries, |tries| *tries >= 4).await?;
    assert_eq!(cluster.begun.load(Ordering::SeqCst), 1);
    cluster.permit(&task, "cdrwa").await?;
    worker.hears("w1 commits", committed).await?;
    assert_eq!(soon("the result", handle.into_future()).await??.output, "25");
    assert_eq!(cluster.begun.load(Ordering::SeqCst), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_its_worker_may_not_read_is_read_again_but_not_without_pause() -> TestResult {
    let cluster = Cluster::start().await?;
    let operator = cluster.service.client().await?;
    let tasks = cluster.tasks().await?;
    let mut worker = cluster.worker("w1").await?;
    worker.hears("w1 registers", registered).await?;
    let handle = tasks.submit("square", "5").await?;
    let task = format!("tasks/{}", handle.name());
    cluster.permit(&task, "cdwa").await?;
    // It must look at the assignment first; the pauses grow from 20 ms, so that few tries fit into a second, however slow the machine.
    let before = worker.proxy.seen(OpCode::GetData);
    let start = tokio::time::Instant::now();
    operator.create(&format!("{}/assign/w1/{}", cluster.root, handle.name()), "", CreateMode::Persistent).await?;
    let reads = async || Ok(worker.proxy.seen(OpCode::GetData) - before);
    eventually("w1 tries to read it, and tries again", reads, |reads| *reads >= 4).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let most = 2 * (8 + start.elapsed().as_secs());
    assert!(reads().await? as u64 <= most, "{} reads in {:?}", reads().await?, start.elapsed());
    cluster.permit(&task, "cdrwa").await?;
    cluster.open(1);
    assert_eq!(soon("the result", handle.into_future()).await??.output, "25");
    assert_eq!(cluster.begun.load(Ordering::SeqCst), 1);
    Ok(())
}

/// A client that was not allowed to remove its task was told so, and not the result that it had read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_was_read_is_returned_also_when_it_cannot_be_removed() -> TestResult {
    let cluster = Cluster::start().await?;
    let tasks = cluster.tasks().await?;
    let (_master, _worker) = (cluster.master("m1").await?, cluster.worker("w1").await?);
    cluster.open(1);
    let handle = tasks.submit("square", "5").await?;
    cluster.permit("tasks", "crwa").await?;
    assert_eq!(soon("the result", handle.clone().into_future()).await??.output, "25");
    // It is still there; whoever asks again is told the same.
    assert_eq!(cluster.children("tasks").await?, [handle.name()]);
    cluster.permit("tasks", "cdrwa").await?;
    let again = tasks.attach(handle.name()).await?;
    assert_eq!(soon("the result again", again.into_future()).await??.output, "25");
    assert!(tasks.list().await?.is_empty());
    Ok(())
}

/// As happens in a `select!` or a timeout: the result had been read and was being removed, and nobody ever saw it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_was_being_collected_when_the_future_was_dropped_is_not_lost() -> TestResult {
    let cluster = Cluster::start().await?;
    let (_master, _worker) = (cluster.master("m1").await?, cluster.worker("w1").await?);
    let (proxy, client) = cluster.session().await?;
    let handle = TaskClient::on(&client).root(&cluster.root).submit("square", "5").await?;
    proxy.inject_partition(Fault::BeforeReply(OpCode::Multi));
    cluster.open(1);
    let collecting = tokio::spawn(handle.clone().into_future());
    eventually("it is removed", || cluster.children("tasks"), Vec::is_empty).await?;
    collecting.abort();
    assert!(collecting.await.is_err_and(|ended| ended.is_cancelled()), "the reply was not lost");
    proxy.heal();
    assert_eq!(soon("the result", handle.into_future()).await??.output, "25");
    Ok(())
}

/// An operator's `deleteall /tasks` ended every master, the one in office and those that waited, and that of `/workers` every worker that
/// waited for its name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_removed_is_made_again() -> TestResult {
    let cluster = Cluster::start().await?;
    cluster.open(100);
    let tasks = cluster.tasks().await?;
    let masters = [cluster.master("m1").await?, cluster.master("m2").await?];
    let mut first = cluster.worker("w1").await?;
    first.hears("w1 registers", registered).await?;
    let mut second = cluster.worker("w1").await?;
    for directory in ["tasks", "assign", "workers"] {
        cluster.delete_all(directory).await?;
        let handle = tasks.submit("square", "5").await?;
        let done = soon(&format!("a task is done without {directory}"), handle.into_future()).await??;
        assert_eq!(done.output, "25");
        assert!(masters.iter().all(|master| !master.run.is_finished()), "a master ended without {directory}");
    }
    assert!(!first.run.is_finished() && !second.run.is_finished());
    first.run.abort();
    second.hears("the other w1 registers", registered).await?;
    Ok(())
}

/// One znode that a master was not allowed to read ended it, and every other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_master_may_not_read_is_left_out() -> TestResult {
    let cluster = Cluster::start().await?;
    cluster.open(100);
    let operator = cluster.service.client().await?;
    let tasks = cluster.tasks().await?;
    // Handed in and made unreadable before there is a master.
    let secret = tasks.submit("square", "1").await?;
    cluster.permit(&format!("tasks/{}", secret.name()), "cdwa").await?;
    for directory in ["workers", "assign"] {
        let acl = vec![Acl::new(Perms::parse("cda").ok_or("not permissions")?, "world", "anyone")];
        // A worker that keeps to itself what it can do, but not its letter box.
        let options = if directory == "workers" {
            CreateOptions::from(CreateMode::Persistent).acl(acl)
        } else {
            CreateMode::Persistent.into()
        };
        operator.create(&format!("{}/{directory}/w0", cluster.root), "", options).await?;
    }
    let mut master = cluster.master("m1").await?;
    let _worker = cluster.worker("w1").await?;
    let mut seen = [master.hears("w0 is here", joined).await?, master.hears("w1 is here", joined).await?];
    seen.sort_unstable();
    assert_eq!(seen, ["w0", "w1"]);
    let done = soon("a task is done", tasks.submit("square", "5").await?.into_future()).await??;
    assert_eq!((done.worker.as_str(), &done.output[..]), ("w1", &b"25"[..]));
    assert_eq!(tasks.list().await?, [(secret.name().to_owned(), TaskStatus::Waiting)]);
    cluster.permit(&format!("tasks/{}", secret.name()), "cdrwa").await?;
    // It is looked at again with the next task.
    soon("another task is done", tasks.submit("square", "5").await?.into_future()).await??;
    assert_eq!(soon("the first task is done", secret.into_future()).await??.output, "1");
    Ok(())
}

/// A worker that was not allowed to create directories ended at once, although they were there: a server asks for the permission to create
/// before it looks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_needs_no_right_to_make_directories_that_are_there() -> TestResult {
    let cluster = Cluster::start().await?;
    cluster.open(100);
    let mut master = cluster.master("m1").await?;
    master.hears("m1 is elected", elected).await?;
    cluster.service.permit(&cluster.root, "rd").await?;
    let mut worker = cluster.worker("w1").await?;
    worker.hears("w1 is registered", registered).await?;
    let task = cluster.tasks().await?.submit("square", "5").await?;
    assert_eq!(soon("the task is done", task.into_future()).await??.output, "25");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_wait_for_free_slots_and_for_workers_of_their_kind() -> TestResult {
    let cluster = Cluster::start().await?;
    let tasks = cluster.tasks().await?;
    let _master = cluster.master("m1").await?;
    let odd = tasks.submit("unheard-of", "").await?;
    let _worker = cluster.worker("w1").await?;
    let handles = [tasks.submit("square", "1").await?, tasks.submit("square", "2").await?];
    let list = || tasks.list();
    eventually(
        "one is assigned",
        async || Ok(list().await?),
        |list| list.iter().filter(|(_, status)| matches!(status, TaskStatus::Assigned { .. })).count() == 1,
    )
    .await?;
    cluster.open(2);
    for handle in handles {
        soon("a square", handle.into_future()).await??;
    }
    assert_eq!(tasks.list().await?, [(odd.name().to_owned(), TaskStatus::Waiting)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_member_leaves_neither_znode_nor_watch() -> TestResult {
    let cluster = Cluster::start().await?;
    let before = cluster.service.watches().await?;
    let mut master = cluster.master("m1").await?;
    master.hears("m1 is elected", elected).await?;
    let standby = cluster.master("m2").await?;
    let mut worker = cluster.worker("w1").await?;
    master.hears("m1 sees w1", joined).await?;
    worker.hears("w1 registers", registered).await?;
    for run in [&master.run, &standby.run, &worker.run] {
        run.abort();
    }
    eventually("no watches", || cluster.service.watches(), |watches| *watches == before).await?;
    eventually("no worker", || cluster.children("workers"), Vec::is_empty).await?;
    eventually("no master", || cluster.children(""), |names| !names.iter().any(|name| name == "master")).await?;
    Ok(())
}
