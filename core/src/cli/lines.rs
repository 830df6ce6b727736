//! The lines of standard input, some of which may be no text. Knows nothing of what they say.

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use super::failure::Failure;

/// Reads line by line.
pub(super) struct Lines<R> {
    input: R,
    number: u64,
    is_over: bool,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, number: 0, is_over: false }
    }

    /// The next line without its end. A line that is no text is a failure, and others may follow it; nothing follows where reading fails.
    pub(super) async fn next(&mut self) -> Option<Result<String, Failure>> {
        if self.is_over {
            return None;
        }
        let mut line = Vec::new();
        match self.input.read_until(b'\n', &mut line).await {
            Ok(0) => return None,
            Ok(_) => self.number += 1,
            Err(error) => {
                self.is_over = true;
                return Some(Err(Failure::usage(format_args!("cannot read the commands: {error}"))));
            }
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let number = self.number;
        Some(std::str::from_utf8(line).map(str::to_owned).map_err(|_| {
            Failure::usage(format_args!("line {number} is not UTF-8: with -b, data can be given as base64"))
        }))
    }
}
