//! Tells what `--apply` does, while it does it: lines for people, or JSON for programs. Decides nothing.

use serde_json::{Value, json};

use super::answers::Kind;
use super::apply::{Seen, Stop};
use super::json;
use super::plan::{Plan, Step};
use super::text;

/// To whom.
#[derive(Clone, Copy, Debug)]
pub(super) enum Teller {
    People,
    Programs,
}

impl Teller {
    fn say(self, words: impl FnOnce() -> String, object: impl FnOnce() -> Value) {
        match self {
            Teller::People => println!("{}", words()),
            Teller::Programs => println!("{}", object()),
        }
    }

    pub(super) fn step(self, step: &Step, goal: Kind) {
        let (id, part) = (step.id, step.part);
        self.say(
            || format!("server.{id}, {part}, becomes {goal}"),
            || json!({ "event": "step", "member": id, "part": part, "goal": goal.to_string() }),
        );
    }

    pub(super) fn doing(self, id: i64, what: &str, command: &str) {
        self.say(|| format!("  {what:<8}  {command}"), || json!({ "event": what, "member": id, "command": command }));
    }

    pub(super) fn well(self, step: &Step, seen: &Seen) {
        let compared = match seen.compared_at {
            Some(0) => "no digest that both remember yet".to_owned(),
            Some(zxids) => format!("its tree equals the leader's at {zxids} zxids"),
            None => "its tree was not compared, for want of `hash`".to_owned(),
        };
        let words = || format!("  well      {} at {}; server.{} leads; {compared}", seen.mode, seen.zxid, seen.leader);
        self.say(words, || json!({ "event": "well", "member": step.id, "seen": seen.to_json() }));
    }

    /// No member of this host is left.
    pub(super) fn end(self, plan: &Plan) {
        let left: Vec<_> = plan.steps.iter().map(|step| step.id).collect();
        let words = || match left.first() {
            None => format!("Every member is {}.", plan.goal),
            Some(id) => format!("The members of this host are {}. Next: server.{id}, on its host.", plan.goal),
        };
        self.say(words, || json!({ "event": "done", "left": left }));
    }

    pub(super) fn stopped(self, stop: &Stop) {
        let found = match stop {
            Stop::Blocked(found) => found.as_slice(),
            Stop::NotOurTurn(_) | Stop::Step { .. } => &[],
        };
        match self {
            Teller::People if found.is_empty() => eprintln!("error: {stop}"),
            Teller::People => eprint!("error: {stop}\n{}", text::obstacles(found)),
            Teller::Programs => {
                let object =
                    json!({ "event": "stopped", "why": stop.to_string(), "obstacles": json::obstacles(found) });
                println!("{object}");
            }
        }
    }
}
