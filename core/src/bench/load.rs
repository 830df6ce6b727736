//! The measurement: each connection keeps its requests under way, and notes how long each took.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::{CreationError, Histogram};
use tokio::task::JoinSet;

use super::interrupt::Interrupt;
use super::options::{Options, Workload};
use super::process::Process;
use super::report::Report;
use super::site::Site;
use super::window::Window;
use super::{Failure, connect, failed};
use crate::client::{Call, Client, CreateOptions, Created, Error};
use crate::wire::Stat;

/// The longest latency that is told apart from longer ones, in nanoseconds.
const LONGEST_NS: u64 = 60_000_000_000;

/// How long a connection waits after a failure, so that it does not spin while there is no server.
const AFTER_FAILURE: Duration = Duration::from_millis(10);

/// How long the last requests may take once the measurement is over.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// Runs the workload and gives the report.
pub(super) async fn run(
    options: &Options,
    client: &Client,
    site: &Site,
    server: Option<Process>,
    interrupt: &mut Interrupt,
) -> Result<Report, Failure> {
    let workload = options.workload.unwrap_or(Workload::Get);
    let workers = interrupt.or(prepare(options, client, site, workload)).await?;
    let ops = Arc::new(AtomicU64::new(0));
    let (window, end) = Window::new();
    let mut tasks = JoinSet::new();
    for worker in workers {
        tasks.spawn(worker.work(histogram()?, window.clone(), ops.clone()));
    }
    let (elapsed, cost) = end.measure(&window, options, &ops, server, interrupt).await;
    let mut report = Report::new(options, workload.name(), histogram()?, elapsed, cost);
    let last = tasks.join_all();
    tokio::pin!(last);
    let done = tokio::select! {
        done = &mut last => done,
        () = interrupt.pressed(2) => {
            // Nobody waits for the last answers any more.
            drop(end);
            last.await
        }
    };
    for done in done {
        if workload == Workload::Create {
            site.note(&done.directory, done.created);
        }
        report.add(&done.latencies, done.errors);
    }
    Ok(report)
}

/// Makes what the connections work on, and opens them.
async fn prepare(options: &Options, client: &Client, site: &Site, workload: Workload) -> Result<Vec<Worker>, Failure> {
    let data = Bytes::from(vec![b'x'; options.size]);
    if workload != Workload::Create {
        let made = site.create_keys(client, options.keys, &data).await;
        made.map_err(|error| failed(options, "create the keys", error))?;
    }
    let mut workers = Vec::new();
    for number in 0..options.connections {
        let directory = match workload {
            Workload::Create => site.create_directory(client, &format!("c{number}")).await,
            _ => Ok(String::new()),
        };
        let directory = directory.map_err(|error| failed(options, "create a directory", error))?;
        let requests = Requests::new(options, workload, site, &data, directory, u64::from(number));
        workers.push(Worker { client: connect(options).await?, requests, depth: options.depth as usize });
    }
    Ok(workers)
}

/// Latencies in nanoseconds with three significant digits.
pub(super) fn histogram() -> Result<Histogram<u64>, CreationError> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3)
}

/// One connection.
struct Worker {
    client: Client,
    requests: Requests,
    depth: usize,
}

/// What a connection has seen.
struct Done {
    latencies: Histogram<u64>,
    errors: BTreeMap<String, u64>,
    directory: String,
    /// How many znodes it has asked for.
    created: u64,
}

impl Worker {
    /// Replies come in the order of the requests, so the oldest request is always the next to be answered.
    async fn work(mut self, mut latencies: Histogram<u64>, mut window: Window, ops: Arc<AtomicU64>) -> Done {
        let mut errors = BTreeMap::new();
        let mut under_way = VecDeque::with_capacity(self.depth);
        loop {
            while under_way.len() < self.depth {
                under_way.push_back((Instant::now(), self.requests.next(&self.client)));
            }
            let Some((began, request)) = under_way.front_mut() else { break };
            let answer = tokio::select! {
                biased;
                answer = request.answer() => answer,
                () = window.closed() => break,
            };
            let (began, now) = (*began, Instant::now());
            under_way.pop_front();
            match answer {
                Ok(()) if window.is_open() => {
                    ops.fetch_add(1, Ordering::Relaxed);
                    latencies.saturating_record((now - began).as_nanos() as u64);
                }
                Ok(()) => {}
                Err(error) => {
                    count(&mut errors, &error);
                    if self.client.state().is_final() {
                        break;
                    }
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        }
        self.finish(under_way, &mut errors, &mut window).await;
        Done { latencies, errors, directory: self.requests.directory, created: self.requests.created }
    }

    /// Waits for what is still under way, so that nothing is created any more when the bench cleans up.
    async fn finish(
        &self,
        under_way: VecDeque<(Instant, Request)>,
        errors: &mut BTreeMap<String, u64>,
        window: &mut Window,
    ) {
        let rest = async {
            for (_, mut request) in under_way {
                if let Err(error) = request.answer().await {
                    count(errors, &error);
                }
            }
            // Whoever closes a session that no server answers for has nothing to do about it: it expires.
            let _ = self.client.close().await;
        };
        tokio::select! {
            _ = tokio::time::timeout(LAST_WAIT, rest) => {}
            () = window.given_up() => {}
        }
    }
}

fn count(errors: &mut BTreeMap<String, u64>, error: &Error) {
    let name = error.code().map_or_else(|| "CLOSED".to_owned(), |code| code.to_string());
    *errors.entry(name).or_default() += 1;
}

/// Makes the requests of one connection. The same options make the same requests.
struct Requests {
    workload: Workload,
    read_percent: u32,
    keys: Vec<String>,
    data: Bytes,
    directory: String,
    created: u64,
    random: fastrand::Rng,
}

impl Requests {
    fn new(options: &Options, workload: Workload, site: &Site, data: &Bytes, directory: String, seed: u64) -> Self {
        let keys = if workload == Workload::Create { 0 } else { options.keys };
        let keys = (0..keys).map(|number| site.key(number)).collect();
        let random = fastrand::Rng::with_seed(seed);
        let (read_percent, data) = (options.read_percent, data.clone());
        Self { workload, read_percent, keys, data, directory, created: 0, random }
    }

    fn next(&mut self, client: &Client) -> Request {
        let read = match self.workload {
            Workload::Get => true,
            Workload::Set => false,
            Workload::Mixed => self.random.u32(0..100) < self.read_percent,
            Workload::Create => {
                let path = format!("{}/n{}", self.directory, self.created);
                self.created += 1;
                return Request::Create(client.create(&path, self.data.clone(), CreateOptions::default()));
            }
        };
        let key = &self.keys[self.random.usize(0..self.keys.len())];
        if read {
            Request::Get(client.get_data(key))
        } else {
            Request::Set(client.set_data(key, self.data.clone(), -1))
        }
    }
}

enum Request {
    Get(Call<(Bytes, Stat)>),
    Set(Call<Stat>),
    Create(Call<Created>),
}

impl Request {
    /// Waits for the reply. Dropping the future loses nothing.
    async fn answer(&mut self) -> Result<(), Error> {
        match self {
            Self::Get(call) => call.await.map(drop),
            Self::Set(call) => call.await.map(drop),
            Self::Create(call) => call.await.map(drop),
        }
    }
}
