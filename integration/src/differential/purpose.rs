//! The differences on purpose between the reference and ours, each with its reason. The list is
//! `tests/differential/on_purpose.txt`; the book's page of compatibility names every entry of it.
//!
//! Some can be undone in any answer: [`normalise`] does it for both sides. The others are shown by the steps that scripts
//! mark with their name: such a step must differ.

use super::line::{Line, Value};
use super::step::{Action, Op, Step};
use crate::workspace;

/// Where the list is.
pub const LIST: &str = "integration/tests/differential/on_purpose.txt";

/// What is sorted on both sides, because the reference gives it in the order of a hash table.
const UNORDERED: [&str; 3] = ["children", "ephemerals", "identities"];

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its name: how scripts and the book call it.
    pub name: String,
    /// Whether [`normalise`] undoes it wherever it appears; else scripts mark the steps that show it.
    pub everywhere: bool,
    /// Why it is there.
    pub reason: String,
}

/// Reads the list.
pub fn list() -> std::io::Result<Vec<Difference>> {
    let text = workspace::read(LIST)?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut columns = line.splitn(3, '|').map(|column| column.trim().to_owned());
            match (columns.next(), columns.next().as_deref(), columns.next()) {
                (Some(name), Some(kind @ ("everywhere" | "marked")), Some(reason)) => {
                    Ok(Difference { name, everywhere: kind == "everywhere", reason })
                }
                _ => Err(std::io::Error::other(format!("{LIST}: not `name | everywhere or marked | reason`: {line}"))),
            }
        })
        .collect()
}

/// Whether a step that no script marks differs on purpose and without consequence: where steps are random, nobody can mark
/// them.
pub fn tolerated(asked: &[Step], theirs: &[Line], ours: &[Line]) -> bool {
    let (theirs, ours) = (normalise(asked, theirs), normalise(asked, ours));
    let tolerable = |theirs: &Line, ours: &Line| {
        let field = |line: &Line, name| line.get(name).unwrap_or_default().to_owned();
        let both = |name| (field(theirs, name), field(ours, name));
        let (to, other_to) = both("to");
        let (err, other_err) = both("err");
        to == other_to
            && err == "OK"
            && match to.as_str() {
                // exists-read
                "exists" => other_err == "NOAUTH",
                // check-others
                "checkWatches" => other_err == "NOWATCHER",
                _ => false,
            }
    };
    theirs.len() == ours.len()
        && theirs.iter().zip(&ours).all(|(theirs, ours)| theirs == ours || tolerable(theirs, ours))
}

/// Takes the differences that may be anywhere out of what was heard after these steps: one, and those before it whose
/// answers were not waited for.
#[must_use]
pub fn normalise(asked: &[Step], heard: &[Line]) -> Vec<Line> {
    let mut multis = asked.iter().filter(|step| step.action_name() == Some("multi")).map(Step::ops);
    let mut lines = Vec::with_capacity(heard.len());
    for line in heard {
        let multi = line.kind == "reply" && line.get("to") == Some("multi");
        let ops = if multi { multis.next().unwrap_or_default() } else { &[] };
        lines.push(normal(ops, line.clone()));
    }
    if asked.iter().any(ends_a_session) {
        sort_events(&mut lines);
    }
    lines
}

/// The line without what may differ; `ops` are those of the multi that it answers.
fn normal(ops: &[Op], mut line: Line) -> Line {
    if line.kind == "event" {
        // event-zxid
        line.fields.retain(|(name, _)| name != "zxid");
    }
    if line.kind == "reply" {
        let failed = line.get("err") != Some("OK");
        // error-body
        line.fields.retain(|(name, _)| !(is_new_in_create2(ops, name) || failed && name == "rest"));
        for (name, value) in &mut line.fields {
            // Q19
            if let Value::List(list) = value
                && UNORDERED.iter().any(|unordered| name.ends_with(unordered))
            {
                list.sort_unstable();
            }
        }
    }
    line
}

/// multi-create2: from 3.8.2 on the result of a create2 inside a multi is a create2's, with the Stat.
fn is_new_in_create2(ops: &[Op], field: &str) -> bool {
    let Some((number, field)) = field.split_once('.') else { return false };
    let op = number.parse::<usize>().ok().and_then(|number| ops.get(number.checked_sub(1)?));
    op.is_some_and(|op| op.spec.name == "create2") && !matches!(field, "err" | "again" | "path")
}

/// Whether the step ends a session, and with it all its ephemeral znodes.
fn ends_a_session(step: &Step) -> bool {
    step.action_name() == Some("closeSession") || matches!(step.action, Action::Await(_))
}

/// end-order: the ephemeral znodes of a session that ends are deleted in the order of a hash table, so that the events of
/// their deletions come in that order to each client. Replies keep their place.
fn sort_events(lines: &mut [Line]) {
    for run in
        lines.chunk_by_mut(|one, next| one.session == next.session && one.kind == "event" && next.kind == "event")
    {
        run.sort_unstable();
    }
}
