//! What one run is made of. Everything else follows from the seed.

use std::fmt;
use std::str::FromStr;

/// A bug that is planted to see whether it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The disk says that a write is durable before it is.
    AckBeforeSync,
    /// A leader takes what it has sent for acknowledged.
    CommitWithoutQuorum,
    /// Promised epochs are not on disk.
    EpochNotPersisted,
    /// A history is not on disk when its epoch is acknowledged.
    HistoryNotPersisted,
    /// A log is not cut.
    TruncSkipped,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Sabotage; 5] = [
        Sabotage::AckBeforeSync,
        Sabotage::CommitWithoutQuorum,
        Sabotage::EpochNotPersisted,
        Sabotage::HistoryNotPersisted,
        Sabotage::TruncSkipped,
    ];
}

/// Its name on the command line.
impl fmt::Display for Sabotage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sabotage::AckBeforeSync => "ack-before-sync",
            Sabotage::CommitWithoutQuorum => "commit-without-quorum",
            Sabotage::EpochNotPersisted => "epoch-not-persisted",
            Sabotage::HistoryNotPersisted => "history-not-persisted",
            Sabotage::TruncSkipped => "trunc-skipped",
        })
    }
}

impl FromStr for Sabotage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names: Vec<String> = Self::ALL.iter().map(ToString::to_string).collect();
        let found = Self::ALL.into_iter().find(|bug| bug.to_string() == text);
        found.ok_or_else(|| format!("there is no planted bug `{text}`; there are {}", names.join(", ")))
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
    /// Of a hundred proposals of clients, how many change the members.
    pub changes: u8,
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
    /// The usual mixture: 3, 5 or 7 voters and up to two observers, by the seed.
    pub fn for_seed(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let voters = [3, 3, 3, 5, 5, 7][rng.usize(..6)];
        let observers = [0, 0, 1, 2][rng.usize(..4)];
        let spares = [0, 1, 2][rng.usize(..3)];
        let changes = [0, 3, 10][rng.usize(..3)];
        Options {
            seed,
            voters,
            observers,
            spares,
            changes,
            faults_ms: 10_000,
            calm_ms: 8_000,
            sabotage: None,
            trace: false,
        }
    }
}
