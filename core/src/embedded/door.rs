//! A door between two members, or between clients and a member: it forwards connections, and tests can shut it. It never knows what
//! goes through.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Bytes that are taken at a time.
const PIECE: usize = 64 * 1024;

/// What goes through a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passage {
    /// Whether anything goes from who dials to who is dialled.
    pub(super) there: bool,
    /// Whether anything goes the other way.
    pub(super) back: bool,
}

impl Passage {
    pub(super) const OPEN: Passage = Passage { there: true, back: true };
    /// Nothing goes through and nobody is told: what was sent comes when the door opens again, as after a fault of the network.
    pub(super) const SHUT: Passage = Passage { there: false, back: false };
}

/// A listening door. Dropping it ends what goes through.
#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddr,
    passage: watch::Sender<Passage>,
    _stop: DropGuard,
}

impl Door {
    /// On a free port of 127.0.0.1, to `target`, which need not listen yet.
    pub(super) async fn open(target: SocketAddr) -> std::io::Result<Door> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (passage, seen) = watch::channel(Passage::OPEN);
        let stop = CancellationToken::new();
        let (stopped, tasks) = (stop.clone(), TaskTracker::new());
        let forwarded = tasks.clone();
        tasks.spawn(async move {
            stopped.run_until_cancelled(accept(listener, target, seen, &forwarded, &stopped)).await;
        });
        Ok(Door { address, passage, _stop: stop.drop_guard() })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn set(&self, passage: Passage) {
        self.passage.send_replace(passage);
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    seen: watch::Receiver<Passage>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    loop {
        // Out of file descriptors, most likely: whoever waits is accepted later.
        let Ok((near, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        let (seen, stop) = (seen.clone(), stop.clone());
        tasks.spawn(async move {
            stop.run_until_cancelled(forward(near, target, seen)).await;
        });
    }
}

/// One connection, until either end closes it: then both are closed.
async fn forward(near: TcpStream, target: SocketAddr, mut seen: watch::Receiver<Passage>) -> Option<()> {
    seen.wait_for(|passage| passage.there && passage.back).await.ok()?;
    let far = TcpStream::connect(target).await.ok()?;
    for stream in [&near, &far] {
        // A forwarded piece is as whole as it was sent.
        let _ = stream.set_nodelay(true);
    }
    let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
    tokio::select! {
        end = pump(from_near, to_far, seen.clone(), |passage| passage.there) => end,
        end = pump(from_far, to_near, seen, |passage| passage.back) => end,
    }
}

async fn pump(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    mut seen: watch::Receiver<Passage>,
    open: fn(&Passage) -> bool,
) -> Option<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece).await.ok().filter(|length| *length > 0);
        // The end of a connection is hidden by a shut door like everything else.
        seen.wait_for(open).await.ok()?;
        to.write_all(piece.get(..length?)?).await.ok()?;
    }
}
