//! What a test can do to an ensemble in its own process, and what clients see of it.
#![cfg(all(feature = "server", feature = "client"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use menagerie_core::client::{Client, Version};
use menagerie_core::embedded::Ensemble;
use menagerie_core::server::Role;
use menagerie_core::wire::CreateMode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Long enough for a slow machine, short enough for a test that hangs.
const PATIENCE: Duration = Duration::from_mins(1);

async fn client(hosts: String) -> Client {
    let client = Client::builder().hosts(hosts).session_timeout(Duration::from_secs(30)).connect_timeout(PATIENCE);
    client.connect().await.unwrap()
}

/// Until it is known to be written.
async fn write(client: &Client, path: &str) {
    let written = async {
        loop {
            match client.create(path, "", CreateMode::Persistent).await {
                Ok(_) => return,
                Err(error) if error.is_node_exists() => return,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, written).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ensemble_serves_on_when_its_leader_is_killed_and_takes_it_back() {
    let mut ensemble = Ensemble::start(3).await.unwrap();
    let client = client(ensemble.connect_string()).await;
    write(&client, "/before").await;
    let leader = ensemble.leader().await;
    ensemble.kill(leader).await;
    write(&client, "/without").await;
    ensemble.restart(leader).await.unwrap();
    ensemble.ready().await;
    let back = self::client(ensemble.address(leader).unwrap().to_string()).await;
    back.sync("/").await.unwrap();
    assert!(back.exists("/before").await.unwrap().is_some() && back.exists("/without").await.unwrap().is_some());
    ensemble.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_cut_off_acknowledges_nothing_and_follows_when_healed() {
    let ensemble = Ensemble::builder(3).tick_time(Duration::from_millis(200)).start().await.unwrap();
    let leader = ensemble.leader().await;
    let others: Vec<i64> = ensemble.ids().into_iter().filter(|id| *id != leader).collect();
    let alone = client(ensemble.address(leader).unwrap().to_string()).await;
    ensemble.partition(&[leader]);
    assert!(alone.create("/alone", "", CreateMode::Persistent).await.is_err(), "a minority acknowledges nothing");
    let hosts: Vec<String> = others.iter().map(|id| ensemble.address(*id).unwrap().to_string()).collect();
    let many = client(hosts.join(",")).await;
    write(&many, "/many").await;
    ensemble.heal();
    let healed = async {
        while !matches!(ensemble.role(leader), Some(Role::Following { .. })) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, healed).await.unwrap();
    let back = client(ensemble.address(leader).unwrap().to_string()).await;
    back.sync("/").await.unwrap();
    assert!(back.exists("/many").await.unwrap().is_some());
    ensemble.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_leader_is_replaced_and_finds_out_when_it_goes_on() {
    let mut ensemble = Ensemble::builder(3).tick_time(Duration::from_millis(200)).start().await.unwrap();
    let client = client(ensemble.connect_string()).await;
    let leader = ensemble.leader().await;
    ensemble.pause(leader);
    write(&client, "/while-paused").await;
    assert_ne!(ensemble.leader().await, leader);
    ensemble.resume(leader);
    let found_out = async {
        while !matches!(ensemble.role(leader), Some(Role::Following { .. })) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, found_out).await.unwrap();
    ensemble.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_serves_and_does_not_vote() {
    let mut ensemble = Ensemble::builder(3).observers(1).start().await.unwrap();
    assert!(matches!(ensemble.role(4), Some(Role::Observing { .. })));
    let client = client(ensemble.address(4).unwrap().to_string()).await;
    write(&client, "/through-an-observer").await;
    let leader = ensemble.leader().await;
    let follower = ensemble.ids().into_iter().find(|id| *id != leader && *id != 4).unwrap();
    ensemble.kill(follower).await;
    write(&client, "/with-two-voters").await;
    ensemble.kill(leader).await;
    let lost =
        tokio::time::timeout(Duration::from_secs(1), client.create("/with-one", "", CreateMode::Persistent)).await;
    assert!(!matches!(lost, Ok(Ok(_))), "one voter of three is no quorum");
    ensemble.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_stopped_hands_over_long_before_any_limit_and_nothing_is_lost() {
    // So long that a test which waits for any limit does not end.
    let mut ensemble = Ensemble::builder(3).tick_time(Duration::from_mins(1)).start().await.unwrap();
    let client = client(ensemble.connect_string()).await;
    for round in 0..3 {
        let leader = ensemble.leader().await;
        write(&client, &format!("/before-{round}")).await;
        ensemble.stop_member(leader).await;
        write(&client, &format!("/after-{round}")).await;
        ensemble.restart(leader).await.unwrap();
        ensemble.ready().await;
    }
    client.sync("/").await.unwrap();
    for path in (0..3).flat_map(|round| [format!("/before-{round}"), format!("/after-{round}")]) {
        assert!(client.exists(path.as_str()).await.unwrap().is_some(), "{path}");
    }
    ensemble.stop().await;
}

/// Of `mntr`, as the member tells it.
async fn monitored(ensemble: &Ensemble, id: i64, name: &str) -> u64 {
    let mut connection = tokio::net::TcpStream::connect(ensemble.address(id).unwrap()).await.unwrap();
    connection.write_all(b"mntr").await.unwrap();
    let mut text = String::new();
    connection.read_to_string(&mut text).await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// A client at a follower fell silent without a word, as when its machine loses power. Its connection stayed open, so the follower
/// told the leader at every ping that it had been heard of, and its locks were held for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_client_at_a_follower_loses_its_session() {
    let ensemble = Ensemble::builder(3).tick_time(Duration::from_millis(200)).max_session_timeout(PATIENCE);
    let ensemble = ensemble.start().await.unwrap();
    let leader = ensemble.leader().await;
    let watcher = client(ensemble.address(leader).unwrap().to_string()).await;
    let follower = ensemble.ids().into_iter().find(|id| *id != leader).unwrap();
    let host = ensemble.address(follower).unwrap().to_string();
    let silent = Client::builder().hosts(host).session_timeout(Duration::from_secs(2)).connect_timeout(PATIENCE);
    let silent = silent.connect().await.unwrap();
    silent.create("/held", "", CreateMode::Ephemeral).await.unwrap();
    ensemble.set_reachable(follower, false);
    let gone = async {
        while watcher.exists("/held").await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    ensemble.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_sent_a_snapshot_under_load_has_the_same_tree_and_says_so() {
    let mut ensemble = Ensemble::builder(3).force_snapshots(true).start().await.unwrap();
    let client = client(ensemble.connect_string()).await;
    let leader = ensemble.leader().await;
    let behind = ensemble.ids().into_iter().find(|id| *id != leader).unwrap();
    ensemble.kill(behind).await;
    // More than the leader keeps in memory for members that are a little behind.
    let calls: Vec<_> =
        (0..3_000).map(|n| client.create(&format!("/n{n:05}"), vec![b'x'; 500], CreateMode::Persistent)).collect();
    for call in calls {
        call.await.unwrap();
    }
    let mut load = tokio::task::JoinSet::new();
    load.spawn({
        let client = client.clone();
        async move {
            // Those that a walk comes to last are changed while it goes on.
            for n in (0..3_000).rev().cycle() {
                if client.set_data(&format!("/n{n:05}"), "y", Version::Any).await.is_err() {
                    return;
                }
            }
        }
    });
    for _ in 0..3 {
        ensemble.restart(behind).await.unwrap();
        ensemble.ready().await;
        let follower = self::client(ensemble.address(behind).unwrap().to_string()).await;
        follower.sync("/").await.unwrap();
        assert_eq!(follower.get_children("/").await.unwrap().len(), 3_001);
        assert_eq!(monitored(&ensemble, behind, "zk_digest_mismatches_count").await, 0);
        follower.close().await.unwrap();
        ensemble.kill(behind).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    load.shutdown().await;
    ensemble.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_lacks_more_than_is_in_memory_and_less_than_a_snapshot_is_sent_the_log_on_disk() {
    let mut ensemble = Ensemble::start(3).await.unwrap();
    let client = client(ensemble.connect_string()).await;
    for n in 0..40 {
        client.create(&format!("/large{n:02}"), vec![b'x'; 50_000], CreateMode::Persistent).await.unwrap();
    }
    let leader = ensemble.leader().await;
    let behind = ensemble.ids().into_iter().find(|id| *id != leader).unwrap();
    ensemble.kill(behind).await;
    // More than the 500 that a leader keeps in memory, and far fewer bytes than the tree has.
    let calls: Vec<_> = (0..3_000).map(|n| client.set_data("/large00", format!("{n}"), Version::Any)).collect();
    for call in calls {
        call.await.unwrap();
    }
    let before = monitored(&ensemble, leader, "zk_diff_count").await;
    let snapshots = monitored(&ensemble, leader, "zk_snap_count").await;
    ensemble.restart(behind).await.unwrap();
    ensemble.ready().await;
    assert_eq!(ensemble.leader().await, leader);
    assert_eq!(monitored(&ensemble, leader, "zk_diff_count").await, before + 1);
    assert_eq!(monitored(&ensemble, leader, "zk_snap_count").await, snapshots);
    // Whoever has another tree than the leader says so when the next transaction comes.
    client.set_data("/large01", "after", Version::Any).await.unwrap();
    let follower = self::client(ensemble.address(behind).unwrap().to_string()).await;
    follower.sync("/").await.unwrap();
    let (data, stat) = follower.get_data("/large00").await.unwrap();
    assert_eq!((&data[..], stat.version), (&b"2999"[..], 3_000));
    assert_eq!(monitored(&ensemble, behind, "zk_digest_mismatches_count").await, 0);
    follower.close().await.unwrap();
    ensemble.kill(behind).await;
    // More bytes than the tree has.
    for _ in 0..600 {
        client.set_data("/large00", vec![b'y'; 10_000], Version::Any).await.unwrap();
    }
    ensemble.restart(behind).await.unwrap();
    ensemble.ready().await;
    assert_eq!(monitored(&ensemble, leader, "zk_snap_count").await, snapshots + 1);
    ensemble.stop().await;
}
