//! A server in its own process, on a free port of 127.0.0.1 and a data directory of its own: started, killed, started
//! again on the same data, as the same software or the other one.
//!
//! The process is killed, by its id, when the value is dropped, and the directory is removed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::software::Software;
use crate::{four_letter, port, process};

/// How long a server may take to serve, or to stop. Generous: a JVM on a loaded machine needs several seconds.
const PATIENCE: Duration = Duration::from_secs(90);

/// A server under test.
#[derive(Debug)]
pub struct Server {
    software: Software,
    home: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Starts `software` on an empty directory with `tickTime=500` and returns when it serves.
    pub fn start(software: Software) -> io::Result<Self> {
        Self::start_with(software, &[])
    }

    /// The same with further lines of `zoo.cfg`, as key and value; a key given here wins over the harness's own.
    pub fn start_with(software: Software, settings: &[(&str, &str)]) -> io::Result<Self> {
        Self::start_from(software, settings, &[])
    }

    /// The same with copies of these logs and snapshots in its data directory.
    pub fn start_from(software: Software, settings: &[(&str, &str)], files: &[PathBuf]) -> io::Result<Self> {
        let home = tempfile::Builder::new().prefix("menagerie-test-").tempdir()?;
        let port = port::free()?;
        let version_dir = home.path().join("data/version-2");
        fs::create_dir_all(&version_dir)?;
        for file in files {
            fs::copy(file, version_dir.join(file.file_name().unwrap_or_default()))?;
        }
        let mut server = Self { software, home, port, child: None };
        fs::write(server.configuration(), zoo_cfg(&server.data_dir(), port, settings))?;
        server.start_again()?;
        Ok(server)
    }

    /// `127.0.0.1:port`.
    pub fn connect_string(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The client port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id; `None` while it is stopped.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Which software it is.
    pub fn software(&self) -> &Software {
        &self.software
    }

    /// The `dataDir` of its configuration.
    pub fn data_dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// The configuration file.
    pub fn configuration(&self) -> PathBuf {
        self.home.path().join("zoo.cfg")
    }

    /// What it has written to its standard output and error since the first start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// The end of [`Server::log`], for the message of a failed test: the whole may be tens of kilobytes.
    pub fn log_end(&self) -> String {
        const LINES: usize = 30;
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> io::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// `kill -TERM`, and waits until it has ended. Returns how it ended; `None` when it was stopped already.
    pub fn stop(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(mut child) = self.child.take() else { return Ok(None) };
        terminate(child.id())?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() > deadline {
                child.kill()?;
                child.wait()?;
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the server ignored SIGTERM"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts it on the same directory and port, and returns when it serves.
    pub fn start_again(&mut self) -> io::Result<()> {
        let log = File::options().create(true).append(true).open(self.log_file())?;
        let mut command = self.software.serve(&self.configuration());
        command.current_dir(self.home.path()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn()?);
        self.wait_until_it_serves()
    }

    /// Starts another software on the same directory and port. Stop this one first.
    pub fn start_again_as(&mut self, software: Software) -> io::Result<()> {
        self.software = software;
        self.start_again()
    }

    fn wait_until_it_serves(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        // `srvr` names a mode only when requests are served; `ruok` answers too early.
        while !four_letter::ask(self.port, "srvr").is_ok_and(|answer| answer.contains("Mode: ")) {
            let ended = match self.child.as_mut() {
                Some(child) => child.try_wait()?,
                None => None,
            };
            if ended.is_some() || Instant::now() > deadline {
                let why = format!("{} does not serve; its log ends:\n{}", self.software.name(), self.log_end());
                return Err(io::Error::other(why));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn log_file(&self) -> PathBuf {
        self.home.path().join("server.log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing to do about a process that is gone already.
        let _ = self.kill();
    }
}

/// Sends SIGTERM to the process `pid`.
pub fn terminate(pid: u32) -> io::Result<()> {
    process::signal(pid, "TERM")
}

fn zoo_cfg(data_dir: &Path, port: u16, settings: &[(&str, &str)]) -> String {
    let data_dir = data_dir.display().to_string();
    let port = port.to_string();
    let own = [
        ("tickTime", "500"),
        ("dataDir", data_dir.as_str()),
        ("clientPortAddress", "127.0.0.1"),
        ("clientPort", port.as_str()),
        ("4lw.commands.whitelist", "*"),
        ("admin.enableServer", "false"),
        ("maxClientCnxns", "0"),
    ];
    let kept = own.iter().filter(|(key, _)| settings.iter().all(|(set, _)| set != key));
    let lines: Vec<String> = kept.chain(settings).map(|(key, value)| format!("{key}={value}")).collect();
    lines.join("\n") + "\n"
}
