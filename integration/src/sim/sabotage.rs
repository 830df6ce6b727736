//! Bugs that are planted to see whether they are found. All of them are in what surrounds the machine: its disk, its wire, its
//! caller. The machine itself knows nothing of them.

use std::fmt;
use std::str::FromStr;

use menagerie_core::wire::Zxid;
use menagerie_core::wire::quorum::{Notification, Packet};
use menagerie_core::zab::Write;

use super::planted;

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The disk says that a proposal is durable before it is.
    AckBeforeSync,
    /// A leader takes what it has sent for acknowledged.
    CommitWithoutQuorum,
    /// Promised epochs are not on disk.
    EpochNotPersisted,
    /// A history is not on disk when its epoch is acknowledged.
    HistoryNotPersisted,
    /// A log is not cut.
    TruncSkipped,
    /// The epoch of a history is not on disk.
    CurrentEpochNotPersisted,
    /// A crash leaves the epoch of a history on disk, but not the history.
    EpochBeforeHistory,
    /// A reign begins, and with it all that an old leader proposed is committed, before a quorum has it.
    OldProposalsCounted,
    /// A leader does not write down its new epoch, and gives its numbers again.
    ZxidReused,
    /// Elections do not look at logs, and a leader does not ask whether others know more.
    LeaderKnowsLess,
    /// A start takes the last record of a log for a torn one.
    SoundTailCut,
    /// A snapshot lacks the last transaction that it says to have.
    SnapshotTooOld,
    /// A snapshot that is taken over does not replace the log.
    SnapshotKeepsLog,
    /// A proposal is applied when it comes, and not when it is committed.
    AppliedBeforeCommit,
}

impl Sabotage {
    /// All of them, with their names on the command line.
    pub const ALL: [(Sabotage, &'static str); 14] = [
        (Sabotage::AckBeforeSync, "ack-before-sync"),
        (Sabotage::CommitWithoutQuorum, "commit-without-quorum"),
        (Sabotage::EpochNotPersisted, "epoch-not-persisted"),
        (Sabotage::HistoryNotPersisted, "history-not-persisted"),
        (Sabotage::TruncSkipped, "trunc-skipped"),
        (Sabotage::CurrentEpochNotPersisted, "current-epoch-not-persisted"),
        (Sabotage::EpochBeforeHistory, "epoch-before-history"),
        (Sabotage::OldProposalsCounted, "old-proposals-counted"),
        (Sabotage::ZxidReused, "zxid-reused"),
        (Sabotage::LeaderKnowsLess, "leader-knows-less"),
        (Sabotage::SoundTailCut, "sound-tail-cut"),
        (Sabotage::SnapshotTooOld, "snapshot-too-old"),
        (Sabotage::SnapshotKeepsLog, "snapshot-keeps-log"),
        (Sabotage::AppliedBeforeCommit, "applied-before-commit"),
    ];

    /// Whether the disk says that this is durable when it is not yet.
    pub fn tells_early(self, write: &Write) -> bool {
        match self {
            Sabotage::AckBeforeSync => matches!(write, Write::Append { .. }),
            Sabotage::HistoryNotPersisted => matches!(write, Write::CurrentEpoch(_)),
            _ => false,
        }
    }

    /// Whether this never comes to the disk. `leads`: it is of a member that was elected.
    pub fn drops(self, write: &Write, leads: bool) -> bool {
        match self {
            Sabotage::EpochNotPersisted => matches!(write, Write::AcceptedEpoch(_)),
            Sabotage::CurrentEpochNotPersisted => matches!(write, Write::CurrentEpoch(_)),
            Sabotage::ZxidReused => leads && matches!(write, Write::AcceptedEpoch(_) | Write::CurrentEpoch(_)),
            Sabotage::TruncSkipped => matches!(write, Write::Truncate { .. }),
            _ => false,
        }
    }

    /// What a leader takes for the answer to what it sends, at once.
    pub fn forged_answer(self, sent: &Packet) -> Option<Packet> {
        match (self, sent) {
            (Sabotage::CommitWithoutQuorum, Packet::Proposal { zxid, .. })
            | (Sabotage::OldProposalsCounted, Packet::NewLeader { zxid, .. }) => Some(Packet::Ack { zxid: *zxid }),
            _ => None,
        }
    }

    /// Changes what is said in an election.
    pub fn vote(self, said: &mut Notification) {
        if self == Sabotage::LeaderKnowsLess && said.leader > 0 {
            (said.zxid, said.peer_epoch) = (Zxid::new(1 << 20, 0), 1 << 20);
        }
    }

    /// Changes what is sent.
    pub fn packet(self, sent: &mut Packet) {
        if let (Sabotage::LeaderKnowsLess, Packet::AckEpoch { current_epoch: Some(current), .. }) = (self, sent) {
            *current = -1;
        }
    }
}

impl fmt::Display for Sabotage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(planted::name_of(&Self::ALL, self))
    }
}

impl FromStr for Sabotage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        planted::named(&Self::ALL, text)
    }
}
