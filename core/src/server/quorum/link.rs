//! One connection of the quorum port: a queue that is written, packets that are read, and snapshots in between
//! (protocol §5.4, §5.5). It never knows what a packet means, but for SNAP, which changes what follows.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Shared;
use super::arrival::Inbox;
use super::links::Link;
use super::pipe::{self, PipeReader};
use super::queue::{Item, SendQueue};
use super::snapshots::SnapshotSource;
use crate::jute::Put;
use crate::wire::Zxid;
use crate::wire::quorum::{Packet, SNAPSHOT_SIGNATURE, take_packet};
use crate::zab::Input;

/// How often it is told that bytes come which are no whole packet, at most.
const HEARD_EVERY: Duration = Duration::from_millis(100);

/// Who dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// A learner, or somebody who pretends to be one.
    Accepted,
    /// This member: only a leader that was dialled may send a snapshot.
    Dialled,
}

/// Serves a link until it ends.
pub(super) async fn run(shared: &Shared, link: &Link, stream: TcpStream, direction: Direction) -> io::Result<()> {
    let (read, write) = stream.into_split();
    let waiting = u32::try_from(shared.settings.max_packet_bytes).unwrap_or(u32::MAX >> 3).min(u32::MAX >> 3);
    let reader = Reader {
        shared,
        link,
        read,
        input: BytesMut::new(),
        inbox: Inbox::new(&shared.inputs, waiting),
        heard: Instant::now(),
    };
    tokio::select! {
        ended = reader.run(direction) => ended,
        ended = write_all(shared, &link.queue, write) => ended,
    }
}

async fn write_all(shared: &Shared, queue: &SendQueue, mut write: OwnedWriteHalf) -> io::Result<()> {
    loop {
        match queue.next().await {
            Item::Packets(packets) => write.write_all(&packets).await?,
            Item::Snapshot(source) => write_snapshot(shared, source, &mut write).await?,
        }
    }
}

async fn write_snapshot(
    shared: &Shared,
    source: Box<dyn SnapshotSource>,
    write: &mut OwnedWriteHalf,
) -> io::Result<()> {
    let (mut pipe, mut chunks) = pipe::to_task();
    let work = move || {
        source.write_to(&mut pipe)?;
        pipe.flush()
    };
    let written = shared.tasks.spawn_blocking_on(work, &shared.runtime);
    while let Some(chunk) = chunks.recv().await {
        write.write_all(&chunk).await?;
    }
    // An image that is cut short must not be signed.
    written.await.map_err(io::Error::other)??;
    let mut signature = BytesMut::new();
    signature.put_str(SNAPSHOT_SIGNATURE);
    write.write_all(&signature).await
}

struct Reader<'a> {
    shared: &'a Shared,
    link: &'a Link,
    read: OwnedReadHalf,
    input: BytesMut,
    inbox: Inbox,
    heard: Instant,
}

impl Reader<'_> {
    async fn run(mut self, direction: Direction) -> io::Result<()> {
        // Whoever dials says at once who it is; the machine has its own limits for everything later.
        let first = tokio::time::timeout(self.shared.settings.init_timeout, self.packet()).await;
        let mut packet = first.map_err(|_| io::Error::other("no packet came within initLimit"))??;
        while let Some((next, length)) = packet {
            let snapshot = if let Packet::Snap { zxid } = next { Some(zxid) } else { None };
            if snapshot.is_some() && direction == Direction::Accepted {
                return Err(io::Error::other("a learner sent a snapshot"));
            }
            self.inbox.put(Input::Packet { link: self.link.id, packet: next }, length).await;
            if let Some(zxid) = snapshot {
                self.snapshot(zxid).await?;
            }
            packet = self.packet().await?;
        }
        Ok(())
    }

    /// The next packet, and its length; `None` at the end of the stream.
    async fn packet(&mut self) -> io::Result<Option<(Packet, usize)>> {
        loop {
            let before = self.input.len();
            if let Some(raw) =
                take_packet(&mut self.input, self.shared.settings.max_packet_bytes).map_err(io::Error::other)?
            {
                let packet = Packet::try_from(raw).map_err(io::Error::other)?;
                return Ok(Some((packet, before - self.input.len())));
            }
            if before > 0 {
                self.heard().await;
            }
            if self.read.read_buf(&mut self.input).await? == 0 {
                return if self.input.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    async fn heard(&mut self) {
        if self.heard.elapsed() >= HEARD_EVERY {
            self.heard = Instant::now();
            self.inbox.put(Input::Heard { link: self.link.id }, 1).await;
        }
    }

    /// Hands the image to the store, checks the signature, and goes on with what came behind it.
    async fn snapshot(&mut self, zxid: Zxid) -> io::Result<()> {
        let (chunks, reader) = pipe::to_thread();
        let (store, link) = (Arc::clone(&self.shared.snapshots), self.link.id);
        let work = move || {
            let mut reader = reader;
            store.receive(link, zxid, &mut reader)?;
            check_signature(&mut reader)?;
            Ok(reader)
        };
        let mut received = self.shared.tasks.spawn_blocking_on(work, &self.shared.runtime);
        if !self.input.is_empty() {
            // The pipe is empty: this never waits, and fails only when the store has given up already.
            let _ = chunks.send(self.input.split().freeze()).await;
        }
        let rest = self.feed(chunks, &mut received).await?;
        self.input = rest.into_rest();
        self.inbox.put(Input::SnapshotReceived { link }, 1).await;
        Ok(())
    }

    async fn feed(
        &mut self,
        chunks: mpsc::Sender<Bytes>,
        received: &mut JoinHandle<io::Result<PipeReader>>,
    ) -> io::Result<PipeReader> {
        loop {
            let read = async {
                match chunks.reserve().await {
                    Ok(place) => self.read.read_buf(&mut self.input).await.map(|read| (read, place)),
                    // The store has given up, and is about to say why.
                    Err(_) => std::future::pending().await,
                }
            };
            let (read, place) = tokio::select! {
                biased;
                received = &mut *received => return received.map_err(io::Error::other)?,
                read = read => read?,
            };
            if read == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the leader is gone in the middle of a snapshot",
                ));
            }
            place.send(self.input.split().freeze());
            self.heard().await;
        }
    }
}

/// The jute string that stands behind an image.
fn check_signature(reader: &mut PipeReader) -> io::Result<()> {
    let mut expected = BytesMut::new();
    expected.put_str(SNAPSHOT_SIGNATURE);
    let mut found = vec![0; expected.len()];
    reader.read_exact(&mut found)?;
    if found == expected[..] { Ok(()) } else { Err(io::Error::other("the snapshot does not end with its signature")) }
}
