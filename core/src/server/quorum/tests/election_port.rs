//! Who dials whom, what is said again, and what hostile bytes do.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::jute::Encode;
use crate::wire::HostPort;
use crate::wire::quorum::Greeting;

async fn dial(network: &str, id: u8) -> TcpStream {
    TcpStream::connect(format!("{network}.{id}:{ELECTION_PORT}")).await.unwrap()
}

fn greeting(network: &str, id: i64) -> bytes::Bytes {
    let address = HostPort { host: format!("{network}.{id}"), port: ELECTION_PORT };
    Greeting { server_id: id, addresses: vec![address], multi_address: false }.to_bytes()
}

#[tokio::test]
async fn the_smaller_is_dialled_back_and_both_hear_each_other() {
    let network = network();
    let members = ensemble(&network, 2);
    let mut small = Watched::start(settings(1, &members)).await;
    let mut large = Watched::start(settings(2, &members)).await;
    small.quorum.notify(2, &vote(1, 1));
    large.until_input(Input::ElectionLinkUp { peer: 1 }).await;
    large.until_input(Input::Notification { from: 1, notification: vote(1, 1) }).await;
    large.quorum.notify(1, &vote(2, 2));
    small.until_input(Input::Notification { from: 2, notification: vote(2, 2) }).await;
    large.quorum.stop().await;
    small.until_input(Input::ElectionLinkDown { peer: 2 }).await;
}

#[tokio::test]
async fn who_comes_later_is_told_only_what_was_said_last() {
    let network = network();
    let members = ensemble(&network, 2);
    let mut large = Watched::start(settings(2, &members)).await;
    for round in 1..=3 {
        large.quorum.notify(1, &vote(2, round));
    }
    large.until_input(Input::ElectionLinkDown { peer: 1 }).await;
    let mut small = Watched::start(settings(1, &members)).await;
    let first = small
        .until(|input| if let Input::Notification { notification, .. } = input { Some(notification) } else { None });
    assert_eq!(first.await, vote(2, 3));
    // And again to whoever takes its place.
    small.quorum.stop().await;
    large.until_input(Input::ElectionLinkDown { peer: 1 }).await;
    let mut small = Watched::start(settings(1, &members)).await;
    small.until_input(Input::Notification { from: 2, notification: vote(2, 3) }).await;
}

#[tokio::test]
async fn a_second_connection_of_a_larger_peer_takes_the_place_of_the_first() {
    let network = network();
    let mut member = Watched::start(settings(1, &ensemble(&network, 1))).await;
    let mut first = dial(&network, 1).await;
    first.write_all(&greeting(&network, 9)).await.unwrap();
    member.until_input(Input::ElectionLinkUp { peer: 9 }).await;
    let mut second = dial(&network, 1).await;
    second.write_all(&greeting(&network, 9)).await.unwrap();
    member.until_input(Input::ElectionLinkUp { peer: 9 }).await;
    until_closed(&mut first).await;
    member.quorum.notify(9, &vote(1, 5));
    let mut said = vec![0; crate::wire::frame::of(&vote(1, 5)).len()];
    second.read_exact(&mut said).await.unwrap();
    assert_eq!(said[..], crate::wire::frame::of(&vote(1, 5))[..]);
}

#[tokio::test]
async fn hostile_bytes_close_their_own_connection_alone() {
    let network = network();
    let mut member = Watched::start(settings(1, &ensemble(&network, 1))).await;
    let mut good = dial(&network, 1).await;
    good.write_all(&greeting(&network, 9)).await.unwrap();
    member.until_input(Input::ElectionLinkUp { peer: 9 }).await;

    let from_8 = greeting(&network, 8);
    let behind = |bytes: &[u8]| [&from_8[..], bytes].concat();
    let own = greeting(&network, 1).to_vec();
    let table = [
        ("an unknown version", vec![0xff; 20]),
        ("a greeting that is too long", [&from_8[..16], &[0x7f, 0, 0, 0]].concat()),
        ("an http request", b"GET / HTTP/1.1\r\n\r\n00000000".to_vec()),
        ("the member's own id", own),
        ("a frame that is too long", behind(&[0x7f, 0, 0, 0])),
        ("a negative frame", behind(&[0xff; 4])),
        ("an empty frame", behind(&[0; 4])),
    ];
    for (what, bytes) in table {
        let mut hostile = dial(&network, 1).await;
        hostile.write_all(&bytes).await.unwrap();
        if what == "an http request" {
            // Its first eight bytes are the id of a 3.4 server, a large one, and then comes a frame of impossible length.
            assert!(bytes[0] < 0x80);
        }
        until_closed(&mut hostile).await;
    }
    // What is no notification is passed over, and the next one is heard.
    good.write_all(&[0, 0, 0, 3, 1, 2, 3]).await.unwrap();
    good.write_all(&crate::wire::frame::of(&vote(9, 1))).await.unwrap();
    member.until_input(Input::Notification { from: 9, notification: vote(9, 1) }).await;
}
