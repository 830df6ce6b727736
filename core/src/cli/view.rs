//! How a command's output is to look.

use serde::Serialize;

use super::shell::Output;
use super::style::Style;

/// How output looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    /// As JSON, one value in a line.
    pub(super) json: bool,
    /// Whether it goes to a terminal, which must be kept from control characters, and where somebody reads it.
    pub(super) for_terminal: bool,
    pub(super) style: Style,
}

impl View {
    /// A value as one line of JSON.
    pub(super) fn json(out: Output<'_>, value: &impl Serialize) -> std::io::Result<()> {
        serde_json::to_writer(&mut *out, value)?;
        out.write_all(b"\n")
    }
}
