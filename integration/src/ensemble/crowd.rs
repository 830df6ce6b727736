//! Many clients at once, each in a thread with a connection to one member after the other. They do what comes to their minds on a few
//! shared znodes, and write down everything that they did and saw.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use menagerie_core::wire::CreateMode;

use crate::check::speaker::Came;
use crate::check::{Action, Answer, ClientLog, Speaker};
use crate::raw;

/// A client that hears nothing for so long goes to another member.
const SILENCE: Duration = Duration::from_millis(1_200);
/// What clients ask for; the servers' ticks must allow it.
const SESSION_MS: i32 = 8_000;

/// The clients.
#[derive(Debug)]
pub struct Crowd {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<io::Result<ClientLog>>>,
}

#[derive(Debug)]
struct Shared {
    servers: Vec<SocketAddr>,
    began: Instant,
    stop: AtomicBool,
    answered: AtomicU64,
}

impl Crowd {
    /// Starts so many clients.
    pub fn start(clients: usize, servers: Vec<SocketAddr>, seed: u64) -> Self {
        let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
        let shared = Arc::new(Shared { servers, began: Instant::now(), stop, answered });
        let client = |number: usize| {
            let shared = Arc::clone(&shared);
            let rng = fastrand::Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
            let speaker = Speaker::new(format!("client {number}"), SESSION_MS);
            thread::spawn(move || One { shared, rng, speaker, number, data: 0 }.run())
        };
        let threads = (0..clients).map(client).collect();
        Crowd { shared, threads }
    }

    /// How many writes were answered, well or not.
    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Stops them and returns what they have written down.
    ///
    /// # Errors
    /// A client could not read what it was sent.
    pub fn stop(self) -> io::Result<Vec<ClientLog>> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let joined = |thread: JoinHandle<io::Result<ClientLog>>| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a client has panicked")))
        };
        self.threads.into_iter().map(joined).collect()
    }
}

struct Connection {
    stream: TcpStream,
    input: BytesMut,
}

impl Connection {
    fn send(&mut self, content: &Bytes) -> io::Result<()> {
        let length = u32::try_from(content.len()).map_err(io::Error::other)?;
        self.stream.write_all(&[&length.to_be_bytes(), &content[..]].concat())
    }

    fn receive(&mut self) -> io::Result<Bytes> {
        raw::receive(&mut self.stream, &mut self.input)
    }
}

struct One {
    shared: Arc<Shared>,
    rng: fastrand::Rng,
    speaker: Speaker,
    number: usize,
    data: u64,
}

impl One {
    fn run(mut self) -> io::Result<ClientLog> {
        let mut connection = None;
        while !self.shared.stop.load(Ordering::Relaxed) {
            let outcome = match &mut connection {
                None => self.connect().map(|opened| connection = opened),
                Some(connection) => self.converse(connection),
            };
            match outcome {
                Ok(()) => thread::sleep(Duration::from_millis(self.rng.u64(10..50))),
                // It cannot be read: that is no matter of the network.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(error),
                Err(_) => {
                    self.speaker.lost(self.now());
                    connection = None;
                }
            }
        }
        self.speaker.lost(self.now());
        Ok(self.speaker.log().clone())
    }

    fn now(&self) -> u64 {
        u64::try_from(self.shared.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn connect(&mut self) -> io::Result<Option<Connection>> {
        let server = self.shared.servers[self.rng.usize(..self.shared.servers.len())];
        let stream = TcpStream::connect_timeout(&server, SILENCE)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        stream.set_nodelay(true)?;
        let mut connection = Connection { stream, input: BytesMut::new() };
        connection.send(&self.speaker.greet())?;
        if !matches!(self.hear(&mut connection)?, Came::Open) {
            return Ok(None);
        }
        if let Some(watches) = self.speaker.watches() {
            self.ask(&mut connection, watches)?;
        }
        Ok(Some(connection))
    }

    /// Asks for a few things at once, and waits for all answers.
    fn converse(&mut self, connection: &mut Connection) -> io::Result<()> {
        if self.rng.u8(..200) == 0 {
            self.ask(connection, Action::Close)?;
        } else {
            for _ in 0..self.rng.u8(1..5) {
                let action = self.draw();
                self.ask(connection, action)?;
            }
        }
        while self.speaker.in_flight() > 0 {
            match self.hear(connection)? {
                Came::Answer(Action::Close, Answer::Done) => {
                    self.speaker.forget();
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Came::Answer(action, _) if action.is_write() => {
                    self.shared.answered.fetch_add(1, Ordering::Relaxed);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn ask(&mut self, connection: &mut Connection, action: Action) -> io::Result<()> {
        let now = self.now();
        let request = self.speaker.ask(now, action);
        connection.send(&request)
    }

    fn hear(&mut self, connection: &mut Connection) -> io::Result<Came> {
        let content = connection.receive()?;
        let now = self.now();
        let unreadable = |error| io::Error::new(io::ErrorKind::InvalidData, format!("client {}: {error}", self.number));
        self.speaker.take(now, &content).map_err(unreadable)
    }

    fn draw(&mut self) -> Action {
        let (path, watch) = (self.path(), self.rng.u8(..3) == 0);
        match self.rng.u8(..100) {
            0..20 => Action::GetData { path, watch },
            20..30 => Action::Exists { path, watch },
            30..38 => Action::GetChildren { path: self.top().to_owned(), watch },
            38..44 => Action::Sync { path },
            44..92 => self.write(),
            _ => Action::Multi((0..self.rng.usize(1..4)).map(|_| self.part()).collect()),
        }
    }

    fn part(&mut self) -> Action {
        match self.rng.u8(..4) {
            0 => Action::Check { path: self.path(), version: self.rng.i32(-1..4) },
            _ => self.write(),
        }
    }

    fn write(&mut self) -> Action {
        self.data += 1;
        let data = Bytes::from(format!("{}.{}", self.number, self.data));
        let path = self.path();
        match self.rng.u8(..100) {
            0..45 => Action::SetData { path, data, version: if self.rng.bool() { -1 } else { self.rng.i32(0..6) } },
            45..65 => Action::Create { path, data, mode: CreateMode::Persistent },
            65..75 => Action::Create { path, data, mode: CreateMode::Ephemeral },
            75..82 => {
                let mode = [CreateMode::PersistentSequential, CreateMode::EphemeralSequential][self.rng.usize(..2)];
                Action::Create { path: format!("{}/s-", self.top()), data, mode }
            }
            _ => Action::Delete { path, version: if self.rng.bool() { -1 } else { self.rng.i32(0..3) } },
        }
    }

    fn top(&mut self) -> &'static str {
        ["/a", "/b", "/c"][self.rng.usize(..3)]
    }

    fn path(&mut self) -> String {
        let top = self.top();
        match self.rng.u8(..5) {
            0..2 => top.to_owned(),
            _ => format!("{top}/{}", ["x", "y", "s-0000000001"][self.rng.usize(..3)]),
        }
    }
}
