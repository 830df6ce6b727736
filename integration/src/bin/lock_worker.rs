//! One of the processes of tests/locks.rs: takes a lock some times around a read-modify-write of a file, or takes it
//! once and holds it until it is killed.
//!
//! `lock_worker count HOSTS LOCK FILE ROUNDS` · `lock_worker hold HOSTS LOCK`

use std::fs;
use std::time::Duration;

use menagerie_core::client::Client;
use menagerie_integration::TestResult;
use menagerie_recipes::Lock;

#[tokio::main(flavor = "current_thread")]
async fn main() -> TestResult {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["count", hosts, lock, file, rounds] => count(hosts, lock, file, rounds.parse()?).await,
        ["hold", hosts, lock] => hold(hosts, lock).await,
        _ => Err("usage: lock_worker count HOSTS LOCK FILE ROUNDS | hold HOSTS LOCK".into()),
    }
}

async fn count(hosts: &str, lock: &str, file: &str, rounds: u32) -> TestResult {
    let client = Client::connect(hosts).await?;
    for _ in 0..rounds {
        let held = Lock::on(&client, lock).acquire().await?;
        let number: u64 = fs::read_to_string(file)?.trim().parse()?;
        // Room for another process to come between, if the lock let it.
        tokio::time::sleep(Duration::from_millis(1)).await;
        fs::write(file, (number + 1).to_string())?;
        held.release().await?;
    }
    client.close().await?;
    Ok(())
}

async fn hold(hosts: &str, lock: &str) -> TestResult {
    let client = Client::builder().hosts(hosts).session_timeout(Duration::from_secs(4)).connect().await?;
    let held = Lock::on(&client, lock).acquire().await?;
    println!("held for session timeout {} ms", client.negotiated_timeout().as_millis());
    held.lost().await;
    Err("the lock was lost".into())
}
