//! Every example runs to its end, and says what it promises.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use menagerie_core::cli::{Audience, Options, Shell};
use menagerie_core::embedded::Server;

#[test]
fn the_master_worker_cluster_does_every_task_exactly_once() {
    let output = Command::new(env!("CARGO_BIN_EXE_master_worker")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(["KILL master", "KILL server", "KILL worker"].iter().all(|kill| text.contains(kill)), "{text}");
    assert!(text.ends_with("every task was done exactly once\n"), "{text}");
}

#[test]
fn the_distributed_lock_is_taken_and_released() {
    let output = Command::new(env!("CARGO_BIN_EXE_distributed_lock")).env_remove("MENAGERIE_CONNECT").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("has done its work") && text.contains("has released /lock"), "{text}");
}

#[test]
fn processes_take_turns_with_the_distributed_lock() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start()).unwrap();
    let processes: Vec<_> = (0..3)
        .map(|_| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_distributed_lock"));
            command.env("MENAGERIE_CONNECT", server.connect_string()).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut tokens = Vec::new();
    for process in processes {
        let output = process.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("has done its work"), "{text}");
        let token = text.lines().next().and_then(|line| line.rsplit(' ').next()).unwrap();
        tokens.push(token.parse::<i64>().unwrap());
    }
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 3, "each has its own token");
    runtime.block_on(server.stop());
}

/// How long anything that must happen may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// The session timeout of those who are to be killed: the others wait until their sessions expire. Still long enough for a slow machine not to
/// lose them before.
const DOOMED: Duration = Duration::from_secs(5);

/// A role of the example as a process, killed when dropped.
struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    fn start(hosts: &str, arguments: &[&str]) -> Self {
        Process::start_with(hosts, PATIENCE, arguments)
    }

    fn start_with(hosts: &str, session_timeout: Duration, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_master_worker"));
        let session_timeout = session_timeout.as_millis().to_string();
        command.args(arguments).args(["--connect", hosts, "--session-timeout-ms", &session_timeout]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        // Ends with the process, or when the test listens no more.
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Process { child, lines }
    }

    /// Reads on to a line that holds these words. Panics when the process ends, or is silent for too long, without having said them.
    fn says(&mut self, words: &str) {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(words) => return,
                Ok(_) => {}
                Err(silence) => panic!("it did not say {words:?}: {silence}"),
            }
        }
    }

    /// Waits until it has ended well.
    fn ends(mut self) {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it did not end");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Neither fails for one that has ended already.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn each_role_runs_as_a_process_that_may_be_killed() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = Server::builder().tick_time(Duration::from_millis(200)).max_session_timeout(PATIENCE);
    let server = runtime.block_on(server.start()).unwrap();
    let hosts = server.connect_string();
    let mut master = Process::start_with(&hosts, DOOMED, &["master", "--name", "m1"]);
    master.says("m1 is the master now");
    let mut standby = Process::start(&hosts, &["master", "--name", "m2"]);
    let mut doomed = Process::start_with(&hosts, DOOMED, &["worker", "--name", "w1"]);
    doomed.says("w1 is registered");
    let mut submit = Process::start(&hosts, &["submit", "3", "4", "5", "6", "7", "8"]);
    doomed.says("w1 has done");
    drop(master);
    drop(doomed);
    let _worker = Process::start(&hosts, &["worker", "--name", "w2"]);
    standby.says("m2 is the master now");
    for squared in ["3² = 9", "4² = 16", "5² = 25", "6² = 36", "7² = 49", "8² = 64"] {
        submit.says(squared);
    }
    submit.ends();
    let status =
        Command::new(env!("CARGO_BIN_EXE_master_worker")).args(["status", "--connect", &hosts]).output().unwrap();
    assert!(status.status.success() && status.stdout.is_empty(), "{status:?}");
    runtime.block_on(server.stop());
}

/// What the book's chapter tells its readers to type, word for word; all that is added is the address.
#[test]
fn the_commands_of_the_book_do_what_it_says() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../book/src/recipes/master-worker.md");
    let page = std::fs::read_to_string(page).unwrap();
    let typed = |start: &str| page.lines().filter_map(|line| line.strip_prefix(start)).collect::<Vec<_>>();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::builder().max_session_timeout(PATIENCE).start()).unwrap();
    let hosts = server.connect_string();

    let mut members = Vec::new();
    for command in typed("cargo run -p menagerie-examples --bin master_worker -- ") {
        let words: Vec<_> = command.split(' ').collect();
        let mut process = Process::start(&hosts, &words);
        match words[..] {
            // The second master waits for the first to go.
            ["master", ..] if !members.is_empty() => members.push(process),
            ["master", "--name", name] => {
                process.says(&format!("{name} is the master now"));
                members.push(process);
            }
            ["worker", "--name", name] => {
                process.says(&format!("{name} is registered"));
                members.push(process);
            }
            ["submit", ..] => {
                for squared in ["7² = 49", "8² = 64", "9² = 81"] {
                    process.says(squared);
                }
                process.ends();
            }
            _ => process.ends(),
        }
    }
    assert_eq!(members.len(), 3, "two masters and a worker");

    let commands = typed("menagerie cli ");
    let [create, get] = commands[..] else { panic!("not what is run here: {commands:?}") };
    let created = runtime.block_on(type_in(&hosts, create)).unwrap();
    assert!(get.contains(created.trim().strip_prefix("Created ").unwrap()), "{created}{get}");
    let deadline = Instant::now() + PATIENCE;
    while runtime.block_on(type_in(&hosts, get)).is_none_or(|status| !status.starts_with("done worker1 144")) {
        assert!(Instant::now() < deadline, "the task is not done");
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(members);
    runtime.block_on(server.stop());
}

/// What the shell prints, or `None` when the command fails.
async fn type_in(hosts: &str, command: &str) -> Option<String> {
    let (server, timeout) = (hosts.to_owned(), 30_000);
    let options =
        Options { server, timeout, readonly: false, json: false, waitforconnection: true, command: Vec::new() };
    let mut shell = Shell::open(options, std::sync::Arc::new(|_event| {}), Audience::Program).unwrap();
    let mut out = Vec::new();
    let outcome = shell.run_line(command, &mut out).await;
    shell.close().await;
    outcome.ok().map(|_flow| String::from_utf8(out).unwrap())
}
