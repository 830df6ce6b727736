//! What happens to a member. It never knows where bytes come from.

use super::{Entry, LinkId, ServerId, Ticket};
use crate::wire::ensemble::Ensemble;
use crate::wire::quorum::{ForwardedRequest, Notification, Packet, Touch};

/// What happens to a member. Each comes with the time, milliseconds of a clock that never goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Time has passed: see [`super::Peer::poll_timeout`].
    Tick,
    /// Every [`super::Output::Persist`] with a ticket up to this one is on disk: synced, and renamed into place where files
    /// are renamed. Never say it earlier; that it is true is what all promises of this member rest on.
    Persisted {
        /// The last such ticket.
        through: Ticket,
    },

    /// This member is to stop. A leader proposes nothing more and commits what it has proposed, as far as acknowledgements come
    /// within half a tick; then, and anybody else at once, it says [`super::Output::Resigned`]. Nothing undoes it.
    Resign,

    /// A notification came on the election port.
    Notification {
        /// The server at the other end of the connection.
        from: ServerId,
        /// What it says.
        notification: Notification,
    },
    /// The election port of `peer` can be talked to from now on.
    ElectionLinkUp {
        /// The other server.
        peer: ServerId,
    },
    /// Nobody answers at the election port of `peer`: its connection ended, or a dial was refused. Nothing but speed depends
    /// on it: an election does not wait for the vote of a server that is known to be gone.
    ElectionLinkDown {
        /// The other server.
        peer: ServerId,
    },

    /// Somebody dialled the quorum port. Answer on `link`.
    Accepted {
        /// A number that the caller never uses again for another connection, of either direction.
        link: LinkId,
    },
    /// What [`super::Output::Connect`] asked for.
    Connected {
        /// As in [`Input::Accepted`].
        link: LinkId,
        /// The server that was dialled.
        leader: ServerId,
    },
    /// [`super::Output::Connect`] failed.
    ConnectFailed {
        /// The server that was dialled.
        leader: ServerId,
    },
    /// A packet came on the quorum port. The packets of one link come in the order in which they were sent.
    Packet {
        /// The link.
        link: LinkId,
        /// The packet.
        packet: Packet,
    },
    /// Bytes came that are no whole packet yet, or a part of a snapshot: the other side lives.
    Heard {
        /// The link.
        link: LinkId,
    },
    /// The snapshot after a SNAP packet has come, whole and with its signature. The caller keeps it until
    /// [`super::Write::InstallSnapshot`] names the link, or the link is gone.
    SnapshotReceived {
        /// The link.
        link: LinkId,
    },
    /// The members that the snapshot on this link shows in `/zookeeper/config`: to be said before
    /// [`Input::SnapshotReceived`], when members can change.
    SnapshotMembers {
        /// The link.
        link: LinkId,
        /// The members.
        members: Ensemble,
    },
    /// What [`super::Output::ReadHistory`] asked for, or the beginning of it: no more than a link takes well at once. More is
    /// asked for then.
    History {
        /// The learner.
        link: LinkId,
        /// The transactions as they were logged, at least one, without a gap.
        entries: Vec<Entry>,
    },
    /// What [`super::Output::ReadHistory`] asked for is not there, or not all of it, or it would be more than a snapshot is
    /// worth. It may be said after some of it was given; then the learner is sent away, and sent a snapshot when it comes back.
    NoHistory {
        /// The learner.
        link: LinkId,
    },
    /// The link ended, for whatever reason.
    LinkClosed {
        /// The link.
        link: LinkId,
    },

    /// The learner's clients were heard of: told to the leader with the next answer to a PING.
    Touched(
        /// The sessions and their timeouts.
        Vec<Touch>,
    ),
    /// A client of this learner asks for something that only the leader can do. Lost when there is no leader: whoever waits
    /// for it learns that from [`super::Output::RoleChanged`].
    Forward(
        /// The request.
        ForwardedRequest,
    ),
    /// A client of this learner wants to resume a session.
    Revalidate {
        /// The session.
        session: i64,
        /// Its timeout, in milliseconds.
        timeout_ms: i32,
    },
    /// The leader's answer to [`super::Output::RevalidateSession`].
    SessionRevalidated {
        /// The learner that asked.
        link: LinkId,
        /// The session.
        session: i64,
        /// Whether it lives.
        valid: bool,
    },
    /// The leader has taken up a forwarded sync: answer it after everything proposed until now is committed.
    AnswerSync {
        /// The learner that asked.
        link: LinkId,
    },
}
