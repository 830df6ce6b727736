//! The command line of `menagerie migrate`.

use std::path::PathBuf;

use super::commands::Commands;
use crate::wire::HostPort;

/// What to migrate, and how.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Options {
    /// The configuration files of the members on this host
    #[arg(value_name = "zoo.cfg", required_unless_present = "connect")]
    pub files: Vec<PathBuf>,

    /// The client addresses of all members, where the files do not lead to them
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',', value_parser = address)]
    pub connect: Vec<HostPort>,

    /// Do it, for the members of this host, rather than print the plan
    #[arg(long, requires = "files")]
    pub apply: bool,

    /// The other way: to Apache's members
    #[arg(long)]
    pub back: bool,

    /// Replace the members of this host even if it is the turn of another host's
    #[arg(long, requires = "apply")]
    pub any_order: bool,

    /// How long each stop, start and catching up may take
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    pub patience: u64,

    /// Print JSON: the plan as one object, or with --apply one line for each thing done
    #[arg(long)]
    pub json: bool,

    /// What stops and starts members
    #[command(flatten)]
    pub commands: Commands,
}

fn address(text: &str) -> Result<HostPort, String> {
    let form = || "host:port, such as zk1:2181".to_owned();
    let (host, port) = text.trim().rsplit_once(':').ok_or_else(form)?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = port.parse().map_err(|_| form())?;
    if host.is_empty() { Err(form()) } else { Ok(HostPort { host, port }) }
}

const AFTER_HELP: &str = "\
Looks at a running ensemble, of Apache's members, of Menagerie's, or of both, by their four-letter
words and by the files of this host. Says what stands in the way of replacing Apache's members one
by one, and prints the plan. Nothing is changed without --apply.

  menagerie migrate /etc/zookeeper/zoo.cfg                  look, and print the plan
  menagerie migrate /etc/zookeeper/zoo.cfg --apply          replace this host's member in its turn
  menagerie migrate /etc/zookeeper/zoo.cfg --apply --back   the same, to Apache's
  menagerie migrate --connect zk1:2181,zk2:2181,zk3:2181    look from elsewhere

In the four commands {id} stands for the member's number and {config} for its file; a shell runs
them. Several members of one host have a unit each: --stop-apache 'systemctl stop zookeeper@{id}'.

With --apply, everything is looked at again before each step. It never stops a member whom the
others need for a quorum, waits until the new one has caught up, compares digests of the trees, and
ends at the first thing that is not well, with the way back.

For all checks members must answer: 4lw.commands.whitelist=srvr,mntr,conf,hash

Exit codes: 0 nothing stands in the way, or done; 1 something does, or a step failed;
2 bad arguments; 3 nobody answers.";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn addresses_have_a_host_and_a_port() {
        assert_eq!(address("zk1:2181").unwrap().to_string(), "zk1:2181");
        assert_eq!(address("[::1]:2181").unwrap().to_string(), "[::1]:2181");
        for bad in ["zk1", ":2181", "zk1:x"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
