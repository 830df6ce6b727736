//! The master–worker cluster in one program: an embedded ensemble of three servers, two masters, three workers and a client with
//! tasks. In the middle the active master, the leading server and a busy worker are killed: their connections break, and the
//! others have to find out. Ends with a table, and with success only if every task was done exactly once.
//!
//! `cargo run -p menagerie-examples --bin master_worker`; or each role as a process of its own:
//! `master_worker master|worker|submit|status --connect HOSTS`.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use clap::{Parser, Subcommand};
use menagerie_core::client::{CONNECT_VARIABLE, Client, DEFAULT_HOSTS};
use menagerie_core::embedded::Ensemble;
use menagerie_recipes::codec::Text;
use menagerie_recipes::master_worker::{
    Completed, Handler, LeastLoaded, Master, MasterEvent, Task, TaskClient, TaskFailure, Worker, WorkerEvent,
};
use tokio::runtime::{Builder, Runtime};

const TASKS: u64 = 24;
/// Short, so that the server soon gives up those who were killed; long enough for a slow machine not to kill the others.
const MEMBER_TIMEOUT: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Parser)]
#[command(about = "A master-worker cluster: all of it here (no argument), or one role of it")]
struct Cli {
    /// The servers, as host:port,host:port
    #[arg(long, global = true, env = CONNECT_VARIABLE, default_value = DEFAULT_HOSTS)]
    connect: String,
    /// How long the servers wait before they give up a member that is not heard of
    #[arg(long, global = true, value_name = "MS", default_value_t = 6000)]
    session_timeout_ms: u64,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// Run the whole story in this process
    Demo,
    /// Run for master
    Master {
        /// What it is called; `master-` and the process's number by default
        #[arg(long)]
        name: Option<String>,
    },
    /// Do tasks
    Worker {
        /// What it is called; `worker-` and the process's number by default
        #[arg(long)]
        name: Option<String>,
    },
    /// Hand in numbers to be squared, and wait for the results
    Submit {
        /// The numbers
        #[arg(default_values_t = 1..=10u64)]
        numbers: Vec<u64>,
    },
    /// Show where every task stands
    Status,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("master_worker: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<bool, Box<dyn Error>> {
    let Some(role) = cli.role else { return demo().await };
    let connect = || connect(&cli.connect, Duration::from_millis(cli.session_timeout_ms));
    let name = |given: Option<String>, role| given.unwrap_or_else(|| format!("{role}-{}", std::process::id()));
    match role {
        Role::Demo => return demo().await,
        Role::Master { name: given } => {
            master(&connect().await?, &name(given, "master"), Ledger::default()).run().await?;
        }
        Role::Worker { name: given } => {
            worker(&connect().await?, &name(given, "worker"), Ledger::default()).run().await?;
        }
        Role::Submit { numbers } => {
            let client = connect().await?;
            let tasks = TaskClient::on(&client);
            let mut handles = Vec::new();
            for number in numbers {
                handles.push((number, tasks.submit("square", number.to_string()).await?));
            }
            println!("{} tasks are handed in", handles.len());
            for (number, handle) in handles {
                let done = handle.await?;
                println!("{number}² = {} ({} by {})", String::from_utf8_lossy(&done.output), done.task, done.worker);
            }
            client.close().await?;
        }
        Role::Status => {
            for (task, status) in TaskClient::on(&connect().await?).list().await? {
                println!("{task}: {status:?}");
            }
        }
    }
    Ok(true)
}

async fn connect(hosts: &str, session_timeout: Duration) -> Result<Client, menagerie_core::client::Error> {
    Client::builder().hosts(hosts).session_timeout(session_timeout).connect().await
}

/// What the cluster's members told: who is master, who began which task, and whose result stands.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    master: Option<String>,
    begun: BTreeMap<String, Vec<String>>,
    committed: BTreeMap<String, Vec<String>>,
}

