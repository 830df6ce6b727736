//! Plays the shell sessions of the book (its `console` blocks), each page on a fresh server, and compares what is printed.
//!
//! The form of a block is told in the book, chapter "Testing": `$ menagerie cli …` is one command in a session of its own,
//! `name> …` is typed into the shell of that name, which stays open, and `name>` alone waits for what that shell prints unasked.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use menagerie_book::Result;
use menagerie_core::cli::{Audience, Flow, Options, Shell};
use menagerie_core::client::State;
use menagerie_core::embedded::Server;

/// How long an event may take. Only a broken server is slower, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn every_shell_session_prints_what_its_page_says() -> Result {
    let mut wrong = Vec::new();
    let mut played = 0;
    for page in pages(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))? {
        let steps = steps(&fs::read_to_string(&page)?)?;
        if !steps.is_empty() {
            played += steps.len();
            wrong.extend(play(&steps).await?.into_iter().map(|what| format!("{}:{what}", page.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(played > 100, "only {played} steps: are the blocks still marked `console`?");
    Ok(())
}

/// Something that is typed, or waited for, and what must be printed then.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    /// The line of the page, from 1.
    line: usize,
    action: Action,
    expected: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Action {
    /// `$ menagerie cli COMMAND`
    Once(String),
    /// `NAME> COMMAND`
    Type(String, String),
    /// `NAME>`
    Look(String),
}

/// Everything that is typed on a page. What is not a prompt is output of what stands before it; blank lines do not count.
fn steps(page: &str) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (index, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            inside = !inside && line == "```console";
        } else if inside && !line.is_empty() {
            match action(line)? {
                Some(action) => steps.push(Step { line: index + 1, action, expected: Vec::new() }),
                None => steps.last_mut().ok_or("output before the first prompt")?.expected.push(line.to_owned()),
            }
        }
    }
    Ok(steps)
}

fn action(line: &str) -> Result<Option<Action>> {
    if let Some(command) = line.strip_prefix("$ ") {
        let command = command.strip_prefix("menagerie cli ").ok_or_else(|| format!("cannot play `{line}`"))?;
        return Ok(Some(Action::Once(command.to_owned())));
    }
    let Some((name, command)) = line.split_once('>') else { return Ok(None) };
    if name.is_empty() || !name.chars().all(|character| character.is_ascii_lowercase() || character.is_ascii_digit()) {
        return Ok(None);
    }
    Ok(Some(match command.trim() {
        "" => Action::Look(name.to_owned()),
        command => Action::Type(name.to_owned(), command.to_owned()),
    }))
}

/// Plays the steps of one page; says where something else was printed.
async fn play(steps: &[Step]) -> Result<Vec<String>> {
    let server = Server::start().await?;
    let hosts = server.connect_string();
    let mut windows: BTreeMap<&str, Window> = BTreeMap::new();
    let mut wrong = Vec::new();
    for step in steps {
        let printed = match &step.action {
            Action::Once(command) => {
                let mut window = Window::open(&hosts).await?;
                let printed = window.type_in(command).await;
                window.shell.close().await;
                printed
            }
            Action::Type(name, command) => {
                if !windows.contains_key(name.as_str()) {
                    windows.insert(name, Window::open(&hosts).await?);
                }
                let window = windows.get_mut(name.as_str()).ok_or("no window")?;
                window.type_in(command).await
            }
            Action::Look(name) => {
                let window = windows.get_mut(name.as_str()).ok_or("looks at a window that is not open")?;
                window.look(step.expected.len()).await
            }
        };
        if !matches(&step.expected, &printed) {
            let (expected, printed) = (step.expected.join("\n    "), printed.join("\n    "));
            wrong.push(format!("{}: expected\n    {expected}\n  but got\n    {printed}", step.line));
        }
    }
    for window in windows.values_mut() {
        window.shell.close().await;
    }
    server.stop().await;
    Ok(wrong)
}

/// A shell that stays open, and the lines that it has printed unasked.
struct Window {
    shell: Shell,
    unasked: Arc<Mutex<Vec<String>>>,
}

impl Window {
    async fn open(hosts: &str) -> Result<Self> {
        let unasked = Arc::new(Mutex::new(Vec::new()));
        let options = Options {
            server: hosts.to_owned(),
            timeout: 10_000,
            readonly: false,
            json: false,
            waitforconnection: true,
            command: Vec::new(),
        };
        let printer = {
            let unasked = unasked.clone();
            Arc::new(move |text: String| {
                let lines = text.lines().filter(|line| !line.is_empty()).map(str::to_owned);
                unasked.lock().unwrap_or_else(PoisonError::into_inner).extend(lines);
            })
        };
        // Pages show what scripts read. What the session itself goes through is told to people only.
        let shell = Shell::open(options, printer, Audience::Program)?;
        let mut states = shell.client().states();
        states.wait_for(State::is_connected).await;
        Ok(Self { shell, unasked })
    }

    /// What is printed in answer: output, and the error if there is one.
    async fn type_in(&mut self, command: &str) -> Vec<String> {
        let mut out = Vec::new();
        let outcome = self.shell.run_line(command, &mut out).await;
        let mut text = String::from_utf8_lossy(&out).into_owned();
        match outcome {
            Ok(Flow::Continue) => {}
            Ok(Flow::Quit) => self.shell.close().await,
            Err(failure) => text = format!("{text}error: {failure}"),
        }
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Waits for so many lines, and takes them.
    async fn look(&mut self, lines: usize) -> Vec<String> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            {
                let mut unasked = self.unasked.lock().unwrap_or_else(PoisonError::into_inner);
                if unasked.len() >= lines || tokio::time::Instant::now() > deadline {
                    let taken = unasked.len().min(lines);
                    return unasked.drain(..taken).collect();
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn matches(expected: &[String], printed: &[String]) -> bool {
    expected.len() == printed.len() && expected.iter().zip(printed).all(|(expected, line)| matches_line(expected, line))
}

/// `[..]` stands for any text within a line.
fn matches_line(expected: &str, line: &str) -> bool {
    let mut pieces = expected.split("[..]");
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut open = false;
    for piece in pieces {
        open = true;
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = if piece.is_empty() { rest } else { after };
    }
    rest.is_empty() || (open && expected.ends_with("[..]"))
}

fn pages(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(pages(&path)?);
        } else if path.extension().is_some_and(|end| end == "md") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[test]
fn a_page_is_taken_apart_into_what_is_typed_and_what_is_printed() -> Result {
    let page = "text\n```console\n$ menagerie cli ls /\n[a]\nalice> get -w /a\n\n1\nalice>\nchanged\n```\n> quoted\n```sh\n$ x\n```\n";
    let step = |line, action, expected: &str| Step { line, action, expected: vec![expected.to_owned()] };
    let expected = [
        step(3, Action::Once("ls /".into()), "[a]"),
        step(5, Action::Type("alice".into(), "get -w /a".into()), "1"),
        step(8, Action::Look("alice".into()), "changed"),
    ];
    assert_eq!(steps(page)?, expected);
    assert!(steps("```console\n$ rm -rf /\n```").is_err());
    assert!(steps("```console\n[]\n```").is_err());
    Ok(())
}

#[test]
fn placeholders_stand_for_anything_and_only_where_they_stand() {
    for (expected, line, same) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("x = [..]", "x = 17", true),
        ("x = [..]", "y = 17", false),
        ("x = [..] ms", "x = 17 ms", true),
        ("x = [..] ms", "x = 17 ms or so", false),
        ("[..]", "", true),
    ] {
        assert_eq!(matches_line(expected, line), same, "{expected:?} {line:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_lies_is_found_out() -> Result {
    let honest = "```console\n$ menagerie cli create /a x\nCreated /a\n$ menagerie cli get /a\n";
    assert_eq!(play(&steps(&format!("{honest}x\n```"))?).await?, [""; 0]);
    let found = play(&steps(&format!("{honest}y\n```"))?).await?;
    assert!(found.len() == 1 && found[0].starts_with("4: expected"), "{found:?}");
    Ok(())
}
