//! Simulated ensembles, one for each seed; with `--service`, whole members with clients. `--help` tells the rest.

use std::process::ExitCode;

use menagerie_integration::TestResult;
use menagerie_integration::sim::command::{self, Simulation};
use menagerie_integration::sim::service::Service;
use menagerie_integration::sim::{self, Options, Report, Sabotage, Violation};

/// Consensus alone.
struct Consensus;

impl Simulation for Consensus {
    type Bug = Sabotage;
    type Report = Report;
    const FLAG: &'static str = "";

    fn run(seed: u64, sabotage: Option<Sabotage>) -> Result<Report, Violation> {
        sim::run(&Options { sabotage, ..Options::for_seed(seed) })
    }

    fn trace(seed: u64, sabotage: Option<Sabotage>) -> Vec<String> {
        sim::trace(&Options { sabotage, ..Options::for_seed(seed) })
    }

    fn add(sum: &mut Report, report: &Report) {
        sum.events += report.events;
        sum.committed += report.committed;
        sum.reigns += report.reigns;
        sum.changes += report.changes;
        sum.pieces_read += report.pieces_read;
    }

    fn tell(sum: &Report) -> String {
        let Report { events, committed, reigns, changes, pieces_read } = sum;
        format!(
            "{events} events, {committed} transactions, {reigns} reigns, {changes} changes of members, \
             {pieces_read} pieces of logs read for learners far behind"
        )
    }
}

fn main() -> TestResult<ExitCode> {
    let words = std::env::args().skip(1);
    if std::env::args().any(|word| word == "--service") {
        return command::run::<Service>(words.filter(|word| word != "--service"));
    }
    command::run::<Consensus>(words)
}
