//! The load generator: `menagerie bench`. It keeps a server busy through ordinary clients, and says how fast it was, how long callers
//! waited, and what it cost the server.
//!
//! Works against any server of the protocol since 3.5. Knows the client and nothing of servers, but what the system says of a process.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock, and what the system says of a process")]

mod fill;
mod interrupt;
mod load;
mod options;
mod process;
mod report;
mod site;
mod window;

use std::fmt;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use crate::client::{Client, Error};
use interrupt::Interrupt;
use process::Process;
use report::Report;
use site::Site;

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
    /// Ctrl-C came before there was anything to report; what shells say of a process that Ctrl-C has ended.
    pub const INTERRUPTED: u8 = 130;
}

/// How long the bench may take to clean up and to close its session: beyond that, the server has gone.
const CLEAN_UP_WAIT: Duration = Duration::from_secs(30);

/// Runs `menagerie bench`: the report goes to standard output, progress and errors to standard error. The result is the exit code of
/// the process. Ctrl-C ends it early; what was measured is still reported, and everything is cleaned up, unless that takes more than 30 s
/// or Ctrl-C is pressed again. Cancelling leaves the bench's znodes behind.
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
    #[error("interrupted before anything was measured")]
    Interrupted,
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Histogram(_) => exit_code::USAGE,
            Self::Server { .. } => exit_code::NO_SERVER,
            Self::Interrupted => exit_code::INTERRUPTED,
        }
    }
}

/// Whether every request was answered well.
async fn measure(options: &Options) -> Result<bool, Failure> {
    let server = options.server_process()?;
    let mut interrupt = Interrupt::listen();
    let client = interrupt.or(connect(options)).await?;
    let site = Site::new(&client);
    let outcome = work(options, &client, &site, server, &mut interrupt).await;
    clean_up(&client, &site, &mut interrupt).await;
    let report = outcome?;
    let text = if options.json { report.json().to_string() } else { report.text() };
    // Whoever would have read it has gone.
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(report.errors.is_empty())
}

async fn work(
    options: &Options,
    client: &Client,
    site: &Site,
    server: Option<Process>,
    interrupt: &mut Interrupt,
) -> Result<Report, Failure> {
    let created =
        async { site.create(client).await.map_err(|error| failed(options, "create the bench's own znode", error)) };
    interrupt.or(created).await?;
    match options.znodes {
        Some(znodes) => interrupt.or(fill::run(options, client, site, znodes, server)).await,
        None => load::run(options, client, site, server, interrupt).await,
    }
}

/// Deletes what the bench has made and closes its session. A server that has gone is not waited for for ever.
async fn clean_up(client: &Client, site: &Site, interrupt: &mut Interrupt) {
    eprint_if_terminal("cleaning up…");
    let given_up = async {
        tokio::select! {
            () = tokio::time::sleep(CLEAN_UP_WAIT) => format!("not done within {} s", CLEAN_UP_WAIT.as_secs()),
            () = interrupt.pressed(2) => "interrupted".to_owned(),
        }
    };
    tokio::pin!(given_up);
    let (removed, is_given_up) = tokio::select! {
        removed = site.remove(client) => (removed.map_err(|error| error.to_string()), false),
        why = &mut given_up => (Err(why), true),
    };
    eprint_if_terminal("");
    if let Err(why) = removed {
        let root = site.root();
        eprintln!("warning: {root} could not be cleaned up: {why}; `menagerie cli deleteall {root}`");
    }
    if !is_given_up {
        // Whoever closes a session that no server answers for has nothing to do about it: it expires.
        tokio::select! {
            _ = client.close() => {}
            _ = &mut given_up => {}
        }
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use tokio::time::Instant;

    /// The server has gone for good: the bench ends nevertheless.
    #[tokio::test(start_paused = true)]
    async fn cleaning_up_ends_without_a_server() {
        let client = Client::builder().hosts("127.0.0.1:1").seed(1).connect_lazily().unwrap();
        let began = Instant::now();
        clean_up(&client, &Site::new(&client), &mut Interrupt::listen()).await;
        assert_eq!(began.elapsed().as_secs(), CLEAN_UP_WAIT.as_secs());
    }
}
