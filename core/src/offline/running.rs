//! Whether a process of this machine has a file of a directory open, as far as the system says. It knows nothing of who that is.
#![expect(clippy::disallowed_methods, reason = "what the system says of processes is no file of a data directory")]

use std::fs;
use std::path::Path;

/// A process that has such a file open: its id, and what it is called. `None` when there is none, or nothing can be seen:
/// only the processes of the same user are seen, and only on Linux.
pub(super) fn user_of(dir: &Path) -> Option<(u32, String)> {
    let dir = fs::canonicalize(dir).ok()?;
    let own = std::process::id();
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if pid == own {
            continue;
        }
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let has_open = files
            .flatten()
            .any(|file| fs::read_link(file.path()).is_ok_and(|target| target.parent() == Some(&dir) || target == dir));
        if has_open {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some((pid, name.trim().to_owned()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn whoever_has_a_file_open_is_found_until_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let file = fs::File::create(dir.path().join("log.1")).unwrap();
        assert_eq!(user_of(dir.path()), None, "this process does not count");
        let mut other = Command::new("cat").stdin(Stdio::piped()).stdout(file).spawn().unwrap();
        let found = user_of(dir.path());
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(found, Some((other.id(), "cat".to_owned())));
        assert_eq!(user_of(dir.path()), None);
    }
}
