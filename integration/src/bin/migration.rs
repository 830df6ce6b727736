//! A rolling migration under load: three Apache members become three of ours, one by one, and back again, while clients write and
//! take locks. Prints what clients saw of each step, and the longest pause of writes. Ends with an error when an acknowledged
//! write is lost, a session expires, or a lock is held twice.
//!
//! `migration [--rounds N]`, by default once there and back.

use std::time::Duration;

use menagerie_integration::TestResult;
use menagerie_integration::ours::{self, Profile};
use menagerie_integration::rolling::Rolling;
use menagerie_integration::software::Software;

#[tokio::main]
async fn main() -> TestResult {
    let rounds = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => 1,
        [flag, rounds] if flag == "--rounds" => rounds.parse::<usize>()?,
        _ => return Err("usage: migration [--rounds N]".into()),
    };
    let ours = Software::Menagerie(ours::binary(Profile::Release)?);
    let Some(theirs) = Software::reference()? else { return Ok(()) };
    let mut rolling = Rolling::start(&theirs).await?;
    let mut steps = Vec::new();
    for _ in 0..rounds {
        steps.extend(rolling.become_all(&ours).await?);
        steps.extend(rolling.become_all(&theirs).await?);
    }
    rolling.finish().await?;
    let ms = |pause: Duration| pause.as_secs_f64() * 1000.0;
    let longest = steps.iter().map(|step| step.longest_pause).max().unwrap_or_default();
    let acknowledged: usize = steps.iter().map(|step| step.acknowledged).sum();
    println!(
        "\n{} members replaced, {acknowledged} acknowledged writes all there once, no session expired, no lock held twice; longest \
         pause of any client's writes {:.1} ms",
        steps.len(),
        ms(longest)
    );
    for was in ["follower", "leader"] {
        let longest = steps.iter().filter(|step| step.was == was).map(|step| step.longest_pause).max();
        println!("  {was:<8} replaced: longest pause {:.1} ms", ms(longest.unwrap_or_default()));
    }
    Ok(())
}
