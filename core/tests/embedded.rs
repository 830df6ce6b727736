//! What an embedded server is told by its builder.
#![cfg(all(feature = "server", feature = "client"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use menagerie_core::client::Client;
use menagerie_core::embedded::{Builder, Server};

/// What sessions get that ask for almost no time, and for very much.
async fn bounds(builder: Builder) -> (Duration, Duration) {
    let server = builder.start().await.unwrap();
    let mut granted = Vec::new();
    for asked in [Duration::from_millis(1), Duration::from_secs(1_000_000)] {
        let client = Client::builder().hosts(server.connect_string()).session_timeout(asked);
        let client = client.connect_timeout(Duration::from_secs(30)).connect().await.unwrap();
        granted.push(client.negotiated_timeout());
        client.close().await.unwrap();
    }
    server.stop().await;
    (granted[0], granted[1])
}

#[tokio::test]
async fn session_timeouts_are_bounded_by_ticks_or_as_asked_for() {
    let (tick, second) = (Duration::from_millis(500), Duration::from_secs(1));
    assert_eq!(bounds(Server::builder().tick_time(tick)).await, (second, 10 * second));
    // Whether the tick is given before them or after.
    let both = Server::builder().min_session_timeout(3 * second).tick_time(tick).max_session_timeout(60 * second);
    assert_eq!(bounds(both).await, (3 * second, 60 * second));
}

#[tokio::test]
async fn bounds_that_contradict_each_other_are_refused() {
    let error = Server::builder().max_session_timeout(Duration::from_secs(1)).start().await.unwrap_err();
    assert!(error.to_string().contains("minSessionTimeout is above maxSessionTimeout"), "{error}");
}
