//! Plays one script on several servers at once, step by step, and compares what their clients heard.

use std::fmt::Write as _;
use std::io;

use super::line::Line;
use super::player::Player;
use super::purpose;
use super::step::{Script, Step};
use crate::server::Server;
use crate::software::Software;

/// What the clients of one server heard after each step.
pub type Transcript = Vec<Vec<Line>>;

/// A step after which two servers' clients heard different things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Which step, from 0.
    pub index: usize,
    /// What was heard of each server.
    pub heard: [Vec<Line>; 2],
}

/// Starts a fresh server of each software with the script's settings, and plays it on all of them.
pub fn play(script: &Script, softwares: &[Software]) -> io::Result<Vec<Transcript>> {
    let settings: Vec<(&str, &str)> = SETTINGS
        .iter()
        .copied()
        .chain(script.settings.iter().map(|(key, value)| (key.as_str(), value.as_str())))
        .collect();
    let servers: Vec<Server> =
        softwares.iter().map(|software| Server::start_with(software.clone(), &settings)).collect::<Result<_, _>>()?;
    let ports: Vec<u16> = servers.iter().map(Server::port).collect();
    play_on(script, &ports)
}

/// Settings of all servers that are compared: sessions outlive a machine that is busy, nothing is reaped while the
/// script does not ask for it, and no disk is waited for.
pub const SETTINGS: &[(&str, &str)] =
    &[("maxSessionTimeout", "600000"), ("znode.container.checkIntervalMs", "86400000"), ("forceSync", "no")];

/// Plays a script on the servers on these ports.
pub fn play_on(script: &Script, ports: &[u16]) -> io::Result<Vec<Transcript>> {
    let mut players: Vec<Player> = ports.iter().map(|port| Player::new(*port)).collect::<Result<_, _>>()?;
    let mut transcripts = vec![Transcript::new(); ports.len()];
    for (index, step) in script.steps.iter().enumerate() {
        let heard = play_step(&mut players, step, true).map_err(|error| {
            io::Error::new(error.kind(), format!("step {}, line {}: {step}: {error}", index + 1, step.line))
        })?;
        for (transcript, heard) in transcripts.iter_mut().zip(heard) {
            transcript.push(heard);
        }
        if step.purpose.is_some() && !step.more && index + 1 < script.steps.len() {
            // Servers that differ here may differ in the number of transactions, too.
            players.iter_mut().try_for_each(|player| player.restart(&format!("step{}", index + 1)))?;
        }
    }
    Ok(transcripts)
}

/// Plays one step on all servers at once. Without `listen` only the client of the step is heard.
pub fn play_step(players: &mut [Player], step: &Step, listen: bool) -> io::Result<Vec<Vec<Line>>> {
    players.iter_mut().try_for_each(|player| player.begin(step))?;
    players.iter_mut().try_for_each(|player| player.finish(step))?;
    if step.more || !listen {
        return Ok(players.iter_mut().map(Player::take_heard).collect());
    }
    players.iter_mut().for_each(Player::begin_listening);
    players.iter_mut().map(Player::finish_listening).collect()
}

/// The steps after which `theirs` and `ours` differ, without what differs on purpose anywhere.
///
/// Steps that are marked as different on purpose are compared too: the caller knows what they must do.
pub fn mismatches(script: &Script, theirs: &Transcript, ours: &Transcript) -> Vec<Mismatch> {
    let heard = theirs.iter().zip(ours).enumerate();
    heard.filter_map(|(index, (theirs, ours))| mismatch(&script.steps, index, theirs, ours)).collect()
}

/// Compares what was heard after one of these steps.
pub fn mismatch(steps: &[Step], index: usize, theirs: &[Line], ours: &[Line]) -> Option<Mismatch> {
    let asked = asked(steps, index);
    let differ = purpose::normalise(asked, theirs) != purpose::normalise(asked, ours);
    differ.then(|| Mismatch { index, heard: [theirs.to_vec(), ours.to_vec()] })
}

/// The step of this index, and those before it whose answers were not waited for.
pub fn asked(steps: &[Step], index: usize) -> &[Step] {
    let Some(step) = steps.get(index) else { return &[] };
    let before = steps[..index].iter().rev().take_while(|before| before.more && before.session == step.session).count();
    &steps[index - before..=index]
}

/// A mismatch for people: where it is, what was done, what was heard, and which fields differ.
pub fn describe(file: &str, script: &Script, mismatch: &Mismatch, names: [&str; 2]) -> String {
    let mut text = String::new();
    if let Some(step) = script.steps.get(mismatch.index) {
        let _ = writeln!(text, "{file}:{}: {step}", step.line);
        let asked = asked(&script.steps, mismatch.index);
        let [theirs, ours] = mismatch.heard.each_ref().map(|heard| purpose::normalise(asked, heard));
        for (theirs, ours) in theirs.iter().zip(&ours).filter(|(theirs, ours)| theirs != ours) {
            let _ = writeln!(text, "    differs in {}", differing(theirs, ours));
        }
    }
    for (name, heard) in names.iter().zip(&mismatch.heard) {
        if heard.is_empty() {
            let _ = writeln!(text, "    {name}: nothing");
        }
        for line in heard {
            let _ = writeln!(text, "    {name}: {line}");
        }
    }
    text
}

fn differing(theirs: &Line, ours: &Line) -> String {
    if (&theirs.session, &theirs.kind) != (&ours.session, &ours.kind) {
        return format!("{} {} and {} {}", theirs.session, theirs.kind, ours.session, ours.kind);
    }
    let missing = |one: &Line, other: &Line| -> Vec<String> {
        one.fields.iter().filter(|field| !other.fields.contains(field)).map(|(name, _)| name.clone()).collect()
    };
    let mut names = missing(theirs, ours);
    names.extend(missing(ours, theirs));
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "the order of fields".to_owned() } else { names.join(", ") }
}
