//! The client against a scripted server: a listener on the loopback interface that accepts, answers, lies and hangs up exactly as
//! the test says. What the session machine decides is tested beside it, in virtual time; here the task, its sockets and its handles are.
#![allow(clippy::disallowed_methods, reason = "a test starts tasks and threads as an application does")]
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scripted;

use std::time::Duration;

use bytes::Bytes;
use menagerie_core::client::{Client, EventKind, State, Version};
use menagerie_core::jute::Decode;
use menagerie_core::wire::proto::{
    Create2Response, CreateRequest, GetChildrenResponse, GetEphemeralsRequest, GetEphemeralsResponse, PathOnly,
    PathRequest, SetWatches, StatResponse, WatchesRequest,
};
use menagerie_core::wire::{AddWatchMode, CreateMode, OpCode, Stat, Zxid};

use scripted::{PATIENCE, Server, data};

#[tokio::test]
async fn calls_are_sent_in_the_order_in_which_they_are_made() {
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    let calls: Vec<_> = (0..100).map(|n| client.get_data(&format!("/{n}"))).collect();
    for n in 0..100 {
        let request = connection.expect(OpCode::GetData).await;
        assert_eq!(PathRequest::from_bytes(&request.record).unwrap().path, format!("/{n}"));
        connection.answer(&request, n, &data("x")).await;
    }
    // Awaited the other way round: the order of awaiting is nobody's business.
    for call in calls.into_iter().rev() {
        assert_eq!(call.await.unwrap().0, "x");
    }
    assert_eq!(client.last_zxid(), Zxid(99));
}

#[tokio::test]
async fn a_server_that_dies_between_commit_and_reply_leaves_the_outcome_unknown() {
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    let create = client.create("/a", "x", CreateMode::Ephemeral);
    let read = client.get_data("/b");
    connection.expect(OpCode::Create2).await;
    connection.expect(OpCode::GetData).await;
    drop(connection);
    let (create, read) = (create.await.unwrap_err(), read.await.unwrap_err());
    assert!(create.is_connection_loss() && create.may_have_applied(), "{create}");
    assert!(read.is_connection_loss() && !read.may_have_applied(), "{read}");
    let (_connection, greeting) = server.serve().await;
    assert_eq!((greeting.session_id, greeting.password), (7, Some(Bytes::from_static(&[9; 16]))));
}

#[tokio::test]
async fn an_expired_session_says_so_to_calls_watches_and_states() {
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    let mut states = client.states();
    assert_eq!(states.current(), State::Connected);
    let call = client.exists_and_watch("/a");
    let request = connection.expect(OpCode::Exists).await;
    connection.reply(request.xid, 3, -101, &[]).await;
    let (stat, watch) = call.await.unwrap();
    assert_eq!(stat, None);
    drop(connection);
    assert_eq!(states.changed().await, State::Suspended);
    assert!(client.valid_until().is_some());
    let queued = client.get_data("/a");
    let (mut connection, greeting) = server.accept().await;
    assert_eq!(greeting.last_zxid_seen, Zxid(3));
    connection.grant(0).await;
    assert_eq!(states.changed().await, State::Expired);
    assert!(queued.await.unwrap_err().is_session_expired());
    assert!(client.get_data("/a").await.unwrap_err().is_session_expired());
    assert_eq!(watch.changed().await.kind, EventKind::SessionExpired);
    assert_eq!(client.valid_until(), None);
}

#[tokio::test]
async fn a_server_that_lags_behind_is_left_for_one_that_does_not() {
    let (lagging, current) = (Server::start().await, Server::start().await);
    let hosts = format!("{},{}", lagging.listener.local_addr().unwrap(), current.listener.local_addr().unwrap());
    let (client, connection) =
        tokio::join!(Client::builder().hosts(hosts).connect_timeout(PATIENCE).connect(), async {
            loop {
                // A server behind what the client has seen closes without an answer (protocol §2.1).
                tokio::select! {
                    (connection, _) = lagging.accept() => drop(connection),
                    (connection, _) = current.serve() => break connection,
                }
            }
        });
    let client = client.unwrap();
    let mut connection = connection;
    let call = client.get_data("/a");
    let request = connection.expect(OpCode::GetData).await;
    connection.answer(&request, 5, &data("x")).await;
    call.await.unwrap();
}

#[tokio::test]
async fn a_watch_survives_the_connection_and_is_told_what_it_missed() {
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    let app = client.chroot("/app").unwrap();
    let call = app.get_data_and_watch("/a");
    let request = connection.expect(OpCode::GetData).await;
    let asked = PathRequest::from_bytes(&request.record).unwrap();
    assert_eq!((asked.path.as_str(), asked.watch), ("/app/a", true));
    connection.answer(&request, 5, &data("x")).await;
    let (_, _, watch) = call.await.unwrap();
    drop(connection);
    let (mut connection, _) = server.serve().await;
    let request = connection.expect(OpCode::SetWatches).await;
    let record = SetWatches::from_bytes(&request.record).unwrap();
    assert_eq!((record.relative_zxid, record.data), (Zxid(5), vec!["/app/a".to_owned()]));
    connection.notify(3, "/app/a").await;
    connection.reply(request.xid, 6, 0, &[]).await;
    let event = watch.changed().await;
    assert_eq!((event.kind, event.path.as_str()), (EventKind::NodeDataChanged, "/a"));
}

