//! How far a long reading is, on one line of the terminal. It knows bytes and no clock: a line is drawn when the percentage
//! changes.

use std::fmt;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Less than this is read before anybody wonders.
const WORTH_SHOWING: u64 = 16 << 20;

/// The line.
pub(super) struct Progress(Mutex<State>);

struct State {
    terminal: Box<dyn Write + Send>,
    is_on: bool,
    label: String,
    total: u64,
    done: u64,
    shown: Option<u64>,
}

impl Progress {
    /// A line on `terminal`; nothing is ever written unless `is_on`.
    pub(super) fn new(terminal: Box<dyn Write + Send>, is_on: bool) -> Self {
        let state = State { terminal, is_on, label: String::new(), total: 0, done: 0, shown: None };
        Progress(Mutex::new(state))
    }

    /// Says nothing from now on: the output is on the same terminal.
    pub(super) fn silence(&self) {
        self.state().is_on = false;
    }

    /// Something of `total` bytes is going to be read.
    pub(super) fn begin(&self, label: &str, total: u64) {
        let mut state = self.state();
        state.clear();
        label.clone_into(&mut state.label);
        (state.total, state.done) = (total, 0);
    }

    /// So many more bytes were read. What is read twice counts up to the total.
    pub(super) fn advance(&self, bytes: u64) {
        let mut state = self.state();
        state.done = (state.done + bytes).min(state.total);
        if state.is_on && state.total >= WORTH_SHOWING {
            state.draw();
        }
    }

    /// Removes the line.
    pub(super) fn finish(&self) {
        self.state().clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn draw(&mut self) {
        let percent = self.done * 100 / self.total.max(1);
        if self.shown == Some(percent) {
            return;
        }
        self.shown = Some(percent);
        // Whoever cannot be told of progress is not told.
        let _ = write!(self.terminal, "\r\x1b[K{}: {percent} % of {} MiB", self.label, self.total >> 20);
        let _ = self.terminal.flush();
    }

    fn clear(&mut self) {
        if self.shown.take().is_some() {
            let _ = write!(self.terminal, "\r\x1b[K");
            let _ = self.terminal.flush();
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::io;
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Screen {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn a_long_reading_shows_each_percentage_once_and_clears_its_line() {
        let screen = Screen::default();
        let progress = Progress::new(Box::new(screen.clone()), true);
        progress.begin("log.1", 32 << 20);
        for _ in 0..3 {
            progress.advance(1);
        }
        progress.advance(16 << 20);
        progress.advance(64 << 20);
        progress.finish();
        progress.finish();
        let lines = ["log.1: 0 % of 32 MiB", "log.1: 50 % of 32 MiB", "log.1: 100 % of 32 MiB", ""];
        assert_eq!(screen.text(), lines.map(|line| format!("\r\x1b[K{line}")).concat());
    }

    #[test]
    fn short_readings_and_other_streams_show_nothing() {
        for (is_on, total) in [(true, 1 << 20), (false, 64 << 20)] {
            let screen = Screen::default();
            let progress = Progress::new(Box::new(screen.clone()), is_on);
            progress.begin("log.1", total);
            progress.advance(total / 2);
            progress.finish();
            assert_eq!(screen.text(), "");
        }
    }
}
