//! Looks for differences with random steps, and makes a short script of what it finds.
//!
//! The steps are played in episodes, each below a root of its own, on the same two servers. A difference is shrunk below
//! fresh roots, or on fresh servers when it needs what happened outside of the root.

use std::collections::BTreeMap;
use std::io;

use super::duel::{self, Mismatch};
use super::generate;
use super::line::Line;
use super::parse;
use super::player::Player;
use super::purpose;
use super::shrink;
use super::step::{Script, Step};
use crate::server::Server;
use crate::software::Software;

/// Steps in one episode.
const EPISODE: usize = 200;
/// How often a difference is tried on fresh servers: a JVM takes its time to start.
const FRESH_TRIES: usize = 60;

/// Settings of the servers beside those of every duel.
pub const SETTINGS: &[(&str, &str)] = &[("extendedTypesEnabled", "true")];

/// What a hunt did.
#[derive(Debug, Default)]
pub struct Bag {
    /// Steps played.
    pub steps: usize,
    /// What was heard of the first server: how many of each error, event and so on.
    pub heard: BTreeMap<String, usize>,
    /// The difference found.
    pub found: Option<Found>,
}

/// A difference.
#[derive(Debug)]
pub struct Found {
    /// The seed of the episode.
    pub seed: u64,
    /// As few steps as were found to show it.
    pub script: Script,
    /// What the servers answered to the last of them.
    pub mismatch: Mismatch,
}

/// Plays `steps` random steps on the servers on two ports, until there is a difference. `fresh` starts both anew.
pub fn hunt(
    ports: [u16; 2],
    steps: usize,
    seed: u64,
    mut fresh: impl FnMut() -> io::Result<[Server; 2]>,
) -> io::Result<Bag> {
    let mut bag = Bag::default();
    for episode in 0.. {
        if bag.steps >= steps {
            break;
        }
        let seed = seed.wrapping_mul(1_000_003).wrapping_add(episode);
        let root = Root { episode, attempt: 0 };
        let count = EPISODE.min(steps - bag.steps);
        let script = generate::episode(seed, &root.path(), count);
        let found = attempt(ports, &script, &mut bag.heard)?;
        bag.steps += script.len();
        if let Some(mismatch) = found {
            let (script, mismatch) = shrunk(ports, root, &script, mismatch, &mut fresh)?;
            bag.found = Some(Found { seed, script, mismatch });
            break;
        }
    }
    Ok(bag)
}

/// Starts the two servers of a hunt.
pub fn servers(softwares: &[Software; 2]) -> io::Result<[Server; 2]> {
    let settings = [duel::SETTINGS, SETTINGS].concat();
    let [one, other] = softwares.each_ref().map(|software| Server::start_with(software.clone(), &settings));
    Ok([one?, other?])
}

/// The root of an episode: a name that is in no other name.
#[derive(Debug, Clone, Copy)]
struct Root {
    episode: u64,
    attempt: usize,
}

impl Root {
    fn path(self) -> String {
        format!("/e{}x{}z", self.episode, self.attempt)
    }
}

/// Plays an episode; the difference at which it ended, if there is one.
fn attempt(ports: [u16; 2], steps: &[Step], heard: &mut BTreeMap<String, usize>) -> io::Result<Option<Mismatch>> {
    let mut players = [Player::new(ports[0])?, Player::new(ports[1])?];
    let mut found = None;
    for (index, step) in steps.iter().enumerate() {
        // Nobody else's step comes between one that is not waited for and the next of its client.
        let more = step.more && steps.get(index + 1).is_some_and(|next| next.session == step.session);
        let step = &Step { more, ..step.clone() };
        let answers = duel::play_step(&mut players, step, may_concern_others(step))
            .map_err(|error| io::Error::new(error.kind(), format!("step {}: {step}: {error}", index + 1)))?;
        let [theirs, ours] = answers.as_slice() else { continue };
        for line in theirs {
            *heard.entry(summary(line)).or_default() += 1;
        }
        found = duel::mismatch(steps, index, theirs, ours)
            .filter(|_| !purpose::tolerated(duel::asked(steps, index), theirs, ours));
        if found.is_some() {
            break;
        }
    }
    players.iter_mut().try_for_each(Player::close_all)?;
    Ok(found)
}

/// What one line is counted as.
fn summary(line: &Line) -> String {
    line.get("type").or(line.get("err")).map_or_else(|| line.kind.clone(), str::to_owned)
}

/// A step that only reads causes nothing for other clients.
fn may_concern_others(step: &Step) -> bool {
    const READS: [&str; 13] = [
        "exists",
        "getData",
        "getACL",
        "getChildren",
        "getChildren2",
        "getAllChildrenNumber",
        "getEphemerals",
        "multiRead",
        "addWatch",
        "checkWatches",
        "removeWatches",
        "sync",
        "whoAmI",
    ];
    step.action_name().is_none_or(|name| !READS.contains(&name))
}

fn shrunk(
    ports: [u16; 2],
    root: Root,
    steps: &[Step],
    mismatch: Mismatch,
    fresh: &mut impl FnMut() -> io::Result<[Server; 2]>,
) -> io::Result<(Script, Mismatch)> {
    let steps = &steps[..=mismatch.index];
    let mut attempts = root.attempt;
    let mut below_fresh_root = |steps: &[Step]| {
        attempts += 1;
        let other = Root { attempt: attempts, ..root };
        attempt(ports, &moved(steps, root, other)?, &mut BTreeMap::new())
    };
    let mut tries = 0;
    let mut on_fresh_servers = |steps: &[Step]| {
        tries += 1;
        if tries > FRESH_TRIES {
            return Ok(None);
        }
        let servers = fresh()?;
        attempt(servers.each_ref().map(Server::port), steps, &mut BTreeMap::new())
    };
    let (steps, mismatch) = if let Some(again) = below_fresh_root(steps)? {
        shrink::shrink(steps.to_vec(), again, &mut below_fresh_root)?
    } else if let Some(again) = on_fresh_servers(steps)? {
        shrink::shrink(steps.to_vec(), again, &mut on_fresh_servers)?
    } else {
        // It needs what other episodes did, or it was a race.
        (steps.to_vec(), mismatch)
    };
    let settings = SETTINGS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Ok((Script { settings: settings.collect(), steps }, mismatch))
}

/// The same steps below another root.
fn moved(steps: &[Step], from: Root, to: Root) -> io::Result<Vec<Step>> {
    let script = Script { settings: Vec::new(), steps: steps.to_vec() };
    let moved = script.to_string().replace(&from.path(), &to.path());
    parse::script(&moved).map(|script| script.steps).map_err(io::Error::other)
}
