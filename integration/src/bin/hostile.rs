//! Hostile peers against one server for some minutes, beside healthy clients. Ends with an error when a healthy client saw
//! one, memory grew, or an acknowledged write was lost.
//!
//! `hostile [--minutes N] [--seed S]`, by default 10 minutes and a seed that is printed.

use std::time::Duration;

use menagerie_integration::TestResult;
use menagerie_integration::hostile::Soak;
use menagerie_integration::software::Software;

fn main() -> TestResult {
    let (mut minutes, mut seed) = (10.0, fastrand::u64(..));
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--minutes" => minutes = value.parse()?,
            "--seed" => seed = value.parse()?,
            _ => return Err("usage: hostile [--minutes N] [--seed S]".into()),
        }
    }
    let duration = Duration::try_from_secs_f64(minutes * 60.0)?;
    println!("hostile for {duration:?}, seed {seed}");
    let outcome = Soak { duration, seed }.run(Software::menagerie()?)?;
    println!("{outcome}");
    Ok(())
}
