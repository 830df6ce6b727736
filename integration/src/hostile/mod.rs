//! Hostile peers against one server, beside healthy clients: whatever the peers send, the clients see no error, memory stays
//! flat, and nothing that was acknowledged is lost, not even by killing the server afterwards.

pub mod frames;
mod peer;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::healthy::{Healthy, Record};
use crate::server::Server;
use crate::software::Software;
use crate::{TestResult, four_letter, process};
use peer::Peer;

/// Healthy clients, and hostile peers at once.
const CLIENTS: usize = 2;
const PEERS: u64 = 4;
/// How many measurements of memory a run has.
const MEASUREMENTS: u32 = 40;
/// What memory may grow by from the second quarter of a run to its last, beside a tenth: allocators keep some of what they
/// get back.
const GROWTH_KIB: u64 = 16 << 10;
/// Runs shorter than this are not long enough to tell growth from warming up.
const FLAT_AFTER: Duration = Duration::from_mins(1);
/// More than this is too much at any time.
const MOST_KIB: u64 = 512 << 10;

/// What a run is to be.
#[derive(Clone, Copy, Debug)]
pub struct Soak {
    /// How long the peers misbehave.
    pub duration: Duration,
    /// What they send follows from it, but for their timing.
    pub seed: u64,
}

/// What a run was.
#[derive(Debug)]
pub struct Outcome {
    /// Frames, halves of frames and noise that were sent.
    pub sent: u64,
    /// Connections that hostile peers opened.
    pub opened: u64,
    /// The server's memory in KiB at even distances.
    pub memory_kib: Vec<u64>,
    /// Writes that healthy clients were acknowledged, each read back at once and again at the end.
    pub writes: u64,
    /// The longest that a healthy client waited for a write and its reading.
    pub slowest: Duration,
    /// How long it took.
    pub duration: Duration,
}

impl Soak {
    /// Runs it against a server of its own. An error says what the server did wrong.
    pub fn run(self, software: Software) -> TestResult<Outcome> {
        let mut server = Server::start_with(software, &[("maxSessionTimeout", "60000"), ("preAllocSize", "1024")])?;
        let clients: Vec<Healthy> =
            (0..CLIENTS).map(|number| Healthy::start(server.connect_string(), &format!("healthy-{number}"))).collect();
        let began = Instant::now();
        let stop = Arc::new(AtomicBool::new(false));
        let peers: Vec<_> = (0..PEERS).map(|number| misbehave(server.port(), self.seed, number, &stop)).collect();
        let watched = watch(&server, &clients, self.duration);
        stop.store(true, Ordering::Relaxed);
        let (mut sent, mut opened) = (0, 0);
        for peer in peers {
            let peer = peer.join().map_err(|_| "a hostile peer panicked")?;
            (sent, opened) = (sent + peer.sent, opened + peer.opened);
        }
        let records = clients.into_iter().map(Healthy::stop).collect::<TestResult<Vec<Record>>>()?;
        let memory_kib = watched?;
        let log = server.log();
        if let Some(line) = log.lines().find(|line| line.contains("panicked")) {
            return Err(format!("a task of the server panicked: {line}").into());
        }
        check_flat(&memory_kib, self.duration)?;
        check_kept(&server, &records)?;
        server.kill()?;
        server.start_again()?;
        check_kept(&server, &records)?;
        Ok(Outcome {
            sent,
            opened,
            memory_kib,
            writes: records.iter().map(|record| record.writes).sum(),
            slowest: records.iter().map(|record| record.slowest).max().unwrap_or_default(),
            duration: began.elapsed(),
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memory: Vec<String> = self.memory_kib.iter().map(|kib| format!("{}", kib / 1024)).collect();
        writeln!(f, "{} hostile sends on {} connections in {:.0?}", self.sent, self.opened, self.duration)?;
        writeln!(f, "{} healthy writes, the slowest took {:.0?}", self.writes, self.slowest)?;
        write!(f, "server memory in MiB: {}", memory.join(" "))
    }
}

fn misbehave(port: u16, seed: u64, number: u64, stop: &Arc<AtomicBool>) -> thread::JoinHandle<Peer> {
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        let mut peer = Peer::new(port, seed.wrapping_mul(PEERS).wrapping_add(number));
        while !stop.load(Ordering::Relaxed) {
            peer.misbehave();
        }
        peer
    })
}

/// Measures the server's memory until the time is over, or until something is wrong.
fn watch(server: &Server, clients: &[Healthy], duration: Duration) -> TestResult<Vec<u64>> {
    let pid = server.pid().ok_or("the server is stopped")?;
    let mut memory_kib = Vec::new();
    for _ in 0..MEASUREMENTS {
        thread::sleep(duration / MEASUREMENTS);
        let kib = process::rss_kib(pid)?;
        memory_kib.push(kib);
        if kib > MOST_KIB {
            let monitor = four_letter::ask(server.port(), "mntr")?;
            return Err(format!("the server holds {kib} KiB:\n{monitor}").into());
        }
        if clients.iter().any(Healthy::has_failed) {
            // What it saw is told when it is stopped.
            break;
        }
    }
    Ok(memory_kib)
}

fn check_flat(memory_kib: &[u64], duration: Duration) -> TestResult {
    let quarter = memory_kib.len() / 4;
    let median = |mut values: Vec<u64>| {
        values.sort_unstable();
        values.get(values.len() / 2).copied().unwrap_or(0)
    };
    let early = median(memory_kib.iter().skip(quarter).take(quarter).copied().collect());
    let late = median(memory_kib.iter().rev().take(quarter).copied().collect());
    if duration >= FLAT_AFTER && late > early + early / 10 + GROWTH_KIB {
        return Err(format!("memory grew from {early} KiB to {late} KiB: {memory_kib:?}").into());
    }
    Ok(())
}

fn check_kept(server: &Server, records: &[Record]) -> TestResult {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for record in records {
        runtime.block_on(record.check(&server.connect_string()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_noticed_and_noise_is_not() {
        let flat: Vec<u64> = (0..40).map(|number| 50_000 + number % 7 * 1000).collect();
        assert!(check_flat(&flat, FLAT_AFTER).is_ok());
        let growing: Vec<u64> = (0..40).map(|number| 50_000 + number * 2000).collect();
        assert!(check_flat(&growing, FLAT_AFTER).is_err());
    }
}
