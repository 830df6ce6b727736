//! What a process uses: CPU-seconds and resident memory, read from `/proc` (Linux).

use std::fs;
use std::io;

/// One reading of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// User and system time since the process began, in seconds, with the kernel's resolution of 10 ms.
    pub cpu_seconds: f64,
    /// Resident memory in bytes.
    pub resident_bytes: u64,
}

/// The kernel reports CPU time to user space in hundredths of a second (`USER_HZ`) on every Linux Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads the usage of process `pid`.
pub fn of(pid: u32) -> io::Result<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    parse(&stat, &status).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}: {stat}")))
}

fn parse(stat: &str, status: &str) -> Option<Usage> {
    // The name in parentheses may itself hold spaces and parentheses; the fields begin after the last one.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = resident.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(Usage { cpu_seconds: (user + system) as f64 / TICKS_PER_SECOND, resident_bytes: kibibytes * 1024 })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::{of, parse};

    #[test]
    fn reads_a_process_whose_name_has_parentheses() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 90 0 0 0 150 50 0 0 20 0 1 0 100 1000 200";
        let usage = parse(stat, "Name:\ta\nVmRSS:\t   2048 kB\n").unwrap();
        assert!((usage.cpu_seconds - 2.0).abs() < f64::EPSILON);
        assert_eq!(usage.resident_bytes, 2 * 1024 * 1024);
    }

    #[test]
    fn reads_this_process() {
        assert!(of(std::process::id()).unwrap().resident_bytes > 0);
    }
}
