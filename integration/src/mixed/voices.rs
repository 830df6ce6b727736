//! The election port. Our member has the highest id of its ensemble, so it is always the one that dials and keeps the
//! connection; who dials it is hung up on and dialled back (protocol §5.1).

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use menagerie_core::jute::{Decode, Encode};
use menagerie_core::wire::quorum::{Greeting, MAX_NOTIFICATION, Notification};
use menagerie_core::wire::{HostPort, frame};
use menagerie_core::zab::Input;

use super::Ports;
use super::member::Event;

/// Dials `peer`, says who we are, and then hands on what it says until the connection ends.
pub fn dial(me: Ports, peer: Ports, events: Sender<Event>) {
    thread::spawn(move || {
        let heard = converse(me, peer, &events);
        // The member may be gone; then nobody has to be told.
        let _ = events.send(Event::VoiceEnded(peer.id));
        heard
    });
}

fn converse(me: Ports, peer: Ports, events: &Sender<Event>) -> io::Result<()> {
    let address = (Ipv4Addr::LOCALHOST, peer.election).into();
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
    stream.set_nodelay(true)?;
    let own = HostPort { host: Ipv4Addr::LOCALHOST.to_string(), port: me.election };
    let greeting = Greeting { server_id: me.id, addresses: vec![own], multi_address: false };
    stream.write_all(&greeting.to_bytes())?;
    events.send(Event::Voice(peer.id, stream.try_clone()?)).map_err(io::Error::other)?;
    let mut input = BytesMut::new();
    while fill(&mut stream, &mut input)? {
        while let Some(body) = frame::take(&mut input, MAX_NOTIFICATION).map_err(io::Error::other)? {
            // What is no notification is ignored, as the protocol says.
            if let Ok(notification) = Notification::from_bytes(&body) {
                let input = Input::Notification { from: peer.id, notification };
                events.send(Event::Input(input)).map_err(io::Error::other)?;
            }
        }
    }
    Ok(())
}

/// Answers the election port: reads who dials, hangs up, and has it dialled back.
pub fn listen(listener: TcpListener, events: Sender<Event>) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let greeted = stream.and_then(|mut stream| greeting(&mut stream));
            let Ok(Some(Greeting { server_id, .. })) = greeted else { continue };
            if events.send(Event::DialBack(server_id)).is_err() {
                return;
            }
        }
    });
}

fn greeting(stream: &mut TcpStream) -> io::Result<Option<Greeting>> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut input = BytesMut::new();
    while fill(stream, &mut input)? {
        if let Some(greeting) = Greeting::take(&mut input).map_err(io::Error::other)? {
            return Ok(Some(greeting));
        }
    }
    Ok(None)
}

/// The bytes of a notification.
pub fn encoded(notification: &Notification) -> Bytes {
    frame::of(notification)
}

/// Reads more; false at the end.
pub(super) fn fill(stream: &mut TcpStream, input: &mut BytesMut) -> io::Result<bool> {
    let mut piece = [0; 8192];
    let read = stream.read(&mut piece)?;
    input.extend_from_slice(&piece[..read]);
    Ok(read > 0)
}
