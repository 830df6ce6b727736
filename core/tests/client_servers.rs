//! Which server a client is at, against scripted servers: read-only ones, new lists of servers, sessions that go on elsewhere or are given
//! up in the middle of a handshake.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scripted;

use std::time::Duration;

use bytes::Bytes;
use menagerie_core::client::{Client, EventKind, SessionCredentials, State, Version};
use menagerie_core::wire::proto::{PathOnly, StatResponse};
use menagerie_core::wire::{AddWatchMode, OpCode, Zxid};

use scripted::{Server, TIMEOUT_MS, data};

const NOT_READ_ONLY: i32 = -119;

#[tokio::test]
async fn a_client_of_a_read_only_server_moves_to_one_that_writes() {
    let (reader, writer) = (Server::start().await, Server::start().await);
    let builder = reader.builder().allow_read_only(true);
    let (client, mut connection) = tokio::join!(builder.connect(), async {
        let (mut connection, greeting) = reader.accept().await;
        assert_eq!(greeting.read_only, Some(true));
        connection.grant_as(5, TIMEOUT_MS, true).await;
        connection
    });
    let client = client.unwrap();
    assert_eq!((client.state(), client.session_id()), (State::ConnectedReadOnly, 5));
    assert_eq!(client.status().server, Some(reader.listener.local_addr().unwrap()));

    let write = client.set_data("/a", "x", Version::Any);
    let request = connection.expect(OpCode::SetData).await;
    connection.reply(request.xid, 1, NOT_READ_ONLY, &[]).await;
    let error = write.await.unwrap_err();
    assert!(error.is_read_only() && error.is_retryable() && !error.may_have_applied(), "{error}");
    let watch = client.watch("/a", AddWatchMode::Persistent);
    let request = connection.expect(OpCode::AddWatch).await;
    connection.answer(&request, 1, &0_i32).await;
    let mut watch = watch.await.unwrap();

    let mut states = client.states();
    states.current();
    let hosts = format!("{},{}", reader.listener.local_addr().unwrap(), writer.listener.local_addr().unwrap());
    client.set_hosts(hosts).unwrap();
    // The new list may move the client by itself, back to the reader or to the writer, or leave it where it is until it has asked.
    let serve = async {
        loop {
            tokio::select! {
                (mut connection, greeting) = reader.accept_saying("ro") => {
                    assert_eq!(greeting.session_id, 0);
                    connection.grant_as(5, TIMEOUT_MS, true).await;
                }
                (mut connection, greeting) = writer.accept_saying("rw") => {
                    assert_eq!((greeting.session_id, greeting.last_zxid_seen), (0, Zxid(1)));
                    connection.grant_as(6, TIMEOUT_MS, false).await;
                    break connection;
                }
            }
        }
    };
    let mut connection = serve.await;
    let rewatch = connection.expect(OpCode::SetWatches2).await;
    connection.reply(rewatch.xid, 2, 0, &[]).await;
    states.wait_for(|state| state == State::Connected).await;
    assert_eq!(watch.next().await.unwrap().kind, EventKind::Resynced);
    let status = client.status();
    assert_eq!((status.session_id, status.server), (6, Some(writer.listener.local_addr().unwrap())));
    let write = client.set_data("/a", "x", Version::Any);
    let request = connection.expect(OpCode::SetData).await;
    connection.answer(&request, 3, &StatResponse::default()).await;
    write.await.unwrap();
}

#[tokio::test]
async fn a_new_list_of_servers_moves_a_client_without_failing_its_calls() {
    let (old, new) = (Server::start().await, Server::start().await);
    let (client, mut connection) = old.connect().await;
    assert!(client.set_hosts("no host:x").is_err() && client.set_hosts("h/chroot").is_err());
    let under_way = client.get_data("/a");
    let request = connection.expect(OpCode::GetData).await;
    client.set_hosts(new.listener.local_addr().unwrap().to_string()).unwrap();
    let later = client.get_data("/b");
    connection.answer(&request, 4, &data("x")).await;
    assert_eq!(under_way.await.unwrap().0, "x");
    let (mut connection, greeting) = new.serve().await;
    assert_eq!((greeting.session_id, greeting.last_zxid_seen), (7, Zxid(4)));
    let request = connection.expect(OpCode::GetData).await;
    connection.answer(&request, 4, &data("y")).await;
    assert_eq!(later.await.unwrap().0, "y");
    assert_eq!(client.status().connections, 2);
}

