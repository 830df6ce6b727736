//! The flags and arguments of one command, taken apart by a description of what it accepts.
//!
//! Knows no command. As in the reference's shell, flags may stand before, between and after the arguments, one dash is enough for
//! long names, and a value may follow after `=`.

use std::collections::{BTreeMap, VecDeque};
use std::str::FromStr;

/// A flag that a command accepts.
#[derive(Debug)]
pub(super) struct Flag {
    /// Its name without the dash: a letter or a word.
    pub(super) name: &'static str,
    /// What follows it, if something does. Words with `|` between are all that is possible.
    pub(super) value: Option<&'static str>,
    /// What it means, for `help` and for Tab.
    pub(super) note: &'static str,
}

impl Flag {
    /// A flag alone.
    pub(super) const fn switch(name: &'static str, note: &'static str) -> Self {
        Self { name, value: None, note }
    }

    /// A flag with a value after it.
    pub(super) const fn valued(name: &'static str, value: &'static str, note: &'static str) -> Self {
        Self { name, value: Some(value), note }
    }

    /// As `help` and Tab write it.
    pub(super) fn spelled(&self) -> String {
        format!("{}{}", if self.name == "json" { "--" } else { "-" }, self.name)
    }
}

/// What stood after a command's name.
#[derive(Debug, Default)]
pub(super) struct Args {
    flags: BTreeMap<&'static str, String>,
    positional: VecDeque<String>,
    notes: Vec<String>,
}

impl Args {
    /// Takes words apart.
    ///
    /// Several flags of one letter may share a dash, and `--` ends the flags, so that data may begin with a dash.
    pub(super) fn parse(accepted: &'static [Flag], words: &[String]) -> Result<Self, String> {
        let mut args = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                args.positional.extend(words.by_ref().cloned());
                break;
            }
            match word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
                Some(rest) => args.flag(accepted, rest, &mut words)?,
                None => args.positional.push_back(word.clone()),
            }
        }
        Ok(args)
    }

    fn flag<'a>(
        &mut self,
        accepted: &'static [Flag],
        text: &str,
        words: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        let (name, attached) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        match find(accepted, name.strip_prefix('-').unwrap_or(name)) {
            Some(flag) => self.set(flag, attached, words),
            None => self.letters(accepted, text, words),
        }
    }

    fn letters<'a>(
        &mut self,
        accepted: &'static [Flag],
        letters: &str,
        words: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        for (at, letter) in letters.char_indices() {
            let Some(flag) = find(accepted, &letters[at..at + letter.len_utf8()]) else {
                return Err(unknown_flag(accepted, letters));
            };
            if flag.value.is_some() {
                let rest = &letters[at + 1..];
                let attached = Some(rest.strip_prefix('=').unwrap_or(rest)).filter(|rest| !rest.is_empty());
                return self.set(flag, attached, words);
            }
            self.flags.insert(flag.name, String::new());
        }
        Ok(())
    }

    fn set<'a>(
        &mut self,
        flag: &'static Flag,
        attached: Option<&str>,
        words: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        let value = match (flag.value, attached) {
            (None, None) => String::new(),
            (None, Some(_)) => return Err(format!("{} takes no value", flag.spelled())),
            (Some(_), Some(value)) => value.to_owned(),
            (Some(what), None) => {
                words.next().cloned().ok_or_else(|| format!("{} needs a value after it: {what}", flag.spelled()))?
            }
        };
        self.flags.insert(flag.name, value);
        Ok(())
    }

    /// Whether a flag was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.flags.contains_key(name)
    }

    /// The text after a flag, if it was given.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.flags.get(name).map(String::as_str)
    }

    /// The value of a flag, if it was given.
    pub(super) fn value<T: FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, String> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| format!("-{name} {text}: {what} is expected"))
    }

    /// Something to tell whoever typed it, though it works.
    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The next argument.
    pub(super) fn next(&mut self) -> Option<String> {
        self.positional.pop_front()
    }

    /// The next argument, if it is like this.
    pub(super) fn next_if(&mut self, is_so: impl Fn(&str) -> bool) -> Option<String> {
        if is_so(self.positional.front()?) { self.positional.pop_front() } else { None }
    }

    /// Whether no argument is left.
    pub(super) fn is_empty(&self) -> bool {
        self.positional.is_empty()
    }

    /// The next argument as a path; the root without one.
    pub(super) fn path_or_root(&mut self) -> Result<String, String> {
        if self.is_empty() { Ok("/".to_owned()) } else { self.path(false) }
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

    /// Says that no further argument is expected. The notes.
    pub(super) fn end(mut self) -> Result<Vec<String>, String> {
        match self.next() {
            None => Ok(self.notes),
            Some(extra) => Err(format!("`{extra}` is one argument too many; quote data that has spaces")),
        }
    }
}

