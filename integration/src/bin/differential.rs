//! The differential suite by hand.
//!
//! - `differential record [SCRIPT…]` plays scripts on the reference and on ours and writes their transcripts.
//! - `differential play SCRIPT…` plays scripts on both and prints every difference.
//! - `differential --steps N --seed S` plays random steps on both until there is a difference, and prints a short script that
//!   shows it. `--ours` plays them on two of ours instead: there must be none.

use std::path::{Path, PathBuf};
use std::time::Instant;

use menagerie_integration::TestResult;
use menagerie_integration::differential::step::Script;
use menagerie_integration::differential::{duel, hunt, parse, transcript};
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;
use menagerie_integration::workspace;

fn main() -> TestResult {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((command, files)) if command == "record" => each(files, record),
        Some((command, files)) if command == "play" => each(files, play),
        _ => random(&arguments),
    }
}

fn random(arguments: &[String]) -> TestResult {
    let value = |name: &str| arguments.iter().position(|word| word == name).and_then(|at| arguments.get(at + 1));
    let (Some(steps), Some(seed)) = (value("--steps"), value("--seed")) else {
        return Err("differential record [SCRIPT…] | play SCRIPT… | --steps N --seed S [--ours]".into());
    };
    let (steps, seed) = (steps.parse()?, seed.parse()?);
    let ours = Software::menagerie()?;
    let softwares = if arguments.iter().any(|word| word == "--ours") {
        [ours.clone(), ours]
    } else {
        let Some(reference) = Software::reference()? else { return Ok(()) };
        [reference, ours]
    };
    let servers = hunt::servers(&softwares)?;
    let start = Instant::now();
    let bag = hunt::hunt(servers.each_ref().map(Server::port), steps, seed, || hunt::servers(&softwares))?;
    let seconds = start.elapsed().as_secs_f64();
    println!("seed {seed}: {} steps in {seconds:.1} s; {} difference", bag.steps, usize::from(bag.found.is_some()));
    let heard: Vec<String> = bag.heard.iter().map(|(what, times)| format!("{what} {times}")).collect();
    println!("heard: {}", heard.join(", "));
    let Some(found) = bag.found else { return Ok(()) };
    let names = softwares.each_ref().map(Software::name);
    println!("\n{}", duel::describe("found", &found.script, &found.mismatch, names));
    println!("# seed {} of an episode\n{}", found.seed, found.script);
    Err("a difference was found".into())
}

fn each(files: &[String], action: fn(&Path, &Script, &[Software]) -> TestResult) -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    let softwares = [reference, Software::menagerie()?];
    let files = if files.is_empty() {
        workspace::files("integration/tests/differential", "steps")?
    } else {
        files.iter().map(PathBuf::from).collect()
    };
    for file in files {
        let script = parse::script(&workspace::read(&file)?).map_err(|why| format!("{}: {why}", file.display()))?;
        action(&file, &script, &softwares)?;
    }
    Ok(())
}

fn record(file: &Path, script: &Script, softwares: &[Software]) -> TestResult {
    let [theirs, ours] = both(script, softwares)?;
    let text = transcript::print(script, &theirs, &ours);
    std::fs::write(workspace::root().join(file).with_extension("expected"), text)?;
    Ok(())
}

fn play(file: &Path, script: &Script, softwares: &[Software]) -> TestResult {
    let [theirs, ours] = both(script, softwares)?;
    let mismatches = duel::mismatches(script, &theirs, &ours);
    println!("{}: {} steps, {} differences", file.display(), script.steps.len(), mismatches.len());
    for mismatch in mismatches {
        println!("{}", duel::describe(&file.display().to_string(), script, &mismatch, ["reference", "menagerie"]));
    }
    Ok(())
}

fn both(script: &Script, softwares: &[Software]) -> TestResult<[duel::Transcript; 2]> {
    let played = duel::play(script, softwares)?;
    <[duel::Transcript; 2]>::try_from(played).map_err(|_| "two servers were played on".into())
}
