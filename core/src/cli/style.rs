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
        Self::of(&std::io::stderr())
    }

    /// The same for standard output.
    pub(super) fn detect_output() -> Self {
        Self::of(&std::io::stdout())
    }

    /// No colours.
    pub(super) const fn plain() -> Self {
        Self { colours: false }
    }

    fn of(stream: &impl IsTerminal) -> Self {
        let minds = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { colours: stream.is_terminal() && !minds && !dumb }
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

    /// The name of an ephemeral znode.
    pub(super) fn ephemeral(self, name: &str) -> String {
        self.paint("33", name)
    }

    /// The name of a znode that has children.
    pub(super) fn inner(self, name: &str) -> String {
        self.paint("1;34", name)
    }

    /// A line of `diff`.
    pub(super) fn difference(self, sign: char, path: &str) -> String {
        let code = match sign {
            '-' => "31",
            '+' => "32",
            _ => "33",
        };
        self.paint(code, format_args!("{sign} {path}"))
    }

    fn paint(self, code: &str, text: impl Display) -> String {
        let text = text.to_string();
        if self.colours && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text }
    }
}
