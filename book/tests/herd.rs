//! Counts the herd: how often waiting processes are woken until each of them has had the lock once. The figures are those of
//! the chapter "The naive lock and its herd".

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use menagerie_book::Result;
use menagerie_core::client::{Client, Error, OneshotWatch, Version};
use menagerie_core::embedded::Server;
use menagerie_core::wire::CreateMode;

#[tokio::test(flavor = "multi_thread")]
async fn the_naive_lock_wakes_everybody_and_the_sequential_lock_one() -> Result {
    let chapter = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/recipes/naive-lock.md"))?;
    for waiting in [5, 20] {
        let naive = count(waiting, Lock::Naive).await?;
        let sequential = count(waiting, Lock::Sequential).await?;
        println!("{waiting} waiting: {naive} wake-ups with the naive lock, {sequential} with the sequential one");
        assert_eq!(naive, waiting * (waiting + 1) / 2);
        assert_eq!(sequential, waiting);
        let row = format!("| {waiting} | {naive} | {sequential} |");
        assert!(chapter.contains(&row), "the chapter does not say {row}");
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lock {
    Naive,
    Sequential,
}

/// One holder, and `waiting` processes behind it: the wake-ups until all have had the lock.
async fn count(waiting: usize, lock: Lock) -> Result<usize> {
    let server = Server::start().await?;
    let holder = Client::connect(server.connect_string()).await?;
    holder.create("/locks", "", CreateMode::Persistent).await?;
    let gauge = Arc::new(Gauge::default());
    let held = take(&holder, lock, &gauge).await?;

    let mut processes = Vec::new();
    for ahead in 0..waiting {
        let client = Client::connect(server.connect_string()).await?;
        let at = gauge.clone();
        processes.push(tokio::spawn(async move {
            let held = take(&client, lock, &at).await?;
            // Whoever has the lock keeps it until all others wait again, so that the count does not depend on who is fast.
            let served = at.served.fetch_add(1, Ordering::SeqCst) + 1;
            at.until_watched(watches_until(lock, waiting, served)).await;
            client.delete(&held, Version::Any).await?;
            client.close().await
        }));
        gauge.until_watched(ahead + 1).await;
    }
    holder.delete(&held, Version::Any).await?;
    for process in processes {
        process.await??;
    }
    holder.close().await?;
    server.stop().await;
    Ok(gauge.woken.load(Ordering::SeqCst))
}

/// How many watches have been set, by all processes together, once `served` of them have the lock or have had it, and the others wait.
fn watches_until(lock: Lock, waiting: usize, served: usize) -> usize {
    match lock {
        Lock::Naive => (0..=served).map(|served| waiting - served).sum(),
        Lock::Sequential => waiting,
    }
}

/// What happens to those who wait. Both counts only rise, so that nobody can look at the wrong moment.
#[derive(Default)]
struct Gauge {
    watched: AtomicUsize,
    woken: AtomicUsize,
    served: AtomicUsize,
}

impl Gauge {
    async fn until_watched(&self, count: usize) {
        while self.watched.load(Ordering::SeqCst) < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn wait(&self, watch: OneshotWatch) {
        self.watched.fetch_add(1, Ordering::SeqCst);
        watch.changed().await;
        self.woken.fetch_add(1, Ordering::SeqCst);
    }
}

/// Takes the lock as the two chapters show it; returns the znode to delete.
async fn take(client: &Client, lock: Lock, gauge: &Gauge) -> std::result::Result<String, Error> {
    match lock {
        Lock::Naive => take_naive(client, gauge).await,
        Lock::Sequential => take_sequential(client, gauge).await,
    }
}

async fn take_naive(client: &Client, gauge: &Gauge) -> std::result::Result<String, Error> {
    loop {
        match client.create("/locks/naive", "", CreateMode::Ephemeral).await {
            Ok(created) => return Ok(created.path),
            Err(error) if error.is_node_exists() => {}
            Err(error) => return Err(error),
        }
        let (holder, watch) = client.exists_and_watch("/locks/naive").await?;
        if holder.is_some() {
            gauge.wait(watch).await;
        }
    }
}

async fn take_sequential(client: &Client, gauge: &Gauge) -> std::result::Result<String, Error> {
    let mine = client.create("/locks/n-", "", CreateMode::EphemeralSequential).await?.path;
    loop {
        let mut queue = client.get_children("/locks").await?;
        queue.sort();
        let ahead = queue.iter().take_while(|name| !mine.ends_with(name.as_str())).last();
        let Some(ahead) = ahead else { return Ok(mine) };
        match client.get_data_and_watch(&format!("/locks/{ahead}")).await {
            Ok((_data, _stat, watch)) => gauge.wait(watch).await,
            Err(error) if error.is_no_node() => {}
            Err(error) => return Err(error),
        }
    }
}
