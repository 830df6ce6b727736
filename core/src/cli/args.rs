//! The options and arguments of one command, taken apart by a getopt-like description.
//!
//! Knows no command. As in the reference's shell, options may stand before, between and after the arguments.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::str::FromStr;

/// What stood after a command's name.
#[derive(Debug, Default)]
pub(super) struct Args {
    options: BTreeMap<char, String>,
    positional: VecDeque<String>,
}

impl Args {
    /// Takes words apart. `accepted` lists the option letters; a colon after one means that it takes a value.
    ///
    /// Several letters may share a dash, and `--` ends the options, so that data may begin with a dash.
    pub(super) fn parse(accepted: &str, words: &[String]) -> Result<Self, String> {
        let mut args = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                args.positional.extend(words.by_ref().cloned());
                break;
            }
            match word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                Some(letters) => args.options_of(accepted, letters, &mut words)?,
                None => args.positional.push_back(word.clone()),
            }
        }
        Ok(args)
    }

    fn options_of<'a>(
        &mut self,
        accepted: &str,
        letters: &str,
        words: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        for (at, letter) in letters.char_indices() {
            let known = accepted.find(letter).filter(|_| letter.is_ascii_alphabetic());
            let Some(known) = known else { return Err(unknown_option(accepted, letters, letter)) };
            if !accepted[known + 1..].starts_with(':') {
                self.options.insert(letter, String::new());
                continue;
            }
            let attached = &letters[at + 1..];
            let value = if attached.is_empty() { words.next().cloned() } else { Some(attached.to_owned()) };
            self.options.insert(letter, value.ok_or_else(|| format!("-{letter} needs a value after it"))?);
            break;
        }
        Ok(())
    }

    /// Whether an option without a value was given.
    pub(super) fn has(&self, letter: char) -> bool {
        self.options.contains_key(&letter)
    }

    /// The value of an option, if it was given.
    pub(super) fn value<T: FromStr>(&self, letter: char, what: &str) -> Result<Option<T>, String> {
        let Some(text) = self.options.get(&letter) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| format!("-{letter} {text}: {what} is expected"))
    }

    /// The next argument.
    pub(super) fn next(&mut self) -> Option<String> {
        self.positional.pop_front()
    }

    /// The next argument, which must be there.
    pub(super) fn require(&mut self, what: &str) -> Result<String, String> {
        self.next().ok_or_else(|| format!("{what} is missing"))
    }

    /// The next argument as a path. A trailing slash, which completion leaves, is taken off unless `sequential`: there it
    /// asks for a name that is nothing but the number.
    pub(super) fn path(&mut self, sequential: bool) -> Result<String, String> {
        let path = self.require("a path")?;
        if !path.starts_with('/') {
            return Err(format!("{path} is not a path: paths are absolute, as in /{path}"));
        }
        match path.strip_suffix('/') {
            Some(bare) if !bare.is_empty() && !sequential => Ok(bare.to_owned()),
            _ => Ok(path),
        }
    }

    /// Says that no further argument is expected.
    pub(super) fn end(mut self) -> Result<(), String> {
        match self.next() {
            None => Ok(()),
            Some(extra) => Err(format!("`{extra}` is one argument too many; quote data that has spaces")),
        }
    }
}

fn unknown_option(accepted: &str, letters: &str, letter: char) -> String {
    let known: Vec<_> = accepted.chars().filter(|&c| c != ':').map(|c| format!("-{c}")).collect();
    let known = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(" ")) };
    format!("no option -{letter} in -{letters}: {known} (put -- before data that begins with a dash)")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn parse(accepted: &str, line: &str) -> Result<Args, String> {
        Args::parse(accepted, &line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_may_stand_anywhere_and_together() {
        for line in ["-s -v 3 /a x", "/a -v3 -s x", "-sv 3 /a x", "/a x -sv3"] {
            let mut args = parse("sv:", line).unwrap();
            assert!(args.has('s'), "{line}");
            assert_eq!(args.value('v', "a version"), Ok(Some(3)), "{line}");
            assert_eq!((args.path(false).unwrap(), args.next().unwrap()), ("/a".to_owned(), "x".to_owned()));
            args.end().unwrap();
        }
    }

    #[test]
    fn two_dashes_end_the_options() {
        let mut args = parse("s", "/a -- -5 --").unwrap();
        assert_eq!([args.next(), args.next(), args.next()], ["/a", "-5", "--"].map(|word| Some(word.to_owned())));
    }

    #[test]
    fn mistakes_say_what_is_expected() {
        assert!(parse("sv:", "-x").unwrap_err().contains("it has -s -v"));
        assert!(parse("", "-x").unwrap_err().contains("it has none"));
        assert!(parse("v:", "-v").unwrap_err().contains("needs a value"));
        assert!(
            parse("v:", "-v x").unwrap().value::<i32>('v', "a version").unwrap_err().contains("a version is expected")
        );
        assert!(parse("", "a").unwrap().path(false).unwrap_err().contains("as in /a"));
        assert!(parse("", "").unwrap().path(false).unwrap_err().contains("a path is missing"));
        assert!(parse("", "a").unwrap().end().unwrap_err().contains("one argument too many"));
    }

    #[test]
    fn a_trailing_slash_means_something_only_for_sequential_names() {
        let path = |sequential| parse("", "/a/").unwrap().path(sequential).unwrap();
        assert_eq!((path(false), path(true)), ("/a".to_owned(), "/a/".to_owned()));
        assert_eq!(parse("", "/").unwrap().path(false).unwrap(), "/");
    }
}