#[tokio::test]
async fn a_dropped_watch_is_removed_from_the_server() {
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    let call = client.get_data_and_watch("/a");
    let request = connection.expect(OpCode::GetData).await;
    connection.answer(&request, 5, &data("x")).await;
    drop(call.await.unwrap());
    let request = connection.expect(OpCode::RemoveWatches).await;
    let record = WatchesRequest::from_bytes(&request.record).unwrap();
    assert_eq!((record.path.as_str(), record.kind), ("/a", 2));
    // Dropped before its reply came: removed when it has.
    let call = client.get_data_and_watch("/b");
    connection.reply(request.xid, 5, -121, &[]).await;
    let request = connection.expect(OpCode::GetData).await;
    drop(call);
    connection.answer(&request, 5, &data("x")).await;
    assert_eq!(connection.request().await.op, OpCode::RemoveWatches);
}

#[tokio::test]
async fn a_dropped_call_disturbs_no_other() {
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    let (first, second) = (client.get_data("/a"), client.get_children("/b"));
    let request = connection.expect(OpCode::GetData).await;
    drop(first);
    connection.answer(&request, 5, &data("x")).await;
    let request = connection.expect(OpCode::GetChildren).await;
    connection.answer(&request, 5, &GetChildrenResponse { children: vec!["c".into()] }).await;
    assert_eq!(second.await.unwrap(), ["c"]);
    drop(connection);
    client.states().wait_for(|state| state == State::Suspended).await;
    drop(client.delete("/never", Version::Any));
    let kept = client.set_data("/a", "y", 3);
    let (mut connection, _) = server.serve().await;
    let request = connection.expect(OpCode::SetData).await;
    connection.answer(&request, 6, &StatResponse::default()).await;
    kept.await.unwrap();
}

