//! What a member wants done, and the order in which it must be. It never knows how.

use bytes::Bytes;

use super::{LinkId, ServerId, Ticket};
use crate::wire::Zxid;
use crate::wire::ensemble::Ensemble;
use crate::wire::quorum::{ForwardedRequest, Notification, Packet, Touch};

/// What a member does in its ensemble, once it may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It has no leader: it may not serve.
    Looking,
    /// It leads: it may propose.
    Leading {
        /// Its reign.
        epoch: u32,
    },
    /// It follows, and its acknowledgements count.
    Following {
        /// Whom.
        leader: ServerId,
        /// In which reign.
        epoch: u32,
    },
    /// It follows without a vote.
    Observing {
        /// Whom.
        leader: ServerId,
        /// In which reign.
        epoch: u32,
    },
}

/// A change of what is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// The file `acceptedEpoch`.
    AcceptedEpoch(
        /// Its content.
        u32,
    ),
    /// The file `currentEpoch`.
    CurrentEpoch(
        /// Its content.
        u32,
    ),
    /// Add to the end of the log.
    Append {
        /// The transaction's place.
        zxid: Zxid,
        /// The transaction.
        payload: Bytes,
    },
    /// Remove everything after `to` from the log. When the state has more than that, make it anew from disk.
    Truncate {
        /// The last transaction to keep.
        to: Zxid,
    },
    /// Replace log and state by the snapshot that came on `link`. It must be atomic: after a crash either nothing has
    /// happened, or everything, with no transaction of the old log behind the snapshot.
    InstallSnapshot {
        /// Where it came from.
        link: LinkId,
        /// The last transaction it has.
        zxid: Zxid,
    },
}

/// What a member wants done. Do these in the order in which they come: it is part of what they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Change what is on disk, after all earlier changes. Answer with [`super::Input::Persisted`] when it is there; many may
    /// share one sync. An error of the disk ends this member: it must not answer, and must not go on.
    Persist {
        /// Counts up by one.
        ticket: Ticket,
        /// What to write.
        write: Write,
    },

    /// Say this on the election port. Connect if need be. Only the newest notification to a server matters: one that waits is
    /// replaced.
    Notify {
        /// To whom.
        to: ServerId,
        /// What to say.
        notification: Notification,
    },
    /// Dial the quorum port of the leader. Answer with [`super::Input::Connected`] or [`super::Input::ConnectFailed`].
    Connect {
        /// Whom to dial.
        leader: ServerId,
    },
    /// Send a packet on the quorum port. What is sent on one link arrives in this order or not at all.
    Send {
        /// Where.
        link: LinkId,
        /// What.
        packet: Packet,
    },
    /// Send a SNAP packet with this zxid and then the state as of now: all [`Output::Committed`] before this one, none
    /// after. What is sent on the link later comes behind it.
    SendSnapshot {
        /// Where.
        link: LinkId,
        /// The last transaction of the state.
        zxid: Zxid,
    },
    /// Leader: read the log on disk after one transaction and up to another, for a learner that is further behind than the
    /// window reaches. Answer with [`super::Input::History`] or [`super::Input::NoHistory`], some time: nothing waits for it but
    /// this learner. Answer when the learner has taken most of what was sent to it before, so that it does not pile up. That
    /// `after` is in this log has to be seen there: the learner may have transactions that never were committed.
    ReadHistory {
        /// The learner.
        link: LinkId,
        /// The last transaction that it has.
        after: Zxid,
        /// The last one that is wanted; all up to it is committed.
        through: Zxid,
    },
    /// Close the link. No input about it is needed any more.
    Disconnect {
        /// Which.
        link: LinkId,
    },

    /// The transaction is committed: apply it. They come in the order of their zxids, without a gap, each once.
    Committed {
        /// Its place in the order.
        zxid: Zxid,
        /// What it says.
        payload: Bytes,
    },
    /// These members may come into force: their addresses may be dialled from now on.
    MembersProposed(
        /// The members; their version is the zxid that proposes them.
        Ensemble,
    ),
    /// These members are in force. Have them on disk before anything after this is carried out: a member that starts with
    /// members from long ago could agree with others who did the same. Close the election links of those who left.
    Activated(
        /// The members.
        Ensemble,
    ),
    /// What this member may do has changed. From anything to looking: stop serving, and everything that waits for an answer
    /// of the old leader has an unknown end. To anything else: the state is up to date, serve.
    RoleChanged(
        /// What it is now.
        Role,
    ),

    /// Leader: a learner's client asks for something.
    ForwardedRequest {
        /// The learner, for the answer to a sync.
        link: LinkId,
        /// The request.
        request: ForwardedRequest,
    },
    /// Leader: a learner has heard of these sessions.
    SessionsTouched(
        /// The sessions.
        Vec<Touch>,
    ),
    /// Leader: a learner asks whether a session lives. Answer with [`super::Input::SessionRevalidated`].
    RevalidateSession {
        /// The learner.
        link: LinkId,
        /// The session.
        session: i64,
        /// Its timeout, in milliseconds.
        timeout_ms: i32,
    },
    /// Learner: the leader's answer to [`super::Input::Revalidate`].
    SessionRevalidated {
        /// The session.
        session: i64,
        /// Whether it lives.
        valid: bool,
    },
    /// Learner: the oldest sync that was forwarded is done, after all [`Output::Committed`] before this.
    Synced,

    /// After [`super::Input::Resign`]: this member is done, and nothing it is told matters any more. Let what was sent reach its
    /// sockets, then close the links of both ports: the others elect another leader when they see them close.
    Resigned,
}
