//! Every example runs to its end, and says what it promises.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use menagerie_core::embedded::Server;

#[test]
fn the_master_worker_cluster_does_every_task_exactly_once() {
    let output = Command::new(env!("CARGO_BIN_EXE_master_worker")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("KILL master") && text.contains("KILL worker"), "{text}");
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

/// A role of the example as a process, killed when dropped.
struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Process {
    fn start(hosts: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_master_worker"));
        command.args(arguments).args(["--connect", hosts, "--session-timeout-ms", "1500"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Process { child, lines }
    }

    /// Reads on to a line that holds these words. Ends with a panic when the process does not say them.
    fn says(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "it ended without saying {words:?}");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn each_role_runs_as_a_process_that_may_be_killed() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::builder().tick_time(Duration::from_millis(200)).start()).unwrap();
    let hosts = server.connect_string();
    let mut master = Process::start(&hosts, &["master", "--name", "m1"]);
    master.says("m1 is the master now");
    let mut standby = Process::start(&hosts, &["master", "--name", "m2"]);
    let mut doomed = Process::start(&hosts, &["worker", "--name", "w1"]);
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
    assert!(submit.child.wait().unwrap().success());
    let status =
        Command::new(env!("CARGO_BIN_EXE_master_worker")).args(["status", "--connect", &hosts]).output().unwrap();
    assert!(status.status.success() && status.stdout.is_empty(), "{status:?}");
    runtime.block_on(server.stop());
}
