//! The command line: `simulate --service [--seed N] [--seeds COUNT] [--minutes M] [--planted BUG] [--trace]`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::{Options, Report, Sabotage};
use crate::TestResult;

struct Arguments {
    seed: u64,
    seeds: u64,
    limit: Option<Duration>,
    planted: Option<Sabotage>,
    trace: bool,
}

fn arguments(mut words: impl Iterator<Item = String>) -> TestResult<Arguments> {
    let mut parsed = Arguments { seed: 1, seeds: 1, limit: None, planted: None, trace: false };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--seed" => parsed.seed = value()?.parse()?,
            "--seeds" => parsed.seeds = value()?.parse()?,
            "--minutes" => {
                parsed.limit = Some(Duration::from_secs_f64(60.0 * value()?.parse::<f64>()?));
                parsed.seeds = u64::MAX;
            }
            "--planted" => parsed.planted = Some(value()?.parse()?),
            "--trace" => parsed.trace = true,
            _ => return Err(format!("{word}: there are --seed, --seeds, --minutes, --planted and --trace").into()),
        }
    }
    Ok(parsed)
}

/// Runs seeds until one breaks a promise, prints what was broken and the command that repeats it.
///
/// # Errors
/// The arguments cannot be understood.
pub fn run(words: impl Iterator<Item = String>) -> TestResult<ExitCode> {
    let Arguments { seed, seeds, limit, planted, trace } = arguments(words)?;
    let begun = Instant::now();
    let (mut runs, mut sum) = (0, Report::default());
    while runs < seeds && limit.is_none_or(|limit| begun.elapsed() < limit) {
        let options = Options { sabotage: planted, ..Options::for_seed(seed + runs) };
        match super::run(&options) {
            Ok(report) => add(&mut sum, &report),
            Err(violation) => {
                if trace {
                    for line in super::trace(&options) {
                        println!("{line}");
                    }
                }
                let bug = planted.map(|bug| format!(" --planted {bug}")).unwrap_or_default();
                println!("{violation}");
                println!(
                    "after {} seeds; again with: simulate --service --seed {}{bug} --trace",
                    runs + 1,
                    options.seed
                );
                return Ok(ExitCode::FAILURE);
            }
        }
        runs += 1;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let Report { events, committed, reigns, changes, expired, states_made, clients } = sum;
    println!(
        "{runs} runs in {seconds:.1} s ({:.1} a second): {events} events, {committed} transactions, {reigns} reigns, \
         {changes} changes of members, \
         {states_made} states made anew, \
         {} writes and {} reads answered, {} watch events, {expired} sessions expired, {} syncs by surpassed leaders",
        runs as f64 / seconds,
        clients.writes,
        clients.reads,
        clients.events,
        clients.stale_syncs,
    );
    Ok(ExitCode::SUCCESS)
}

fn add(sum: &mut Report, report: &Report) {
    sum.events += report.events;
    sum.committed += report.committed;
    sum.reigns += report.reigns;
    sum.changes += report.changes;
    sum.expired += report.expired;
    sum.states_made += report.states_made;
    sum.clients.writes += report.clients.writes;
    sum.clients.reads += report.clients.reads;
    sum.clients.events += report.clients.events;
    sum.clients.stale_syncs += report.clients.stale_syncs;
}
