//! Simulated ensembles: a fixed number of seeds keeps every promise, and each planted bug is found among the first seeds.

use menagerie_integration::TestResult;
use menagerie_integration::sim::{self, Options, Sabotage};

/// How many seeds every run of the tests plays. Longer searches: `cargo run -p menagerie-integration --bin simulate`.
const SEEDS: u64 = 60;
/// Within how many seeds a planted bug is found.
const SEEDS_FOR_A_BUG: u64 = 100;
/// What takes longer, and is left to `simulate --planted`; the book says how long.
const RARE: [Sabotage; 1] = [Sabotage::EpochBeforeHistory];

#[test]
fn every_promise_is_kept() -> TestResult {
    let (mut committed, mut reigns) = (0, 0);
    for seed in 1..=SEEDS {
        let report = sim::run(&Options::for_seed(seed))
            .map_err(|violation| format!("{violation}; again with: simulate --seed {seed} --trace"))?;
        committed += report.committed;
        reigns += report.reigns;
    }
    // Runs in which nothing happens would keep every promise too.
    assert!(
        committed > 50 * SEEDS as usize && reigns > 2 * SEEDS as usize,
        "{committed} transactions, {reigns} reigns"
    );
    Ok(())
}

#[test]
fn planted_bugs_are_found() {
    for (bug, _) in Sabotage::ALL.into_iter().filter(|(bug, _)| !RARE.contains(bug)) {
        let finds = |seed: &u64| {
            let options = Options { sabotage: Some(bug), storm: seed.is_multiple_of(2), ..Options::for_seed(*seed) };
            sim::run(&options).is_err()
        };
        let found = (1..=SEEDS_FOR_A_BUG).find(finds);
        println!("{bug}: {found:?}");
        assert!(found.is_some(), "{bug} is not found by {SEEDS_FOR_A_BUG} seeds");
    }
}

#[test]
fn a_seed_is_the_same_run_every_time() -> TestResult {
    let options = Options::for_seed(7);
    assert_eq!(sim::run(&options)?, sim::run(&options)?);
    Ok(())
}
