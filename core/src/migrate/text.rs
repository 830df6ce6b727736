//! A survey, what stands in the way and the plan as text for an operator. Pure.

use std::fmt::Write;

use super::answers::{Answer, Kind};
use super::commands::for_shell;
use super::digests;
use super::obstacles::{Obstacle, Weight};
use super::plan::{Plan, Step};
use super::survey::{Member, Survey};
use super::words::State;
use crate::wire::ensemble::Role;

/// Who is there.
pub(super) fn survey(survey: &Survey) -> String {
    let mut text = String::new();
    let (voters, observers) = (survey.ensemble.participant_count(), survey.ensemble.observer_count());
    let _ = write!(text, "An ensemble of {voters} that vote");
    let _ = match observers {
        0 => writeln!(text),
        _ => writeln!(text, ", and {observers} that only observe"),
    };
    for (id, member) in &survey.members {
        line(&mut text, *id, member, survey);
    }
    text
}

fn line(text: &mut String, id: i64, member: &Member, survey: &Survey) {
    let address = member.address.as_ref().map_or_else(|| "address unknown".to_owned(), ToString::to_string);
    let here = if survey.local.contains_key(&id) { "  (this host)" } else { "" };
    let state = match &member.state {
        State::Serving(answer) => {
            let software = format!("{} {}", answer.kind, answer.version);
            format!("{software:<16}  {:<10}  at {}", answer.mode, answer.zxid)
        }
        State::NotServing(_) => "does not serve".to_owned(),
        State::Silent(_) => "does not answer".to_owned(),
    };
    let votes = if member.role == Role::Observer { "  (no vote)" } else { "" };
    let _ = writeln!(text, "  server.{id:<4} {address:<24}  {state}{votes}{here}");
}

/// What stands in the way.
pub(super) fn obstacles(obstacles: &[Obstacle]) -> String {
    let mut text = String::new();
    for (weight, title) in [
        (Weight::Blocks, "In the way, to be mended first:"),
        (Weight::Warns, "It goes, but:"),
        (Weight::Notes, "To be known:"),
    ] {
        let these: Vec<_> = obstacles.iter().filter(|obstacle| obstacle.weight == weight).collect();
        if these.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{title}");
        for obstacle in these {
            let whom = obstacle.member.map(|id| format!("server.{id}: ")).unwrap_or_default();
            let _ = writeln!(text, "  - {whom}{}\n    do: {}", obstacle.what, obstacle.remedy);
        }
    }
    if obstacles.iter().all(|obstacle| obstacle.weight != Weight::Blocks) {
        let _ = writeln!(text, "Nothing stands in the way.");
    }
    text
}

/// What is to be done.
pub(super) fn plan(plan: &Plan, survey: &Survey) -> String {
    let mut text = String::new();
    let goal = plan.goal;
    if plan.steps.is_empty() {
        let _ = writeln!(text, "Every member is {goal} already: nothing is left to do.");
        return text;
    }
    let _ = writeln!(
        text,
        "The plan: one member at a time, the leader last. Between two steps everything may stay as it is."
    );
    if !plan.done.is_empty() {
        let done: Vec<_> = plan.done.iter().map(|id| format!("server.{id}")).collect();
        let _ = writeln!(text, "{goal} already: {}", done.join(", "));
    }
    for (index, step) in plan.steps.iter().enumerate() {
        let _ = writeln!(text);
        one_step(&mut text, plan, index, step);
    }
    let _ = writeln!(text, "\n{}", compared(survey));
    text
}

fn one_step(text: &mut String, plan: &Plan, index: usize, step: &Step) {
    let address = step.address.as_ref().map_or_else(|| "its client port".to_owned(), ToString::to_string);
    let (id, part, of) = (step.id, step.part, plan.steps.len());
    let _ = writeln!(text, "Step {} of {of}: server.{id}, {part}, on {address}", index + 1);
    if !step.keeps_quorum {
        let _ = writeln!(text, "  NOT NOW   without server.{id} the others are no quorum, and nobody would serve");
    }
    let _ = writeln!(text, "  stop      {}", step.stop);
    for command in checks(step) {
        let _ = writeln!(text, "  check     {command}");
    }
    let _ = writeln!(text, "  start     {}", step.start);
    let _ = writeln!(
        text,
        "  wait      until `srvr` there says follower, leader or observer, and the leader's Zxid or a later one"
    );
    let _ = writeln!(
        text,
        "  compare   `hash` with the leader's at the last zxid that both list; zk_digest_mismatches_count no longer grows"
    );
    let _ = writeln!(text, "  way back  {}; {}", step.back[0], step.back[1]);
}

/// The commands that look at a member's files while nobody has them.
pub(super) fn checks(step: &Step) -> Vec<String> {
    let quoted = |directory: &std::path::Path| for_shell(&directory.display().to_string());
    match step.directories.as_slice() {
        [] => vec!["menagerie log verify DATADIR/version-2".to_owned()],
        [.., logs] => vec![format!("menagerie log verify {}", quoted(logs))],
    }
}

/// How far the trees could be compared.
fn compared(survey: &Survey) -> String {
    let leader = survey.leader().and_then(|(id, answer)| Some((id, answer.digests.as_ref()?)));
    let Some((leader, theirs)) = leader else {
        return "The trees could not be compared: the leader does not answer `hash`.".to_owned();
    };
    let others = survey.members.iter().filter(|(id, _)| **id != leader);
    let with = |(id, member): (&i64, &Member)| {
        let common = member.answer().and_then(|answer: &Answer| answer.digests.as_ref());
        let common = common.map(|digests| digests::compare(digests, theirs).common);
        common.map(|common| format!("server.{id} at {common}"))
    };
    let points: Vec<_> = others.filter_map(with).collect();
    format!("Trees compared with the leader's, at zxids that both remember (every 128th): {}.", points.join(", "))
}

/// What a way back is, when a step has failed.
pub(super) fn way_back(step: &Step, goal: Kind, started: bool) -> String {
    let other = goal.other();
    let first = if started { format!("  {}\n", step.back[0]) } else { String::new() };
    format!("The way back, to {other} on the same files:\n{first}  {}", step.back[1])
}
