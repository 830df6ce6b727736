//! A well-behaved client beside others that are not: it writes and reads back without pause, and any error it sees, any
//! value it reads that is not the one it wrote, is a failure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use menagerie_core::client::{Client, Version};
use menagerie_core::wire::CreateMode;

use crate::{LONG_SESSION, TestResult};

/// Znodes that it writes in turn.
const SLOTS: u64 = 50;

/// A running client.
#[derive(Debug)]
pub struct Healthy {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<TestResult<Record>>,
}

/// What it did.
#[derive(Debug, Default)]
pub struct Record {
    /// Writes acknowledged, each read back.
    pub writes: u64,
    /// The longest that one write and its reading took.
    pub slowest: Duration,
    /// What each znode holds, as acknowledged.
    pub expected: BTreeMap<String, String>,
}

impl Healthy {
    /// Connects to `hosts` and works below `/NAME` until it is stopped. The server's `maxSessionTimeout` must allow
    /// [`LONG_SESSION`].
    pub fn start(hosts: String, name: &str) -> Self {
        let (stop, name) = (Arc::new(AtomicBool::new(false)), name.to_owned());
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(work(&hosts, &name, &stopped))
        });
        Healthy { stop, thread }
    }

    /// Whether it has given up already, because of an error.
    pub fn has_failed(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends its work. The error that it saw, if it saw one.
    pub fn stop(self) -> TestResult<Record> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the healthy client panicked")?
    }
}

impl Record {
    /// Compares everything with what the server has now.
    pub async fn check(&self, hosts: &str) -> TestResult {
        let client = Client::builder().hosts(hosts).session_timeout(LONG_SESSION).connect().await?;
        for (path, value) in &self.expected {
            let (data, _) = client.get_data(path).await.map_err(|error| format!("{path} was acknowledged: {error}"))?;
            if data != value.as_bytes() {
                return Err(format!("{path} holds {data:?}, and {value} was acknowledged").into());
            }
        }
        Ok(())
    }
}

async fn work(hosts: &str, name: &str, stop: &AtomicBool) -> TestResult<Record> {
    let client = Client::builder().hosts(hosts).session_timeout(LONG_SESSION).connect().await?;
    let session = client.session_id();
    client.create(&format!("/{name}"), "", CreateMode::Persistent).await?;
    let mut record = Record::default();
    while !stop.load(Ordering::Relaxed) {
        let (path, value) = (format!("/{name}/{}", record.writes % SLOTS), record.writes.to_string());
        let began = Instant::now();
        if record.writes < SLOTS {
            client.create(&path, value.clone(), CreateMode::Persistent).await?;
        } else {
            client.set_data(&path, value.clone(), Version::Any).await?;
        }
        let (data, _) = client.get_data(&path).await?;
        if data != value.as_bytes() {
            return Err(format!("{path} was set to {value} and read as {data:?}").into());
        }
        if client.session_id() != session {
            return Err("the session was lost".into());
        }
        record.writes += 1;
        record.slowest = record.slowest.max(began.elapsed());
        record.expected.insert(path, value);
        // It is not the load.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(record)
}
