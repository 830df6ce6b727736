//! Clients that take one lock by turns and look whether anybody else has it, and one that keeps another lock all the time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use menagerie_core::client::Client;
use menagerie_recipes::{Lock, LossPolicy};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::{LONG_SESSION, TestResult};

const CONTENDERS: usize = 3;

/// What they have seen.
#[derive(Debug, Default)]
struct Seen {
    stop: AtomicBool,
    inside: AtomicUsize,
    taken: AtomicUsize,
    breaches: Mutex<Vec<String>>,
}

/// The clients, at work.
#[derive(Debug)]
pub struct Holders {
    seen: Arc<Seen>,
    tasks: JoinSet<()>,
}

impl Holders {
    /// Connects them and sets them to work.
    pub async fn start(hosts: &str) -> TestResult<Self> {
        let seen = Arc::new(Seen::default());
        let mut tasks = JoinSet::new();
        for number in 0..CONTENDERS {
            let client = connect(hosts).await?;
            let seen = Arc::clone(&seen);
            tasks.spawn(async move {
                if let Err(error) = contend(&client, &seen).await {
                    seen.breach(format!("contender {number}: {error}"));
                }
            });
        }
        let keeper = connect(hosts).await?;
        let guard = Lock::on(&keeper, "/kept").acquire().loss_policy(LossPolicy::Expired).await?;
        let session = keeper.session_id();
        let shared = Arc::clone(&seen);
        tasks.spawn(async move {
            while !shared.stop.load(Ordering::Relaxed) {
                tokio::select! {
                    loss = guard.lost() => {
                        return shared.breach(format!("the keeper lost its lock: {loss}"));
                    }
                    () = sleep(Duration::from_millis(20)) => {}
                }
            }
            if keeper.session_id() != session {
                shared.breach("the keeper's session is another".to_owned());
            }
            if let Err(error) = guard.release().await {
                shared.breach(format!("the keeper's lock was no longer its own: {error}"));
            }
        });
        Ok(Holders { seen, tasks })
    }

    /// How often the lock was taken.
    pub fn taken(&self) -> usize {
        self.seen.taken.load(Ordering::Relaxed)
    }

    /// What should not have been.
    pub fn breaches(&self) -> Vec<String> {
        self.seen.breaches.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends their work.
    pub async fn stop(&mut self) -> TestResult {
        self.seen.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended?;
        }
        Ok(())
    }
}

impl Seen {
    fn breach(&self, what: String) {
        self.breaches.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

async fn connect(hosts: &str) -> TestResult<Client> {
    Ok(Client::builder().hosts(hosts).session_timeout(LONG_SESSION).connect().await?)
}

async fn contend(client: &Client, seen: &Seen) -> TestResult {
    let session = client.session_id();
    while !seen.stop.load(Ordering::Relaxed) {
        let guard = Lock::on(client, "/lock").acquire().loss_policy(LossPolicy::Expired).await?;
        if seen.inside.fetch_add(1, Ordering::SeqCst) > 0 {
            seen.breach("the lock was held twice".to_owned());
        }
        // Room for another one to come between, if the lock let it.
        sleep(Duration::from_millis(2)).await;
        seen.taken.fetch_add(1, Ordering::Relaxed);
        seen.inside.fetch_sub(1, Ordering::SeqCst);
        guard.release().await?;
    }
    if client.session_id() != session {
        return Err("its session is another".into());
    }
    client.clone().close().await?;
    Ok(())
}
