//! Simulated ensembles, one for each seed: `simulate [--seed N] [--seeds COUNT] [--minutes M] [--planted BUG] [--trace]`;
//! with `--service`, whole members with clients.
//!
//! Without a count or a time it runs one seed. Ends at the first broken promise, with the command that repeats it; with
//! `--planted`, at the first seed that finds the bug.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use menagerie_integration::TestResult;
use menagerie_integration::sim::{self, Options, Sabotage};

struct Arguments {
    seed: u64,
    seeds: u64,
    limit: Option<Duration>,
    planted: Option<Sabotage>,
    trace: bool,
}

fn arguments() -> TestResult<Arguments> {
    let mut parsed = Arguments { seed: 1, seeds: 1, limit: None, planted: None, trace: false };
    let mut words = std::env::args().skip(1);
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

fn main() -> TestResult<ExitCode> {
    if std::env::args().any(|word| word == "--service") {
        return sim::service::command::run(std::env::args().skip(1).filter(|word| word != "--service"));
    }
    let Arguments { seed, seeds, limit, planted, trace } = arguments()?;
    let begun = Instant::now();
    let (mut runs, mut events, mut committed, mut reigns, mut changes) = (0_u64, 0, 0, 0, 0);
    let mut pieces_read = 0;
    while runs < seeds && limit.is_none_or(|limit| begun.elapsed() < limit) {
        let options = Options { sabotage: planted, ..Options::for_seed(seed + runs) };
        match sim::run(&options) {
            Ok(report) => {
                events += report.events;
                committed += report.committed;
                reigns += report.reigns;
                changes += report.changes;
                pieces_read += report.pieces_read;
            }
            Err(violation) => {
                if trace {
                    for line in sim::trace(&options) {
                        println!("{line}");
                    }
                }
                let bug = planted.map(|bug| format!(" --planted {bug}")).unwrap_or_default();
                println!("{violation}");
                println!("after {} seeds; again with: simulate --seed {}{bug} --trace", runs + 1, options.seed);
                return Ok(ExitCode::FAILURE);
            }
        }
        runs += 1;
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{runs} runs, seeds {seed} to {}, in {seconds:.1} s ({:.1} a second): {events} events, {committed} transactions, {reigns} reigns, \
         {changes} changes of members, {pieces_read} pieces of logs read for learners far behind",
        seed + runs.max(1) - 1,
        runs as f64 / seconds
    );
    Ok(ExitCode::SUCCESS)
}
