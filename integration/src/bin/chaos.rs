//! Chaos on real processes: three members in network namespaces of their own, thirty clients, and in each step a member that is killed,
//! stopped, paused or cut off. Ends with an error when the ensemble does not heal, or when the clients saw a promise broken.
//!
//! `chaos [--steps N] [--seed N] [--clients N] [--reference]`, by default 24 steps and 30 clients of ours. Needs the right to make
//! network namespaces; without it, it says so and does nothing.

use std::process::Command;

use menagerie_integration::TestResult;
use menagerie_integration::ensemble::chaos::{self, MEMBERS};
use menagerie_integration::ensemble::network::Network;
use menagerie_integration::software::Software;

fn main() -> TestResult {
    let (mut steps, mut clients, mut seed, mut reference, mut inside) = (24, 30, fastrand::u64(..1 << 32), false, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{flag}: what?"));
        match flag.as_str() {
            "--steps" => steps = value()?.parse()?,
            "--clients" => clients = value()?.parse()?,
            "--seed" => seed = value()?.parse()?,
            "--reference" => reference = true,
            // Of this program, to itself.
            "--inside" => inside = Some(value()?),
            _ => return Err(format!("{flag}: --steps N, --clients N, --seed N or --reference").into()),
        }
    }
    let software = if reference {
        let Some(software) = Software::reference()? else { return Ok(()) };
        software
    } else {
        Software::menagerie()?
    };
    if let Some(prefix) = inside {
        return chaos::run(&software, &prefix, clients, steps, seed).map(drop);
    }
    let Some(network) = Network::make(MEMBERS)? else { return Ok(()) };
    println!("{steps} steps, {clients} clients, --seed {seed}, {}", software.name());
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &network.hub()]).arg(std::env::current_exe()?).args(["--inside", network.prefix()]);
    command.args(["--steps", &steps.to_string(), "--clients", &clients.to_string(), "--seed", &seed.to_string()]);
    if reference {
        command.arg("--reference");
    }
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{status}; again with --seed {seed}").into()) }
}
