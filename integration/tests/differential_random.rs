//! Random steps on the reference and on ours: no client hears anything different. The binary `differential` plays more of
//! them; this is the part that everybody can wait for.

use menagerie_integration::TestResult;
use menagerie_integration::differential::{duel, hunt};
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;

/// Steps of each seed.
const STEPS: usize = 2_000;
const SEEDS: [u64; 2] = [11, 12];

#[test]
fn random_steps_find_no_difference() -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    let softwares = [reference, Software::menagerie()?];
    let servers = hunt::servers(&softwares)?;
    for seed in SEEDS {
        let bag = hunt::hunt(servers.each_ref().map(Server::port), STEPS, seed, || hunt::servers(&softwares))?;
        if let Some(found) = bag.found {
            let text = duel::describe("found", &found.script, &found.mismatch, ["reference", "menagerie"]);
            panic!("seed {seed}\n{text}\n{}", found.script);
        }
        assert_eq!(bag.steps, STEPS);
        // The steps are no idle ones: they do what they are meant to do, and fail in every way.
        for what in ["OK", "NONODE", "NODEEXISTS", "NOTEMPTY", "BADVERSION", "NOAUTH", "NOWATCHER", "NodeDeleted"] {
            assert!(bag.heard.contains_key(what), "seed {seed}: nothing was {what}: {:?}", bag.heard);
        }
    }
    Ok(())
}
