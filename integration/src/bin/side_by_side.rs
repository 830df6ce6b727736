//! Ours beside the reference server, in one run, alternating, with the same tool on the same disk: reads and sets for
//! each CPU-second of the server, and its memory with 200,000 znodes. Ends with an error when a target is missed.
//!
//! `side_by_side [ROUNDS [SECONDS]]`, by default 3 rounds of 10 seconds for each software and kind of load.

use std::process::Stdio;

use menagerie_core::client::{Client, Error};
use menagerie_core::wire::CreateMode;
use menagerie_integration::ours::{self, Binary, Profile};
use menagerie_integration::reference::Reference;
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;
use menagerie_integration::{TestResult, usage};

const CONNECTIONS: &str = "32";
const DEPTH: &str = "16";
const SIZE: usize = 100;
const FOLDERS: usize = 200;
const NODES_PER_FOLDER: usize = 1_000;

const READS_AT_LEAST: f64 = 4.0;
const SETS_AT_LEAST: f64 = 2.0;
const MEMORY_AT_MOST: f64 = 1.0 / 3.0;

/// What was measured of one software: one entry for each round, and memory in bytes.
#[derive(Debug, Default)]
struct Figures {
    reads_per_cpu_second: Vec<f64>,
    reads_per_second: Vec<f64>,
    sets_per_cpu_second: Vec<f64>,
    sets_per_second: Vec<f64>,
    idle_bytes: f64,
    full_bytes: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> TestResult {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().map_or(Ok(3), |rounds| rounds.parse::<usize>())?;
    let seconds = arguments.next().unwrap_or_else(|| "10".to_owned());
    let Some(reference) = Reference::find()? else { return Ok(()) };
    let binary = ours::binary(Profile::Release)?;
    let softwares = [Software::Menagerie(binary.clone()), Software::Reference(reference)];

    let mut figures = [Figures::default(), Figures::default()];
    let servers = [start(&softwares[0])?, start(&softwares[1])?];
    // A JVM compiles what is hot while it runs: it is given its time before anything is counted.
    for server in &servers {
        bench(&binary, server, "get", "5")?;
        bench(&binary, server, "set", "5")?;
    }
    for round in 1..=rounds {
        for (server, figures) in servers.iter().zip(&mut figures) {
            let reads = bench(&binary, server, "get", &seconds)?;
            let sets = bench(&binary, server, "set", &seconds)?;
            println!(
                "round {round}  {:<10} {:>9.0} reads/s {:>9.0} /cpu-s   {:>9.0} sets/s {:>9.0} /cpu-s",
                server.software().name(),
                reads.per_second,
                reads.per_cpu_second,
                sets.per_second,
                sets.per_cpu_second,
            );
            figures.reads_per_second.push(reads.per_second);
            figures.reads_per_cpu_second.push(reads.per_cpu_second);
            figures.sets_per_second.push(sets.per_second);
            figures.sets_per_cpu_second.push(sets.per_cpu_second);
        }
    }
    drop(servers);
    for (software, figures) in softwares.iter().zip(&mut figures) {
        let server = start(software)?;
        figures.idle_bytes = resident(&server)?;
        fill(&server.connect_string()).await?;
        figures.full_bytes = resident(&server)?;
    }
    report(&figures[0], &figures[1])
}

fn start(software: &Software) -> TestResult<Server> {
    Ok(Server::start_with(software.clone(), &[("tickTime", "2000")])?)
}

struct Rates {
    per_second: f64,
    per_cpu_second: f64,
}

/// One run of `menagerie bench` against `server`.
fn bench(binary: &Binary, server: &Server, load: &str, seconds: &str) -> TestResult<Rates> {
    let pid = server.pid().ok_or("the server is stopped")?.to_string();
    let mut command = binary.command();
    command.args(["bench", load, "--connect", &server.connect_string(), "--json", "--server-pid", &pid]);
    command.args(["--connections", CONNECTIONS, "--depth", DEPTH, "--size", &SIZE.to_string(), "--seconds", seconds]);
    let output = command.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let json: serde_json::Value = serde_json::from_str(text.trim()).map_err(|error| format!("{error} in {text}"))?;
    let number = |name: &str| json[name].as_f64().ok_or_else(|| format!("no number `{name}` in {text}"));
    if !output.status.success() {
        return Err(format!("menagerie bench: {}\n{text}", output.status).into());
    }
    let per_second = number("operations_per_second")?;
    let per_cpu_second = number("operations")? / number("server_cpu_seconds")?;
    Ok(Rates { per_second, per_cpu_second })
}

/// Creates 200,000 znodes of 100 bytes.
async fn fill(hosts: &str) -> Result<(), Error> {
    let client = Client::connect(hosts).await?;
    for folder in 0..FOLDERS {
        let folder = format!("/folder-{folder:05}");
        client.create(&folder, "", CreateMode::Persistent).await?;
        let calls: Vec<_> = (0..NODES_PER_FOLDER)
            .map(|node| client.create(&format!("{folder}/node-{node:05}"), vec![b'x'; SIZE], CreateMode::Persistent))
            .collect();
        for call in calls {
            call.await?;
        }
    }
    client.close().await
}

fn resident(server: &Server) -> TestResult<f64> {
    Ok(usage::of(server.pid().ok_or("the server is stopped")?)?.resident_bytes as f64)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn report(ours: &Figures, theirs: &Figures) -> TestResult {
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    let rows = [
        ("reads/s", median(&ours.reads_per_second), median(&theirs.reads_per_second), None),
        ("reads/cpu-s", median(&ours.reads_per_cpu_second), median(&theirs.reads_per_cpu_second), Some(READS_AT_LEAST)),
        ("sets/s", median(&ours.sets_per_second), median(&theirs.sets_per_second), None),
        ("sets/cpu-s", median(&ours.sets_per_cpu_second), median(&theirs.sets_per_cpu_second), Some(SETS_AT_LEAST)),
        ("idle MiB", mib(ours.idle_bytes), mib(theirs.idle_bytes), None),
    ];
    println!("\n{:<22} {:>12} {:>12} {:>8}  target", "median", "menagerie", "reference", "ratio");
    let mut missed = Vec::new();
    for (what, ours, theirs, at_least) in rows {
        let ratio = ours / theirs;
        let target = at_least.map(|least| format!(">= {least}")).unwrap_or_default();
        println!("{what:<22} {ours:>12.0} {theirs:>12.0} {ratio:>8.2}  {target}");
        if at_least.is_some_and(|least| ratio.is_nan() || ratio < least) {
            missed.push(what);
        }
    }
    let (ours, theirs) = (mib(ours.full_bytes), mib(theirs.full_bytes));
    println!(
        "{:<22} {ours:>12.0} {theirs:>12.0} {:>8.2}  <= {MEMORY_AT_MOST:.2}",
        "MiB, 200,000 znodes",
        ours / theirs
    );
    if ours > theirs * MEMORY_AT_MOST {
        missed.push("memory");
    }
    if missed.is_empty() { Ok(()) } else { Err(format!("missed: {missed:?}").into()) }
}
