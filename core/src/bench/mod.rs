//! The load generator: `menagerie bench`. It keeps a server busy through ordinary clients, and says how fast it was, how long callers
//! waited, and what it cost the server.
//!
//! Works against any server of the protocol since 3.5. Knows the client and nothing of servers, but what the system says of a process.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock, and what the system says of a process")]

mod fill;
mod load;
mod options;
mod process;
mod report;
mod site;
mod window;

use std::fmt;
use std::io::{IsTerminal, Write};

use crate::client::{Client, Error};

pub use options::{Options, Workload};

/// The exit codes of `menagerie bench`.
pub mod exit_code {
    /// Every request was answered well.
    pub const OK: u8 = 0;
    /// Some requests failed; the report counts them.
    pub const ERRORS: u8 = 1;
    /// The command line makes no sense.
    pub const USAGE: u8 = 2;
    /// There was nobody to measure: no connection, or no place to work in.
    pub const NO_SERVER: u8 = 3;
}

/// Runs `menagerie bench`: the report goes to standard output, progress and errors to standard error. The result is the exit code of
/// the process. Ctrl-C ends the measurement early and still reports and cleans up; cancelling leaves the bench's znodes behind.
pub async fn run(options: Options) -> u8 {
    match measure(&options).await {
        Ok(true) => exit_code::OK,
        Ok(false) => exit_code::ERRORS,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit_code()
        }
    }
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error(
        "cannot {what}: {error}\n  hint: is a server running at {hosts}? `menagerie server` starts one on 127.0.0.1:2181"
    )]
    Server { what: &'static str, hosts: String, error: Error },
    #[error("cannot count latencies: {0}")]
    Histogram(#[from] hdrhistogram::CreationError),
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Histogram(_) => exit_code::USAGE,
            Self::Server { .. } => exit_code::NO_SERVER,
        }
    }
}

/// Whether every request was answered well.
async fn measure(options: &Options) -> Result<bool, Failure> {
    let server = options.server_process()?;
    let client = connect(options).await?;
    let site =
        site::Site::create(&client).await.map_err(|error| failed(options, "create the bench's own znode", error))?;
    let outcome = match options.znodes {
        Some(znodes) => fill::run(options, &client, &site, znodes, server).await,
        None => load::run(options, &client, &site, server).await,
    };
    eprint_if_terminal("cleaning up…");
    if let Err(error) = site.remove(&client).await {
        eprintln!(
            "warning: {} could not be cleaned up: {error}; `menagerie cli deleteall {}`",
            site.root(),
            site.root()
        );
    }
    eprint_if_terminal("");
    // Whoever closes a session that no server answers for has nothing to do about it: it expires.
    let _ = client.close().await;
    let report = outcome?;
    let text = if options.json { report.json().to_string() } else { report.text() };
    // Whoever would have read it has gone.
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(report.errors.is_empty())
}

async fn connect(options: &Options) -> Result<Client, Failure> {
    let builder = Client::builder().hosts(&options.connect).session_timeout(options::SESSION_TIMEOUT);
    builder.connect().await.map_err(|error| failed(options, "connect", error))
}

fn failed(options: &Options, what: &'static str, error: Error) -> Failure {
    Failure::Server { what, hosts: options.connect.clone(), error }
}

/// A line of progress, over the one before it; nothing where nobody looks.
fn eprint_if_terminal(line: impl fmt::Display) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{line}");
    }
}
