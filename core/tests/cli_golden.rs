//! The `menagerie` program as people meet it: what it prints and how it exits, word for word.
//!
//! Each file of `tests/cmd` is a transcript: `$ menagerie …` runs the program, `< …` lines are its standard input, and what follows is
//! what it prints, as a terminal would show it, and `? code` unless it exits with 0. `MENAGERIE_UPDATE=1` writes the
//! transcripts anew. Transcripts named `session_…` get a server of their own, and `$SERVER` in them is its address. Those named
//! `offline_…` get a directory of their own with logs and snapshots of the reference server, whole and damaged: `$FILES`. `$DIR` is an
//! empty directory.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod offline_files;

use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use menagerie_core::embedded::Server;

/// A port of this machine on which nobody listens.
const NOBODY: &str = "127.0.0.1:1";

#[tokio::test(flavor = "multi_thread")]
async fn transcripts_are_true() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd");
    let mut files: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let mut stale = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy();
        let is_session = name.starts_with("session_");
        let files = name.starts_with("offline_").then(offline_files::prepare);
        let server = if is_session { Some(Server::start().await.unwrap()) } else { None };
        let address = server.as_ref().map_or_else(|| NOBODY.to_owned(), Server::connect_string);
        let scratch = tempfile::tempdir().unwrap();
        let mut variables = vec![("$SERVER", address), ("$DIR", scratch.path().display().to_string())];
        variables.extend(files.as_ref().map(|files| ("$FILES", files.path().display().to_string())));
        let expected = fs::read_to_string(&file).unwrap();
        let actual = replay(&expected, &variables);
        if std::env::var_os("MENAGERIE_UPDATE").is_some() {
            fs::write(&file, &actual).unwrap();
        } else if actual != expected {
            stale.push(format!("{} is not true; now it is:\n{actual}", file.display()));
        }
        if let Some(server) = server {
            server.stop().await;
        }
    }
    assert!(stale.is_empty(), "{}", stale.join("\n"));
}

/// More than a pipe holds, so that somebody would have to read it.
#[test]
fn input_that_nobody_reads_is_no_failure() {
    let printed = run(&["frobnicate".to_owned()], &"ls /\n".repeat(1 << 16));
    assert!(printed.starts_with("error: unrecognized subcommand"), "{printed}");
}

/// Runs a transcript's commands and writes it as it should be.
fn replay(transcript: &str, variables: &[(&str, String)]) -> String {
    let mut actual = String::new();
    let mut lines = transcript.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with('#') {
            writeln!(actual, "{line}").unwrap();
        }
        let Some(command) = line.strip_prefix("$ menagerie") else { continue };
        let mut input = String::new();
        while let Some(line) = lines.next_if(|line| line.starts_with("< ")) {
            writeln!(input, "{}", line[1..].trim()).unwrap();
        }
        writeln!(actual, "{line}").unwrap();
        input.lines().for_each(|line| writeln!(actual, "< {line}").unwrap());
        let filled =
            |text: &str| variables.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
        let words: Vec<_> = filled(command).split_whitespace().map(str::to_owned).collect();
        let said = run(&words, &filled(&input));
        actual.push_str(&variables.iter().fold(said, |text, (name, value)| text.replace(value, name)));
        actual.push('\n');
    }
    actual
}

fn run(words: &[String], input: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_menagerie"));
    // One file for both streams keeps their lines in the order in which they were written.
    let mut screen = tempfile::tempfile().unwrap();
    command.stdout(screen.try_clone().unwrap()).stderr(screen.try_clone().unwrap());
    command.args(words).stdin(Stdio::piped());
    for variable in ["COLUMNS", "MENAGERIE_CONNECT", "MENAGERIE_LOG"] {
        command.env_remove(variable);
    }
    let mut child = command.env("TZ", "UTC").spawn().unwrap();
    match child.stdin.take().unwrap().write_all(input.as_bytes()) {
        // It has ended, or will, without reading it all; what it printed tells whether that is right.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        written => written.unwrap(),
    }
    let status = child.wait().unwrap();
    let mut text = String::new();
    screen.rewind().unwrap();
    screen.read_to_string(&mut text).unwrap();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let text = events_last(&text);
    let mut text: String = text.lines().map(|line| normalise(line) + "\n").collect();
    match status.code() {
        Some(0) => {}
        code => writeln!(text, "? {}", code.map_or_else(|| "signal".to_owned(), |code| code.to_string())).unwrap(),
    }
    text
}

/// Events come when they come: they are shown after everything else.
fn events_last(text: &str) -> String {
    let (mut rest, mut events) = (text.to_owned(), String::new());
    while let Some(begin) = rest.find("\nWATCHER::\n\n") {
        let end = rest[begin + 12..].find('\n').map_or(rest.len(), |end| begin + 12 + end + 1);
        events.push_str(&rest[begin..end]);
        rest.replace_range(begin..end, "");
    }
    rest + &events
}

/// Takes out what differs from run to run: the time in a log line, times and sessions in a Stat.
fn normalise(line: &str) -> String {
    if let Some((_, message)) = line.split_once("Z ").filter(|(time, _)| time.starts_with("20")) {
        return format!("<time> {}", message.trim_start());
    }
    if line.starts_with("{\"path\":") {
        let line = ["\"ctime\":", "\"mtime\":"].iter().fold(line.trim_end().to_owned(), |line, key| blank(&line, key));
        return blank(&line, "\"ephemeralOwner\":\"0x");
    }
    match line.split_once(" = ") {
        Some((name @ ("ctime" | "mtime"), time)) if !time.ends_with(" 1970") => format!("{name} = <time>"),
        Some((name @ "ephemeralOwner", owner)) if owner != "0x0" => format!("{name} = <session>"),
        _ => line.trim_end().to_owned(),
    }
}

/// Replaces the number that follows `key`, but for 0.
fn blank(line: &str, key: &str) -> String {
    let Some((before, after)) = line.split_once(key) else { return line.to_owned() };
    let rest = after.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    let number = if after.strip_prefix('0') == Some(rest) { "0" } else { "<number>" };
    format!("{before}{key}{number}{rest}")
}
