//! The session's task: the only file with sockets and a clock. It carries bytes and time to the pure session, and does what that says.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

use super::call::Completion;
use super::event::EventQueue;
use super::handle::{Inbox, Shared};
use super::request::{Ticket, Time, Watcher};
use super::session::{Config, Output, Session, Snapshot};
use super::status::Published;
use crate::wire::HostPort;

/// Bytes of a fresh read buffer; replies of a whole pipeline fit, so that they are handled at once.
const READ_BYTES: usize = 64 * 1024;
/// The buffer is renewed when less than this is free.
const READ_BYTES_MIN: usize = 8 * 1024;
/// Bytes of an answer to `isro`: `rw` and `ro` are those of interest, and a server without the word explains itself at length.
const ANSWER_BYTES: u64 = 16;
/// Messages taken from the handles at once, before the socket gets its turn.
const COMMANDS_MAX: usize = 4096;

/// Runs a session until it ends.
pub(super) async fn run(config: Config, shared: Arc<Shared>, mut commands: mpsc::UnboundedReceiver<Inbox>) {
    let mut driver = Driver::new(config, shared);
    let mut timer = Box::pin(tokio::time::sleep_until(driver.start));
    let mut has_handles = true;
    loop {
        for _ in 0..COMMANDS_MAX {
            let Ok(command) = commands.try_recv() else { break };
            driver.session.handle(driver.now(), command);
        }
        driver.carry_out();
        if driver.session.is_ended() {
            break;
        }
        driver.fill();
        driver.arm(timer.as_mut());
        tokio::select! {
            biased;
            moved = driver.link.progress(&driver.out, &mut driver.input) => driver.moved(moved),
            writes = answer(&mut driver.asking) => driver.session.asked(driver.now(), writes),
            () = timer.as_mut() => driver.session.handle_timeout(driver.now()),
            command = commands.recv(), if has_handles => match command {
                Some(command) => driver.session.handle(driver.now(), command),
                // Every handle and watch is gone. The handle's own last word was to close: the session ends when that is done, or has
                // taken too long.
                None => has_handles = false,
            },
        }
    }
    commands.close();
    while let Ok(command) = commands.try_recv() {
        driver.session.handle(driver.now(), command);
    }
    driver.carry_out();
}

/// The session, its connection, and what is on its way between them.
struct Driver {
    session: Session<Completion, Arc<EventQueue>>,
    shared: Arc<Shared>,
    start: Instant,
    link: Link,
    out: BytesMut,
    input: BytesMut,
    /// A host that is being asked whether it writes.
    asking: Option<Pin<Box<dyn Future<Output = bool> + Send>>>,
    /// The other end of the connection.
    server: Option<SocketAddr>,
    published: Option<(Option<SocketAddr>, Snapshot)>,
}

enum Link {
    Down,
    Opening(Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>),
    Open(TcpStream),
}

/// What a connection has done.
enum Moved {
    Opened(TcpStream),
    Wrote(usize),
    Read(usize),
    Failed(io::Error),
}

impl Driver {
    fn new(config: Config, shared: Arc<Shared>) -> Self {
        Driver {
            session: Session::new(config, Time::ZERO),
            shared,
            start: Instant::now(),
            link: Link::Down,
            out: BytesMut::new(),
            input: BytesMut::new(),
            asking: None,
            server: None,
            published: None,
        }
    }

    fn now(&self) -> Time {
        self.start.elapsed()
    }

