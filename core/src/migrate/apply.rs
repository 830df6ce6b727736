//! Does the plan for the members of this host, one step at a time, and looks at everything again before and after each.
//! What is done is told through [`Teller`]; this file decides only whether to go on.
#![expect(clippy::disallowed_methods, reason = "an operator's tool waits and starts commands; it is no server")]

use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::answers::Kind;
use super::digests;
use super::look::{Places, look};
use super::obstacles::{self, Obstacle, Weight};
use super::options::Options;
use super::plan::{Plan, Step, plan};
use super::survey::Survey;
use super::teller::Teller;
use super::text;
use super::words::listens;
use crate::wire::Zxid;

/// Between two looks at a member that is being waited for.
const PAUSE: Duration = Duration::from_millis(200);

/// Why it did not go on, for the operator.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    /// Something stands in the way.
    #[error("nothing was stopped: something stands in the way")]
    Blocked(Vec<Obstacle>),
    /// Another host's member comes first.
    #[error("it is the turn of server.{0}, on another host: run this there first (or here with --any-order)")]
    NotOurTurn(i64),
    /// A step failed.
    #[error("{what}\n{back}")]
    Step {
        /// What failed, and what to look at.
        what: String,
        /// The commands that take it back.
        back: String,
    },
}

/// Replaces the members of this host, as long as all is well.
///
/// # Errors
/// Why it did not go on.
pub(super) async fn apply(options: &Options, places: &Places, goal: Kind, teller: &Teller) -> Result<(), Stop> {
    loop {
        let survey = look(places).await;
        let plan = plan(&survey, goal, &options.commands);
        let Some(step) = next(&plan, options.any_order)? else {
            teller.end(&plan);
            return Ok(());
        };
        let mut found = obstacles::find(&survey, goal);
        if !step.keeps_quorum {
            found.push(no_quorum(step.id));
        }
        if obstacles::block(&found) {
            return Err(Stop::Blocked(found));
        }
        Doing { step, goal, patience: Duration::from_secs(options.patience), places, teller }.run().await?;
    }
}

/// The step that is next here. `None`: no member of this host is left.
fn next(plan: &Plan, any_order: bool) -> Result<Option<&Step>, Stop> {
    let Some(own) = plan.steps.iter().find(|step| step.config.is_some()) else { return Ok(None) };
    match plan.steps.first() {
        Some(first) if first.id != own.id && !any_order => Err(Stop::NotOurTurn(first.id)),
        _ => Ok(Some(own)),
    }
}

fn no_quorum(id: i64) -> Obstacle {
    let what = format!("without server.{id} the others are no quorum, and nobody would serve");
    let remedy = "bring the missing members back first".to_owned();
    Obstacle { weight: Weight::Blocks, member: Some(id), what, remedy }
}

/// One step under way.
struct Doing<'a> {
    step: &'a Step,
    goal: Kind,
    patience: Duration,
    places: &'a Places,
    teller: &'a Teller,
}

