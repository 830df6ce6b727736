//! Tools for the files of a server: `menagerie log …` and `menagerie snapshot …`, as a library so that they can be tested. They
//! read logs and snapshots of ours and of the reference server, one record or one znode at a time.
//!
//! ```text
//!  options ─▶ source (which files) ─▶ log_dump, snapshot_verify … ─▶ standard output
//!                   │                        │
//!              watched_disk ◀── storage ◀────┘     progress ─▶ standard error
//! ```
//!
//! Everything is read through a disk that refuses changes; only `log truncate` and `log fix-checksums` have another. Never
//! knows clients, sockets, or how a server serves.

mod failure;
#[cfg(test)]
mod fuzzy;
mod log_dump;
mod log_fix;
mod log_truncate;
mod log_verify;
mod options;
mod progress;
mod render;
mod running;
mod snapshot_compare;
mod snapshot_dump;
mod snapshot_json;
mod snapshot_map;
mod snapshot_summary;
mod snapshot_verify;
mod source;
mod txn_json;
mod txn_text;
mod watched_disk;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::Arc;

pub use options::{LogCommand, SnapshotCommand};

use crate::storage::Disk;
use failure::Failure;
use progress::Progress;
use watched_disk::WatchedDisk;

/// The exit codes of the offline tools.
pub mod exit_code {
    /// All is well: nothing is damaged, the snapshots are equal, what was asked for is done.
    pub const OK: u8 = 0;
    /// Something is damaged or missing, or the snapshots differ.
    pub const DAMAGED: u8 = 1;
    /// The command line makes no sense.
    pub const USAGE: u8 = 2;
    /// It cannot be done: a file cannot be read or written, or a server runs on the directory.
    pub const REFUSED: u8 = 3;
}

/// What a tool works with.
struct Tool<'a> {
    /// Reads only.
    disk: Arc<dyn Disk>,
    progress: Arc<Progress>,
    out: &'a mut dyn Write,
}

/// Whether all is well, or why it cannot be said.
type Outcome = Result<bool, Failure>;

/// Runs `menagerie log …`. What was asked for goes to standard output, everything else to standard error. The result is the exit
/// code of the process (see [`exit_code`]). Blocks until it is done.
pub fn run_log(command: &LogCommand) -> u8 {
    run(|tool| match command {
        LogCommand::Dump(options) => log_dump::run(tool, options),
        LogCommand::Verify(options) => log_verify::run(tool, options),
        LogCommand::Truncate(options) => log_truncate::run(tool, options),
        LogCommand::FixChecksums(options) => log_fix::run(tool, options),
    })
}

/// Runs `menagerie snapshot …`; for the rest see [`run_log`].
pub fn run_snapshot(command: &SnapshotCommand) -> u8 {
    run(|tool| match command {
        SnapshotCommand::Dump(options) => snapshot_dump::run(tool, options),
        SnapshotCommand::Verify(options) => snapshot_verify::run(tool, options),
        SnapshotCommand::Compare(options) => snapshot_compare::run(tool, options),
        SnapshotCommand::ToJson(options) => snapshot_json::run(tool, options),
        SnapshotCommand::Summary(options) => snapshot_summary::run(tool, options),
    })
}

fn run(work: impl FnOnce(&mut Tool<'_>) -> Outcome) -> u8 {
    let progress = Arc::new(Progress::new(Box::new(io::stderr()), io::stderr().is_terminal()));
    let mut out = BufWriter::new(io::stdout().lock());
    let disk = Arc::new(WatchedDisk::new(Arc::clone(&progress)));
    let outcome = work(&mut Tool { disk, progress: Arc::clone(&progress), out: &mut out });
    progress.finish();
    // What was found before something went wrong comes before the message.
    let outcome = outcome.and_then(|well| Ok(out.flush().map(|()| well)?)).inspect_err(|_| {
        let _ = out.flush();
    });
    match outcome {
        Ok(true) => exit_code::OK,
        Ok(false) => exit_code::DAMAGED,
        Err(failure) if failure.is_broken_pipe() => exit_code::OK,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit_code()
        }
    }
}
