//! Bytes recorded between servers of Apache ZooKeeper 3.8.0 (protocol §8.5, §8.6): each is read, has the meaning it had
//! there, and is written back the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::{Bytes, BytesMut};

use super::*;
use crate::jute::{Decode, Encode};
use crate::wire::{HostPort, Id, Zxid, frame};

/// The configuration of the two servers that were listened to.
const CONFIG: &str =
    "server.1=127.0.0.1:28881:38881:participant\nserver.2=127.0.0.1:28882:38882:participant\nversion=0";

fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn same(bytes: &Bytes, meaning: &Packet) {
    let mut input = BytesMut::from(&bytes[..]);
    let raw = take_packet(&mut input, 1 << 20).unwrap().unwrap();
    assert!(input.is_empty());
    assert_eq!(raw.to_bytes(), bytes, "the raw record");
    assert_eq!(&Packet::try_from(raw).unwrap(), meaning);
    assert_eq!(meaning.to_bytes(), bytes, "the packet by its meaning");
}

fn config_hex() -> String {
    use std::fmt::Write as _;
    CONFIG.bytes().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn at(epoch: u32, counter: u32) -> Zxid {
    Zxid::new(epoch, counter)
}

#[test]
fn the_handshake_of_a_follower() {
    let info = LearnerInfo { server_id: 2, protocol_version: 0x1_0000, config_version: 0 };
    same(
        &hex("0000000b 0000000000000000 00000014 0000000000000002 00010000 0000000000000000 ffffffff"),
        &Packet::FollowerInfo { zxid: Zxid::ZERO, info },
    );
    same(
        &hex("00000011 0000000100000000 00000004 00010000 ffffffff"),
        &Packet::LeaderInfo { zxid: at(1, 0), protocol_version: PROTOCOL_VERSION },
    );
    same(
        &hex("00000012 0000000000000000 00000004 00000000 ffffffff"),
        &Packet::AckEpoch { zxid: Zxid::ZERO, current_epoch: Some(0) },
    );
    same(&hex("0000000d 0000000000000000 ffffffff ffffffff"), &Packet::Diff { zxid: Zxid::ZERO });
    same(
        &hex(&format!("0000000a 0000000100000000 0000005f {} ffffffff", config_hex())),
        &Packet::NewLeader { zxid: at(1, 0), config: Some(Bytes::from_static(CONFIG.as_bytes())) },
    );
    same(&hex("00000003 0000000100000000 ffffffff ffffffff"), &Packet::Ack { zxid: at(1, 0) });
    same(&hex("0000000c ffffffffffffffff ffffffff ffffffff"), &Packet::UpToDate);
    same(&hex("0000000f 0000000100000000 ffffffff ffffffff"), &Packet::Snap { zxid: at(1, 0) });
}

#[test]
fn pings_with_and_without_sessions() {
    same(&hex("00000005 0000000100000000 ffffffff ffffffff"), &Packet::Ping { zxid: at(1, 0), touches: None });
    same(
        &hex("00000005 0000000100000000 00000000 ffffffff"),
        &Packet::Ping { zxid: at(1, 0), touches: Some(Vec::new()) },
    );
    same(
        &hex("00000005 0000000100000005 0000000c 0000000000000123 00000fa0 ffffffff"),
        &Packet::Ping { zxid: at(1, 5), touches: Some(vec![Touch { session: 0x123, timeout_ms: 4000 }]) },
    );
}

#[test]
fn a_proposal_and_what_follows_it() {
    let payload = hex("010000191fb60000 00000000 0000000100000001 000001a20ab8a897 fffffff6 00002710
        00000002 0000000051c6d660");
    same(
        &hex("00000002 0000000100000001 00000030 010000191fb60000 00000000 0000000100000001 000001a20ab8a897 fffffff6
            00002710 00000002 0000000051c6d660 ffffffff"),
        &Packet::Proposal { zxid: at(1, 1), payload: payload.clone() },
    );
    same(&hex("00000003 0000000100000001 ffffffff ffffffff"), &Packet::Ack { zxid: at(1, 1) });
    same(&hex("00000004 0000000100000001 ffffffff ffffffff"), &Packet::Commit { zxid: at(1, 1) });
    same(
        &hex("00000008 0000000100000001 00000030 010000191fb60000 00000000 0000000100000001 000001a20ab8a897 fffffff6
            00002710 00000002 0000000051c6d660 ffffffff"),
        &Packet::Inform { zxid: at(1, 1), payload },
    );
    same(
        &hex("00000009 0000000100000005 00000008 0000000000000001 ffffffff"),
        &Packet::CommitAndActivate { zxid: at(1, 5), designated: 1 },
    );
}

#[test]
fn requests_that_a_learner_forwards() {
    let ids = Some(vec![Id { scheme: "ip".to_owned(), id: "127.0.0.1".to_owned() }]);
    let request = |session, cxid, op, body: &str, ids| {
        Packet::Request(ForwardedRequest { session, cxid, op, body: hex(body), ids })
    };
    same(
        &hex("00000001 ffffffffffffffff 00000014 0200000000000001 00000000 fffffff6 00001f40 ffffffff"),
        &request(0x0200_0000_0000_0001, 0, -10, "00001f40", None),
    );
    same(
        &hex("00000001 ffffffffffffffff 0000003c 0200000000000001 00000007 00000001 000000042f667764 000000017a
            000000010000001f00000005776f726c6400000006616e796f6e65 00000001
            00000001 000000026970 000000093132372e302e302e31"),
        &request(
            0x0200_0000_0000_0001,
            7,
            1,
            "000000042f667764 000000017a 000000010000001f00000005776f726c6400000006616e796f6e65 00000001",
            ids.clone(),
        ),
    );
    same(
        &hex("00000001 ffffffffffffffff 00000010 0100001a0cfc0000 00000004 fffffff5
            00000001 000000026970 000000093132372e302e302e31"),
        &request(0x0100_001a_0cfc_0000, 4, -11, "", ids),
    );
}

#[test]
fn syncs_and_revalidations() {
    same(&hex("00000007 0000000000000000 ffffffff ffffffff"), &Packet::Sync);
    same(
        &hex("00000006 ffffffffffffffff 0000000c 0200000000000001 00001f40 ffffffff"),
        &Packet::Revalidate { session: 0x0200_0000_0000_0001, timeout_ms: 8000 },
    );
    same(
        &hex("00000006 ffffffffffffffff 00000009 0200000000000001 01 ffffffff"),
        &Packet::Revalidated { session: 0x0200_0000_0000_0001, valid: true },
    );
}

/// These types do not stand among the recordings: their form is that of their siblings.
#[test]
fn packets_that_were_not_recorded_are_read_as_they_are_written() {
    let info = LearnerInfo { server_id: 4, protocol_version: PROTOCOL_VERSION, config_version: 7 };
    let packets = [
        Packet::ObserverInfo { zxid: at(3, 0), info },
        Packet::Trunc { zxid: at(2, 9) },
        Packet::AckEpoch { zxid: at(2, 9), current_epoch: None },
        Packet::InformAndActivate { zxid: at(2, 9), designated: 3, payload: Bytes::from_static(b"txn") },
        Packet::Revalidated { session: 5, valid: false },
        Packet::NewLeader { zxid: at(3, 0), config: None },
    ];
    for packet in packets {
        same(&packet.to_bytes(), &packet);
    }
}

#[test]
fn learners_of_older_versions_say_less_of_themselves() {
    for (hex_text, protocol_version) in
        [("00000008 0000000000000002", 0), ("0000000c 0000000000000002 00010000", PROTOCOL_VERSION)]
    {
        let bytes = hex(&format!("0000000b 0000000000000000 {hex_text} ffffffff"));
        let packet = Packet::try_from(QuorumPacket::from_bytes(&bytes).unwrap()).unwrap();
        let info = LearnerInfo { server_id: 2, protocol_version, config_version: 0 };
        assert_eq!(packet, Packet::FollowerInfo { zxid: Zxid::ZERO, info });
    }
    let none = hex("0000000b 0000000000000000 ffffffff ffffffff");
    assert!(Packet::try_from(QuorumPacket::from_bytes(&none).unwrap()).is_err(), "who it is must be said");
}

#[test]
fn notifications_of_a_looking_server_of_the_leader_and_of_an_observer() {
    let looking = Notification {
        state: ServerState::Looking,
        leader: 1,
        zxid: Zxid::ZERO,
        round: 1,
        peer_epoch: 0,
        version: 2,
        config: Bytes::from_static(CONFIG.as_bytes()),
    };
    let recorded = [
        ("00000000 0000000000000001 0000000000000000 0000000000000001 0000000000000000", looking.clone()),
        (
            "00000002 0000000000000001 0000000000000000 0000000000000001 0000000000000001",
            Notification { state: ServerState::Leading, peer_epoch: 1, ..looking.clone() },
        ),
        (
            "00000000 8000000000000000 8000000000000000 0000000000000001 8000000000000000",
            Notification { leader: i64::MIN, zxid: Zxid(i64::MIN), peer_epoch: i64::MIN, ..looking },
        ),
    ];
    for (head, meaning) in recorded {
        let bytes = hex(&format!("0000008b {head} 00000002 0000005f {}", config_hex()));
        let body = frame::take(&mut BytesMut::from(&bytes[..]), MAX_NOTIFICATION).unwrap().unwrap();
        assert_eq!(Notification::from_bytes(&body).unwrap(), meaning);
        assert_eq!(frame::of(&meaning), bytes);
    }
}

#[test]
fn greetings_with_one_address_and_with_two() {
    let address = |host: &str| HostPort { host: host.to_owned(), port: 38882 };
    let one = "ffffffffffff0000 0000000000000002 0000000f 3132372e302e302e313a3338383832";
    let two = "ffffffffffff0001 0000000000000002 0000001f 3132372e302e302e313a3338383832 7c
        3132372e302e302e323a3338383832";
    for (text, addresses, multi_address) in
        [(one, vec![address("127.0.0.1")], false), (two, vec![address("127.0.0.1"), address("127.0.0.2")], true)]
    {
        let greeting = Greeting { server_id: 2, addresses, multi_address };
        assert_eq!(Greeting::take(&mut BytesMut::from(&hex(text)[..])).unwrap().unwrap(), greeting);
        assert_eq!(greeting.to_bytes(), hex(text));
    }
}
