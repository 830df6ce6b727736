//! How far a long command has come, told to whoever waits at a terminal. It never says what belongs to the output.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use tokio::time::Instant;

/// How often it is told.
const PERIOD: Duration = Duration::from_millis(200);

/// A line at the bottom of the terminal, if standard error is one.
pub(super) struct Progress {
    is_seen: bool,
    what: &'static str,
    last: Instant,
    is_shown: bool,
}

impl Progress {
    /// Nothing yet; `what` is done with the znodes.
    pub(super) fn new(what: &'static str) -> Self {
        Self { is_seen: std::io::stderr().is_terminal(), what, last: Instant::now(), is_shown: false }
    }

    /// So many znodes and bytes of data until now.
    pub(super) fn tell(&mut self, znodes: u64, bytes: u64) {
        if !self.is_seen || self.last.elapsed() < PERIOD {
            return;
        }
        self.last = Instant::now();
        self.is_shown = true;
        // Progress that cannot be shown is of no use to anybody.
        let _ = write!(std::io::stderr(), "\r\x1b[K{} {}", self.what, amount(znodes, bytes));
    }
}

/// Takes the line away.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

/// `3 znodes, 1.5 MB`.
pub(super) fn amount(znodes: u64, bytes: u64) -> String {
    let size = match bytes {
        1 => "1 byte".to_owned(),
        0..1000 => format!("{bytes} bytes"),
        1000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    };
    format!("{znodes} {}, {size}", if znodes == 1 { "znode" } else { "znodes" })
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[test]
    fn amounts_are_short() {
        assert_eq!(amount(1, 999), "1 znode, 999 bytes");
        assert_eq!(amount(0, 1), "0 znodes, 1 byte");
        assert_eq!(amount(2, 1_500_000), "2 znodes, 1.5 MB");
    }
}