fn find(accepted: &'static [Flag], name: &str) -> Option<&'static Flag> {
    accepted.iter().find(|flag| flag.name == name)
}

fn unknown_flag(accepted: &[Flag], text: &str) -> String {
    let known: Vec<_> = accepted.iter().map(Flag::spelled).collect();
    let known = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(" ")) };
    format!("no option -{text}: {known} (put -- before data that begins with a dash)")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const FLAGS: &[Flag] =
        &[Flag::switch("s", ""), Flag::valued("v", "version", ""), Flag::valued("add", "servers", "")];

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(FLAGS, &line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn flags_may_stand_anywhere_and_together() {
        for line in ["-s -v 3 /a x", "/a -v3 -s x", "-sv 3 /a x", "/a x -sv3", "/a -s x -v=3", "--v 3 --s /a x"] {
            let mut args = parse(line).unwrap();
            assert!(args.has("s"), "{line}");
            assert_eq!(args.value("v", "a version"), Ok(Some(3)), "{line}");
            assert_eq!((args.path(false).unwrap(), args.next().unwrap()), ("/a".to_owned(), "x".to_owned()));
            args.end().unwrap();
        }
    }

    #[test]
    fn words_are_flags_too() {
        for line in ["-add server.1=a:1:2;3", "-add=server.1=a:1:2;3", "--add server.1=a:1:2;3"] {
            assert_eq!(parse(line).unwrap().text("add"), Some("server.1=a:1:2;3"), "{line}");
        }
    }

    #[test]
    fn two_dashes_end_the_flags() {
        let mut args = parse("/a -- -s").unwrap();
        assert!(!args.has("s"));
        assert_eq!((args.next().unwrap(), args.next().unwrap()), ("/a".to_owned(), "-s".to_owned()));
    }

    #[test]
    fn a_trailing_slash_means_something_only_for_sequential_names() {
        let path = |sequential| parse("/a/").unwrap().path(sequential).unwrap();
        assert_eq!((path(false), path(true)), ("/a".to_owned(), "/a/".to_owned()));
        assert_eq!(parse("/").unwrap().path(false).unwrap(), "/");
    }

    #[test]
    fn mistakes_say_what_is_expected() {
        for (line, words) in [
            ("-w /a", "no option -w: it has -s -v -add"),
            ("/a -v", "-v needs a value after it: version"),
            ("-s=1 /a", "-s takes no value"),
            ("-x1 /a", "no option -x1"),
        ] {
            assert!(parse(line).unwrap_err().contains(words), "{line}: {}", parse(line).unwrap_err());
        }
        assert!(
            parse("/a -v x").unwrap().value::<i32>("v", "a version").unwrap_err().contains("a version is expected")
        );
        assert!(parse("a").unwrap().path(false).unwrap_err().contains("as in /a"));
        assert!(parse("").unwrap().path(false).unwrap_err().contains("a path is missing"));
        assert!(parse("a").unwrap().end().unwrap_err().contains("one argument too many"));
        assert!(Args::parse(&[], &["-x".to_owned()]).unwrap_err().contains("it has none"));
    }
}
