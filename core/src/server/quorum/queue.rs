//! What waits to be written to one link, in order and bounded. It never knows sockets.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use tokio::sync::Notify;

use super::snapshots::SnapshotSource;
use crate::jute::Encode;
use crate::wire::quorum::Packet;

/// What the writer does next.
pub(super) enum Item {
    /// Packets, as many as have come since the last time: one write.
    Packets(BytesMut),
    /// An image, and the signature behind it.
    Snapshot(Box<dyn SnapshotSource>),
}

/// More waits than may; the link has to go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflow;

/// The queue of one link.
pub(super) struct SendQueue {
    waiting: Mutex<Waiting>,
    filled: Notify,
    limit: usize,
}

#[derive(Default)]
struct Waiting {
    items: VecDeque<Item>,
    /// Of all packets in `items`.
    bytes: usize,
}

impl SendQueue {
    /// At most `limit` bytes of packets may wait, besides those that are being written.
    pub(super) fn new(limit: usize) -> Self {
        SendQueue { waiting: Mutex::default(), filled: Notify::new(), limit }
    }

    /// Adds a packet at the end.
    pub(super) fn push(&self, packet: &Packet) -> Result<(), Overflow> {
        let mut waiting = self.lock();
        if !matches!(waiting.items.back(), Some(Item::Packets(_))) {
            waiting.items.push_back(Item::Packets(BytesMut::new()));
        }
        if let Some(Item::Packets(packets)) = waiting.items.back_mut() {
            let before = packets.len();
            packet.encode(packets);
            let added = packets.len() - before;
            waiting.bytes += added;
        }
        let fits = waiting.bytes <= self.limit;
        drop(waiting);
        self.filled.notify_one();
        if fits { Ok(()) } else { Err(Overflow) }
    }

    /// Adds an image at the end.
    pub(super) fn push_snapshot(&self, source: Box<dyn SnapshotSource>) {
        self.lock().items.push_back(Item::Snapshot(source));
        self.filled.notify_one();
    }

    /// Bytes of packets that wait.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Takes what comes first, once there is something. For one task only.
    pub(super) async fn next(&self) -> Item {
        loop {
            if let Some(item) = self.take() {
                return item;
            }
            self.filled.notified().await;
        }
    }

    /// Whether the writer has taken everything.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().items.is_empty()
    }

    fn take(&self) -> Option<Item> {
        let mut waiting = self.lock();
        let item = waiting.items.pop_front()?;
        if let Item::Packets(packets) = &item {
            waiting.bytes -= packets.len();
        }
        Some(item)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use super::*;
    use crate::wire::Zxid;

    struct Nothing;

    impl SnapshotSource for Nothing {
        fn write_to(self: Box<Self>, _out: &mut dyn Write) -> io::Result<()> {
            Ok(())
        }
    }

    fn ack(counter: u32) -> Packet {
        Packet::Ack { zxid: Zxid::new(1, counter) }
    }

    #[tokio::test]
    async fn packets_between_snapshots_are_one_item_and_the_order_stays() {
        let queue = SendQueue::new(1000);
        let length = ack(1).to_bytes().len();
        for counter in 1..=3 {
            assert_eq!(queue.push(&ack(counter)), Ok(()));
        }
        queue.push_snapshot(Box::new(Nothing));
        assert_eq!(queue.push(&ack(4)), Ok(()));
        assert!(matches!(queue.next().await, Item::Packets(packets) if packets.len() == 3 * length));
        assert!(matches!(queue.next().await, Item::Snapshot(_)));
        assert!(matches!(queue.next().await, Item::Packets(packets) if packets[..] == ack(4).to_bytes()[..]));
    }

    #[tokio::test]
    async fn only_what_waits_counts() {
        let length = ack(1).to_bytes().len();
        let queue = SendQueue::new(2 * length);
        assert_eq!((queue.push(&ack(1)), queue.push(&ack(2)), queue.push(&ack(3))), (Ok(()), Ok(()), Err(Overflow)));
        assert!(!queue.is_empty());
        assert_eq!(queue.waiting_bytes(), 3 * length);
        queue.next().await;
        assert!(queue.is_empty());
        assert_eq!(queue.waiting_bytes(), 0);
        assert_eq!(queue.push(&ack(4)), Ok(()));
    }
}
