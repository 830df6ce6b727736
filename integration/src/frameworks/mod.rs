//! Frameworks that others build on ZooKeeper, as Debian packages them: Curator for Java, Kazoo for Python. Each has a program
//! here that goes through its recipes with two clients and says what it saw, the same on every server that is one.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::reference::{JARS, Reference, lines};
use crate::requirement;

const CURATOR_SESSION: &str = include_str!("CuratorSession.java");
const CURATOR_COUNT: &str = include_str!("CuratorCount.java");
const KAZOO_SESSION: &str = include_str!("kazoo_session.py");

/// The interpreter that Debian's Python packages are installed for.
const PYTHON: &str = "/usr/bin/python3";

/// Curator 5.4.0, with the reference's Java client below it.
#[derive(Clone, Debug)]
pub struct Curator(Reference);

impl Curator {
    const NEED: &str = "curator";
    const JARS: [&str; 4] = ["curator-recipes.jar", "curator-framework.jar", "curator-client.jar", "guava.jar"];

    /// Looks for the reference and for Curator's jars. Without them: `None` after saying that the test is skipped, or an
    /// error when `MENAGERIE_REQUIRE` names `curator`.
    pub fn find() -> io::Result<Option<Self>> {
        let Some(reference) = Reference::find()? else { return Ok(None) };
        match Self::JARS.iter().map(|name| Path::new(JARS).join(name)).find(|jar| !jar.exists()) {
            None => Ok(Some(Curator(reference))),
            Some(jar) => {
                let why = format!("there is no {} (Debian package libcurator-recipes-java)", jar.display());
                requirement::absent(Self::NEED, &why).map(|()| None)
            }
        }
    }

    /// Two applications with `hosts`: locks, election, counters, barriers, queue, cache, groups. The lines they printed.
    pub fn session(&self, hosts: &str) -> io::Result<Vec<String>> {
        self.0.java_program("CuratorSession.java", CURATOR_SESSION, &Self::JARS, &[hosts])
    }

    /// Adds `rounds` to the number in `file`, one at a time, each under Curator's mutex at `lock`.
    pub fn count(&self, hosts: &str, lock: &str, file: &Path, rounds: usize) -> io::Result<()> {
        let (file, rounds) = (file.to_string_lossy(), rounds.to_string());
        let arguments = [hosts, lock, &file, &rounds];
        self.0.java_program("CuratorCount.java", CURATOR_COUNT, &Self::JARS, &arguments).map(drop)
    }
}

/// Kazoo 2.8.0.
#[derive(Clone, Copy, Debug)]
pub struct Kazoo;

impl Kazoo {
    const NEED: &str = "kazoo";

    /// Looks for Python with Kazoo. Without them: `None` after saying that the test is skipped, or an error when
    /// `MENAGERIE_REQUIRE` names `kazoo`.
    pub fn find() -> io::Result<Option<Self>> {
        let mut import = Command::new(PYTHON);
        import.args(["-c", "import kazoo"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if import.status().is_ok_and(|status| status.success()) {
            return Ok(Some(Kazoo));
        }
        let why = format!("{PYTHON} has no kazoo (Debian package python3-kazoo)");
        requirement::absent(Self::NEED, &why).map(|()| None)
    }

    /// Two applications with `hosts`: locks, election, barriers, queues, counter, party, watches. The lines they printed.
    pub fn session(&self, hosts: &str) -> io::Result<Vec<String>> {
        let folder = tempfile::tempdir()?;
        let source = folder.path().join("kazoo_session.py");
        fs::write(&source, KAZOO_SESSION)?;
        lines(Command::new(PYTHON).arg(&source).arg(hosts).stdin(Stdio::null()))
    }
}
