//! What one run is made of. Everything else follows from the seed.

use std::fmt;
use std::str::FromStr;

use crate::sim::planted;

/// A bug that is planted, around the members and never in them, to see whether it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// A leader takes what it has sent for acknowledged: writes are answered before a quorum has them.
    ReplyBeforeQuorum,
    /// The disk says that a write is durable before it is.
    AckBeforeSync,
    /// A start forgets the last reign: its zxids are given out again.
    ZxidReused,
    /// A connection sends events behind the replies of the reads that wait.
    WatchAfterReply,
    /// An event is lost now and then.
    WatchLost,
    /// A start forgets that sessions have ended.
    SessionRevived,
    /// A start forgets to remove the ephemerals of sessions that have ended.
    EphemeralsKept,
    /// Learners do not tell which sessions they heard of.
    TouchesLost,
    /// A read does not wait for the writes of its own connection.
    ReadOvertakesWrite,
    /// A forwarded request comes twice.
    ForwardedTwice,
    /// A sync is answered at once.
    SyncAtOnce,
    /// A snapshot is one transaction short.
    SnapshotShort,
}

impl Sabotage {
    /// All of them, with their names on the command line.
    pub const ALL: [(Sabotage, &'static str); 12] = [
        (Sabotage::ReplyBeforeQuorum, "reply-before-quorum"),
        (Sabotage::AckBeforeSync, "ack-before-sync"),
        (Sabotage::ZxidReused, "zxid-reused"),
        (Sabotage::WatchAfterReply, "watch-after-reply"),
        (Sabotage::WatchLost, "watch-lost"),
        (Sabotage::SessionRevived, "session-revived"),
        (Sabotage::EphemeralsKept, "ephemerals-kept"),
        (Sabotage::TouchesLost, "touches-lost"),
        (Sabotage::ReadOvertakesWrite, "read-overtakes-write"),
        (Sabotage::ForwardedTwice, "forwarded-twice"),
        (Sabotage::SyncAtOnce, "sync-at-once"),
        (Sabotage::SnapshotShort, "snapshot-short"),
    ];
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

/// One run.
#[derive(Clone, Debug)]
pub struct Options {
    /// What everything follows from.
    pub seed: u64,
    /// Members that vote.
    pub voters: i64,
    /// Members that do not.
    pub observers: i64,
    /// Servers that are no members at first.
    pub spares: i64,
    /// How often members change, in milliseconds from one change to the next; 0 for never.
    pub changes_ms: u64,
    /// Clients at a time.
    pub clients: usize,
    /// Whether every learner is brought up to date by a snapshot.
    pub forces_snapshots: bool,
    /// Whether leaders read the log on their disks for learners that are far behind.
    pub reads_history: bool,
    /// How long faults happen, in milliseconds of virtual time.
    pub faults_ms: u64,
    /// How long the ensemble may take to heal, in milliseconds of virtual time.
    pub calm_ms: u64,
    /// The planted bug.
    pub sabotage: Option<Sabotage>,
    /// Whether to remember the last events.
    pub trace: bool,
}

impl Options {
    /// The usual mixture: 3, 5 or 7 voters, up to two observers and 2 to 6 clients, by the seed.
    pub fn for_seed(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let voters = [3, 3, 3, 5, 5, 7][rng.usize(..6)];
        let observers = [0, 0, 1, 2][rng.usize(..4)];
        let clients = rng.usize(2..=6);
        let spares = [0, 0, 1, 2][rng.usize(..4)];
        let changes_ms = [0, 0, 200, 1_000][rng.usize(..4)];
        let faults_ms = [3_000, 6_000, 10_000][rng.usize(..3)];
        let forces_snapshots = rng.u8(..8) == 0;
        let reads_history = rng.u8(..4) != 0;
        Options {
            seed,
            voters,
            observers,
            spares,
            changes_ms,
            clients,
            forces_snapshots,
            reads_history,
            faults_ms,
            calm_ms: 10_000,
            sabotage: None,
            trace: false,
        }
    }
}
