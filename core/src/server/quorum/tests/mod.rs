//! Real sockets on addresses of this machine alone. Each test has addresses of its own, so that no port is taken twice.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod election_port;
mod ensemble;
mod member;
mod quorum_port;

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::*;
use crate::wire::quorum::ServerState;
use crate::zab::Input;

const QUORUM_PORT: u16 = 21_888;
const ELECTION_PORT: u16 = 22_888;
/// Long enough for any machine; nothing passes because of it.
const PATIENCE: Duration = Duration::from_mins(2);

/// The addresses of one test: `127.a.b.c`, by the process and a count.
fn network() -> String {
    static TESTS: AtomicU8 = AtomicU8::new(1);
    let process = std::process::id();
    let count = u32::from(TESTS.fetch_add(1, Ordering::Relaxed));
    format!("127.{}.{}", 1 + process / 15 % 250, process % 15 * 16 + count)
}

/// Members 1 to `count` in `network`.
fn ensemble(network: &str, count: u8) -> Ensemble {
    let lines: Vec<String> =
        (1..=count).map(|id| format!("server.{id}={network}.{id}:{QUORUM_PORT}:{ELECTION_PORT}")).collect();
    lines.join("\n").parse().unwrap()
}

fn settings(server_id: ServerId, ensemble: &Ensemble) -> Settings {
    Settings {
        server_id,
        ensemble: ensemble.clone(),
        listen_on_all: false,
        multi_address: false,
        bind_attempts: 0,
        connect_timeout: Duration::from_secs(5),
        greeting_timeout: PATIENCE,
        init_timeout: PATIENCE,
        leader_timeout: PATIENCE,
        max_packet_bytes: 1 << 20,
        queue_bytes: 64 << 20,
    }
}

/// Images are a length and as many bytes of one value; what came is kept.
#[derive(Default)]
struct Images(Mutex<Vec<(LinkId, Zxid, usize)>>);

impl SnapshotStore for Images {
    fn receive(&self, link: LinkId, zxid: Zxid, image: &mut dyn Read) -> io::Result<()> {
        let mut head = [0; 8];
        image.read_exact(&mut head)?;
        let mut left = u64::from_be_bytes(head) as usize;
        self.0.lock().unwrap().push((link, zxid, left));
        let mut piece = vec![0; 5000];
        while left > 0 {
            let wanted = left.min(piece.len());
            image.read_exact(&mut piece[..wanted])?;
            if piece[..wanted].iter().any(|byte| *byte != 7) {
                return Err(io::Error::other("not what was written"));
            }
            left -= wanted;
        }
        Ok(())
    }
}

struct Image(usize);

impl SnapshotSource for Image {
    fn write_to(self: Box<Self>, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&(self.0 as u64).to_be_bytes())?;
        let piece = vec![7; 3000];
        let mut left = self.0;
        while left > 0 {
            let wanted = left.min(piece.len());
            out.write_all(&piece[..wanted])?;
            left -= wanted;
        }
        Ok(())
    }
}

/// Sockets whose inputs are looked at.
struct Watched {
    quorum: Quorum,
    inputs: mpsc::UnboundedReceiver<Arrival>,
    images: Arc<Images>,
}

impl Watched {
    async fn start(settings: Settings) -> Self {
        let (sender, inputs) = mpsc::unbounded_channel();
        let images = Arc::new(Images::default());
        let put: Inputs = Arc::new(move |arrival| drop(sender.send(arrival)));
        let quorum = Quorum::start(settings, put, Arc::clone(&images) as Arc<dyn SnapshotStore>).await.unwrap();
        Watched { quorum, inputs, images }
    }

    /// The first input from now on for which `is` gives something; others are dropped.
    async fn until<T>(&mut self, mut is: impl FnMut(Input) -> Option<T>) -> T {
        let wait = async {
            loop {
                let arrival = self.inputs.recv().await.unwrap();
                if let Some(found) = is(arrival.input) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap()
    }

    async fn until_input(&mut self, expected: Input) {
        self.until(|input| (input == expected).then_some(())).await;
    }
}

fn vote(leader: ServerId, round: i64) -> Notification {
    Notification {
        state: ServerState::Looking,
        leader,
        zxid: Zxid::ZERO,
        round,
        peer_epoch: 0,
        version: 1,
        config: bytes::Bytes::new(),
    }
}

/// Waits until the other side has closed.
async fn until_closed(stream: &mut TcpStream) {
    use tokio::io::AsyncReadExt;
    let mut piece = [0; 1024];
    let wait = async { while stream.read(&mut piece).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}
