//! `kill -9` under write load, again and again: after each restart every acknowledged write is there, none twice, and
//! sessions' ephemeral nodes are right. Living sessions are resumed and keep theirs; those of closed and of expired sessions go.
//!
//! The number of rounds is `MENAGERIE_ROUNDS`, or 20.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use menagerie_core::client::{Client, Version};
use menagerie_core::wire::proto::CreateRequest;
use menagerie_core::wire::{Acl, CreateMode, OpCode};
use menagerie_integration::raw::RawConnection;
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;
use menagerie_integration::writer::Writer;
use menagerie_integration::{LONG_SESSION, TestResult};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const WRITERS: usize = 4;
/// Few enough transactions that logs are rolled and snapshots taken in the middle of it.
const SETTINGS: &[(&str, &str)] =
    &[("snapCount", "700"), ("maxSessionTimeout", "60000"), ("minSessionTimeout", "1000")];

#[tokio::test(flavor = "multi_thread")]
async fn menagerie_keeps_every_acknowledged_write() -> TestResult {
    let rounds = std::env::var("MENAGERIE_ROUNDS").map_or(Ok(20), |rounds| rounds.parse())?;
    kill9(Software::menagerie()?, rounds).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_keeps_every_acknowledged_write() -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    kill9(reference, 2).await
}

/// The check of this file can fail: each kind of breach, planted by another session, is found.
#[tokio::test(flavor = "multi_thread")]
async fn planted_breaches_are_found() -> TestResult {
    let server = Server::start_with(Software::menagerie()?, SETTINGS)?;
    let mut writer = Writer::connect(&server.connect_string(), "w").await?;
    let intruder = Client::connect(server.connect_string()).await?;
    writer.begin_round(0).await?;
    let stop = AtomicBool::new(false);
    let (written, ()) = tokio::join!(writer.write_until(&stop), async {
        sleep(Duration::from_millis(300)).await;
        stop.store(true, Ordering::Relaxed);
    });
    written?;
    assert_eq!(writer.check(&intruder).await?, [""; 0]);

    let mut names = intruder.get_children("/w/round-0").await?;
    names.sort();
    let [lost, doubled, ..] = names.as_slice() else { return Err("nothing was written".into()) };
    let (payload, _) = intruder.get_data(&format!("/w/round-0/{doubled}")).await?;
    intruder.delete(&format!("/w/round-0/{lost}"), Version::Any).await?;
    intruder.create("/w/round-0/n-", payload, CreateMode::PersistentSequential).await?;
    intruder.create("/w/round-0/n-", "foreign", CreateMode::PersistentSequential).await?;
    intruder.set_data("/w/counter", "", Version::Any).await?;
    intruder.delete("/w/alive", Version::Any).await?;
    let breaches = writer.check(&intruder).await?;
    assert_eq!(breaches.len(), 5, "{}", breaches.join("\n"));
    Ok(())
}

async fn kill9(software: Software, rounds: usize) -> TestResult {
    let mut server = Server::start_with(software, SETTINGS)?;
    let hosts = server.connect_string();
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        writers.push(Writer::connect(&hosts, &format!("writer-{number}")).await?);
    }
    let reader = Client::builder().hosts(&hosts).session_timeout(LONG_SESSION).connect().await?;
    reader.create("/sessions", "", CreateMode::Persistent).await?;

    let mut abandoned = Vec::new();
    for round in 0..rounds {
        for writer in &mut writers {
            writer.begin_round(round).await?;
        }
        let closed = closed_session(&hosts, round).await?;
        let before = sets(&reader).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut writing = JoinSet::new();
        for mut writer in writers.drain(..) {
            let stop = Arc::clone(&stop);
            writing.spawn(async move { writer.write_until(&stop).await.map(|()| writer) });
        }
        // Not always at the same moment of the server's life.
        sleep(Duration::from_millis(100 + (round as u64 * 137) % 500)).await;
        wait_for_load(&reader, before).await?;
        let left = left_session(server.port(), round)?;
        server.kill()?;
        tokio::task::block_in_place(|| server.start_again()).map_err(|error| format!("round {round}: {error}"))?;
        stop.store(true, Ordering::Relaxed);
        while let Some(written) = writing.join_next().await {
            writers.push(written??);
        }

        let mut breaches = Vec::new();
        for writer in &mut writers {
            breaches.extend(writer.check(&reader).await?);
        }
        if reader.exists(&closed).await?.is_some() {
            breaches.push(format!("{closed} outlived its closed session"));
        }
        let written: usize = writers.iter().map(Writer::acknowledged).sum();
        assert!(written > 0, "round {round} wrote nothing: there was no load");
        assert!(
            breaches.is_empty(),
            "round {round}:\n{}\n{}",
            breaches[..breaches.len().min(20)].join("\n"),
            server.log_end()
        );
        abandoned.push(left);
        println!("round {round}: {written} acknowledged writes, all there once");
    }
    for left in abandoned {
        wait_until_gone(&reader, &left).await?;
    }
    Ok(())
}

/// How often the first writer has set its counter.
async fn sets(reader: &Client) -> TestResult<i32> {
    Ok(reader.get_data("/writer-0/counter").await?.1.version)
}

/// Waits until the first writer's first batch is acknowledged, however slow the machine: only then is its second set sent.
async fn wait_for_load(reader: &Client, before: i32) -> TestResult {
    let deadline = Instant::now() + Duration::from_mins(1);
    while sets(reader).await? < before + 2 {
        if Instant::now() > deadline {
            return Err("nothing was written within a minute".into());
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// A session that makes an ephemeral node and ends as it should. Returns the node's path.
async fn closed_session(hosts: &str, round: usize) -> TestResult<String> {
    let client = Client::connect(hosts).await?;
    let path = format!("/sessions/closed-{round}");
    client.create(&path, "", CreateMode::Ephemeral).await?;
    client.close().await?;
    Ok(path)
}

/// A session that makes an ephemeral node and is heard of no more: it must expire. Returns the node's path.
fn left_session(port: u16, round: usize) -> TestResult<String> {
    let mut connection = RawConnection::open(port)?;
    // Long enough to make the znode on a machine that is slow.
    connection.open_session_for(5_000)?;
    let path = format!("/sessions/left-{round}");
    let flags = CreateMode::Ephemeral.flags();
    let request = CreateRequest { path: path.clone(), data: Some(Bytes::new()), acl: Acl::open(), flags };
    let (header, _) = connection.request(1, OpCode::Create, &request)?;
    assert_eq!(header.err, 0, "create {path}");
    Ok(path)
}

async fn wait_until_gone(reader: &Client, path: &str) -> TestResult {
    let deadline = Instant::now() + Duration::from_mins(1);
    while reader.exists(path).await?.is_some() {
        if Instant::now() > deadline {
            return Err(format!("{path} outlived its expired session").into());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