#[tokio::test]
async fn a_persistent_watch_streams_events_and_its_gaps() {
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    let call = client.watch("/a", AddWatchMode::Persistent);
    let request = connection.expect(OpCode::AddWatch).await;
    connection.answer(&request, 5, &0_i32).await;
    let mut watch = call.await.unwrap();
    connection.notify(1, "/a").await;
    connection.notify(4, "/a").await;
    assert_eq!(watch.next().await.unwrap().kind, EventKind::NodeCreated);
    assert_eq!(watch.next().await.unwrap().kind, EventKind::NodeChildrenChanged);
    drop(connection);
    let (mut connection, _) = server.serve().await;
    assert_eq!(watch.next().await.unwrap().kind, EventKind::Resynced);
    connection.expect(OpCode::SetWatches2).await;
    drop(client);
    let request = connection.expect(OpCode::CloseSession).await;
    connection.reply(request.xid, 6, 0, &[]).await;
    assert_eq!(watch.next().await.unwrap().kind, EventKind::Closed);
    assert_eq!(watch.next().await, None);
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_told_that_it_has_missed_something() {
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    let call = client.chroot("/app").unwrap().watch("/a", AddWatchMode::PersistentRecursive);
    let request = connection.expect(OpCode::AddWatch).await;
    connection.answer(&request, 5, &0_i32).await;
    let mut watch = call.await.unwrap();
    for n in 0..4100 {
        connection.notify(1, &format!("/app/a/{n}")).await;
    }
    // Its answer comes behind all of them.
    let sync = client.sync("/");
    let request = connection.expect(OpCode::Sync).await;
    connection.answer(&request, 5, &PathOnly { path: "/".into() }).await;
    sync.await.unwrap();
    let event = watch.next().await.unwrap();
    assert_eq!((event.kind, event.path.as_str()), (EventKind::Resynced, "/a"));
    // The event that found the queue full is among those that it stands for.
    for n in 4097..4100 {
        let event = watch.next().await.unwrap();
        assert_eq!((event.kind, event.path), (EventKind::NodeCreated, format!("/a/{n}")));
    }
}

#[tokio::test]
async fn the_last_clone_dropped_closes_the_session() {
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    let weak = client.downgrade();
    let call = client.create("/a", "x", CreateMode::PersistentSequential);
    let other = client.chroot("/x").unwrap();
    drop(client);
    let request = connection.expect(OpCode::Create2).await;
    assert_eq!(CreateRequest::from_bytes(&request.record).unwrap().flags, 2);
    let created = Create2Response { path: "/a0000000000".into(), stat: Stat::default() };
    connection.answer(&request, 5, &created).await;
    assert_eq!(call.await.unwrap().path, "/a0000000000");
    assert!(weak.upgrade().is_some());
    drop(other);
    assert!(weak.upgrade().is_none());
    connection.expect(OpCode::CloseSession).await;
}

/// The last client was dropped while it was cut off. Its task took the end of its queue for the end of everything: the call that was made
/// before failed, and no server ever heard that the session was closed, so its ephemeral znodes stayed until it timed out.
#[tokio::test]
async fn the_last_clone_dropped_while_cut_off_still_sends_what_was_called_and_closes() {
    let server = Server::start().await;
    let (client, connection) = server.connect().await;
    drop(connection);
    client.states().wait_for(|state| state == State::Suspended).await;
    let call = client.set_data("/a", "x", Version::Any);
    drop(client);
    let (mut connection, greeting) = server.serve().await;
    assert_eq!(greeting.session_id, 7);
    let request = connection.expect(OpCode::SetData).await;
    let close = connection.expect(OpCode::CloseSession).await;
    connection.answer(&request, 5, &StatResponse::default()).await;
    call.await.unwrap();
    connection.reply(close.xid, 6, 0, &[]).await;
    assert!(connection.frame().await.is_none(), "the session is over");
}

/// The same with a connection: what was already sent is answered, however long the server takes.
#[tokio::test]
async fn the_last_clone_dropped_waits_for_the_answers_of_its_calls() {
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    let call = client.set_data("/a", "x", Version::Any);
    drop(client);
    let request = connection.expect(OpCode::SetData).await;
    connection.expect(OpCode::CloseSession).await;
    // The task has time to see that its queue has ended.
    tokio::time::sleep(Duration::from_millis(50)).await;
    connection.answer(&request, 5, &StatResponse::default()).await;
    call.await.unwrap();
}

#[tokio::test]
async fn closing_waits_for_the_servers_answer() {
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    let close = tokio::spawn({
        let client = client.clone();
        async move { client.close().await }
    });
    let request = connection.expect(OpCode::CloseSession).await;
    assert!(!close.is_finished());
    connection.reply(request.xid, 5, 0, &[]).await;
    close.await.unwrap().unwrap();
    assert_eq!(client.state(), State::Closed);
    assert!(client.get_data("/a").await.unwrap_err().is_closed());
    client.close().await.unwrap();
}

#[tokio::test]
async fn connecting_gives_up_after_its_timeout() {
    let server = Server::start().await;
    let error = server.builder().connect_timeout(Duration::from_millis(50)).connect().await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let error = Client::connect("no host:x").await.unwrap_err();
    assert!(!error.is_timeout() && !error.may_have_applied(), "{error}");
}

#[tokio::test]
async fn what_a_server_would_hang_up_on_is_not_sent() {
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    assert!(client.get_data("relative").await.is_err());
    assert!(client.set_data("/a", vec![0; 2 << 20], Version::Any).await.is_err());
    let call = client.get_data("/a");
    assert_eq!(connection.expect(OpCode::GetData).await.xid, 1);
    drop(call);
}

#[tokio::test]
async fn extensions_are_one_per_session() {
    let server = Server::start().await;
    let (client, _connection) = server.connect().await;
    let first = client.extension(|| String::from("first"));
    let second = client.chroot("/x").unwrap().extension(|| String::from("second"));
    assert_eq!((first.as_str(), second.as_str()), ("first", "first"));
    assert_eq!(*client.extension(|| 5_u8), 5);
}

#[test]
fn a_runtime_that_ends_leaves_no_call_waiting() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (client, mut connection, call) = runtime.block_on(async {
        let server = Server::start().await;
        let (client, mut connection) = server.connect().await;
        let call = client.delete("/a", Version::Any);
        connection.expect(OpCode::Delete).await;
        (client, connection, call)
    });
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = other.block_on(call).unwrap_err();
    assert!(error.is_connection_loss() && error.may_have_applied(), "{error}");
    assert_eq!(client.state(), State::Closed);
    connection.input.clear();
}

/// The prefix of a chroot `/app` is that of `/apple` too: a client was told of ephemeral znodes outside of its part of the tree.
#[tokio::test]
async fn ephemerals_outside_of_the_chroot_are_not_told() {
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    let app = client.chroot("/app").unwrap();
    for (prefix, asked, told) in [("/", "/app", vec!["/a", "/"]), ("/a", "/app/a", vec!["/a"])] {
        let call = app.get_ephemerals(prefix);
        let request = connection.expect(OpCode::GetEphemerals).await;
        assert_eq!(GetEphemeralsRequest::from_bytes(&request.record).unwrap().prefix.as_deref(), Some(asked));
        let ephemerals = ["/app/a", "/apple/b", "/app"].map(str::to_owned);
        let ephemerals = ephemerals.into_iter().filter(|path| path.starts_with(asked)).collect();
        connection.answer(&request, 1, &GetEphemeralsResponse { ephemerals }).await;
        assert_eq!(call.await.unwrap(), told);
    }
    assert!(app.get_ephemerals("a").await.is_err(), "it would be a part of a name");
}
