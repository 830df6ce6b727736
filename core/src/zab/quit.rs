//! Why a member gives up leading or following and looks for a leader again.

use crate::wire::Zxid;

/// Why a role ended. None of these is a reason to stop: the member goes on looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(super) enum Quit {
    /// The leader's quorum port could not be reached.
    #[error("the leader cannot be reached")]
    Unreachable,
    /// The connection to the leader ended.
    #[error("the connection to the leader ended")]
    LinkClosed,
    /// Nothing came from the leader within its limit.
    #[error("the leader has been silent for too long")]
    LeaderSilent,
    /// No quorum within `initLimit` in one of the steps before the reign begins.
    #[error("no quorum came within initLimit")]
    NoQuorumInTime,
    /// Too many voters look for a leader again before the reign has begun.
    #[error("too many voters look for another leader")]
    Deserted,
    /// Fewer than a quorum follow.
    #[error("fewer than a quorum follow")]
    LostQuorum,
    /// Other members are in force, and with them another leader or another role.
    #[error("other members are in force")]
    MembersChanged,
    /// The epoch's counter is used up.
    #[error("the counter of the epoch is used up")]
    CounterUsedUp,
    /// A voter has promised a higher epoch.
    #[error("a voter has promised epoch {accepted}, above {epoch}")]
    EpochSurpassed {
        /// The leader's epoch.
        epoch: u32,
        /// The voter's promise.
        accepted: u32,
    },
    /// The leader's epoch is below the own promise.
    #[error("the leader proposes epoch {proposed}, below the promised {accepted}")]
    StaleLeader {
        /// The leader's epoch.
        proposed: u32,
        /// The own promise.
        accepted: u32,
    },
    /// A packet that does not belong where it came.
    #[error("a packet of type {0} does not belong here")]
    Unexpected(
        /// Its type.
        i32,
    ),
    /// A zxid that cannot be right where it stands.
    #[error("{0} cannot be right here")]
    BadZxid(
        /// The zxid.
        Zxid,
    ),
    /// A proposal that does not follow the one before it.
    #[error("{zxid} does not follow {last}")]
    Gap {
        /// The last transaction.
        last: Zxid,
        /// The proposal.
        zxid: Zxid,
    },
    /// A commit of something that was not proposed next.
    #[error("{0} is called committed out of turn")]
    CommitWithoutProposal(
        /// The zxid.
        Zxid,
    ),
    /// The leader cuts at a position that this log does not have.
    #[error("this log has no {0} to cut behind")]
    NoCommonPosition(
        /// The leader's position.
        Zxid,
    ),
    /// The leader's history lacks what is committed: a broken promise somewhere, and never to be obeyed.
    #[error("the leader wants the log to end at {to}, but {committed} is committed; nothing is cut off")]
    WouldLoseCommitted {
        /// The last transaction that is known to be committed.
        committed: Zxid,
        /// Where the log would end.
        to: Zxid,
    },
}

/// Why a payload was not proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProposeError {
    /// This member does not lead.
    #[error("this member does not lead")]
    NotLeading,
    /// A change of members is under way: try again when it is done.
    #[error("another change of members is under way")]
    MembersAreChanging,
    /// Fewer than a quorum of the new members follow: start them first.
    #[error("fewer than a quorum of the new members follow this leader")]
    NewMembersNotReady,
}

impl ProposeError {
    /// Whether another member may be asked.
    pub fn is_not_leading(self) -> bool {
        matches!(self, ProposeError::NotLeading)
    }
}
