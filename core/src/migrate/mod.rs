//! `menagerie migrate`: looks at a running ensemble, says what stands in the way of replacing its members by those of the other
//! software one by one, and prints the plan or does it.
//!
//! ```text
//!  zoo.cfg ─┐                   ┌─▶ obstacles ─┐
//!           ├─▶ look ─▶ survey ─┤              ├─▶ text, json
//!  words ───┘                   └─▶ plan ──────┘
//!                                     └─▶ apply: stop, verify, start, look again
//! ```
//!
//! What is seen, judged and planned are values, and judging and planning pure. Servers are known by their four-letter words
//! alone, as any operator knows them. Writes nothing into an ensemble.

mod answers;
mod apply;
mod commands;
mod digests;
mod features;
mod json;
mod look;
mod obstacles;
mod options;
mod plan;
mod survey;
mod teller;
#[cfg(test)]
mod tests;
mod text;
mod words;

use std::io::{self, Write};

pub use commands::Commands;
pub use options::Options;

use answers::Kind;
use look::Places;
use survey::{Member, Survey};
use teller::Teller;

/// The exit codes of `menagerie migrate`.
pub mod exit_code {
    /// Nothing stands in the way, or all is done.
    pub const OK: u8 = 0;
    /// Something stands in the way, or a step failed.
    pub const IN_THE_WAY: u8 = 1;
    /// The command line makes no sense.
    pub const USAGE: u8 = 2;
    /// No member answers.
    pub const NOBODY: u8 = 3;
}

/// Runs `menagerie migrate`: the plan, or what is done, goes to standard output, errors to standard error. The result is the
/// exit code of the process. Cancelling it during a step leaves the member as it is then, stopped or started.
pub async fn run(options: Options) -> u8 {
    let goal = if options.back { Kind::Apache } else { Kind::Menagerie };
    let places = Places { files: options.files.clone(), addresses: options.connect.clone() };
    if options.apply {
        return carry_out(&options, &places, goal).await;
    }
    let survey = look::look(&places).await;
    let obstacles = obstacles::find(&survey, goal);
    let plan = plan::plan(&survey, goal, &options.commands);
    let report = if options.json {
        format!("{}\n", json::report(&survey, &obstacles, &plan))
    } else if survey.members.len() > 1 {
        [text::survey(&survey), text::obstacles(&obstacles), text::plan(&plan, &survey)].join("\n")
    } else {
        text::obstacles(&obstacles)
    };
    // Whoever read the output may have gone.
    let _ = io::stdout().write_all(report.as_bytes());
    match () {
        () if is_silent(&survey) => exit_code::NOBODY,
        () if obstacles::block(&obstacles) => exit_code::IN_THE_WAY,
        () => exit_code::OK,
    }
}

async fn carry_out(options: &Options, places: &Places, goal: Kind) -> u8 {
    let teller = if options.json { Teller::Programs } else { Teller::People };
    match apply::apply(options, places, goal, &teller).await {
        Ok(()) => exit_code::OK,
        Err(stop) => {
            teller.stopped(&stop);
            exit_code::IN_THE_WAY
        }
    }
}

fn is_silent(survey: &Survey) -> bool {
    let answers = |state: &words::State| !matches!(state, words::State::Silent(_));
    let members = survey.members.values().map(|member: &Member| &member.state);
    let strangers = survey.strangers.iter().map(|(_, state)| state);
    !members.chain(strangers).any(answers)
}
