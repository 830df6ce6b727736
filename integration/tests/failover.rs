//! The leader is killed under load, a few times: writes go on with another one, every acknowledged write is there once, and the killed
//! member comes back to the same state. `--bin failover` does it more often, beside the reference, and measures.

use std::time::Duration;

use menagerie_integration::TestResult;
use menagerie_integration::ensemble::failover::Failover;
use menagerie_integration::software::Software;

#[tokio::test(flavor = "multi_thread")]
async fn ours_loses_nothing_when_the_leader_is_killed() -> TestResult {
    fail_over(&Software::menagerie()?, 3).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_loses_nothing_when_the_leader_is_killed() -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    fail_over(&reference, 2).await
}

async fn fail_over(software: &Software, rounds: u64) -> TestResult {
    let mut failover = Failover::start(software).await?;
    for round in 0..rounds {
        let seen = failover.round(Duration::from_millis(50 + round * 130)).await?;
        assert_ne!(seen.leader, seen.successor);
        assert!(seen.acknowledged >= 100, "{seen:?}");
        println!("{seen:?}");
    }
    tokio::task::block_in_place(|| failover.ensemble().wait_until_they_agree())?;
    Ok(())
}