impl Doing<'_> {
    async fn run(&self) -> Result<(), Stop> {
        self.teller.step(self.step, self.goal);
        self.shell("stop", &self.step.stop).map_err(|what| self.failed(&what, false))?;
        self.gone().await.map_err(|what| self.failed(&what, false))?;
        self.verify().map_err(|what| self.failed(&what, false))?;
        self.shell("start", &self.step.start).map_err(|what| self.failed(&what, true))?;
        let seen = self.well_again().await.map_err(|what| self.failed(&what, true))?;
        self.teller.well(self.step, &seen);
        Ok(())
    }

    fn failed(&self, what: &str, started: bool) -> Stop {
        let what = format!("server.{}: {what}", self.step.id);
        Stop::Step { what, back: text::way_back(self.step, self.goal, started) }
    }

    /// Its output goes to standard error, so that standard output is ours alone.
    fn shell(&self, what: &'static str, command: &str) -> Result<(), String> {
        self.teller.doing(self.step.id, what, command);
        let outcome = shell_command(command).status();
        match outcome {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("`{command}` failed ({status}); what it said stands above")),
            Err(error) => Err(format!("`{command}` could not be run: {error}")),
        }
    }

    async fn gone(&self) -> Result<(), String> {
        let Some(address) = &self.step.address else { return Ok(()) };
        let deadline = Instant::now() + self.patience;
        while listens(address).await {
            if Instant::now() > deadline {
                let waited = self.patience.as_secs();
                return Err(format!(
                    "somebody still answers on {address} {waited} s after `{}`: does that command stop this member?",
                    self.step.stop
                ));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Nobody has the files now: what cannot be read is found before anybody starts from it.
    fn verify(&self) -> Result<(), String> {
        let Some(directory) = self.step.directories.last() else { return Ok(()) };
        let shown = text::checks(self.step).join("; ");
        self.teller.doing(self.step.id, "check", &shown);
        let program = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
        let output = Command::new(program).args(["log", "verify"]).arg(directory).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("`{shown}` could not be run: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        Err(format!("`{shown}` found damage, and nothing was started:\n{said}"))
    }

    /// Waits until the member is as it should be, and says how it was compared.
    async fn well_again(&self) -> Result<Seen, String> {
        let deadline = Instant::now() + self.patience;
        let mut before = Before::default();
        loop {
            let survey = look(self.places).await;
            match self.judge(&survey, &mut before) {
                Ok(seen) => return Ok(seen),
                Err(why) if Instant::now() > deadline => {
                    return Err(format!("{} s after `{}`: {why}", self.patience.as_secs(), self.step.start));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// What is not yet well.
    fn judge(&self, survey: &Survey, before: &mut Before) -> Result<Seen, String> {
        let (leader, leading) = survey.leader().ok_or("no member leads")?;
        let target = *before.target.get_or_insert_with(|| survey.last_transaction());
        let member = survey.members.get(&self.step.id).ok_or("it is no longer in the list of members")?;
        let answer = member.answer().ok_or("it does not serve; its log says why")?;
        if answer.kind != self.goal {
            return Err(format!("{} answers, not {}: is that the right start command?", answer.kind, self.goal));
        }
        if answer.zxid < target {
            return Err(format!("it is at {}, and others were at {target} when it started", answer.zxid));
        }
        // A member that does not tell is not judged by it, but looked at twice all the same.
        let mismatches = answer.digest_mismatches().unwrap_or(0);
        if before.mismatches.replace(mismatches) != Some(mismatches) {
            return Err("its tree is still compared with what the leader announces (zk_digest_mismatches_count grows)"
                .to_owned());
        }
        let found = obstacles::find(survey, self.goal);
        if let Some(obstacle) = found.iter().find(|obstacle| obstacle.weight == Weight::Blocks) {
            let whom = obstacle.member.map(|id| format!("server.{id}: ")).unwrap_or_default();
            return Err(format!("{whom}{} (do: {})", obstacle.what, obstacle.remedy));
        }
        let both = answer.digests.as_ref().zip(leading.digests.as_ref());
        let compared_at = both.map(|(own, others)| digests::compare(own, others).common);
        Ok(Seen { mode: answer.mode.clone(), zxid: answer.zxid, leader, compared_at })
    }
}

/// What was seen when the member was looked at before.
#[derive(Default)]
struct Before {
    /// The last transaction that anybody had when there was a leader for the first time after the start.
    target: Option<Zxid>,
    /// The member's count of mismatches, which must not grow any more.
    mismatches: Option<u64>,
}

/// How a member was after its step.
pub(super) struct Seen {
    pub(super) mode: String,
    pub(super) zxid: Zxid,
    pub(super) leader: i64,
    /// Zxids at which its tree was found equal to the leader's. `None`: one of them does not answer `hash`.
    pub(super) compared_at: Option<usize>,
}

impl Seen {
    pub(super) fn to_json(&self) -> serde_json::Value {
        json!({
            "mode": self.mode, "zxid": self.zxid.to_string(), "leader": self.leader, "comparedAt": self.compared_at,
        })
    }
}

fn shell_command(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::from(io::stderr()));
    shell
}
