//! The shell: `menagerie cli`, as a library so that it can be tested. It speaks the language of the reference's shell, and prints
//! as it does where tools read the output.
//!
//! ```text
//!  terminal ─┐
//!            ├─▶ shell ──▶ words ──▶ command ──▶ execute ──▶ client
//!  pipe ─────┘     │                (catalogue)      ├─▶ view, format, json: what is printed
//!                  └────────── watches ◀─────────────┘
//! ```
//!
//! Knows the client and nothing of servers.

mod acl;
mod args;
mod catalogue;
mod command;
mod complete;
mod contents;
mod execute;
mod failure;
mod find;
mod format;
mod glob;
mod help;
mod json;
mod lines;
mod options;
mod progress;
mod quota;
mod record;
mod shell;
mod style;
mod terminal;
mod view;
mod watches;
mod words;

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::runtime::Handle;

pub use failure::{Failure, exit_code};
pub use options::{Options, accept_single_dashes};
pub use shell::{Audience, Flow, Output, Shell};
pub use watches::Announce;

use crate::client::{Client, State};
use command::Command;
use lines::Lines;
use style::Style;

/// How long a command that nobody watches waits for a session at most, unless it is told to wait.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs `menagerie cli`: one command, or those of a pipe, or a shell at the terminal. Errors go to standard error. The result is the
/// exit code of the process (see [`exit_code`]). Cancelling leaves the session to expire.
pub async fn run(options: Options) -> u8 {
    let style = Style::detect();
    let outcome = if !options.command.is_empty() {
        run_one(options).await
    } else if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        run_terminal(options, style).await
    } else {
        run_pipe(options, style).await
    };
    match outcome {
        Ok(code) => code,
        Err(failure) if failure.is_broken_pipe() => exit_code::OK,
        Err(failure) => {
            eprintln!("{}", style.failure(&failure));
            failure.exit_code()
        }
    }
}

/// Whether the shell would understand a line. It is not run.
///
/// # Errors
/// What the shell would say to it.
pub fn understand(line: &str) -> Result<(), Failure> {
    let words = words::split(line).map_err(Failure::usage)?;
    if !words.is_empty() {
        Command::parse(&words)?;
    }
    Ok(())
}

async fn run_one(options: Options) -> Result<u8, Failure> {
    let mut out = std::io::stdout();
    // The words are looked at, and what needs no server is done, before anybody is asked.
    let typed = Command::parse(&options.command)?;
    match typed.command {
        Command::Help { topic } => help::print(topic.as_deref(), &mut out)?,
        Command::Version => help::print_version(options.json || typed.json, &mut out)?,
        // A single command has no history, and leaves no watches and no session behind.
        Command::History | Command::PrintWatches { .. } | Command::Close | Command::Quit => {}
        _ => run_one_on_server(options, &mut out).await?,
    }
    out.flush()?;
    Ok(exit_code::OK)
}

async fn run_one_on_server(options: Options, out: Output<'_>) -> Result<(), Failure> {
    let words = options.command.clone();
    let mut shell = open_for_nobody(options)?;
    wait_for_session(shell.client(), shell.options()).await?;
    let outcome = shell.run_words(&words, out).await;
    shell.close().await;
    outcome.map(|_| ())
}

async fn run_terminal(options: Options, style: Style) -> Result<u8, Failure> {
    let runtime = Handle::current();
    let shell = tokio::task::spawn_blocking(move || terminal::run(options, style, &runtime));
    match shell.await {
        Ok(outcome) => outcome.map(|()| exit_code::OK),
        Err(error) => Err(Failure::usage(error)),
    }
}

async fn run_pipe(options: Options, style: Style) -> Result<u8, Failure> {
    let mut shell = open_for_nobody(options)?;
    wait_for_session(shell.client(), shell.options()).await?;
    let code = run_lines(&mut shell, style).await;
    shell.close().await;
    Ok(code)
}

/// As the reference does, a failed command does not stop the ones after it. Returns the exit code of the last one that failed.
async fn run_lines(shell: &mut Shell, style: Style) -> u8 {
    let mut out = std::io::stdout();
    let mut lines = Lines::new(BufReader::new(tokio::io::stdin()));
    let mut code = exit_code::OK;
    while let Some(line) = lines.next().await {
        match run_line(shell, line, &mut out).await {
            Ok(Flow::Continue) => {}
            Ok(Flow::Quit) => break,
            Err(failure) if failure.is_broken_pipe() => break,
            Err(failure) => {
                eprintln!("{}", style.failure(&failure));
                code = failure.exit_code();
            }
        }
    }
    code
}

async fn run_line(shell: &mut Shell, line: Result<String, Failure>, out: Output<'_>) -> Result<Flow, Failure> {
    let flow = shell.run_line(&line?, out).await?;
    out.flush()?;
    Ok(flow)
}

/// Events go where the output goes. There is nobody to tell of connections that come and go: commands fail for them.
fn open_for_nobody(options: Options) -> Result<Shell, Failure> {
    let audience = if std::io::stdout().is_terminal() { Audience::Passer } else { Audience::Program };
    let announce = |text: String| {
        // Whoever read the output has gone: the next command notices.
        let _ = std::io::stdout().write_all(text.as_bytes());
    };
    Shell::open(options, Arc::new(announce), audience)
}

/// A second session, with other servers than the shell's.
async fn connect_elsewhere(options: &Options, hosts: &str) -> Result<Client, Failure> {
    let options = Options { server: hosts.to_owned(), ..options.clone() };
    let client = options.connect_lazily()?;
    wait_for_session(&client, &options).await?;
    Ok(client)
}

async fn wait_for_session(client: &Client, options: &Options) -> Result<(), Failure> {
    let mut states = client.states();
    let session = states.wait_for(State::is_connected);
    let state = if options.waitforconnection {
        session.await
    } else {
        let patience = PATIENCE.min(Duration::from_millis(options.timeout));
        let waited = format!("no server has answered within {:.1} s", patience.as_secs_f64());
        let session = tokio::time::timeout(patience, session).await;
        session.map_err(|_| Failure::no_connection(&options.server, &waited))?
    };
    if state.is_connected() {
        return Ok(());
    }
    Err(Failure::no_connection(&options.server, &format!("the session ended as {state:?}")))
}
