//! Ours beside the reference server, in one run, alternating, with the same tool on the same disk: reads and sets for
//! each CPU-second of the server, and its memory with 200,000 znodes. Ends with an error when a target is missed.
//!
//! `side_by_side [--members 3] [ROUNDS [SECONDS]]`, by default 3 rounds of 10 seconds for each software and kind of load. With
//! `--members 3`, ensembles of three: sets per second, and reads for each CPU-second of all three.

mod three;

use std::process::Stdio;

use menagerie_integration::TestResult;
use menagerie_integration::ours::{self, Binary, Profile};
use menagerie_integration::reference::Reference;
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;
use serde_json::Value;

const LOAD: &[&str] = &["--connections", "32", "--depth", "16", "--size", "100"];
const FILL: &[&str] = &["--znodes", "200000", "--size", "100"];

const READS_AT_LEAST: f64 = 4.0;
const SETS_AT_LEAST: f64 = 2.0;
const MEMORY_AT_MOST: f64 = 1.0 / 3.0;

/// What was measured of one software: one entry for each round.
#[derive(Debug, Default)]
struct Figures {
    reads: Vec<Rates>,
    sets: Vec<Rates>,
    idle_mib: f64,
    full_mib: f64,
}

#[derive(Clone, Copy, Debug)]
struct Rates {
    per_second: f64,
    per_cpu_second: f64,
}

fn main() -> TestResult {
    let mut arguments = std::env::args().skip(1).peekable();
    let members = match arguments.next_if(|argument| argument == "--members") {
        Some(_) => arguments.next().ok_or("--members: how many?")?,
        None => "1".to_owned(),
    };
    let rounds = arguments.next().map_or(Ok(3), |rounds| rounds.parse::<usize>())?;
    let seconds = arguments.next().unwrap_or_else(|| "10".to_owned());
    match members.as_str() {
        "1" => one(rounds, &seconds),
        "3" => three::run(rounds, seconds.parse()?),
        _ => Err("--members: 1 or 3".into()),
    }
}

fn one(rounds: usize, seconds: &str) -> TestResult {
    let Some(reference) = Reference::find()? else { return Ok(()) };
    let binary = ours::binary(Profile::Release)?;
    let softwares = [Software::Menagerie(binary.clone()), Software::Reference(reference)];
    let mut figures = [Figures::default(), Figures::default()];

    let servers = [start(&softwares[0])?, start(&softwares[1])?];
    // A JVM compiles what is hot while it runs: it is given its time before anything is counted.
    for server in &servers {
        rates(&binary, server, "get", "5")?;
        rates(&binary, server, "set", "5")?;
    }
    for round in 1..=rounds {
        for (server, figures) in servers.iter().zip(&mut figures) {
            let reads = rates(&binary, server, "get", seconds)?;
            let sets = rates(&binary, server, "set", seconds)?;
            println!(
                "round {round}  {:<10} {:>9.0} reads/s {:>9.0} /cpu-s   {:>9.0} sets/s {:>9.0} /cpu-s",
                server.software().name(),
                reads.per_second,
                reads.per_cpu_second,
                sets.per_second,
                sets.per_cpu_second,
            );
            figures.reads.push(reads);
            figures.sets.push(sets);
        }
    }
    drop(servers);
    // Memory is measured on fresh servers: what the loads left behind is not asked about.
    for (software, figures) in softwares.iter().zip(&mut figures) {
        let report = bench(&binary, &start(software)?, FILL)?;
        figures.idle_mib = number(&report, "/server/rss_before_kib")? / 1024.0;
        figures.full_mib = number(&report, "/server/rss_kib")? / 1024.0;
    }
    compare(&figures[0], &figures[1])
}

fn start(software: &Software) -> TestResult<Server> {
    Ok(Server::start_with(software.clone(), &[("tickTime", "2000")])?)
}

fn rates(binary: &Binary, server: &Server, load: &str, seconds: &str) -> TestResult<Rates> {
    let arguments = [&[load, "--seconds", seconds], LOAD].concat();
    let report = bench(binary, server, &arguments)?;
    Ok(Rates {
        per_second: number(&report, "/ops_per_second")?,
        per_cpu_second: number(&report, "/server/ops_per_cpu_second")?,
    })
}

/// One run of `menagerie bench` against `server`; a request that fails is an error.
fn bench(binary: &Binary, server: &Server, arguments: &[&str]) -> TestResult<Value> {
    let pid = server.pid().ok_or("the server is stopped")?.to_string();
    let mut command = binary.command();
    command.args(["bench", "--connect", &server.connect_string(), "--server-pid", &pid, "--json"]).args(arguments);
    let output = command.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        return Err(format!("menagerie bench {arguments:?}: {}\n{text}", output.status).into());
    }
    serde_json::from_str(text.trim()).map_err(|error| format!("{error} in {text}").into())
}

fn number(report: &Value, pointer: &str) -> TestResult<f64> {
    let value = report.pointer(pointer).and_then(Value::as_f64);
    value.ok_or_else(|| format!("no number {pointer} in {report}").into())
}

fn compare(ours: &Figures, theirs: &Figures) -> TestResult {
    println!("\n{:<22} {:>12} {:>12} {:>8}  target", "median", "menagerie", "reference", "ratio");
    let mut missed = Vec::new();
    let mut row = |what: &'static str, ours: f64, theirs: f64, target: &str, met: fn(f64) -> bool| {
        let ratio = ours / theirs;
        println!("{what:<22} {ours:>12.0} {theirs:>12.0} {ratio:>8.2}  {target}");
        if !met(ratio) {
            missed.push(what);
        }
    };
    let second = |rates: &Rates| rates.per_second;
    let cpu_second = |rates: &Rates| rates.per_cpu_second;
    row("reads/s", median(&ours.reads, second), median(&theirs.reads, second), "", |_| true);
    let target = format!(">= {READS_AT_LEAST}");
    row("reads/cpu-s", median(&ours.reads, cpu_second), median(&theirs.reads, cpu_second), &target, |ratio| {
        ratio >= READS_AT_LEAST
    });
    row("sets/s", median(&ours.sets, second), median(&theirs.sets, second), "", |_| true);
    let target = format!(">= {SETS_AT_LEAST}");
    row("sets/cpu-s", median(&ours.sets, cpu_second), median(&theirs.sets, cpu_second), &target, |ratio| {
        ratio >= SETS_AT_LEAST
    });
    row("idle MiB", ours.idle_mib, theirs.idle_mib, "", |_| true);
    let target = format!("<= {MEMORY_AT_MOST:.2}");
    row("MiB, 200,000 znodes", ours.full_mib, theirs.full_mib, &target, |ratio| ratio <= MEMORY_AT_MOST);
    if missed.is_empty() { Ok(()) } else { Err(format!("missed: {missed:?}").into()) }
}

fn median(rates: &[Rates], field: fn(&Rates) -> f64) -> f64 {
    let mut sorted: Vec<f64> = rates.iter().map(field).collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
