//! Rolling migration under load: three Apache members become three of ours, one by one, and back again. No acknowledged write is
//! lost, no session expires, no lock is held twice. `--bin migration` does it with an optimised build and measures.

use menagerie_integration::TestResult;
use menagerie_integration::rolling::Rolling;
use menagerie_integration::software::Software;

#[tokio::test(flavor = "multi_thread")]
async fn three_of_apache_become_three_of_ours_under_load_and_back() -> TestResult {
    let Some(theirs) = Software::reference()? else { return Ok(()) };
    let ours = Software::menagerie()?;
    let mut rolling = Rolling::start(&theirs).await?;
    let there = rolling.become_all(&ours).await?;
    assert_eq!(there.len(), 3);
    assert_eq!(there.last().map(|step| step.was.as_str()), Some("leader"), "the leader goes last");
    let back = rolling.become_all(&theirs).await?;
    assert_eq!(back.len(), 3);
    assert!(there.iter().chain(&back).all(|step| step.acknowledged > 0 && step.locks > 0));
    rolling.finish().await
}
