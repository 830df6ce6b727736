//! The command line of `menagerie bench`.

use std::time::Duration;

use super::Failure;
use super::process::Process;
use crate::client::{CONNECT_VARIABLE, DEFAULT_HOSTS};

/// The session timeout of all its clients: a server that stalls for so long has failed the measurement anyway.
pub(super) const SESSION_TIMEOUT: Duration = Duration::from_secs(30);

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Options {
    /// What the connections do
    #[arg(value_enum, required_unless_present = "znodes")]
    pub workload: Option<Workload>,

    /// The servers: host:port[,host:port…][/chroot]
    #[allow(rustdoc::broken_intra_doc_links, reason = "the brackets are for the reader of --help")]
    #[arg(long, value_name = "HOSTS", env = CONNECT_VARIABLE, hide_env_values = true, default_value = DEFAULT_HOSTS)]
    pub connect: String,

    /// Sessions, each with a connection of its own
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,

    /// Requests that each connection has under way
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub depth: u32,

    /// Bytes of data in a znode
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    pub size: usize,

    /// How long to measure
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,

    /// How long to run before the measurement
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    pub warmup: u64,

    /// Znodes that get and set choose from
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub keys: u32,

    /// Of 100 requests of `mixed`, how many are reads
    #[arg(long, value_name = "N", default_value_t = 80, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub read_percent: u32,

    /// Instead of a workload: create so many znodes, and tell the memory of the server before and after (needs --server-pid)
    #[arg(long, value_name = "N", conflicts_with = "workload", requires = "server_pid")]
    pub znodes: Option<u64>,

    /// The server's process on this machine: its CPU time and memory are reported
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,

    /// Print the report as one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// What the connections of a bench do, over and over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// Read the data of one of the keys
    Get,
    /// Set the data of one of the keys
    Set,
    /// Create another znode
    Create,
    /// Get and set, as --read-percent says
    Mixed,
}

impl Workload {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Create => "create",
            Self::Mixed => "mixed",
        }
    }
}

const AFTER_HELP: &str = "\
Everything happens below one znode /menagerie-bench-…, which is deleted in the end; Ctrl-C ends early and cleans up too.
A second Ctrl-C leaves what is still there.
A latency is from the call to its reply, with all that wait before it: --depth 1 shows what a single caller sees.
Requests that fail are counted by their error and are in neither the rate nor the latencies.

Exit codes: 0 done, 1 some requests failed, 2 bad arguments, 3 no server, 130 interrupted before the measurement.";

impl Options {
    /// The server's process, which must exist.
    pub(super) fn server_process(&self) -> Result<Option<Process>, Failure> {
        let Some(pid) = self.server_pid else { return Ok(None) };
        let process = Process::new(pid);
        match process.usage() {
            Ok(_) => Ok(Some(process)),
            Err(error) => Err(Failure::Usage(format!("--server-pid {pid}: cannot read /proc/{pid}: {error}"))),
        }
    }
}
