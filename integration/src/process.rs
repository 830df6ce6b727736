//! What a process costs, as Linux tells it, and signals to it.

use std::fs;
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Sends `signal` (`TERM`, `STOP`, `CONT`) to the process `pid`. The standard library can only kill.
pub fn signal(pid: u32, signal: &str) -> io::Result<()> {
    let status = Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).stdin(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("kill -{signal} {pid}: {status}"))) }
}

/// Resident memory of a process in KiB.
pub fn rss_kib(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
    line.ok_or_else(|| io::Error::other("the process has ended"))
}

/// The CPU time of all its threads so far. Linux counts it in units of 10 ms.
pub fn cpu(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program, in parentheses, may itself hold spaces and parentheses.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace());
    let mut ticks = fields.into_iter().flatten().skip(11).take(2).map(str::parse::<u32>);
    match (ticks.next(), ticks.next()) {
        (Some(Ok(user)), Some(Ok(system))) => Ok(Duration::from_millis(10) * (user + system)),
        _ => Err(io::Error::other("not what Linux writes")),
    }
}

/// Its open files and sockets.
pub fn open_files(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_costs_something() {
        let pid = std::process::id();
        assert!(rss_kib(pid).is_ok_and(|kib| kib > 100));
        assert!(open_files(pid).is_ok_and(|files| files > 0));
        assert!(rss_kib(u32::MAX).is_err());
        assert!(cpu(pid).is_ok() && cpu(u32::MAX).is_err());
    }
}
