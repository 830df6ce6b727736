//! The offline tools as a test runs them, and the files of a data directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::ours;

/// What a tool said, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; −1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs `menagerie WORDS… FILES…`.
pub fn run(words: &[&str], files: &[&Path]) -> io::Result<Said> {
    let output = ours::binary(ours::Profile::Dev)?.command().args(words).args(files).output()?;
    Ok(Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs a tool with `--json`, which must find all well, and returns the objects it prints.
pub fn run_json(words: &[&str], files: &[&Path]) -> io::Result<Vec<Value>> {
    let said = run(&[words, &["--json"]].concat(), files)?;
    if said.code != 0 {
        return Err(io::Error::other(format!("{words:?} {files:?} ended with {said:?}")));
    }
    let objects: Result<_, _> = said.out.lines().map(serde_json::from_str).collect();
    objects.map_err(io::Error::other)
}

/// The files of a data directory whose names begin with `prefix` (`log.` or `snapshot.`), the oldest first.
pub fn files(data_dir: &Path, prefix: &str) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(data_dir.join("version-2"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(zxid) = name.strip_prefix(prefix).and_then(|hex| u64::from_str_radix(hex, 16).ok()) {
            files.push((zxid, path));
        }
    }
    files.sort_unstable();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}
