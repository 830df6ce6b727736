//! The command line of both simulations: one seed after the other, until one breaks a promise. It never knows what is simulated.

use std::fmt::Display;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};

use super::Violation;
use crate::TestResult;

const HELP: &str = "\
Simulated ensembles, one for each seed, in virtual time

Usage: simulate [--service] [--seed N] [--seeds COUNT | --minutes M] [--planted BUG] [--trace]

  --service      whole members with clients, rather than consensus alone
  --seed N       the first seed [default: 1]
  --seeds COUNT  so many seeds [default: 1]
  --minutes M    seeds until so many minutes have passed
  --planted BUG  plant a bug and stop when it is found; an unknown name lists all
  --trace        print the events before the broken promise

Ends with code 1 at the first broken promise, and prints the command that repeats it.";

/// One simulation, as the command line drives it.
pub trait Simulation {
    /// Planted bugs, by their names on the command line.
    type Bug: Copy + Display + FromStr<Err = String>;
    /// What one run tells, and the sum of many.
    type Report: Default;
    /// What the command that repeats a run has before the seed: a space and a flag, or nothing.
    const FLAG: &'static str;

    /// Runs one seed.
    ///
    /// # Errors
    /// What was broken, and when.
    fn run(seed: u64, planted: Option<Self::Bug>) -> Result<Self::Report, Violation>;

    /// The last events before the violation that this seed leads to, one a line.
    fn trace(seed: u64, planted: Option<Self::Bug>) -> Vec<String>;

    /// Adds what another run told.
    fn add(sum: &mut Self::Report, report: &Self::Report);

    /// What many runs told, in words.
    fn tell(sum: &Self::Report) -> String;
}

struct Arguments<B> {
    seed: u64,
    seeds: u64,
    limit: Option<Duration>,
    planted: Option<B>,
    trace: bool,
}

/// `None` when only help was asked for.
fn parse<B: FromStr<Err = String>>(mut words: impl Iterator<Item = String>) -> TestResult<Option<Arguments<B>>> {
    let mut parsed = Arguments { seed: 1, seeds: 1, limit: None, planted: None, trace: false };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--seed" => parsed.seed = value()?.parse()?,
            "--seeds" => parsed.seeds = value()?.parse()?,
            "--minutes" => {
                parsed.limit = Some(Duration::try_from_secs_f64(60.0 * value()?.parse::<f64>()?)?);
                parsed.seeds = u64::MAX;
            }
            "--planted" => parsed.planted = Some(value()?.parse()?),
            "--trace" => parsed.trace = true,
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("{word} is not known; --help says what is").into()),
        }
    }
    Ok(Some(parsed))
}

/// Runs seeds until one breaks a promise, and prints what was broken and the command that repeats it.
///
/// # Errors
/// The arguments cannot be understood.
pub fn run<S: Simulation>(words: impl Iterator<Item = String>) -> TestResult<ExitCode> {
    let Some(Arguments { seed, seeds, limit, planted, trace }) = parse::<S::Bug>(words)? else {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    let begun = Instant::now();
    let (mut runs, mut sum) = (0, S::Report::default());
    while runs < seeds && limit.is_none_or(|limit| begun.elapsed() < limit) {
        let this = seed + runs;
        match S::run(this, planted) {
            Ok(report) => S::add(&mut sum, &report),
            Err(violation) => {
                if trace {
                    for line in S::trace(this, planted) {
                        println!("{line}");
                    }
                }
                let bug = planted.map(|bug| format!(" --planted {bug}")).unwrap_or_default();
                println!("{violation}");
                println!("after {} seeds; again with: simulate{} --seed {this}{bug} --trace", runs + 1, S::FLAG);
                return Ok(ExitCode::FAILURE);
            }
        }
        runs += 1;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let last = seed + runs.max(1) - 1;
    let rate = runs as f64 / seconds;
    println!("{runs} runs, seeds {seed} to {last}, in {seconds:.1} s ({rate:.1} a second): {}", S::tell(&sum));
    Ok(ExitCode::SUCCESS)
}
