//! The shell at a terminal: line editing, completion, a history file, and events above the prompt.
//!
//! Runs on a thread where waiting is allowed; the session lives in the runtime.

use std::env;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor, ExternalPrinter};
use tokio::runtime::Handle;

use super::complete::Completion;
use super::failure::Failure;
use super::options::Options;
use super::shell::{Audience, Flow, Shell};
use super::style::Style;
use super::watches::Announce;

/// Commands that are kept in the history file.
const HISTORY_LENGTH: usize = 1000;

/// Reads and runs commands until `quit` or the end of input.
///
/// # Errors
/// A connect string that cannot be read, or a terminal that cannot be used.
pub(super) fn run(options: Options, style: Style, runtime: &Handle) -> Result<(), Failure> {
    let terminal = |error: ReadlineError| Failure::usage(format_args!("cannot use the terminal: {error}"));
    let config = Config::builder().completion_type(CompletionType::List).auto_add_history(false);
    let config = config.max_history_size(HISTORY_LENGTH).map_err(terminal)?.build();
    let mut editor: Editor<Completion, FileHistory> = Editor::with_config(config).map_err(terminal)?;
    let announce = printer(editor.create_external_printer().map_err(terminal)?, style);
    let _entered = runtime.enter();
    let mut shell = Shell::open(options, announce, Audience::Person)?;
    let history = history_file();
    if let Some(file) = &history {
        // There is none before the first time.
        let _ = editor.load_history(file);
    }
    greet(&shell, style, runtime);
    loop {
        editor.set_helper(Some(Completion { client: shell.client().clone(), runtime: runtime.clone() }));
        match editor.readline(&shell.prompt()) {
            Ok(line) => {
                remember(&mut editor, &line);
                if run_line(&mut shell, &line, style, runtime) == Flow::Quit {
                    break;
                }
            }
            // Ctrl-C gives up the line, as in any shell.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(terminal(error)),
        }
    }
    if let Some(file) = &history {
        save(&mut editor, file);
    }
    runtime.block_on(shell.close());
    Ok(())
}

fn greet(shell: &Shell, style: Style, runtime: &Handle) {
    let patience = std::time::Duration::from_secs(2);
    let mut states = shell.client().states();
    println!("Menagerie shell. `help` lists the commands, Tab completes, Ctrl-D leaves.");
    let connected = runtime.block_on(async {
        tokio::time::timeout(patience, states.wait_for(crate::client::State::is_connected)).await.is_ok()
    });
    if !connected {
        let hint = "no server has answered yet: commands wait for one, and Ctrl-C gives one up";
        println!("{}", style.dim(hint));
    }
}

/// Runs a line; Ctrl-C gives it up.
fn run_line(shell: &mut Shell, line: &str, style: Style, runtime: &Handle) -> Flow {
    let mut out = std::io::stdout();
    let outcome = runtime.block_on(async {
        tokio::select! {
            biased;
            outcome = shell.run_line(line, &mut out) => Some(outcome),
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    let _ = out.flush();
    match outcome {
        Some(Ok(flow)) => flow,
        Some(Err(failure)) => {
            eprintln!("{}", style.failure(&failure));
            Flow::Continue
        }
        None => {
            eprintln!("{}", style.dim("given up; a write that was sent already may still be applied"));
            Flow::Continue
        }
    }
}

fn printer(printer: impl ExternalPrinter + Send + 'static, style: Style) -> Announce {
    let printer = Mutex::new(printer);
    Arc::new(move |text| {
        // An event that cannot be printed any more is of no use to anybody.
        let _ = printer.lock().unwrap_or_else(PoisonError::into_inner).print(style.event(&text));
    })
}

/// What holds a password stays out of the file.
fn remember(editor: &mut Editor<Completion, FileHistory>, line: &str) {
    if !line.trim().is_empty() && !line.trim_start().to_ascii_lowercase().starts_with("addauth") {
        let _ = editor.add_history_entry(line);
    }
}

/// `MENAGERIE_HISTORY`, or a file below the XDG state directory. `None`: no history is kept.
fn history_file() -> Option<PathBuf> {
    if let Some(file) = env::var_os("MENAGERIE_HISTORY") {
        return (!file.is_empty()).then(|| file.into());
    }
    let state = env::var_os("XDG_STATE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let state = state.or_else(|| env::home_dir().map(|home| home.join(".local/state")))?;
    Some(state.join("menagerie").join("history"))
}

#[allow(clippy::disallowed_methods, reason = "the history is a file of the person at the terminal, not of a server")]
fn save(editor: &mut Editor<Completion, FileHistory>, file: &std::path::Path) {
    let directory = file.parent().map_or(Ok(()), std::fs::create_dir_all);
    let saved = directory.map_err(ReadlineError::from).and_then(|()| editor.append_history(file));
    if let Err(error) = saved {
        eprintln!("the history could not be kept in {}: {error}", file.display());
    }
}
