//! The reference's two interactive shells as dialogues: `zkCli` on the JVM, and `cli_mt` on its C client.

use std::io;
use std::process::{Command, Stdio};

use super::{C_SHELL, Reference};
use crate::dialogue::Dialogue;

impl Reference {
    /// The Java shell, connected to `hosts`.
    pub fn java_shell(&self, hosts: &str) -> io::Result<Dialogue> {
        let mut shell = Dialogue::start(self.java_shell_command(hosts))?;
        shell.expect("state:SyncConnected type:None")?;
        Ok(shell)
    }

    /// One command given to the Java shell on its command line. Returns everything it printed.
    pub fn java_command(&self, hosts: &str, words: &[&str]) -> io::Result<String> {
        let mut command = self.java_shell_command(hosts);
        let output = command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
    }

    /// How the Java shell is started, for whoever wants its streams otherwise; words of one command may be added.
    pub fn java_shell_command(&self, hosts: &str) -> Command {
        let mut command = self.java();
        command.args(["org.apache.zookeeper.ZooKeeperMain", "-server", hosts]);
        command
    }

    /// The C shell, connected to `hosts`.
    pub fn c_shell(&self, hosts: &str) -> io::Result<Dialogue> {
        let mut command = Command::new(C_SHELL);
        command.arg(hosts);
        let mut shell = Dialogue::start(command)?;
        shell.expect("SESSION_EVENT state = CONNECTED_STATE")?;
        Ok(shell)
    }
}
