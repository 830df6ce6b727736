//! What `menagerie` makes of input that is no text, and of commands that need no server.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output, Stdio};

use menagerie_core::client::Client;
use menagerie_core::embedded::Server;

/// A port of this machine on which nobody listens.
const NOBODY: &str = "127.0.0.1:1";

fn cli(server: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_menagerie"));
    command.env_remove("MENAGERIE_LOG").args(["cli", "--server", server]);
    command
}

fn run_with_input(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// `menagerie cli version` waited ten seconds for a server that it does not need, and failed without one.
#[test]
fn commands_that_need_no_server_ask_none() {
    let output = cli(NOBODY).arg("version").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, format!("Menagerie CLI version: {}\n", env!("CARGO_PKG_VERSION")).as_bytes());
    for command in [&["help", "ls"][..], &["history"], &["printwatches", "off"], &["close"], &["quit"]] {
        let output = cli(NOBODY).args(command).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

/// A line that was not UTF-8 ended the shell with words about its output, the commands after it were not run, and the session was left open.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_no_text_is_refused_and_the_next_is_run() {
    let server = Server::start().await.unwrap();
    let output =
        run_with_input(cli(&server.connect_string()), b"create -e /a\ncreate /b \xff\r\ncreate /c x\r\nget /c");
    assert_eq!(output.stdout, b"Created /a\nCreated /c\nx\n", "{output:?}");
    assert!(stderr(&output).starts_with("error: line 2 is not UTF-8"), "{output:?}");
    assert_eq!(output.status.code(), Some(2));
    let client = Client::connect(server.connect_string()).await.unwrap();
    let mut names = client.get_children("/").await.unwrap();
    names.sort();
    assert_eq!(names, ["c", "zookeeper"], "the session was closed, and /a went with it");
}

#[tokio::test(flavor = "multi_thread")]
async fn input_that_cannot_be_read_is_told_as_such() {
    let server = Server::start().await.unwrap();
    let mut command = cli(&server.connect_string());
    let output = command.stdin(File::open(env!("CARGO_MANIFEST_DIR")).unwrap()).output().unwrap();
    assert!(stderr(&output).starts_with("error: cannot read the commands: "), "{output:?}");
    assert_eq!(output.status.code(), Some(2));
}

/// An argument that is not UTF-8 was a panic.
#[test]
fn an_argument_that_is_no_text_is_refused() {
    for words in [&["get", "/\u{e9}"][..], &["get"]] {
        let output = cli(NOBODY).args(words).arg(OsStr::from_bytes(b"/\xff")).output().unwrap();
        assert!(stderr(&output).starts_with("error: invalid UTF-8"), "{output:?}");
        assert_eq!(output.status.code(), Some(2));
    }
}

/// An import reads its file three times. From a pipe it read it once, then nothing, and said that all was well.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_from_a_pipe_is_refused() {
    let server = Server::start().await.unwrap();
    let mut command = cli(&server.connect_string());
    command.args(["import", "/dev/stdin"]);
    let output =
        run_with_input(command, b"{\"export\":1,\"root\":\"/a\"}\n{\"path\":\"/a\"}\n{\"end\":true,\"znodes\":1}\n");
    assert!(stderr(&output).starts_with("error: cannot read /dev/stdin: it is no file"), "{output:?}");
    assert_eq!(output.status.code(), Some(2));
}
