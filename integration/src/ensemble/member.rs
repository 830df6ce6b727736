//! One member: a directory with its configuration, data and log, and the process that runs on it, if one does.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use menagerie_core::wire::Zxid;

use super::PATIENCE;
use super::place::Place;
use crate::software::Software;
use crate::{four_letter, process};

/// How long a member that runs may take to answer a four-letter word before it counts as silent.
const SILENCE: Duration = Duration::from_secs(5);

/// What a member says of itself when it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// `leader`, `follower`, `observer`, `standalone` or `read-only`.
    pub mode: String,
    /// The last transaction of its tree.
    pub zxid: Zxid,
    /// Znodes in its tree.
    pub znodes: u64,
}

/// A member. Its process is killed, by its id, when it is dropped.
#[derive(Debug)]
pub struct Member {
    software: Software,
    place: Place,
    home: PathBuf,
    child: Option<Child>,
}

impl Member {
    /// A member that is not started, with `zoo_cfg` and `myid` written to `home`, which is made.
    pub(super) fn new(software: Software, place: Place, home: PathBuf, zoo_cfg: &str) -> io::Result<Self> {
        let member = Member { software, place, home, child: None };
        fs::create_dir_all(member.data_dir())?;
        fs::write(member.data_dir().join("myid"), format!("{}\n", member.place.id))?;
        fs::write(member.configuration(), zoo_cfg)?;
        Ok(member)
    }

    /// Where it lives.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Which software runs on the directory, or will when it is started.
    pub fn software(&self) -> &Software {
        &self.software
    }

    /// `host:port` for clients.
    pub fn connect_string(&self) -> String {
        self.place.client_address().to_string()
    }

    /// The process id; `None` while it is stopped.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The directory with everything of it.
    pub fn home(&self) -> &PathBuf {
        &self.home
    }

    /// The `dataDir` of its configuration.
    pub fn data_dir(&self) -> PathBuf {
        self.home.join("data")
    }

    /// The directory of logs and snapshots.
    pub fn version_dir(&self) -> PathBuf {
        self.data_dir().join("version-2")
    }

    /// Its configuration file.
    pub fn configuration(&self) -> PathBuf {
        self.home.join("zoo.cfg")
    }

    /// All that its processes have written to standard output and error.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.home.join("server.log")).unwrap_or_default()).into_owned()
    }

    /// The last `lines` lines of [`Member::log`].
    pub fn log_end(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Starts it, and does not wait until it serves. Nothing happens when it runs.
    pub fn start(&mut self) -> io::Result<()> {
        if self.child.is_none() {
            let log = File::options().create(true).append(true).open(self.home.join("server.log"))?;
            let serve = self.software.serve(&self.configuration());
            let mut command = match &self.place.namespace {
                Some(namespace) => inside(namespace, &serve),
                None => serve,
            };
            command.current_dir(&self.home).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
            self.child = Some(command.spawn()?);
        }
        Ok(())
    }

    /// `kill -9`. Nothing happens when it is stopped.
    pub fn kill9(&mut self) -> io::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Sends SIGTERM and waits until it has ended. Returns how; `None` when it was stopped already.
    pub fn terminate(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(pid) = self.pid() else { return Ok(None) };
        process::signal(pid, "TERM")?;
        self.wait_for_end(PATIENCE).map(Some)
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// `TimedOut` when it still runs after `patience`; it is killed then.
    pub fn wait_for_end(&mut self, patience: Duration) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.kill9()?;
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("member {} does not end", self.place.id)))
    }

    /// How it has ended, if it has.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = match self.child.as_mut() {
            Some(child) => child.try_wait()?,
            None => None,
        };
        if status.is_some() {
            self.child = None;
        }
        Ok(status)
    }

    /// SIGSTOP: it keeps its connections and says nothing.
    pub fn pause(&self) -> io::Result<()> {
        self.pid().map_or(Ok(()), |pid| process::signal(pid, "STOP"))
    }

    /// SIGCONT.
    pub fn resume(&self) -> io::Result<()> {
        self.pid().map_or(Ok(()), |pid| process::signal(pid, "CONT"))
    }

    /// Removes logs, snapshots and epochs, but not `myid`. Stop it first.
    pub fn wipe(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.version_dir()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Has `software` run on the directory from the next start on. Stop it first.
    pub fn become_of(&mut self, software: Software) {
        self.software = software;
    }

    /// The answer to a four-letter word.
    pub fn ask(&self, word: &str) -> io::Result<String> {
        four_letter::ask_at(self.place.client_address(), word, SILENCE)
    }

    /// What it says of itself; `None` when it does not answer, or does not serve.
    pub fn health(&self) -> Option<Health> {
        self.pid()?;
        let answer = self.ask("srvr").ok()?;
        let value = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let zxid = i64::from_str_radix(value("Zxid")?.strip_prefix("0x")?, 16).ok()?;
        Some(Health { mode: value("Mode")?.to_owned(), zxid: Zxid(zxid), znodes: value("Node count")?.parse().ok()? })
    }

    /// Digests of its tree after some of the last transactions, as `hash` tells them: `zxid: digest`.
    pub fn digests(&self) -> io::Result<Vec<(String, String)>> {
        let answer = self.ask("hash")?;
        Ok(answer.lines().filter_map(|line| line.split_once(": ")).map(|(z, d)| (z.to_owned(), d.to_owned())).collect())
    }

    /// The value of `zk_NAME` in `mntr`.
    pub fn metric(&self, name: &str) -> io::Result<Option<String>> {
        let answer = self.ask("mntr")?;
        let value = |line: &str| Some(line.strip_prefix("zk_")?.strip_prefix(name)?.strip_prefix('\t')?.to_owned());
        Ok(answer.lines().find_map(value))
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Nothing to do about a process that is gone already. SIGKILL also ends one that is paused.
        let _ = self.kill9();
    }
}

/// The same program, in a network namespace.
pub(super) fn inside(namespace: &str, command: &Command) -> Command {
    let mut wrapped = Command::new("ip");
    // It replaces itself by the program: the child's id is the program's.
    wrapped.args(["netns", "exec", namespace]).arg(command.get_program()).args(command.get_args());
    wrapped
}
