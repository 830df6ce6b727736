//! Three members of ours beside three of the reference's: the same clients, connected to all three members of one ensemble, then of
//! the other, and so on.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use menagerie_integration::ensemble::{Ensemble, Plan};
use menagerie_integration::ours::{self, Binary, Profile};
use menagerie_integration::reference::Reference;
use menagerie_integration::software::Software;
use menagerie_integration::{TestResult, process};
use serde_json::Value;

use super::{LOAD, Rates, median, number};

const SETS_PER_SECOND_AT_LEAST: f64 = 2.5;
const READS_PER_CPU_SECOND_AT_LEAST: f64 = 4.0;

/// CPU time is taken from here on after the load is started: connecting, making the keys and warming up are done by then.
const SETTLED: Duration = Duration::from_secs(3);
/// And for so much less than the load lasts.
const MARGIN: Duration = Duration::from_millis(2_500);

pub(super) fn run(rounds: usize, seconds: u64) -> TestResult {
    let slice = Duration::from_secs(seconds).checked_sub(MARGIN).ok_or("at least 3 seconds")?;
    let Some(reference) = Reference::find()? else { return Ok(()) };
    let binary = ours::binary(Profile::Release)?;
    let softwares = [Software::Menagerie(binary.clone()), Software::Reference(reference)];
    let mut ensembles = Vec::new();
    for software in &softwares {
        let plan = Plan::of(&[software.clone(), software.clone(), software.clone()])?;
        ensembles.push(plan.set("tickTime", "2000").set("initLimit", "10").set("syncLimit", "5").start()?);
    }
    // A JVM compiles what is hot while it runs: it is given its time before anything is counted.
    for ensemble in &ensembles {
        for load in ["get", "set"] {
            rates(&binary, ensemble, load, 5, Duration::from_millis(500))?;
        }
    }
    let (mut reads, mut sets) = ([vec![], vec![]], [vec![], vec![]]);
    for round in 1..=rounds {
        for (index, ensemble) in ensembles.iter().enumerate() {
            let (read, set) =
                (rates(&binary, ensemble, "get", seconds, slice)?, rates(&binary, ensemble, "set", seconds, slice)?);
            println!(
                "round {round}  {:<10} {:>9.0} reads/s {:>9.0} /cpu-s   {:>9.0} sets/s {:>9.0} /cpu-s",
                softwares[index].name(),
                read.per_second,
                read.per_cpu_second,
                set.per_second,
                set.per_cpu_second,
            );
            reads[index].push(read);
            sets[index].push(set);
        }
    }
    for ensemble in &mut ensembles {
        ensemble.wait_until_they_agree()?;
    }
    println!("\n{:<22} {:>12} {:>12} {:>8}  target", "median", "menagerie", "reference", "ratio");
    let mut missed = Vec::new();
    let mut row = |what: &'static str, rates: &[Vec<Rates>; 2], field: fn(&Rates) -> f64, at_least: Option<f64>| {
        let (ours, theirs) = (median(&rates[0], field), median(&rates[1], field));
        let target = at_least.map_or(String::new(), |least| format!(">= {least}"));
        println!("{what:<22} {ours:>12.0} {theirs:>12.0} {:>8.2}  {target}", ours / theirs);
        if at_least.is_some_and(|least| ours / theirs < least) {
            missed.push(what);
        }
    };
    row("reads/s", &reads, |rates| rates.per_second, None);
    row("reads/cpu-s of 3", &reads, |rates| rates.per_cpu_second, Some(READS_PER_CPU_SECOND_AT_LEAST));
    row("sets/s", &sets, |rates| rates.per_second, Some(SETS_PER_SECOND_AT_LEAST));
    row("sets/cpu-s of 3", &sets, |rates| rates.per_cpu_second, None);
    if missed.is_empty() { Ok(()) } else { Err(format!("missed: {missed:?}").into()) }
}

/// One run of `menagerie bench` with connections to all members. CPU time of the members is taken for `slice` in the middle of it, while
/// the load is steady: of all of them at once, which the bench does not do.
fn rates(binary: &Binary, ensemble: &Ensemble, load: &str, seconds: u64, slice: Duration) -> TestResult<Rates> {
    let mut command = binary.command();
    command.args(["bench", "--connect", &ensemble.connect_string(), "--json", load, "--seconds", &seconds.to_string()]);
    let child = command.args(LOAD).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
    thread::sleep(SETTLED);
    let (before, began) = (cpu(ensemble)?, Instant::now());
    thread::sleep(slice);
    let (used, lasted) = (cpu(ensemble)?.saturating_sub(before), began.elapsed());
    let output = child.wait_with_output()?;
    let text = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        return Err(format!("menagerie bench {load}: {}\n{text}\n{}", output.status, ensemble.log_ends()).into());
    }
    let report: Value = serde_json::from_str(text.trim())?;
    let per_second = number(&report, "/ops_per_second")?;
    Ok(Rates { per_second, per_cpu_second: per_second * lasted.as_secs_f64() / used.as_secs_f64() })
}

fn cpu(ensemble: &Ensemble) -> std::io::Result<Duration> {
    ensemble.members().iter().filter_map(menagerie_integration::ensemble::Member::pid).map(process::cpu).sum()
}
