//! `Lock` between processes: it excludes, and a holder that is killed hands over when its session expires.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use menagerie_integration::TestResult;
use menagerie_integration::dialogue::Dialogue;
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;

const PROCESSES: usize = 8;
const ROUNDS: usize = 50;

#[test]
fn eight_processes_count_to_four_hundred_on_menagerie() -> TestResult {
    count(Software::menagerie()?)
}

#[test]
fn eight_processes_count_to_four_hundred_on_the_reference() -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    count(reference)
}

#[test]
fn a_killed_holder_hands_over_on_menagerie() -> TestResult {
    hand_over(Software::menagerie()?)
}

#[test]
fn a_killed_holder_hands_over_on_the_reference() -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    hand_over(reference)
}

fn worker() -> Command {
    Command::new(env!("CARGO_BIN_EXE_lock_worker"))
}

fn count(software: Software) -> TestResult {
    let server = Server::start(software)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("number");
    fs::write(&file, "0")?;
    let mut workers = Vec::new();
    for _ in 0..PROCESSES {
        let mut command = worker();
        command.args(["count", &server.connect_string(), "/lock"]).arg(&file).arg(ROUNDS.to_string());
        workers.push(command.stdin(Stdio::null()).spawn()?);
    }
    let mut failed = 0;
    for mut worker in workers {
        failed += usize::from(!worker.wait()?.success());
    }
    assert_eq!(failed, 0, "workers failed");
    assert_eq!(fs::read_to_string(&file)?, (PROCESSES * ROUNDS).to_string());
    Ok(())
}

fn hand_over(software: Software) -> TestResult {
    let server = Server::start(software)?;
    let hosts = server.connect_string();
    let hold = || {
        let mut command = worker();
        command.args(["hold", &hosts, "/lock"]);
        Dialogue::start(command)
    };
    let mut holder = hold()?;
    holder.expect("held for session timeout 4000 ms\n")?;
    let mut next = hold()?;
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(next.transcript(), "", "the lock excludes");

    let killed = Instant::now();
    drop(holder); // which kills it
    next.expect("held for session timeout")?;
    let waited = killed.elapsed();
    // The server measures from the last ping; beyond the timeout it may take one more tick and a slow machine's time.
    assert!(waited < Duration::from_secs(4 + 15), "handed over only after {waited:?}");
    println!("handed over {waited:?} after the kill");
    Ok(())
}
