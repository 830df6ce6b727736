//! Simulated ensembles of whole members with clients: a fixed number of seeds keeps every promise, and each planted bug is found among
//! the first seeds.

use menagerie_integration::TestResult;
use menagerie_integration::sim::service::{self, Options, Sabotage};

/// How many seeds every run of the tests plays. Longer searches: `cargo run -p menagerie-integration --bin simulate -- --service`.
const SEEDS: u64 = 20;
/// Within how many seeds a planted bug is found.
const SEEDS_FOR_A_BUG: u64 = 60;

#[test]
fn every_promise_is_kept() -> TestResult {
    let (mut writes, mut reads, mut events, mut reigns, mut expired, mut made, mut changes) = (0, 0, 0, 0, 0, 0, 0);
    for seed in 1..=SEEDS {
        let report = service::run(&Options::for_seed(seed))
            .map_err(|violation| format!("{violation}; again with: simulate --service --seed {seed} --trace"))?;
        writes += report.clients.writes;
        reads += report.clients.reads;
        events += report.clients.events;
        reigns += report.reigns;
        expired += report.expired;
        made += report.states_made;
        changes += report.changes;
    }
    // Runs in which nothing happens would keep every promise too.
    assert!(writes > 2_000 && reads > 2_000 && events > 100, "{writes} writes, {reads} reads, {events} events");
    assert!(reigns > SEEDS as usize && expired > 5, "{reigns} reigns, {expired} expired sessions");
    assert!(made > 5 && changes > 5, "{made} states made anew, {changes} changes of members");
    Ok(())
}

#[test]
fn planted_bugs_are_found() {
    for (bug, name) in Sabotage::ALL {
        let found = (1..=SEEDS_FOR_A_BUG)
            .find(|seed| service::run(&Options { sabotage: Some(bug), ..Options::for_seed(*seed) }).is_err());
        assert!(found.is_some(), "{name} is not found by {SEEDS_FOR_A_BUG} seeds");
    }
}

#[test]
fn a_seed_is_the_same_run_every_time() -> TestResult {
    let options = Options::for_seed(7);
    assert_eq!(service::run(&options)?, service::run(&options)?);
    Ok(())
}
