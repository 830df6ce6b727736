//! The `menagerie` binary of this workspace. Cargo tells a test only the path of binaries in the test's own package, so
//! the binary is asked for by `cargo build`, which does nothing when it is fresh and waits for another build that runs.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::workspace;

/// The built binary.
#[derive(Clone, Debug)]
pub struct Binary {
    path: PathBuf,
}

/// How it is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As tests are.
    Dev,
    /// As users run it; for measurements.
    Release,
}

/// Builds the binary, once in each process and profile.
pub fn binary(profile: Profile) -> io::Result<Binary> {
    static DEV: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    static RELEASE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let slot = match profile {
        Profile::Dev => &DEV,
        Profile::Release => &RELEASE,
    };
    let built = slot.get_or_init(|| build(profile).map_err(|error| error.to_string()));
    built.clone().map(|path| Binary { path }).map_err(io::Error::other)
}

impl Binary {
    /// `menagerie` with its standard input closed; the caller adds the arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.stdin(Stdio::null());
        command
    }

    /// `menagerie server ZOO_CFG`.
    pub fn server(&self, zoo_cfg: &Path) -> Command {
        let mut command = self.command();
        command.arg("server").arg(zoo_cfg);
        command
    }
}

fn build(profile: Profile) -> io::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(workspace::root()).stdin(Stdio::null()).stderr(Stdio::inherit());
    command.args(["build", "--quiet", "--locked", "-p", "menagerie-core", "--features", "server,cli"]);
    command.args(["--bin", "menagerie", "--message-format", "json-render-diagnostics"]);
    if profile == Profile::Release {
        command.arg("--release");
    }
    let output = command.output()?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .next_back();
    executable.ok_or_else(|| io::Error::other(format!("`cargo build` gave no menagerie binary ({})", output.status)))
}
