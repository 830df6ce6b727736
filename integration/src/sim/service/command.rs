//! The simulation of the service as the command line drives it.

use super::{Options, Report, Sabotage, Violation};
use crate::sim::command::Simulation;

/// Whole members with clients.
#[derive(Debug)]
pub struct Service;

impl Simulation for Service {
    type Bug = Sabotage;
    type Report = Report;
    const FLAG: &'static str = " --service";

    fn run(seed: u64, sabotage: Option<Sabotage>) -> Result<Report, Violation> {
        super::run(&Options { sabotage, ..Options::for_seed(seed) })
    }

    fn trace(seed: u64, sabotage: Option<Sabotage>) -> Vec<String> {
        super::trace(&Options { sabotage, ..Options::for_seed(seed) })
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

    fn tell(sum: &Report) -> String {
        let Report { events, committed, reigns, changes, expired, states_made, clients } = sum;
        format!(
            "{events} events, {committed} transactions, {reigns} reigns, {changes} changes of members, {states_made} states made \
             anew, {} writes and {} reads answered, {} watch events, {expired} sessions expired, {} syncs by surpassed leaders",
            clients.writes, clients.reads, clients.events, clients.stale_syncs,
        )
    }
}
