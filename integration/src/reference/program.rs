//! One-file Java programs against the reference's Java client, for what its shells cannot say (`multi`).

use std::fs;
use std::io;
use std::process::Command;

use super::{JARS, Reference};

/// `multi` and `multiRead` through the reference's own `Transaction` and `Op` types. Prints one line for each result.
const MULTI_SESSION: &str = include_str!("MultiSession.java");

impl Reference {
    /// Runs the multi session against `hosts` and returns the lines it printed.
    pub fn multi_session(&self, hosts: &str) -> io::Result<Vec<String>> {
        self.java_program("MultiSession.java", MULTI_SESSION, &[], &[hosts])
    }

    /// Runs a one-file program, with more of Debian's jars beside the reference's, and returns the lines it printed.
    pub(crate) fn java_program(
        &self,
        name: &str,
        source: &str,
        jars: &[&str],
        arguments: &[&str],
    ) -> io::Result<Vec<String>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join(name);
        fs::write(&file, source)?;
        let jars: Vec<String> = jars.iter().map(|jar| format!("{JARS}/{jar}")).collect();
        lines(self.java_with(&jars).arg(&file).args(arguments))
    }
}

/// Runs a program and returns the lines it printed; when it fails, an error with all that it said.
pub(crate) fn lines(program: &mut Command) -> io::Result<Vec<String>> {
    let output = program.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let why = format!("{}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr));
        return Err(io::Error::other(why));
    }
    Ok(said.lines().map(str::to_owned).collect())
}
