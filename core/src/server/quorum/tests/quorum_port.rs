//! Packets in their order, a large snapshot between them, and what hostile bytes do.

use tokio::io::AsyncWriteExt;

use super::*;
use crate::jute::{Encode, Put};

fn ack(counter: u32) -> Packet {
    Packet::Ack { zxid: Zxid::new(1, counter) }
}

/// Two members, of which the first has dialled the second: their ends of the link.
async fn linked(network: &str) -> (Watched, LinkId, Watched, LinkId) {
    let members = ensemble(network, 2);
    let mut learner = Watched::start(settings(1, &members)).await;
    let mut leader = Watched::start(settings(2, &members)).await;
    learner.quorum.connect(2);
    let up =
        learner.until(|input| if let Input::Connected { link, leader: 2 } = input { Some(link) } else { None }).await;
    let down = leader.until(|input| if let Input::Accepted { link } = input { Some(link) } else { None }).await;
    learner.quorum.send(up, &ack(0));
    leader.until_input(Input::Packet { link: down, packet: ack(0) }).await;
    (learner, up, leader, down)
}

#[tokio::test]
async fn packets_and_a_snapshot_of_ten_megabytes_arrive_in_order() {
    let network = network();
    let (mut learner, up, leader, down) = linked(&network).await;
    let zxid = Zxid::new(1, 7);
    leader.quorum.send(down, &ack(1));
    leader.quorum.send_snapshot(down, zxid, Box::new(Image(10 << 20)));
    for counter in 2..=500 {
        leader.quorum.send(down, &ack(counter));
    }
    let mut came = Vec::new();
    while came.len() < 502 {
        let next = learner.until(|input| match input {
            Input::Packet { .. } | Input::SnapshotReceived { .. } | Input::LinkClosed { .. } => Some(input),
            _ => None,
        });
        came.push(next.await);
    }
    let packet = |packet| Input::Packet { link: up, packet };
    let mut expected = vec![packet(ack(1)), packet(Packet::Snap { zxid }), Input::SnapshotReceived { link: up }];
    expected.extend((2..=500).map(|counter| packet(ack(counter))));
    assert_eq!(came, expected);
    assert_eq!(*learner.images.0.lock().unwrap(), [(up, zxid, 10 << 20)]);
}

/// Ends in the middle.
struct Broken;

impl SnapshotSource for Broken {
    fn write_to(self: Box<Self>, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&1000_u64.to_be_bytes())?;
        Err(io::Error::other("the state cannot be written"))
    }
}

/// Is whole, with a signature of somebody else.
struct Forged;

impl SnapshotSource for Forged {
    fn write_to(self: Box<Self>, out: &mut dyn Write) -> io::Result<()> {
        let mut signature = bytes::BytesMut::new();
        signature.put_str("BenWasNot!");
        out.write_all(&0_u64.to_be_bytes())?;
        out.write_all(&signature)
    }
}

#[tokio::test]
async fn a_snapshot_that_is_cut_short_or_not_signed_is_not_received() {
    let network = network();
    let (mut learner, up, mut leader, down) = linked(&network).await;
    leader.quorum.send_snapshot(down, Zxid::ZERO, Box::new(Broken));
    leader.until_input(Input::LinkClosed { link: down }).await;
    let first = learner.until(|input| match input {
        Input::SnapshotReceived { .. } | Input::LinkClosed { .. } => Some(input),
        _ => None,
    });
    assert_eq!(first.await, Input::LinkClosed { link: up });

    // The same with an image that is whole, and a signature of somebody else.
    learner.quorum.connect(2);
    let up = learner.until(|input| if let Input::Connected { link, .. } = input { Some(link) } else { None }).await;
    let down = leader.until(|input| if let Input::Accepted { link } = input { Some(link) } else { None }).await;
    leader.quorum.send_snapshot(down, Zxid::ZERO, Box::new(Forged));
    let first = learner.until(|input| match input {
        Input::SnapshotReceived { .. } | Input::LinkClosed { .. } => Some(input),
        _ => None,
    });
    assert_eq!(first.await, Input::LinkClosed { link: up });
}

