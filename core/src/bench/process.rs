//! What the system says of the server's process: CPU time and memory, from `/proc` of Linux.

use std::fs;
use std::io;
use std::time::Duration;

/// A process of this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Process {
    pid: u32,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    /// CPU time of all its threads, in user and kernel mode.
    pub(super) cpu: Duration,
    /// Resident memory, in KiB.
    pub(super) rss_kib: u64,
    /// The most memory that was resident at once, in KiB.
    pub(super) peak_rss_kib: u64,
}

/// The unit of CPU time in `/proc` is 1/100 s on every architecture that Linux runs on (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

impl Process {
    pub(super) fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// There is no such process, or no `/proc`.
    pub(super) fn usage(self) -> io::Result<Usage> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        parse(&stat, &status).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not what Linux writes"))
    }
}

fn parse(stat: &str, status: &str) -> Option<Usage> {
    // The name of the program, in parentheses, may itself hold spaces and parentheses.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let user: u32 = fields.nth(11)?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    Some(Usage { cpu: TICK * (user + system), rss_kib: kib("VmRSS:")?, peak_rss_kib: kib("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn reads_what_linux_writes() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 9 0 100 1 2";
        let status = "Name:\ta\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let usage = Usage { cpu: Duration::from_secs(2), rss_kib: 1024, peak_rss_kib: 2048 };
        assert_eq!(parse(stat, status), Some(usage));
        assert_eq!(parse("7", status), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn reads_this_process() {
        assert!(Process::new(std::process::id()).usage().unwrap().rss_kib > 100);
    }
}
