//! The `menagerie` program: reads the command line, sets up logging, and calls one `run`. It knows nothing else.

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use menagerie_core::server::{self, ServerConfig};
use menagerie_core::{bench, cli, migrate, offline};
use tracing::{error, info};
use tracing_subscriber::EnvFilter;

/// The threads of the runtime could not be started (protocol §4.1).
const EXIT_UNEXPECTED: u8 = 1;

#[derive(Parser)]
#[command(name = "menagerie", version, about = ABOUT, after_help = AFTER_HELP)]
struct Cli {
    /// How log lines look on standard error
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Run a server
    #[command(after_long_help = SERVER_HELP)]
    Server {
        /// Nothing, a configuration file, or a port and a data directory
        #[arg(value_name = "zoo.cfg | clientPort dataDir [tickTime] [maxClientCnxns]")]
        args: Vec<String>,
    },
    /// Open a shell, or run one command
    Cli(cli::Options),
    /// Measure how fast a server is
    Bench(bench::Options),
    /// Look at a running ensemble, and replace its members one by one
    Migrate(migrate::Options),
    /// Look at transaction logs, check and mend them, without a server
    #[command(subcommand)]
    Log(offline::LogCommand),
    /// Look at snapshots, check and compare them, without a server
    #[command(subcommand)]
    Snapshot(offline::SnapshotCommand),
}

/// The commands that need a runtime.
enum Online {
    Server(Vec<String>),
    Cli(cli::Options),
    Bench(bench::Options),
    Migrate(migrate::Options),
}

const ABOUT: &str = "A coordination service that speaks the ZooKeeper protocol, its shell, and its tools";

const AFTER_HELP: &str = "\
`menagerie help server` and so on tell more. MENAGERIE_LOG filters the log, such as `debug` or `menagerie_core::server=trace`.";

const SERVER_HELP: &str = "\
Without an argument this is a development server: it listens on 127.0.0.1:2181 and keeps its data in ./menagerie-data.
With one argument, that is a zoo.cfg as Apache ZooKeeper reads it; with server.N lines this is a member of an ensemble.
With two to four, as Apache ZooKeeper too:
  menagerie server 2181 /var/lib/zookeeper 2000 60

Exit codes: 0 stopped as asked, 1 unexpected, 2 bad arguments or configuration, 3 the data directory cannot be used,
14 a port for the other members of the ensemble cannot be had.
SIGTERM and SIGINT stop it cleanly.";

fn main() -> ExitCode {
    let cli = Cli::parse_from(cli::accept_single_dashes(std::env::args_os()));
    set_up_log(cli.log_format, matches!(cli.command, Command::Server { .. }));
    let command = match cli.command {
        // These read files and wait for nobody.
        Command::Log(command) => return offline::run_log(&command).into(),
        Command::Snapshot(command) => return offline::run_snapshot(&command).into(),
        Command::Server { args } => Online::Server(args),
        Command::Cli(options) => Online::Cli(options),
        Command::Bench(options) => Online::Bench(options),
        Command::Migrate(options) => Online::Migrate(options),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "cannot start the threads of the runtime");
            return EXIT_UNEXPECTED.into();
        }
    };
    let code = runtime.block_on(async {
        match command {
            Online::Server(args) => serve(&args).await,
            Online::Cli(options) => cli::run(options).await,
            Online::Bench(options) => bench::run(options).await,
            Online::Migrate(options) => migrate::run(options).await,
        }
    });
    // A thread may still wait for a line of standard input, and nothing waits for it.
    runtime.shutdown_background();
    code.into()
}

/// The shell and the benchmark speak for themselves: there only what goes wrong is logged.
fn set_up_log(format: LogFormat, is_server: bool) {
    let default = if is_server { "info" } else { "error" };
    let filter = EnvFilter::try_from_env("MENAGERIE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => log.json().init(),
    }
}

async fn serve(args: &[String]) -> u8 {
    if args.is_empty() {
        info!("no configuration given: this is a development server on 127.0.0.1:2181, its data in ./menagerie-data");
    }
    let outcome = match ServerConfig::from_args(args) {
        Ok(config) => server::run(config, asked_to_stop()).await,
        Err(error) => Err(error.into()),
    };
    let Err(error) = outcome else { return 0 };
    error!("{error}");
    error.exit_code()
}

/// Completes at SIGTERM or SIGINT.
async fn asked_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
        // Without a handler the signal ends the process, which the log survives.
        let _ = interrupt.await;
        return;
    };
    tokio::select! {
        _ = interrupt => {}
        _ = terminate.recv() => {}
    }
    info!("asked to stop");
}
