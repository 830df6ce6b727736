//! What a server makes of a data directory when it starts on it: nothing acknowledged is lost, and nothing grows for ever.
#![cfg(all(feature = "server", feature = "client"))]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and lays out files")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use menagerie_core::client::{Client, Version};
use menagerie_core::server::{Server, ServerConfig, ServerError};
use menagerie_core::storage::snapshot::{self, SnapshotOptions};
use menagerie_core::storage::{RealDisk, snapshot_files};
use menagerie_core::tree::{DataTree, SnapshotCursor};
use menagerie_core::wire::txn::{CreateTxn, Txn, TxnHeader};
use menagerie_core::wire::{Acl, CreateMode, OpCode, Zxid};

fn config(directory: &Path) -> ServerConfig {
    ServerConfig {
        data_dir: directory.to_owned(),
        data_log_dir: directory.to_owned(),
        client_address: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        pre_alloc_kb: 64,
        ..ServerConfig::default()
    }
}

async fn start(config: ServerConfig) -> (Server, Client) {
    let server = Server::start(config).await.unwrap();
    let client = Client::connect(server.address().to_string()).await.unwrap();
    (server, client)
}

/// A snapshot held an ephemeral of a session that nobody knew. It was removed in memory alone, so that the next start found
/// it again, took the znode that a client had made in its place for it, and removed that.
#[tokio::test]
async fn an_orphan_does_not_take_its_successor_along() {
    let directory = tempfile::tempdir().unwrap();
    let mut tree = DataTree::new();
    let header = TxnHeader {
        client_id: 0x0100_0000_0000_0001,
        zxid: Zxid(5),
        kind: OpCode::Create.code(),
        ..TxnHeader::default()
    };
    let orphan = CreateTxn {
        path: "/master".into(),
        acl: Acl::open(),
        ephemeral: true,
        parent_cversion: 1,
        ..CreateTxn::default()
    };
    tree.apply(&header, &Txn::Create(false, orphan), &mut Vec::new());
    let version = directory.path().join("version-2");
    std::fs::create_dir_all(&version).unwrap();
    let (cursor, options) = (SnapshotCursor::new(&tree), SnapshotOptions::default());
    snapshot::write(&RealDisk, &version, cursor, &BTreeMap::new(), &options, |see| see(&tree)).unwrap();

    let (server, client) = start(config(directory.path())).await;
    assert_eq!(client.exists("/master").await.unwrap(), None);
    client.create("/master", "mine", CreateMode::Persistent).await.unwrap();
    client.close().await.unwrap();
    server.stop().await;
    let (server, client) = start(config(directory.path())).await;
    assert_eq!(client.get_data("/master").await.unwrap().0, "mine");
    client.close().await.unwrap();
    server.stop().await;
}

/// Each start counted from nothing, so that a server restarted before half of `snapCount` never wrote a snapshot: its log,
/// and the time of its start, grew without end.
#[tokio::test]
async fn a_server_restarted_often_still_writes_snapshots() {
    let directory = tempfile::tempdir().unwrap();
    let config = ServerConfig { snap_count: 100, ..config(directory.path()) };
    for _ in 0..12 {
        let (server, client) = start(config.clone()).await;
        for number in 0..10 {
            let path = format!("/n{number}");
            if client.exists(&path).await.unwrap().is_none() {
                client.create(&path, "", CreateMode::Persistent).await.unwrap();
            }
            client.set_data(&path, "x", Version::Any).await.unwrap();
        }
        client.close().await.unwrap();
        server.stop().await;
    }
    let snapshots = snapshot_files(&RealDisk, &directory.path().join("version-2")).unwrap();
    assert!(snapshots.len() > 1, "{snapshots:?}");
}

/// A configuration made in code, which no parser has looked at: it panicked, or span, and nobody was told.
#[tokio::test]
async fn a_configuration_that_contradicts_itself_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let good = config(directory.path());
    let bad = [
        ServerConfig { min_session_timeout_ms: 100_000, ..good.clone() },
        ServerConfig { tick_time_ms: 0, ..good.clone() },
        ServerConfig { container_check_interval_ms: 0, ..good.clone() },
        ServerConfig { client_address: None, ..good },
    ];
    for config in bad {
        assert!(matches!(Server::start(config).await, Err(ServerError::Config(_))));
    }
}