#[tokio::test]
async fn a_status_counts_what_is_under_way() {
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    let mut status = client.status();
    assert_eq!((status.state, status.queued, status.outstanding, status.watched_paths), (State::Connected, 0, 0, 0));
    assert_eq!((status.session_id, status.connections), (7, 1));
    assert_eq!(status.negotiated_timeout, Duration::from_millis(TIMEOUT_MS as u64));
    assert!(status.valid_until.is_some());
    let (first, second) = (client.get_data_and_watch("/a"), client.sync("/"));
    let request = connection.expect(OpCode::GetData).await;
    connection.answer(&request, 9, &data("x")).await;
    let (_, _, watch) = first.await.unwrap();
    let request = connection.expect(OpCode::Sync).await;
    status = client.status();
    assert_eq!((status.queued, status.outstanding, status.watched_paths), (0, 1, 1));
    assert_eq!(status.last_zxid, Zxid(9));
    connection.answer(&request, 9, &PathOnly { path: "/".into() }).await;
    second.await.unwrap();
    assert_eq!(client.status().outstanding, 0);
    drop(connection);
    client.states().wait_for(|state| state == State::Suspended).await;
    let waiting = client.get_data("/b");
    assert_eq!(client.status().server, None);
    drop((waiting, watch));
}

#[tokio::test]
async fn a_session_goes_on_elsewhere_with_its_id_and_password() {
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    let read = client.get_data("/a");
    let request = connection.expect(OpCode::GetData).await;
    connection.answer(&request, 0x30, &data("x")).await;
    read.await.unwrap();
    let credentials = client.session().unwrap();
    assert_eq!(credentials, SessionCredentials { id: 7, password: [9; 16], last_zxid: Zxid(0x30) });
    assert!(!format!("{credentials:?} {client:?} {:?}", server.builder().resume(credentials)).contains("9, 9"));

    let hosts = server.listener.local_addr().unwrap().to_string();
    let (resumed, (_connection, greeting)) = tokio::join!(Client::resume(&hosts, credentials), server.serve());
    assert_eq!(resumed.unwrap().session_id(), 7);
    assert_eq!((greeting.session_id, greeting.last_zxid_seen), (7, Zxid(0x30)));
    assert_eq!(greeting.password, Some(Bytes::from_static(&[9; 16])));

    let (ended, ()) = tokio::join!(Client::resume(&hosts, credentials), async {
        server.accept().await.0.grant(0).await;
    });
    assert!(ended.unwrap_err().is_session_expired());
}

#[tokio::test]
async fn a_client_that_gives_up_in_its_first_handshake_closes_the_session_it_is_given() {
    let server = Server::start().await;
    // Given up when the server has the greeting: a timeout might pass before.
    let mut connection = tokio::select! {
        _ = server.builder().connect() => unreachable!("nobody has granted a session"),
        (connection, _) = server.accept() => connection,
    };
    connection.grant(TIMEOUT_MS).await;
    let request = connection.expect(OpCode::CloseSession).await;
    connection.reply(request.xid, 5, 0, &[]).await;
    assert!(connection.frame().await.is_none(), "the session is over");
}

#[tokio::test]
async fn a_client_closed_while_no_server_serves_is_closed_when_one_does() {
    let server = Server::start().await;
    let (client, connection) = server.connect().await;
    drop(connection);
    client.states().wait_for(|state| state == State::Suspended).await;
    let closed = tokio::select! {
        closed = client.close() => closed,
        () = async { loop { drop(server.accept().await) } } => unreachable!(),
    };
    assert!(closed.unwrap_err().is_connection_loss());
    assert_eq!(client.state(), State::Closed);
    assert!(client.get_data("/a").await.unwrap_err().is_closed());
    assert!(client.set_hosts("h").unwrap_err().is_closed());
    let (mut connection, greeting) = server.serve().await;
    assert_eq!(greeting.session_id, 7);
    let request = connection.expect(OpCode::CloseSession).await;
    connection.reply(request.xid, 5, 0, &[]).await;
    assert!(connection.frame().await.is_none(), "the session is over");
}
