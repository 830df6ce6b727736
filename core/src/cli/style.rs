//! Colours, and whether there are any.

use std::env;
use std::fmt::Display;
use std::io::IsTerminal;

use super::failure::Failure;

/// How text is coloured, if at all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    colours: bool,
}

impl Style {
    /// Colours if standard error is a terminal that has them and nobody minds: `NO_COLOR` and `TERM=dumb` are respected.
    pub(super) fn detect() -> Self {
        let minds = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { colours: std::io::stderr().is_terminal() && !minds && !dumb }
    }

    /// An error and what to do about it.
    pub(super) fn failure(self, failure: &Failure) -> String {
        format!("{} {failure}", self.paint("1;31", "error:"))
    }

    /// Something said on the side.
    pub(super) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// An event of a watch.
    pub(super) fn event(self, text: &str) -> String {
        self.paint("36", text)
    }

    fn paint(self, code: &str, text: impl Display) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}
