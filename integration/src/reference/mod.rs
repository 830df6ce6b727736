//! The reference: Apache ZooKeeper 3.8.0 as Debian packages it (`zookeeper`, `zookeeper-bin`), its server and its own
//! two clients. An oracle that nobody here wrote.

mod program;
mod shells;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::requirement;

pub(crate) use program::lines;

/// The name of this need in `MENAGERIE_REQUIRE`.
pub const NEED: &str = "apache";

/// Where Debian puts the jars; the main jar's manifest names all the others.
pub(crate) const JARS: &str = "/usr/share/java";
const C_SHELL: &str = "/usr/lib/zookeeper/bin/cli_mt";

/// The installed reference.
#[derive(Clone, Debug)]
pub struct Reference {
    java: PathBuf,
}

impl Reference {
    /// Looks for a JVM with a compiler, the jars and the C shell. Without them: `None` after saying that the test is
    /// skipped, or an error when `MENAGERIE_REQUIRE` names `apache`.
    pub fn find() -> io::Result<Option<Self>> {
        match look() {
            Ok(found) => Ok(Some(found)),
            Err(why) => requirement::absent(NEED, &why).map(|()| None),
        }
    }

    /// The server with the configuration file `zoo_cfg`, with the heap limit of the reference's own start script and
    /// warnings on standard error.
    ///
    /// Settings of `znode.container` are given to the JVM as well: the reference reads them nowhere else.
    pub fn server(&self, zoo_cfg: &Path) -> Command {
        let mut command = self.java();
        let settings = std::fs::read_to_string(zoo_cfg).unwrap_or_default();
        let containers = settings.lines().filter(|line| line.starts_with("znode.container."));
        command.args(containers.map(|line| format!("-D{line}")));
        command.args(["-Xmx1000m", "org.apache.zookeeper.server.quorum.QuorumPeerMain"]).arg(zoo_cfg);
        command
    }

    /// What the reference's own `SnapshotFormatter` prints of a snapshot, with the data in base64.
    pub fn format_snapshot(&self, file: &Path) -> io::Result<String> {
        let mut command = self.java();
        command.args(["org.apache.zookeeper.server.SnapshotFormatter", "-d"]).arg(file);
        let output = command.output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// `java` with the reference's jars; the caller adds options, the main class and its arguments.
    fn java(&self) -> Command {
        self.java_with(&[])
    }

    /// As [`Reference::java`], with more jars.
    fn java_with(&self, jars: &[String]) -> Command {
        let mut command = Command::new(&self.java);
        command.stdin(Stdio::null());
        let ours = ["zookeeper.jar", "slf4j-simple.jar"].map(|jar| format!("{JARS}/{jar}"));
        command.arg("-cp").arg([jars, &ours].concat().join(":"));
        command.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
        command
    }
}

fn look() -> Result<Reference, String> {
    let jars = ["zookeeper.jar", "slf4j-simple.jar"].map(|name| Path::new(JARS).join(name));
    for file in jars.iter().map(PathBuf::as_path).chain([Path::new(C_SHELL)]) {
        if !file.exists() {
            return Err(format!("there is no {} (Debian packages zookeeper, zookeeper-bin)", file.display()));
        }
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let find = |name: &str| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.exists());
    // One-file programs are compiled when they are run.
    find("javac").ok_or("there is no javac (Debian package default-jdk-headless)")?;
    let java = find("java").ok_or("there is no java")?;
    Ok(Reference { java })
}
