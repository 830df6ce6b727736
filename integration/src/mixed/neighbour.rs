//! A member that is a process of the reference.

use std::fs::{self, File};
use std::io;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{INIT_LIMIT, Ports, SYNC_LIMIT, TICK_MS, server_lines};
use crate::four_letter;
use crate::reference::Reference;

/// The process. It is killed, by its id, when it is dropped.
#[derive(Debug)]
pub struct Neighbour {
    ports: Ports,
    home: TempDir,
    child: Child,
}

impl Neighbour {
    /// Starts member `me` of `members` on an empty directory.
    pub fn start(reference: &Reference, me: Ports, members: &[Ports]) -> io::Result<Self> {
        let home = tempfile::Builder::new().prefix("menagerie-mixed-").tempdir()?;
        let data = home.path().join("data");
        fs::create_dir(&data)?;
        fs::write(data.join("myid"), me.id.to_string())?;
        let configuration = home.path().join("zoo.cfg");
        let text = format!(
            "tickTime={TICK_MS}\ninitLimit={INIT_LIMIT}\nsyncLimit={SYNC_LIMIT}\ndataDir={}\nclientPort={}\n\
             clientPortAddress=127.0.0.1\n4lw.commands.whitelist=*\nadmin.enableServer=false\n{}",
            data.display(),
            me.client,
            server_lines(members)
        );
        fs::write(&configuration, text)?;
        let log = File::create(home.path().join("server.log"))?;
        let mut command = reference.server(&configuration);
        command.current_dir(home.path()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Neighbour { ports: me, child: command.spawn()?, home })
    }

    /// Its ports.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// `leader` or `follower`, once it serves.
    pub fn wait_for_mode(&self) -> io::Result<String> {
        let deadline = Instant::now() + Duration::from_mins(2);
        while Instant::now() < deadline {
            if let Ok(answer) = four_letter::ask(self.ports.client, "srvr")
                && let Some(mode) = answer.lines().find_map(|line| line.strip_prefix("Mode: "))
            {
                return Ok(mode.to_owned());
            }
            thread::sleep(Duration::from_millis(20));
        }
        let log = fs::read_to_string(self.home.path().join("server.log")).unwrap_or_default();
        Err(io::Error::other(format!("member {} does not serve; its log:\n{log}", self.ports.id)))
    }

    /// `kill -9`.
    pub fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        // Nothing to do about a process that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
