//! What Tab offers: names of commands, their flags, and paths of znodes that are there.

use std::time::Duration;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use tokio::runtime::Handle;

use super::args::Flag;
use super::catalogue::{Spec, commands as all_commands, find};
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
            [first, ..] => match (find(&first.text), before.last()) {
                (Some(spec), Some(before)) => self.argument(spec, before, last),
                _ => Vec::new(),
            },
        };
        Ok((last.start, candidates))
    }
}

impl Completion {
    /// What may stand after the word `before` of a command.
    fn argument(&self, spec: &Spec, before: &Word, last: &Word) -> Vec<Pair> {
        let value = spec.flags.iter().find(|flag| flag.spelled() == before.text).and_then(|flag| flag.value);
        match value {
            Some(value) => words_of(value, &last.text),
            None if last.text.starts_with('-') => flags(spec.flags, &last.text),
            None if last.text.starts_with('/') => self.paths(last),
            None => words_of(spec.args, &last.text),
        }
    }

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

/// The flags that begin so, each with what it means.
fn flags(flags: &[Flag], prefix: &str) -> Vec<Pair> {
    let spelled = flags.iter().map(|flag| (flag.spelled(), flag.note));
    let fitting = spelled.filter(|(name, _)| name.starts_with(prefix));
    fitting.map(|(name, note)| Pair { display: format!("{name}  {note}"), replacement: format!("{name} ") }).collect()
}

/// The words that a description such as `on|off` allows, and none where it only says what is meant.
fn words_of(description: &str, prefix: &str) -> Vec<Pair> {
    let inner = description.trim_start_matches('[').trim_end_matches(']');
    let words = inner.split('|').filter(|_| inner.contains('|')).filter(|word| word.starts_with(prefix));
    words.map(|word| Pair { display: word.to_owned(), replacement: format!("{word} ") }).collect()
}

fn commands(prefix: &str) -> Vec<Pair> {
    let prefix = prefix.to_ascii_lowercase();
    let names = all_commands().map(|spec| spec.name).filter(|name| name.to_ascii_lowercase().starts_with(&prefix));
    names.map(|name| Pair { display: name.to_owned(), replacement: format!("{name} ") }).collect()
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn offered(pairs: Vec<Pair>) -> Vec<String> {
        pairs.into_iter().map(|pair| pair.replacement).collect()
    }

    #[test]
    fn commands_are_found_in_either_case() {
        assert_eq!(offered(commands("geta")), ["getAcl ", "getAllChildrenNumber "]);
        assert_eq!(offered(commands("SETQ")), ["setquota "]);
    }

    #[test]
    fn flags_are_offered_with_what_they_mean() {
        let spec = find("reconfig").unwrap();
        assert_eq!(offered(flags(spec.flags, "-m")), ["-members "]);
        assert!(flags(find("ls").unwrap().flags, "-").iter().any(|pair| pair.display == "-R  list everything below"));
        assert_eq!(offered(flags(find("ls").unwrap().flags, "--")), ["--json "]);
    }

    #[test]
    fn words_that_are_all_there_is_are_offered() {
        assert_eq!(offered(words_of("PERSISTENT|PERSISTENT_RECURSIVE", "PERSISTENT_")), ["PERSISTENT_RECURSIVE "]);
        assert_eq!(offered(words_of("[on|off]", "o")), ["on ", "off "]);
        assert_eq!(offered(words_of("path [data]", "p")), [""; 0]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn arguments_are_completed_by_where_they_stand() {
        let client = Client::builder().hosts("127.0.0.1:1").connect_lazily().unwrap();
        let completion = Completion { client, runtime: Handle::current() };
        let word = |text: &str| Word { start: 0, text: text.to_owned() };
        let spec = find("addWatch").unwrap();
        let after = |before: &str, last: &str| offered(completion.argument(spec, &word(before), &word(last)));
        assert_eq!(after("addWatch", "-"), ["-m "]);
        assert_eq!(after("-m", "PERSISTENT_"), ["PERSISTENT_RECURSIVE "]);
    }
}
