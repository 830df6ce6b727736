//! `kill -9` of the leader under load: three of ours and three of the reference's, in one run, alternating, with default ticks.
//! Prints the time from each kill to the first new acknowledged write. Ends with an error when an acknowledged write is lost.
//!
//! `failover [--rounds N]`, by default 20.

use std::time::Duration;

use menagerie_integration::TestResult;
use menagerie_integration::ensemble::failover::Failover;
use menagerie_integration::ours::{self, Profile};
use menagerie_integration::software::Software;

/// The aims: the median of ours in milliseconds, and as a share of the reference's.
const MEDIAN_BELOW_MS: f64 = 150.0;
const SHARE_BELOW: f64 = 1.0 / 3.0;

#[tokio::main]
async fn main() -> TestResult {
    let rounds = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => 20,
        [flag, rounds] if flag == "--rounds" => rounds.parse::<usize>()?,
        _ => return Err("usage: failover [--rounds N]".into()),
    };
    let mut contestants = vec![Failover::start(&Software::Menagerie(ours::binary(Profile::Release)?)).await?];
    if let Some(reference) = Software::reference()? {
        contestants.push(Failover::start(&reference).await?);
    }
    let mut pauses = vec![Vec::new(); contestants.len()];
    for round in 1..=rounds {
        for (contestant, pauses) in contestants.iter_mut().zip(&mut pauses) {
            // Not always at the same moment of the server's life.
            let after = Duration::from_millis(200 + fastrand::u64(..800));
            let seen = contestant.round(after).await?;
            println!(
                "round {round:>2}  {:<10} leader {} killed, {} leads: {:>7.1} ms; {} acknowledged writes, all there once",
                contestant.name(),
                seen.leader,
                seen.successor,
                seen.pause.as_secs_f64() * 1000.0,
                seen.acknowledged,
            );
            pauses.push(seen.pause);
        }
    }
    println!(
        "\n{:<10} {:>10} {:>10} {:>10}   kill to the first new acknowledged write, ms",
        "", "min", "median", "max"
    );
    let mut medians = Vec::new();
    for (contestant, pauses) in contestants.iter_mut().zip(&mut pauses) {
        pauses.sort();
        let at = |index: usize| pauses.get(index).map_or(f64::NAN, |pause| pause.as_secs_f64() * 1000.0);
        let (min, median, max) = (at(0), at(pauses.len() / 2), at(pauses.len().saturating_sub(1)));
        println!("{:<10} {min:>10.1} {median:>10.1} {max:>10.1}", contestant.name());
        medians.push(median);
        let ensemble = contestant.ensemble();
        println!(
            "{:<10} all members agree at {}",
            "",
            tokio::task::block_in_place(|| ensemble.wait_until_they_agree())?
        );
    }
    if let [ours, theirs] = medians.as_slice() {
        let met = *ours < MEDIAN_BELOW_MS && ours / theirs < SHARE_BELOW;
        println!(
            "ratio {:.2}; aim: median below {MEDIAN_BELOW_MS} ms and ratio below {SHARE_BELOW:.2}: {}",
            ours / theirs,
            if met { "met" } else { "missed" }
        );
    }
    Ok(())
}
