//! The packets between a leader and its learners (protocol §5.4): the raw record, and what each type of it says.

use bytes::Bytes;

use crate::wire::{Id, Zxid};

records! {
    /// What a learner says of itself in FOLLOWERINFO and OBSERVERINFO.
    pub struct LearnerInfo {
        /// Its number, `myid`.
        pub server_id: i64,
        /// The quorum protocol it speaks, [`super::PROTOCOL_VERSION`].
        pub protocol_version: i32,
        /// The version of the configuration it has.
        pub config_version: i64,
    }

    /// A session that a learner has heard of since the last PING.
    pub struct Touch {
        /// The session.
        pub session: i64,
        /// Its timeout, in milliseconds.
        pub timeout_ms: i32,
    }

    /// The record that every packet is, before its type is looked at.
    pub struct QuorumPacket {
        /// One of [`kind`].
        pub kind: i32,
        /// What the zxid means depends on the type.
        pub zxid: Zxid,
        /// The body; null and empty are different.
        pub data: Option<Bytes>,
        /// The identities of a forwarded request's caller; null in all other packets.
        pub authinfo: Option<Vec<Id>>,
    }
}

/// The types of packets, as they stand on the wire.
pub mod kind {
    /// Learner to leader: a client's request.
    pub const REQUEST: i32 = 1;
    /// Leader to follower: log this.
    pub const PROPOSAL: i32 = 2;
    /// Follower to leader: it is on my disk.
    pub const ACK: i32 = 3;
    /// Leader to follower: it is on a quorum's disks.
    pub const COMMIT: i32 = 4;
    /// Both ways: I am here.
    pub const PING: i32 = 5;
    /// Both ways: is this session still known?
    pub const REVALIDATE: i32 = 6;
    /// Leader to learner: everything before your sync has been sent.
    pub const SYNC: i32 = 7;
    /// Leader to observer: a proposal and its commit.
    pub const INFORM: i32 = 8;
    /// COMMIT of a change of members.
    pub const COMMIT_AND_ACTIVATE: i32 = 9;
    /// Leader to learner: this was all; the reign begins here.
    pub const NEWLEADER: i32 = 10;
    /// Follower to leader, first of all.
    pub const FOLLOWERINFO: i32 = 11;
    /// Leader to learner: you may serve.
    pub const UPTODATE: i32 = 12;
    /// Leader to learner: what follows continues your log.
    pub const DIFF: i32 = 13;
    /// Leader to learner: cut your log back to here.
    pub const TRUNC: i32 = 14;
    /// Leader to learner: a whole snapshot follows.
    pub const SNAP: i32 = 15;
    /// Observer to leader, first of all.
    pub const OBSERVERINFO: i32 = 16;
    /// Leader to learner: the epoch I propose.
    pub const LEADERINFO: i32 = 17;
    /// Learner to leader: I have accepted that epoch.
    pub const ACKEPOCH: i32 = 18;
    /// INFORM of a change of members.
    pub const INFORM_AND_ACTIVATE: i32 = 19;
}

/// A request of a client of a learner, on its way to the leader (protocol §5.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedRequest {
    /// The client's session.
    pub session: i64,
    /// The client's xid. Session and cxid come back in the transaction's header: the learner finds the request by them.
    pub cxid: i32,
    /// The op code.
    pub op: i32,
    /// The request's record.
    pub body: Bytes,
    /// Who the client is; null for the opening of a session.
    pub ids: Option<Vec<Id>>,
}

/// A packet by its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// REQUEST.
    Request(
        /// The request.
        ForwardedRequest,
    ),
    /// PROPOSAL.
    Proposal {
        /// Its place in the order.
        zxid: Zxid,
        /// Header, transaction and digest.
        payload: Bytes,
    },
    /// ACK.
    Ack {
        /// Everything up to it is on the follower's disk; with a counter of 0, the answer to NEWLEADER or UPTODATE.
        zxid: Zxid,
    },
    /// COMMIT.
    Commit {
        /// The transaction.
        zxid: Zxid,
    },
    /// PING.
    Ping {
        /// The last zxid that the leader proposed; a learner sends it back.
        zxid: Zxid,
        /// `None` from the leader; from a learner, the sessions it has heard of.
        touches: Option<Vec<Touch>>,
    },
    /// REVALIDATE from a learner.
    Revalidate {
        /// The session that a client wants to resume.
        session: i64,
        /// Its timeout, in milliseconds.
        timeout_ms: i32,
    },
    /// REVALIDATE from the leader.
    Revalidated {
        /// The session asked about.
        session: i64,
        /// Whether it lives.
        valid: bool,
    },
    /// SYNC.
    Sync,
    /// INFORM.
    Inform {
        /// Its place in the order.
        zxid: Zxid,
        /// Header, transaction and digest.
        payload: Bytes,
    },
    /// COMMITANDACTIVATE.
    CommitAndActivate {
        /// The transaction that changes the members.
        zxid: Zxid,
        /// Who leads afterwards.
        designated: i64,
    },
    /// NEWLEADER.
    NewLeader {
        /// The reign's epoch, with a counter of 0.
        zxid: Zxid,
        /// The configuration's text; null from servers before 3.5.
        config: Option<Bytes>,
    },
    /// FOLLOWERINFO.
    FollowerInfo {
        /// The last epoch it accepted, with a counter of 0.
        zxid: Zxid,
        /// Who it is.
        info: LearnerInfo,
    },
    /// UPTODATE.
    UpToDate,
    /// DIFF.
    Diff {
        /// The last transaction that the leader knows to be committed.
        zxid: Zxid,
    },
    /// TRUNC.
    Trunc {
        /// The last transaction to keep.
        zxid: Zxid,
    },
    /// SNAP. The stream of the snapshot and [`super::SNAPSHOT_SIGNATURE`] come after it, before the next packet.
    Snap {
        /// The last transaction that the snapshot has.
        zxid: Zxid,
    },
    /// OBSERVERINFO.
    ObserverInfo {
        /// The last epoch it accepted, with a counter of 0.
        zxid: Zxid,
        /// Who it is.
        info: LearnerInfo,
    },
    /// LEADERINFO.
    LeaderInfo {
        /// The epoch proposed, with a counter of 0.
        zxid: Zxid,
        /// The quorum protocol that the leader speaks.
        protocol_version: i32,
    },
    /// ACKEPOCH.
    AckEpoch {
        /// The last transaction in the learner's log.
        zxid: Zxid,
        /// The last epoch whose history it took over; `None` when it had accepted the proposed epoch before and does not
        /// count again.
        current_epoch: Option<i32>,
    },
    /// INFORMANDACTIVATE.
    InformAndActivate {
        /// The transaction that changes the members.
        zxid: Zxid,
        /// Who leads afterwards.
        designated: i64,
        /// Header, transaction and digest.
        payload: Bytes,
    },
}
