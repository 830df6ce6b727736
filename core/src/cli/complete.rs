//! What Tab offers: names of commands, and paths of znodes that are there.

use std::time::Duration;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use tokio::runtime::Handle;

use super::catalogue::{COMMANDS, find};
use super::words::{self, Word};
use crate::client::Client;
use crate::wire::path;

/// How long Tab waits for a server before it offers nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Completes commands by their names and paths by asking the server.
pub(super) struct Completion {
    pub(super) client: Client,
    pub(super) runtime: Handle,
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let words = words::split_partial(&line[..pos]);
        let Some((last, before)) = words.split_last() else { return Ok((pos, Vec::new())) };
        let candidates = match before {
            [] => commands(&last.text),
            [first] if first.text == "help" => commands(&last.text),
            [first, ..] if last.text.starts_with('/') && find(&first.text).is_some() => self.paths(last),
            _ => Vec::new(),
        };
        Ok((last.start, candidates))
    }
}

impl Completion {
    fn paths(&self, word: &Word) -> Vec<Pair> {
        let cut = word.text.rfind('/').map_or(0, |at| at + 1);
        let (directory, prefix) = word.text.split_at(cut);
        let call = self.client.get_children(path::parent(&word.text));
        let children = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, call).await });
        let Ok(Ok(mut names)) = children else { return Vec::new() };
        names.sort_unstable();
        names.retain(|name| name.starts_with(prefix));
        if names == [prefix] {
            // The name is complete already: go on below it.
            return self.paths(&Word { start: word.start, text: format!("{}/", word.text) });
        }
        names
            .into_iter()
            .map(|name| Pair { replacement: words::quote(&format!("{directory}{name}")), display: name })
            .collect()
    }
}

fn commands(prefix: &str) -> Vec<Pair> {
    let names = COMMANDS.iter().map(|spec| spec.name).filter(|name| name.starts_with(prefix));
    names.map(|name| Pair { display: name.to_owned(), replacement: format!("{name} ") }).collect()
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}
