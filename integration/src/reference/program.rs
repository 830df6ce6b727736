//! One-file Java programs against the reference's Java client, for what its shells cannot say (`multi`).

use std::fs;
use std::io;

use super::Reference;

/// `multi` and `multiRead` through the reference's own `Transaction` and `Op` types. Prints one line for each result.
const MULTI_SESSION: &str = include_str!("MultiSession.java");

impl Reference {
    /// Runs the multi session against `hosts` and returns the lines it printed.
    pub fn multi_session(&self, hosts: &str) -> io::Result<Vec<String>> {
        let folder = tempfile::tempdir()?;
        let source = folder.path().join("MultiSession.java");
        fs::write(&source, MULTI_SESSION)?;
        let output = self.java().arg(&source).arg(hosts).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let why = format!("{}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr));
            return Err(io::Error::other(why));
        }
        Ok(said.lines().map(str::to_owned).collect())
    }
}