/// Protocol §2.11: a standalone server is 1 whatever its `myid` says. With 255 every ephemeral was taken for a TTL znode and
/// outlived its session.
#[tokio::test]
async fn a_standalone_servers_sessions_are_of_server_one() {
    let directory = tempfile::tempdir().unwrap();
    let (server, client) = start(ServerConfig { server_id: Some(255), ..config(directory.path()) }).await;
    assert_eq!(client.session_id() >> 56, 1);
    let created = client.create("/e", "", CreateMode::Ephemeral).await.unwrap();
    assert_eq!(created.stat.ephemeral_owner, client.session_id());
    client.close().await.unwrap();
    server.stop().await;
}

/// Two servers that write one log would destroy it. The port did not keep them apart: another one may be configured.
#[tokio::test]
async fn a_second_server_on_a_directory_does_not_start_and_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let (server, client) = start(config(directory.path())).await;
    client.create("/mine", "1", CreateMode::Persistent).await.unwrap();
    let error = Server::start(config(directory.path())).await.unwrap_err();
    assert!(matches!(error, ServerError::Storage(_)) && error.exit_code() == 3, "{error}");
    assert!(error.to_string().contains("in use by another server"), "{error}");
    // One that shares only its log's directory does not either.
    let elsewhere = tempfile::tempdir().unwrap();
    let shared = ServerConfig { data_dir: elsewhere.path().to_owned(), ..config(directory.path()) };
    assert!(Server::start(shared).await.unwrap_err().to_string().contains("in use by another server"));

    client.set_data("/mine", "2", Version::Any).await.unwrap();
    client.close().await.unwrap();
    server.stop().await;
    let (server, client) = start(config(directory.path())).await;
    assert_eq!(client.get_data("/mine").await.unwrap().0.as_ref(), b"2");
    client.close().await.unwrap();
    server.stop().await;
}

/// Where the data should be there is nothing: without a word from the operator the server does not serve an empty tree.
#[tokio::test]
async fn an_empty_directory_is_trusted_only_with_the_mark() {
    let directory = tempfile::tempdir().unwrap();
    let config = ServerConfig { db_autocreate: false, ..config(directory.path()) };
    let refused = Server::start(config.clone()).await.unwrap_err();
    assert!(matches!(refused, ServerError::NoDatabase { .. }) && refused.exit_code() == 3, "{refused}");
    assert!(refused.to_string().contains("/initialize and start again"), "{refused}");
    std::fs::write(directory.path().join("initialize"), "").unwrap();
    Server::start(config.clone()).await.unwrap().stop().await;
    assert!(!directory.path().join("initialize").exists());
    // Now there is a snapshot, and nothing more to say.
    Server::start(config).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_directory_that_is_missing_is_made_unless_that_is_forbidden() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("mounted/later");
    let forbidden = ServerConfig { datadir_autocreate: false, ..config(&missing) };
    let refused = Server::start(forbidden.clone()).await.unwrap_err();
    assert!(matches!(refused, ServerError::NoDirectory { .. }) && !missing.exists(), "{refused}");
    std::fs::create_dir_all(&missing).unwrap();
    Server::start(forbidden).await.unwrap().stop().await;
    std::fs::remove_dir_all(&missing).unwrap();
    Server::start(config(&missing)).await.unwrap().stop().await;
}

/// `txnLogSizeLimitInKb`: without a snapshot being due, a log file that has grown beyond the limit is followed by another.
#[tokio::test]
async fn a_log_file_does_not_grow_beyond_its_limit() {
    let directory = tempfile::tempdir().unwrap();
    let limited = ServerConfig { txn_log_size_limit_kb: Some(10), ..config(directory.path()) };
    let (server, client) = start(limited).await;
    for number in 0..8 {
        client.create(&format!("/{number}"), vec![b'x'; 6_000], CreateMode::Persistent).await.unwrap();
    }
    server.stop().await;
    let version = directory.path().join("version-2");
    let logs = menagerie_core::storage::log_files(&RealDisk, &version).unwrap();
    // Two writes fill a file beyond the limit, and the next one opens another.
    assert!(logs.len() >= 4, "{logs:?}");
    assert_eq!(snapshot_files(&RealDisk, &version).unwrap().len(), 1);
    let (server, client) = start(config(directory.path())).await;
    assert!(client.exists("/7").await.unwrap().is_some());
    server.stop().await;
}
