//! What hostile peers do on a socket. None waits for anything: a server that does not answer must not slow them down.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use fastrand::Rng;
use menagerie_core::wire::frame;

use super::frames;

/// How long a peer listens, and how long it tries to send.
const LISTENS: Duration = Duration::from_millis(5);
const SENDS: Duration = Duration::from_millis(200);

/// Halves of frames that one peer keeps open.
const HALVES: usize = 20;

/// One hostile peer, with what it has left open.
pub(super) struct Peer {
    port: u16,
    rng: Rng,
    halves: Vec<TcpStream>,
    /// Frames and the like that were sent.
    pub(super) sent: u64,
    /// Connections that were opened.
    pub(super) opened: u64,
}

impl Peer {
    pub(super) fn new(port: u16, seed: u64) -> Self {
        Peer { port, rng: Rng::with_seed(seed), halves: Vec::new(), sent: 0, opened: 0 }
    }

    /// Does one thing that a client should not do. Nothing here is an error: being hung up on is the point.
    pub(super) fn misbehave(&mut self) {
        let Some(mut stream) = self.connect() else { return };
        match self.rng.u8(..10) {
            // Requests of a session, most of them with something wrong.
            0..=4 => self.requests(&mut stream),
            5 => {
                let hello = frames::odd_connect(&mut self.rng);
                self.send(&mut stream, &hello);
            }
            6 => {
                let hello = frame::of(&frames::connect());
                let hello = frames::mutated(&mut self.rng, &hello);
                self.send(&mut stream, &hello);
            }
            // A request before any session, or noise, or a word.
            7 => {
                let early = match self.rng.u8(..3) {
                    0 => frames::valid(&mut self.rng),
                    1 => frames::noise(&mut self.rng, 300),
                    _ => self.rng.choice(["mntr", "cons", "dump", "wchc", "stmk", "abcd"]).unwrap_or("ruok").into(),
                };
                self.send(&mut stream, &early);
            }
            8 => return self.half(stream),
            // Asks for much and takes nothing.
            _ => {
                let hello = frame::of(&frames::connect());
                self.send(&mut stream, &hello);
                for _ in 0..200 {
                    let request = frames::valid(&mut self.rng);
                    if !self.send(&mut stream, &request) {
                        break;
                    }
                }
                return;
            }
        }
        listen(&mut stream);
    }

    fn requests(&mut self, stream: &mut TcpStream) {
        let hello = frame::of(&frames::connect());
        self.send(stream, &hello);
        for _ in 0..self.rng.usize(1..40) {
            let request = frames::valid(&mut self.rng);
            let request =
                if self.rng.u8(..3) == 0 { request.to_vec() } else { frames::mutated(&mut self.rng, &request) };
            if !self.send(stream, &request) || !listen(stream) {
                return;
            }
        }
    }

    /// Sends the beginning of something and keeps the connection.
    fn half(&mut self, mut stream: TcpStream) {
        if self.rng.bool() {
            let hello = frame::of(&frames::connect());
            self.send(&mut stream, &hello);
        }
        let request = frames::valid(&mut self.rng);
        let half = request.slice(..self.rng.usize(..request.len()));
        self.send(&mut stream, &half);
        if self.halves.len() == HALVES {
            let oldest = self.rng.usize(..HALVES);
            self.halves.swap_remove(oldest);
        }
        self.halves.push(stream);
    }

    fn connect(&mut self) -> Option<TcpStream> {
        let address = (Ipv4Addr::LOCALHOST, self.port).into();
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
        stream.set_read_timeout(Some(LISTENS)).ok()?;
        stream.set_write_timeout(Some(SENDS)).ok()?;
        self.opened += 1;
        Some(stream)
    }

    /// False when nobody takes it.
    fn send(&mut self, stream: &mut TcpStream, bytes: &[u8]) -> bool {
        self.sent += 1;
        stream.write_all(bytes).is_ok()
    }
}

/// Takes what has come; false when the server has hung up.
fn listen(stream: &mut TcpStream) -> bool {
    let mut ignored = [0; 16 << 10];
    match stream.read(&mut ignored) {
        Ok(length) => length > 0,
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}
