//! The command line of `menagerie cli`.

use std::ffi::OsString;
use std::time::Duration;

use super::failure::Failure;
use super::help;
use crate::client::{CONNECT_VARIABLE, Client, DEFAULT_HOSTS};

/// How to start the shell.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = after_help())]
pub struct Options {
    /// The servers, and below which path to work: host:port[,host:port…][/chroot]
    #[allow(rustdoc::broken_intra_doc_links, reason = "the brackets are for the reader of --help")]
    #[arg(long, value_name = "HOSTS", env = CONNECT_VARIABLE, hide_env_values = true, default_value = DEFAULT_HOSTS)]
    pub server: String,

    /// The session timeout to ask for, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    pub timeout: u64,

    /// Accept a server without a quorum, which only reads
    #[arg(short = 'r', long)]
    pub readonly: bool,

    /// Wait until a server answers, however long it takes, instead of giving up after ten seconds (or the timeout, if that is shorter)
    #[arg(long, alias = "wait")]
    pub waitforconnection: bool,

    /// Print data, and the events of watches, as JSON: a value in each line
    #[arg(long)]
    pub json: bool,

    /// Run this one command and leave; without it, read commands from the terminal or from a pipe
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

fn after_help() -> String {
    format!(
        "Commands:\n{}
Examples:
  menagerie cli                                   open a shell on {DEFAULT_HOSTS}
  menagerie cli create /app 'hello world'         run one command
  menagerie cli --server zk1:2181,zk2:2181 ls -R /
  echo 'get -s /app' | menagerie cli              run commands from a pipe

The spelling of zkCli.sh works too: -server, -timeout, -waitforconnection.

Exit codes: 0 done, 1 a server refused it, 2 the command is not understood, 3 no connection (or lost on the way).
With commands from a pipe, all are run, and the code is that of the last one that failed.

Environment: {CONNECT_VARIABLE} the servers; MENAGERIE_HISTORY the history file (empty: none); NO_COLOR no colours.",
        help::list()
    )
}

impl Options {
    /// Begins to open a session.
    ///
    /// # Errors
    /// A connect string that cannot be read.
    pub(super) fn connect_lazily(&self) -> Result<Client, Failure> {
        let builder = Client::builder().hosts(&self.server).allow_read_only(self.readonly);
        let builder = builder.session_timeout(Duration::from_millis(self.timeout));
        builder.connect_lazily().map_err(|error| Failure::usage(format_args!("--server {}: {error}", self.server)))
    }
}

/// Rewrites the reference's options with one dash (`-server`) to two, up to the first word that is no option.
pub fn accept_single_dashes(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<_> = args.into_iter().collect();
    let Some(cli) = args.iter().position(|arg| arg == "cli").filter(|&at| at <= 3) else { return args };
    let mut at = cli + 1;
    while let Some(arg) = args.get(at).filter(|arg| arg.as_encoded_bytes().starts_with(b"-")) {
        let arg = arg.to_str().unwrap_or_default();
        let takes_value = ["-server", "-timeout", "--server", "--timeout"].contains(&arg);
        if ["-server", "-timeout", "-waitforconnection"].contains(&arg) {
            args[at] = format!("-{arg}").into();
        }
        at += if takes_value { 2 } else { 1 };
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_dashes_are_accepted_before_the_command_only() {
        let table = [
            (
                "menagerie cli -server a:1 -timeout 5 -r -waitforconnection ls -server",
                "menagerie cli --server a:1 --timeout 5 -r --waitforconnection ls -server",
            ),
            ("menagerie cli --server -server ls", "menagerie cli --server -server ls"),
            ("menagerie --log-format json cli -server a ls", "menagerie --log-format json cli --server a ls"),
            ("menagerie server -server", "menagerie server -server"),
        ];
        for (from, to) in table {
            let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
            assert_eq!(accept_single_dashes(words(from)), words(to));
        }
    }
}
