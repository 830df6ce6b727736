//! A proxy between a client and the service that breaks the connection at a chosen moment.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use menagerie_core::wire::OpCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::TestResult;

/// What goes wrong with the next request of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks before the request reaches the service.
    BeforeRequest(OpCode),
    /// The service has carried it out, and the connection breaks before its reply reaches the client.
    BeforeReply(OpCode),
}

/// A way to the service that can be cut.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    /// Those to come; the first is the next.
    faults: Mutex<VecDeque<Fault>>,
    /// How many requests of each operation have come from clients.
    seen: Mutex<HashMap<i32, usize>>,
    /// Whether the fault is the beginning of a partition.
    parts: AtomicBool,
    /// Each new number breaks the connections there are.
    cuts: watch::Sender<u64>,
    /// Whether connections get through at all.
    open: watch::Sender<bool>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 for clients of the service at `upstream`.
    pub async fn start(upstream: &str) -> TestResult<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            faults: Mutex::default(),
            seen: Mutex::default(),
            parts: AtomicBool::new(false),
            cuts: watch::Sender::new(0),
            open: watch::Sender::new(true),
        });
        let task = tokio::spawn(accept(listener, upstream.to_owned(), Arc::clone(&shared)));
        Ok(Proxy { address, shared, task })
    }

    pub fn hosts(&self) -> String {
        self.address.to_string()
    }

    /// Breaks the connections; new ones get through.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Breaks the connections, and lets no new ones through until [`Proxy::heal`]: what a client behind it sees of a partition, and the
    /// service of a client that died. When it returns, nothing gets through any more.
    pub async fn part(&self) {
        self.shared.open.send_replace(false);
        self.cut();
        self.shared.cuts.closed().await;
    }

    pub fn heal(&self) {
        self.shared.open.send_replace(true);
    }

    /// Breaks the connection at the next request of the fault's operation, once.
    pub fn inject(&self, fault: Fault) {
        self.inject_all([fault]);
    }

    /// As [`Proxy::inject`], one fault after the other.
    pub fn inject_all(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.parts.store(false, Ordering::SeqCst);
        *self.shared.faults() = faults.into_iter().collect();
    }

    /// As [`Proxy::inject`], and lets no new connections through from then on.
    pub fn inject_partition(&self, fault: Fault) {
        self.inject(fault);
        self.shared.parts.store(true, Ordering::SeqCst);
    }

    /// Whether an injected fault is still to come.
    pub fn is_armed(&self) -> bool {
        !self.shared.faults().is_empty()
    }

    /// How many requests of this operation clients have sent.
    pub fn seen(&self, op: OpCode) -> usize {
        self.shared.seen().get(&op.code()).copied().unwrap_or(0)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

impl Shared {
    fn faults(&self) -> MutexGuard<'_, VecDeque<Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<i32, usize>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault has come.
    fn strike(&self) {
        if self.parts.load(Ordering::SeqCst) {
            self.open.send_replace(false);
        }
        self.faults().pop_front();
    }
}

async fn accept(listener: TcpListener, upstream: String, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        // Before the look whether it is open: a cut that comes in between is not missed.
        let cuts = shared.cuts.subscribe();
        if *shared.open.borrow() {
            tokio::spawn(connect(client, upstream.clone(), Arc::clone(&shared), cuts));
        }
    }
}

/// Carries one connection until it ends, is cut, or its fault comes. Dropping the halves closes both sides.
async fn connect(client: TcpStream, upstream: String, shared: Arc<Shared>, mut cuts: watch::Receiver<u64>) {
    let Ok(service) = TcpStream::connect(upstream).await else { return };
    let _ = (client.set_nodelay(true), service.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_service, to_service) = service.into_split();
    // The xid of the request whose reply is not to get through.
    let swallowed = Mutex::new(None);
    tokio::select! {
        biased;
        _ = cuts.changed() => {}
        _ = requests(from_client, to_service, &shared, &swallowed) => {}
        _ = replies(from_service, to_client, &swallowed) => {}
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    swallowed: &Mutex<Option<i32>>,
) -> std::io::Result<()> {
    let mut frame = Vec::new();
    // The connect request has no header.
    read_frame(&mut from, &mut frame).await?;
    to.write_all(&frame).await?;
    loop {
        read_frame(&mut from, &mut frame).await?;
        let (xid, op) = (int_at(&frame, 4), int_at(&frame, 8));
        if let Some(op) = op {
            *shared.seen().entry(op).or_default() += 1;
        }
        let fault = shared.faults().front().copied();
        match fault {
            Some(Fault::BeforeRequest(wanted)) if Some(wanted.code()) == op => {
                shared.strike();
                return Ok(());
            }
            Some(Fault::BeforeReply(wanted)) if Some(wanted.code()) == op => {
                shared.strike();
                *swallowed.lock().unwrap_or_else(PoisonError::into_inner) = xid;
            }
            _ => {}
        }
        to.write_all(&frame).await?;
    }
}

async fn replies(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    swallowed: &Mutex<Option<i32>>,
) -> std::io::Result<()> {
    let mut frame = Vec::new();
    read_frame(&mut from, &mut frame).await?;
    to.write_all(&frame).await?;
    loop {
        read_frame(&mut from, &mut frame).await?;
        let unwanted = *swallowed.lock().unwrap_or_else(PoisonError::into_inner);
        if unwanted.is_some() && unwanted == int_at(&frame, 4) {
            return Ok(());
        }
        to.write_all(&frame).await?;
    }
}

/// Reads a frame with its length.
async fn read_frame(from: &mut OwnedReadHalf, frame: &mut Vec<u8>) -> std::io::Result<()> {
    let mut length = [0; 4];
    from.read_exact(&mut length).await?;
    frame.clear();
    frame.extend_from_slice(&length);
    frame.resize(4 + u32::from_be_bytes(length) as usize, 0);
    from.read_exact(&mut frame[4..]).await.map(|_| ())
}

fn int_at(frame: &[u8], at: usize) -> Option<i32> {
    frame.get(at..at + 4)?.try_into().ok().map(i32::from_be_bytes)
}
