//! `menagerie bench` against a server in this process: its figures agree with each other, and it leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use menagerie_core::client::Client;
use menagerie_core::embedded::Server;
use serde_json::Value;

fn bench(server: &Server, args: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_menagerie"));
    command.args(["bench", "--connect", &server.connect_string()]).args(args.split(' '));
    command.output().unwrap()
}

/// Longer than any step takes on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A bench that runs beside the test.
struct Running(Child);

impl Running {
    fn start(connect: &str, args: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_menagerie"));
        command.args(["bench", "--connect", connect]).args(args.split(' '));
        Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// What Ctrl-C does.
    fn interrupt(&self) {
        // The shell has it built in, where there is no program of that name.
        let kill = format!("kill -INT {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits until it ends by itself; `each` is called now and then.
    async fn end(mut self, mut each: impl FnMut(&Self)) -> Output {
        let ended = async {
            while self.0.try_wait().unwrap().is_none() {
                each(&self);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let is_ended = tokio::time::timeout(PATIENCE, ended).await.is_ok();
        if !is_ended {
            self.0.kill().unwrap();
        }
        let output = self.0.wait_with_output().unwrap();
        assert!(is_ended, "it had to be killed: {output:?}");
        output
    }
}

/// Waits until a bench has made something below its own znode.
async fn until_at_work(client: &Client) {
    loop {
        let names = client.get_children("/").await.unwrap();
        if let Some(root) = names.into_iter().find(|name| name.starts_with("menagerie-bench-"))
            && client.get_children(&format!("/{root}")).await.is_ok_and(|children| !children.is_empty())
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn root_children(server: &Server) -> Vec<String> {
    Client::connect(server.connect_string()).await.unwrap().get_children("/").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_workload_reports_and_cleans_up() {
    let server = Server::start().await.unwrap();
    let pid = std::process::id();
    for workload in ["get", "set", "create", "mixed"] {
        let args =
            format!("{workload} --connections 2 --depth 3 --keys 5 --seconds 1 --warmup 0 --json --server-pid {pid}");
        let output = bench(&server, &args);
        assert!(output.status.success(), "{workload}: {output:?}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let number = |path: &str| report.pointer(path).and_then(Value::as_f64).unwrap();
        assert!(number("/operations") > 0.0, "{report}");
        let rate = number("/operations") / number("/seconds");
        assert!((number("/ops_per_second") - rate).abs() <= rate / 1000.0, "{report}");
        assert!(number("/latency_ms/p50") <= number("/latency_ms/p999"), "{report}");
        assert!(number("/server/rss_kib") > 0.0, "{report}");
        assert_eq!(report["errors"], serde_json::json!({}), "{report}");
        assert_eq!(root_children(&server).await, ["zookeeper"], "{workload} left something behind");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn znodes_fill_the_server_and_go_again() {
    let server = Server::start().await.unwrap();
    let output = bench(&server, &format!("--znodes 2500 --size 10 --json --server-pid {}", std::process::id()));
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["operations"], 2500);
    assert!(report["server"]["bytes_per_znode"].is_number(), "{report}");
    assert_eq!(root_children(&server).await, ["zookeeper"]);
}

/// Requests that fail are counted under their name, and the exit code tells of them.
#[tokio::test(flavor = "multi_thread")]
async fn failures_are_counted_and_told() {
    let server = Server::start().await.unwrap();
    let client = Client::connect(server.connect_string()).await.unwrap();
    let running = {
        let connect = server.connect_string();
        tokio::task::spawn_blocking(move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_menagerie"));
            let args = "get --connections 1 --depth 1 --keys 1 --seconds 3 --warmup 0 --json";
            command.args(["bench", "--connect", &connect]).args(args.split(' ')).output().unwrap()
        })
    };
    // The bench's only key is taken away from under it.
    loop {
        let root =
            client.get_children("/").await.unwrap().into_iter().find(|name| name.starts_with("menagerie-bench-"));
        if let Some(root) = root
            && client.delete(&format!("/{root}/k0"), -1).await.is_ok()
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let output = running.await.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["errors"]["NONODE"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(client.get_children("/").await.unwrap(), ["zookeeper"]);
}

/// Ctrl-C left everything behind where it was pressed while keys or znodes were made: it ended the process there and then.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_before_the_measurement_cleans_up_too() {
    let server = Server::start().await.unwrap();
    let pid = std::process::id();
    let making = ["get --keys 50000000".to_owned(), format!("--znodes 50000000 --server-pid {pid}")];
    for args in making {
        let client = Client::connect(server.connect_string()).await.unwrap();
        let running = Running::start(&server.connect_string(), &args);
        until_at_work(&client).await;
        running.interrupt();
        let output = running.end(|_| {}).await;
        assert_eq!(output.status.code(), Some(130), "{output:?}");
        assert_eq!(root_children(&server).await, ["zookeeper"], "{args} left something behind");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_while_connecting_ends_it() {
    // Accepts, and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let running = Running::start(&silent.local_addr().unwrap().to_string(), "get");
    let (_connection, _) = tokio::task::spawn_blocking(move || silent.accept().unwrap()).await.unwrap();
    running.interrupt();
    let output = running.end(|_| {}).await;
    assert_eq!(output.status.code(), Some(130), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_the_measurement_and_reports() {
    let server = Server::start().await.unwrap();
    let client = Client::connect(server.connect_string()).await.unwrap();
    let args = "create --connections 1 --depth 1 --seconds 3600 --warmup 0 --json";
    let running = Running::start(&server.connect_string(), args);
    until_at_work(&client).await;
    // Its connection's directory stands. Whether the measurement has begun or is about to: it ends.
    running.interrupt();
    let output = running.end(|_| {}).await;
    if output.status.code() != Some(130) {
        assert!(output.status.success(), "{output:?}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(report["seconds"].as_f64().unwrap() < 3600.0, "{report}");
    }
    assert_eq!(root_children(&server).await, ["zookeeper"]);
}

/// The server went in the middle of a measurement: the bench waited for it for ever, and by then Ctrl-C did nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_is_not_waited_for_after_a_second_interrupt() {
    let server = Server::start().await.unwrap();
    let client = Client::connect(server.connect_string()).await.unwrap();
    let args = "get --connections 1 --depth 1 --keys 1 --seconds 3600 --warmup 0 --json";
    let running = Running::start(&server.connect_string(), args);
    until_at_work(&client).await;
    drop(client);
    // By then it measures, or else it fails on the way there: it must end in any case.
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Waits until every connection is closed, so that the bench knows it before the interrupt.
    server.stop().await;
    let output = running.end(Running::interrupt).await;
    let code = output.status.code();
    // 0: the interrupt came before the loss was noticed, and ended a measurement without a failed operation.
    assert!(matches!(code, Some(0 | 1 | 3 | 130)), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("could not be cleaned up: interrupted"), "{output:?}");
    if code == Some(1) {
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(report["errors"]["CONNECTIONLOSS"].as_u64().unwrap() > 0, "{report}");
    }
}