impl Ledger {
    fn with<T>(&self, look: impl FnOnce(&mut Told) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn master(client: &Client, name: &str, ledger: Ledger) -> Master {
    let me = name.to_owned();
    Master::on(client).name(name).strategy(LeastLoaded).on_event(move |event| match event {
        MasterEvent::Elected { epoch } => {
            println!("  {me} is the master now (epoch {epoch})");
            ledger.with(|told| told.master = Some(me.clone()));
        }
        MasterEvent::WorkerLeft { worker, orphans } => println!("  {me}: {worker} is gone and left {orphans} task(s)"),
        MasterEvent::Reassigned { task, from, to } => println!("  {me}: {task} goes from {from} to {to}"),
        MasterEvent::WorkerJoined { worker } => println!("  {me}: {worker} is here"),
        MasterEvent::Deposed => println!("  {me} is no longer the master"),
        _ => {}
    })
}

fn worker(client: &Client, name: &str, ledger: Ledger) -> Worker {
    let me = name.to_owned();
    Worker::on(client).name(name).handler("square", Square).on_event(move |event| match event {
        WorkerEvent::Registered => println!("  {me} is registered"),
        WorkerEvent::Started { task, .. } => ledger.with(|told| told.begun.entry(task).or_default().push(me.clone())),
        WorkerEvent::Committed { task, .. } => {
            println!("  {me} has done {task}");
            ledger.with(|told| told.committed.entry(task).or_default().push(me.clone()));
        }
        WorkerEvent::Rejected { task } => println!("  {me} came too late with {task}: nothing was written"),
        _ => {}
    })
}

struct Square;

#[async_trait::async_trait]
impl Handler for Square {
    async fn handle(&self, task: &Task) -> Result<Bytes, TaskFailure> {
        let number: u64 = task.decode(&Text)?.parse()?;
        tokio::time::sleep(Duration::from_millis(150)).await;
        Ok((number * number).to_string().into())
    }
}

/// A member with a runtime of its own. Killing it drops the runtime: its connection breaks without a word, as in a crash.
struct Member(Runtime);

impl Member {
    /// Runs `role` on a session of its own, and on a new one whenever that ends: on a slow machine one may expire that nobody killed.
    fn start<F>(hosts: &str, role: impl Fn(Client) -> F + Send + Sync + 'static) -> Result<Self, Box<dyn Error>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let hosts = hosts.to_owned();
        runtime.spawn(async move {
            loop {
                match connect(&hosts, MEMBER_TIMEOUT).await {
                    Ok(client) => role(client).await,
                    Err(error) => eprintln!("a member cannot connect: {error}"),
                }
            }
        });
        Ok(Member(runtime))
    }

    fn kill(self) {
        self.0.shutdown_background();
    }
}

async fn demo() -> Result<bool, Box<dyn Error>> {
    let ensemble = Ensemble::builder(3).tick_time(Duration::from_millis(200)).max_session_timeout(PATIENCE);
    let mut ensemble = ensemble.start().await?;
    let hosts = ensemble.connect_string();
    println!("three servers listen on {hosts}; server {} leads", ensemble.leader().await);
    let ledger = Ledger::default();
    let mut masters = BTreeMap::new();
    for name in ["master1", "master2"] {
        let ledger = ledger.clone();
        let run = move |client: Client| {
            let master = master(&client, name, ledger.clone());
            async move {
                let Err(error) = master.run().await;
                println!("  {name} stops: {error}");
            }
        };
        masters.insert(name.to_owned(), Member::start(&hosts, run)?);
    }
    let mut workers = BTreeMap::new();
    for name in ["worker1", "worker2", "worker3"] {
        let ledger = ledger.clone();
        let run = move |client: Client| {
            let worker = worker(&client, name, ledger.clone());
            async move {
                let Err(error) = worker.run().await;
                println!("  {name} stops: {error}");
            }
        };
        workers.insert(name.to_owned(), Member::start(&hosts, run)?);
    }
    let client = connect(&hosts, PATIENCE).await?;
    let outcome =
        tokio::time::timeout(PATIENCE, story(&client, &ledger, &mut ensemble, &mut masters, &mut workers)).await;
    for member in masters.into_values().chain(workers.into_values()) {
        member.kill();
    }
    client.close().await?;
    ensemble.stop().await;
    outcome.map_err(|_| "the tasks were not done in time")?
}

async fn story(
    client: &Client,
    ledger: &Ledger,
    ensemble: &mut Ensemble,
    masters: &mut BTreeMap<String, Member>,
    workers: &mut BTreeMap<String, Member>,
) -> Result<bool, Box<dyn Error>> {
    let tasks = TaskClient::on(client);
    let mut handles = Vec::new();
    for number in 1..=TASKS {
        handles.push((number, tasks.submit("square", number.to_string()).await?));
    }
    println!("{TASKS} tasks are handed in");
    let master = until(|| ledger.with(|told| told.master.clone().filter(|_| told.committed.len() >= 4))).await;
    println!("KILL {master}, the active master");
    if let Some(member) = masters.remove(&master) {
        member.kill();
    }
    let leader = ensemble.leader().await;
    println!("KILL server {leader}, which leads");
    ensemble.kill(leader).await;
    println!("  server {} leads now", ensemble.leader().await);
    let busy = until(|| ledger.with(|told| busy_worker(told))).await;
    println!("KILL {busy}, in the middle of a task");
    if let Some(member) = workers.remove(&busy) {
        member.kill();
    }
    let mut rows = Vec::new();
    for (number, handle) in handles {
        rows.push((number, handle.await?));
    }
    let left = tasks.list().await?.len();
    if left > 0 {
        println!("{left} tasks are left, which nobody handed in");
    }
    Ok(table(&rows, ledger, &busy) && left == 0)
}

/// Prints what became of each task, and returns whether each was done exactly once: one result, the right one, and no two workers who say
/// that theirs counts.
fn table(rows: &[(u64, Completed)], ledger: &Ledger, killed: &str) -> bool {
    println!("\n{:<18}{:>4}  {:>6}  {:<9}{:>6}{:>9}", "task", "n", "n²", "done by", "begun", "results");
    let (mut begun_in_all, mut right) = (0, true);
    for (number, done) in rows {
        let output = String::from_utf8_lossy(&done.output);
        let (begun, committed) = ledger.with(|told| {
            let of = |map: &BTreeMap<String, Vec<String>>| map.get(&done.task).cloned().unwrap_or_default();
            (of(&told.begun).len(), of(&told.committed))
        });
        // Whoever is killed between its commit and its own account of it tells nobody.
        let is_once = committed == [done.worker.clone()] || (committed.is_empty() && done.worker == killed);
        right &= is_once && begun >= 1 && output == (number * number).to_string();
        begun_in_all += begun;
        println!("{:<18}{number:>4}  {output:>6}  {:<9}{begun:>6}{:>9}", done.task, done.worker, usize::from(is_once));
    }
    let names: BTreeSet<&str> = rows.iter().map(|(_, done)| done.task.as_str()).collect();
    right &= names.len() as u64 == TASKS;
    println!("\n{TASKS} tasks, begun {begun_in_all} times, {} results", names.len());
    println!(
        "{}",
        if right { "every task was done exactly once" } else { "WRONG: not every task was done exactly once" }
    );
    right
}

/// A worker that has begun a task and has not finished it.
fn busy_worker(told: &Told) -> Option<String> {
    let mut unfinished = told.begun.iter().filter(|(task, _)| !told.committed.contains_key(*task));
    unfinished.find_map(|(_, workers)| workers.last().cloned())
}

async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
