//! Transcripts as files: what the reference's clients heard, kept beside the script, so that ours can be compared on a
//! machine without the reference. It never knows a server.
//!
//! ```text
//! > a create /x "data" open persistent
//! a reply zxid=+2 err=OK path=/x
//! ```
//!
//! Under a step that differs on purpose stands, after a line `menagerie:`, what ours answers instead.

use std::fmt::Write as _;

use super::duel::Transcript;
use super::line::Line;
use super::step::Script;

const OURS: &str = "menagerie:";

/// What was recorded of a script.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Of the reference.
    pub theirs: Transcript,
    /// Of ours: as the reference's, but for the steps that differ on purpose.
    pub ours: Transcript,
}

/// The text of what was heard of the reference and of ours.
pub fn print(script: &Script, theirs: &Transcript, ours: &Transcript) -> String {
    let mut text =
        String::from("# Recorded from Apache ZooKeeper 3.8.0 by `differential record`; never edited by hand.\n");
    for ((step, theirs), ours) in script.steps.iter().zip(theirs).zip(ours) {
        let _ = writeln!(text, "> {step}");
        push(&mut text, theirs);
        if step.purpose.is_some() {
            let _ = writeln!(text, "{OURS}");
            push(&mut text, ours);
        }
    }
    text
}

fn push(text: &mut String, heard: &[Line]) {
    for line in heard {
        let _ = writeln!(text, "{line}");
    }
}

/// Reads what was recorded of this script.
///
/// # Errors
/// A transcript of other steps, or a line that is none.
pub fn parse(script: &Script, text: &str) -> Result<Recorded, String> {
    let mut recorded = Recorded::default();
    let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).peekable();
    for step in &script.steps {
        if lines.next() != Some(format!("> {step}").as_str()) {
            return Err(format!("line {} of the script is not what was recorded; record it again: {step}", step.line));
        }
        let heard = |lines: &mut std::iter::Peekable<_>| -> Result<Vec<Line>, String> {
            let mut heard = Vec::new();
            while let Some(line) = lines.next_if(|line: &&str| !line.starts_with('>') && *line != OURS) {
                heard.push(Line::parse(line)?);
            }
            Ok(heard)
        };
        let theirs = heard(&mut lines)?;
        let ours = if lines.next_if_eq(&OURS).is_some() { heard(&mut lines)? } else { theirs.clone() };
        recorded.theirs.push(theirs);
        recorded.ours.push(ours);
    }
    lines.next().map_or(Ok(recorded), |line| Err(format!("more was recorded than the script has steps: {line}")))
}