    /// Does all that the session says. What others may know is published first, so that a caller whose call completes sees it.
    fn carry_out(&mut self) {
        self.publish();
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Connect(host) => self.link = Link::Opening(Box::pin(open(host))),
                Output::Disconnect => self.disconnect(),
                Output::Ask(host) => self.asking = Some(Box::pin(writes(host))),
                Output::State(state) => {
                    self.shared.state.send_replace(state);
                }
                Output::Complete(ticket, answer) => ticket.complete(answer),
                Output::Tell(watcher, event) => watcher.tell(event),
            }
        }
    }

    fn publish(&mut self) {
        let snapshot = self.session.snapshot();
        if self.published != Some((self.server, snapshot)) {
            self.published = Some((self.server, snapshot));
            let valid_until = snapshot.valid_until.map(|time| (self.start + time).into_std());
            let published = Published { session: snapshot, server: self.server, valid_until };
            *self.shared.published.lock().unwrap_or_else(PoisonError::into_inner) = published;
        }
    }

    /// Fetches the next batch once the last one is written.
    fn fill(&mut self) {
        if self.out.is_empty() && matches!(self.link, Link::Open(_)) && self.session.wants_to_transmit() {
            let now = self.now();
            self.session.transmit(now, &mut self.out);
        }
    }

    /// Lets the timer fire no later than the session's next timeout. It may fire earlier: resetting it with every request, only because
    /// the next ping moves, would cost more than a look now and then.
    fn arm(&self, timer: Pin<&mut Sleep>) {
        let Some(timeout) = self.session.poll_timeout() else { return };
        let deadline = self.start + timeout;
        if timer.is_elapsed() || deadline < timer.deadline() {
            timer.reset(deadline);
        }
    }

    fn moved(&mut self, moved: Moved) {
        let now = self.now();
        match moved {
            Moved::Opened(stream) => {
                self.server = stream.peer_addr().ok();
                self.link = Link::Open(stream);
                self.session.opened(now);
            }
            Moved::Wrote(bytes) => {
                let _written = self.out.split_to(bytes);
            }
            Moved::Read(0) => self.lost(now, "closed by the server"),
            Moved::Read(_) => self.session.received(now, &mut self.input),
            Moved::Failed(error) => self.lost(now, &error.to_string()),
        }
    }

    fn lost(&mut self, now: Time, why: &str) {
        self.disconnect();
        self.session.lost(now, why);
    }

    fn disconnect(&mut self) {
        self.link = Link::Down;
        self.server = None;
        self.out.clear();
        self.input.clear();
    }
}

/// A task that ends early, because its runtime does, leaves no call and no watch waiting for ever.
impl Drop for Driver {
    fn drop(&mut self) {
        self.session.abort();
        self.carry_out();
    }
}

impl Link {
    /// Waits until the connection is open, or some of `out` is written, or something is read into `input`. Dropping the future loses
    /// nothing.
    async fn progress(&mut self, out: &[u8], input: &mut BytesMut) -> Moved {
        match self {
            Link::Down => std::future::pending().await,
            Link::Opening(opening) => opening.as_mut().await.map_or_else(Moved::Failed, Moved::Opened),
            Link::Open(stream) => {
                let (mut reader, mut writer) = stream.split();
                if input.capacity() - input.len() < READ_BYTES_MIN {
                    input.reserve(READ_BYTES);
                }
                let moved = tokio::select! {
                    biased;
                    wrote = writer.write(out), if !out.is_empty() => wrote.map(Moved::Wrote),
                    read = reader.read_buf(input) => read.map(Moved::Read),
                };
                moved.unwrap_or_else(Moved::Failed)
            }
        }
    }
}

async fn open(host: HostPort) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host.host.as_str(), host.port)).await?;
    // Requests are batched here already; waiting for more would only delay them.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The answer of the host that is being asked, which is then asked no more; it waits while none is.
async fn answer(asking: &mut Option<Pin<Box<dyn Future<Output = bool> + Send>>>) -> bool {
    let Some(question) = asking else { return std::future::pending().await };
    let writes = question.await;
    *asking = None;
    writes
}

/// Asks a host by the four-letter word that needs no session. A host that cannot be asked does not write.
async fn writes(host: HostPort) -> bool {
    let ask = async {
        let mut stream = open(host).await?;
        stream.write_all(b"isro").await?;
        let mut said = Vec::new();
        stream.take(ANSWER_BYTES).read_to_end(&mut said).await?;
        Ok::<_, io::Error>(said == b"rw")
    };
    ask.await.unwrap_or(false)
}
