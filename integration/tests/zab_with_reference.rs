//! Our consensus member in an ensemble with two members of Apache ZooKeeper 3.8.0: as a follower whose acknowledgements are
//! needed, as an observer, and as the leader of both.

use bytes::Bytes;
use menagerie_core::wire::proto::CreateRequest;
use menagerie_core::wire::{Acl, Id, OpCode, Perms};
use menagerie_core::zab::Role;
use menagerie_integration::TestResult;
use menagerie_integration::mixed::member::{Member, View};
use menagerie_integration::mixed::neighbour::Neighbour;
use menagerie_integration::mixed::ports;
use menagerie_integration::raw::RawConnection;
use menagerie_integration::reference::Reference;

fn create(client: &mut RawConnection, xid: i32, path: &str) -> TestResult {
    let anyone = Id { scheme: "world".to_owned(), id: "anyone".to_owned() };
    let acl = vec![Acl { perms: Perms::ALL, id: anyone }];
    let request = CreateRequest { path: path.to_owned(), data: Some(Bytes::from_static(b"data")), acl, flags: 0 };
    let (header, _) = client.request(xid, OpCode::Create, &request)?;
    if header.err == 0 { Ok(()) } else { Err(format!("create {path}: error {}", header.err).into()) }
}

fn has(view: &View, path: &str) -> bool {
    let path = path.as_bytes();
    let payloads = view.committed.iter().map(|(_, payload)| payload);
    payloads.chain([&view.snapshot]).any(|bytes| bytes.windows(path.len()).any(|part| part == path))
}

#[test]
fn ours_follows_a_leader_of_the_reference_and_its_acknowledgements_count() -> TestResult {
    let Some(reference) = Reference::find()? else { return Ok(()) };
    let members = ports(3)?;
    let one = Neighbour::start(&reference, members[0], &members)?;
    let two = Neighbour::start(&reference, members[1], &members)?;
    let (follower, leader) = if one.wait_for_mode()? == "leader" { (two, one) } else { (one, two) };
    assert_eq!((follower.wait_for_mode()?, leader.wait_for_mode()?), ("follower".to_owned(), "leader".to_owned()));
    let mut client = RawConnection::open(leader.ports().client)?;
    client.open_session()?;
    create(&mut client, 1, "/before")?;

    let ours = Member::start(&members)?;
    let follows = Role::Following { leader: leader.ports().id, epoch: 1 };
    ours.wait_until("it follows", |view| view.role == follows)?;
    assert!(has(&ours.view(), "/before"), "it was brought up to date");
    create(&mut client, 2, "/with-three")?;
    ours.wait_until("it is told of the commit", |view| has(view, "/with-three"))?;

    // Two of three are a quorum: from now on nothing commits without ours.
    follower.kill()?;
    for xid in 3..23 {
        create(&mut client, xid, &format!("/with-ours-{xid}"))?;
    }
    ours.wait_until("it is told of the last commit", |view| has(view, "/with-ours-22"))?;
    let zxids: Vec<_> = ours.view().committed.iter().map(|(zxid, _)| *zxid).collect();
    assert!(zxids.windows(2).all(|pair| pair[0].next() == pair[1]), "{zxids:?}");
    Ok(())
}

#[test]
fn ours_observes_a_leader_of_the_reference() -> TestResult {
    let Some(reference) = Reference::find()? else { return Ok(()) };
    let mut members = ports(3)?;
    members[2].observer = true;
    let one = Neighbour::start(&reference, members[0], &members)?;
    let two = Neighbour::start(&reference, members[1], &members)?;
    let leader = if one.wait_for_mode()? == "leader" { &one } else { &two };
    assert_eq!(leader.wait_for_mode()?, "leader");

    let ours = Member::start(&members)?;
    let observes = Role::Observing { leader: leader.ports().id, epoch: 1 };
    ours.wait_until("it observes", |view| view.role == observes)?;
    let mut client = RawConnection::open(leader.ports().client)?;
    client.open_session()?;
    for xid in 1..6 {
        create(&mut client, xid, &format!("/observed-{xid}"))?;
    }
    ours.wait_until("it is told of the last commit", |view| has(view, "/observed-5"))?;
    Ok(())
}

#[test]
fn ours_leads_two_followers_of_the_reference() -> TestResult {
    let Some(reference) = Reference::find()? else { return Ok(()) };
    let members = ports(3)?;
    let ours = Member::start(&members)?;
    let one = Neighbour::start(&reference, members[0], &members)?;
    let two = Neighbour::start(&reference, members[1], &members)?;
    ours.wait_until("it leads", |view| matches!(view.role, Role::Leading { .. }))?;
    for neighbour in [&one, &two] {
        assert_eq!(neighbour.wait_for_mode()?, "follower");
    }

    // The session and the znodes go through one follower to our leader, and back to both.
    let mut client = RawConnection::open(one.ports().client)?;
    client.open_session()?;
    for xid in 1..21 {
        create(&mut client, xid, &format!("/through-ours-{xid}"))?;
    }
    let mut other = RawConnection::open(two.ports().client)?;
    other.open_session()?;
    let path = menagerie_core::wire::proto::PathOnly { path: "/through-ours-20".to_owned() };
    assert_eq!(other.request(1, OpCode::Sync, &path)?.0.err, 0);
    let read = menagerie_core::wire::proto::PathRequest { path: path.path, watch: false };
    assert_eq!(other.request(2, OpCode::GetData, &read)?.0.err, 0);

    // One of them fails, and the other with ours is still a quorum.
    two.kill()?;
    create(&mut client, 21, "/with-two")?;
    ours.wait_until("it has committed the last one", |view| has(view, "/with-two"))?;
    Ok(())
}
