//! The quorum port: packets of a link are handed on as they come, in both directions.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use menagerie_core::jute::{Decode, DecodeError, Reader};
use menagerie_core::wire::quorum::{Packet, SNAPSHOT_SIGNATURE, take_packet};
use menagerie_core::wire::{Acl, StatPersisted};
use menagerie_core::zab::{Input, LinkId};

use super::Ports;
use super::member::Event;
use super::voices::fill;

/// The longest packet: what the reference's own limit allows.
const PACKET_AT_MOST: usize = 2 << 20;

/// Numbers for links, never used twice.
pub type LinkNumbers = Arc<AtomicU64>;

/// Answers the quorum port.
pub fn listen(listener: TcpListener, numbers: LinkNumbers, events: Sender<Event>) {
    thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let link = numbers.fetch_add(1, Ordering::Relaxed);
            if run(stream, link, Input::Accepted { link }, events.clone()).is_err() {
                return;
            }
        }
    });
}

/// Dials the leader's quorum port.
pub fn dial(leader: Ports, numbers: &LinkNumbers, events: Sender<Event>) {
    let link = numbers.fetch_add(1, Ordering::Relaxed);
    thread::spawn(move || {
        let address = (Ipv4Addr::LOCALHOST, leader.quorum).into();
        let connected = TcpStream::connect_timeout(&address, Duration::from_secs(2));
        let opened = Input::Connected { link, leader: leader.id };
        if connected.and_then(|stream| run(stream, link, opened, events.clone())).is_err() {
            // The member may be gone; then nobody has to be told.
            let _ = events.send(Event::Input(Input::ConnectFailed { leader: leader.id }));
        }
    });
}

fn run(mut stream: TcpStream, link: LinkId, opened: Input, events: Sender<Event>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    events.send(Event::Link(link, stream.try_clone()?)).map_err(io::Error::other)?;
    events.send(Event::Input(opened)).map_err(io::Error::other)?;
    thread::spawn(move || {
        let ended = read(&mut stream, link, &events);
        let _ = events.send(Event::Input(Input::LinkClosed { link }));
        ended
    });
    Ok(())
}

/// Reads past a snapshot and its signature, and returns both.
fn snapshot(stream: &mut TcpStream, input: &mut BytesMut) -> io::Result<Bytes> {
    loop {
        match snapshot_length(&Bytes::copy_from_slice(input)) {
            Ok(length) => return Ok(input.split_to(length).freeze()),
            Err(DecodeError::Truncated { .. }) if fill(stream, input)? => {}
            Err(error) => return Err(io::Error::other(error)),
        }
    }
}

/// Sessions, access lists, znodes up to the path `/`, signature (protocol §5.5).
fn snapshot_length(bytes: &Bytes) -> Result<usize, DecodeError> {
    let mut reader = Reader::new(bytes);
    for _ in 0..reader.int()? {
        reader.long()?;
        reader.int()?;
    }
    for _ in 0..reader.int()? {
        reader.long()?;
        Vec::<Acl>::decode(&mut reader)?;
    }
    while reader.string()? != "/" {
        reader.buffer()?;
        reader.long()?;
        StatPersisted::decode(&mut reader)?;
    }
    if reader.string()? != SNAPSHOT_SIGNATURE {
        return Err(DecodeError::BadValue { what: "a snapshot's signature", value: 0 });
    }
    Ok(reader.position())
}

fn read(stream: &mut TcpStream, link: LinkId, events: &Sender<Event>) -> io::Result<()> {
    let mut input = BytesMut::new();
    while fill(stream, &mut input)? {
        while let Some(raw) = take_packet(&mut input, PACKET_AT_MOST).map_err(io::Error::other)? {
            let packet = Packet::try_from(raw).map_err(io::Error::other)?;
            let snapshot_follows = matches!(packet, Packet::Snap { .. });
            events.send(Event::Input(Input::Packet { link, packet })).map_err(io::Error::other)?;
            if snapshot_follows {
                let snapshot = snapshot(stream, &mut input)?;
                events.send(Event::Snapshot(snapshot)).map_err(io::Error::other)?;
                events.send(Event::Input(Input::SnapshotReceived { link })).map_err(io::Error::other)?;
            }
        }
    }
    Ok(())
}
