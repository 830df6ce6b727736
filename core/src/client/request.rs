//! What handles ask of the session's task, and the two ports through which it answers them. It never knows how the answers
//! travel: in production over channels, in tests into plain cells.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::jute::Encode;
use crate::wire::proto::RequestHeader;
use crate::wire::{HostPort, OpCode, Zxid, frame};

use super::error::Cause;
use super::event::WatchedEvent;

/// A moment, as the time since the session's task was started. The pure modules know no other clock.
pub(super) type Time = Duration;

/// What a call gets: the reply's record, or why there is none.
pub(super) type Answer = Result<Bytes, Cause>;

/// The place a call's answer goes to.
pub(super) trait Ticket {
    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;
    /// The request is being sent with this xid.
    fn sent(&self, _xid: i32) {}
    /// The reply has come, and carries this zxid.
    fn replied(&self, _zxid: Zxid) {}
    /// Hands the answer over.
    fn complete(self, answer: Answer);
}

/// The place a watch's events go to. Clones are the same place.
pub(super) trait Watcher: Clone {
    /// Whether nobody waits for events any more.
    fn is_abandoned(&self) -> bool;
    /// Hands an event over.
    fn tell(&self, event: WatchedEvent);
}

/// One message from a handle, in the order in which the application made its calls.
#[derive(Debug)]
pub(super) enum Command<T, W> {
    /// Send a request.
    Submit(Request<T, W>),
    /// The application dropped a watch.
    Unwatch(WatchId),
    /// Look for servers among these hosts from now on.
    SetHosts(Vec<HostPort>),
    /// Close the session; the ticket, if any, is told of the end.
    Close(Option<T>),
    /// End the client and leave the session as it is; the ticket, if any, is told when that is done.
    Detach(Option<T>),
}

/// A request, encoded but for its xid.
#[derive(Debug)]
pub(super) struct Request<T, W> {
    /// The whole frame; bytes 4 to 8 are the xid, filled in when it is written.
    pub(super) frame: BytesMut,
    /// Whether it changes the tree, so that its outcome is unknown when the reply is lost.
    pub(super) write: bool,
    /// Requests the session treats in a way of its own.
    pub(super) special: Option<Special>,
    /// Who waits; nobody for the session's own requests.
    pub(super) ticket: Option<T>,
    /// The watch a successful reply sets.
    pub(super) watch: Option<WatchRequest<W>>,
}

/// Requests that are not an ordinary operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    /// Credentials: they have an xid of their own and are sent again on every connection.
    Auth,
    /// The removal of a watch: of no use on another connection.
    RemoveWatch,
    /// The end of the session.
    Close,
}

/// A watch to set.
#[derive(Debug)]
pub(super) struct WatchRequest<W> {
    pub(super) id: WatchId,
    pub(super) watcher: W,
}

/// Names one watch of the application.
#[derive(Debug, Clone)]
pub(super) struct WatchId {
    /// The path on the wire.
    pub(super) path: Arc<str>,
    pub(super) kind: WatchKind,
    /// Tells watches on the same path and of the same kind apart.
    pub(super) serial: u64,
}

/// How a watch is set, which decides where it is kept and what it is told (protocol §2.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WatchKind {
    /// By getData.
    Data,
    /// By exists: a data watch where the znode is there, an exist watch where it is not.
    Exist,
    /// By getChildren.
    Child,
    /// By addWatch.
    Persistent,
    /// By addWatch, for all below the path too.
    PersistentRecursive,
}

impl<T, W> Request<T, W> {
    /// Encodes a request without ticket and watch.
    pub(super) fn new(op: OpCode, write: bool, special: Option<Special>, record: &impl Encode) -> Self {
        Request { frame: frame_of(0, op, record), write, special, ticket: None, watch: None }
    }
}

impl<T: Ticket, W> Request<T, W> {
    /// Whether nobody waits for it any more, so that it need not be sent.
    pub(super) fn is_abandoned(&self) -> bool {
        self.ticket.as_ref().is_some_and(Ticket::is_abandoned)
    }
}

/// The whole frame of a request.
pub(super) fn frame_of(xid: i32, op: OpCode, record: &impl Encode) -> BytesMut {
    let mut frame = BytesMut::with_capacity(128);
    frame::put(&mut frame, |out| {
        RequestHeader { xid, op: op.code() }.encode(out);
        record.encode(out);
    });
    frame
}

/// Appends a request's frame, with its xid filled in.
pub(super) fn append(out: &mut BytesMut, frame: &[u8], xid: i32) {
    let start = out.len();
    out.extend_from_slice(frame);
    out[start + 4..start + 8].copy_from_slice(&xid.to_be_bytes());
}

/// The record of requests that have none.
#[derive(Debug)]
pub(super) struct NoRecord;

impl Encode for NoRecord {
    fn encode(&self, _out: &mut BytesMut) {}
}
