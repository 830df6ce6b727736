//! `menagerie bench` against a server in this process: its figures agree with each other, and it leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::{Command, Output};

use menagerie_core::client::Client;
use menagerie_core::embedded::Server;
use serde_json::Value;

fn bench(server: &Server, args: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_menagerie"));
    command.args(["bench", "--connect", &server.connect_string()]).args(args.split(' '));
    command.output().unwrap()
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
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let output = running.await.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["errors"]["NONODE"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(client.get_children("/").await.unwrap(), ["zookeeper"]);
}
