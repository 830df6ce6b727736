//! What one run is made of. Everything else follows from the seed.

use super::sabotage::Sabotage;

/// One run.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
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
    /// Whether members stop and start all the time, so that reigns are short and end in the middle of their beginning.
    pub storm: bool,
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
    /// The usual mixture: 3, 5 or 7 voters and up to two observers, by the seed.
    pub fn for_seed(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let voters = [3, 3, 3, 5, 5, 7][rng.usize(..6)];
        let observers = [0, 0, 1, 2][rng.usize(..4)];
        let spares = [0, 1, 2][rng.usize(..3)];
        let changes = [0, 3, 10][rng.usize(..3)];
        let storm = rng.u8(..4) == 0;
        let forces_snapshots = rng.u8(..8) == 0;
        let reads_history = rng.u8(..4) != 0;
        Options {
            seed,
            voters,
            observers,
            spares,
            changes,
            storm,
            forces_snapshots,
            reads_history,
            faults_ms: 10_000,
            calm_ms: 8_000,
            sabotage: None,
            trace: false,
        }
    }
}