#[tokio::test]
async fn a_learner_that_does_not_read_is_disconnected() {
    let network = network();
    let members = ensemble(&network, 1);
    let limit = 1 << 20;
    let mut leader = Watched::start(Settings { queue_bytes: limit, ..settings(1, &members) }).await;
    let _silent = TcpStream::connect(format!("{network}.1:{QUORUM_PORT}")).await.unwrap();
    let link = leader.until(|input| if let Input::Accepted { link } = input { Some(link) } else { None }).await;
    let payload = bytes::Bytes::from(vec![0; limit / 2]);
    // More than the system's buffers take, so that something must wait here.
    for _ in 0..1000 {
        leader.quorum.send(link, &Packet::Proposal { zxid: Zxid::ZERO, payload: payload.clone() });
    }
    leader.until_input(Input::LinkClosed { link }).await;
}

#[tokio::test]
async fn hostile_bytes_close_their_own_link_alone() {
    let network = network();
    let (learner, up, mut leader, down) = linked(&network).await;
    let snapshot = Packet::Snap { zxid: Zxid::ZERO }.to_bytes().to_vec();
    let mut too_long = ack(1).to_bytes().to_vec();
    too_long[12..16].copy_from_slice(&[0x7f, 0, 0, 0]);
    let mut negative = too_long.clone();
    negative[12..16].copy_from_slice(&(-2_i32).to_be_bytes());
    let mut unknown = ack(1).to_bytes().to_vec();
    unknown[3] = 99;
    let table = [
        ("a snapshot from a learner", snapshot),
        ("a packet that is too long", too_long),
        ("a negative length", negative),
        ("an unknown type", unknown),
        ("text", b"GET / HTTP/1.1\r\nHost: nowhere\r\n\r\n".to_vec()),
    ];
    for (what, bytes) in table {
        let mut hostile = TcpStream::connect(format!("{network}.2:{QUORUM_PORT}")).await.unwrap();
        hostile.write_all(&bytes).await.unwrap();
        let link = leader.until(|input| if let Input::Accepted { link } = input { Some(link) } else { None }).await;
        leader.until_input(Input::LinkClosed { link }).await;
        assert_ne!(link, down, "{what}");
    }
    learner.quorum.send(up, &ack(2));
    leader.until_input(Input::Packet { link: down, packet: ack(2) }).await;
}

#[tokio::test]
async fn a_leader_that_does_not_listen_and_one_that_is_no_member_are_reported() {
    let network = network();
    let mut learner = Watched::start(settings(1, &ensemble(&network, 2))).await;
    learner.quorum.connect(2);
    learner.until_input(Input::ConnectFailed { leader: 2 }).await;
    learner.quorum.connect(3);
    learner.until_input(Input::ConnectFailed { leader: 3 }).await;
}

#[tokio::test]
async fn a_member_that_becomes_a_voter_elsewhere_listens_there() {
    let network = network();
    let observer: Ensemble = format!("server.1={network}.1:{QUORUM_PORT}:{ELECTION_PORT}:observer").parse().unwrap();
    let mut member = Watched::start(settings(1, &observer)).await;
    assert!(TcpStream::connect(format!("{network}.1:{QUORUM_PORT}")).await.is_err(), "an observer never leads");
    let moved: Ensemble = format!("server.1={network}.3:{QUORUM_PORT}:{ELECTION_PORT}").parse().unwrap();
    member.quorum.set_members(&moved);
    let dial = async {
        while TcpStream::connect(format!("{network}.3:{QUORUM_PORT}")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, dial).await.unwrap();
    member.until(|input| matches!(input, Input::Accepted { .. }).then_some(())).await;
    assert!(TcpStream::connect(format!("{network}.1:{ELECTION_PORT}")).await.is_err(), "the old place is left");
}
