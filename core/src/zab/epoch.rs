//! The two epochs a member keeps on disk, and the rules for them (protocol §5.4, §5.5).
//!
//! *accepted* is the highest epoch whose leader it has promised to follow; *current* the highest epoch whose history it has
//! taken over. Both only rise. Neither is told to anybody before it is on disk.

use crate::wire::Zxid;

/// The highest epoch there is: its zxids are not negative.
pub(super) const HIGHEST_EPOCH: u32 = i32::MAX as u32;
/// How far an epoch that another member tells may be above the own one. Each failed election raises it by one, so this many lie
/// decades apart. A damaged file or a hostile member could otherwise use up all epochs with one packet.
const FARTHEST_LEAP: u32 = 1 << 24;

/// Why a member cannot start from what it found on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EpochError {
    /// `acceptedEpoch` is behind `currentEpoch`.
    #[error("acceptedEpoch {accepted} is below currentEpoch {current}; restore both files from the same moment")]
    AcceptedBelowCurrent {
        /// The content of `acceptedEpoch`.
        accepted: u32,
        /// The content of `currentEpoch`.
        current: u32,
    },
    /// No epoch is left above the promised one.
    #[error("acceptedEpoch {accepted} is the last there is; nothing can follow it")]
    UsedUp {
        /// The content of `acceptedEpoch`.
        accepted: u32,
    },
    /// The log belongs to a later epoch than was ever promised. It may be above `currentEpoch`: a crash while a history was
    /// being taken over leaves it so.
    #[error(
        "the last transaction {last} is of a later epoch than acceptedEpoch {accepted}; is the file from an older backup?"
    )]
    LogAboveAccepted {
        /// The last transaction on disk.
        last: Zxid,
        /// The content of `acceptedEpoch`.
        accepted: u32,
    },
}

/// What to do with the epoch that a leader proposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is new: promise it.
    Promise,
    /// It was promised before, perhaps to somebody else: follow, but do not count a second time.
    Again,
    /// A higher one was promised: do not follow.
    Stale,
}

/// The epochs of one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Epochs {
    accepted: u32,
    current: u32,
}

impl Epochs {
    /// The content of the two files.
    ///
    /// # Errors
    /// [`EpochError::AcceptedBelowCurrent`].
    pub fn new(accepted: u32, current: u32) -> Result<Self, EpochError> {
        if accepted < current {
            return Err(EpochError::AcceptedBelowCurrent { accepted, current });
        }
        Ok(Epochs { accepted, current })
    }

    /// The highest epoch promised.
    pub fn accepted(self) -> u32 {
        self.accepted
    }

    /// The highest epoch whose history is in the log.
    pub fn current(self) -> u32 {
        self.current
    }

    /// Whether `told`, another member's epoch, can be one, and leaves epochs above it.
    pub(super) fn is_plausible(self, told: u32) -> bool {
        told < HIGHEST_EPOCH && told <= self.accepted.saturating_add(FARTHEST_LEAP)
    }

    pub(super) fn judge(self, proposed: u32) -> Verdict {
        match proposed.cmp(&self.accepted) {
            std::cmp::Ordering::Greater => Verdict::Promise,
            std::cmp::Ordering::Equal => Verdict::Again,
            std::cmp::Ordering::Less => Verdict::Stale,
        }
    }

    pub(super) fn promise(&mut self, epoch: u32) {
        debug_assert!(epoch > self.accepted, "an epoch is promised once");
        self.accepted = epoch.max(self.accepted);
    }

    pub(super) fn take_over(&mut self, epoch: u32) {
        debug_assert!(epoch >= self.current && epoch <= self.accepted, "a history is taken over after the promise");
        self.current = epoch.max(self.current);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_promised_once_and_a_lower_one_never() {
        let mut epochs = Epochs::default();
        assert_eq!(epochs.judge(3), Verdict::Promise);
        epochs.promise(3);
        assert_eq!(
            (epochs.judge(3), epochs.judge(2), epochs.judge(4)),
            (Verdict::Again, Verdict::Stale, Verdict::Promise)
        );
        epochs.take_over(3);
        assert_eq!((epochs.accepted(), epochs.current()), (3, 3));
    }

    #[test]
    fn an_epoch_that_would_use_up_all_is_none() {
        let epochs = Epochs { accepted: 7, current: 7 };
        assert!(epochs.is_plausible(0) && epochs.is_plausible(7 + FARTHEST_LEAP));
        assert!(!epochs.is_plausible(8 + FARTHEST_LEAP) && !epochs.is_plausible(u32::MAX));
        let late = Epochs { accepted: HIGHEST_EPOCH - 1, current: 0 };
        assert!(late.is_plausible(HIGHEST_EPOCH - 1) && !late.is_plausible(HIGHEST_EPOCH));
    }

    #[test]
    fn files_of_different_moments_are_refused() {
        assert_eq!(Epochs::new(2, 3), Err(EpochError::AcceptedBelowCurrent { accepted: 2, current: 3 }));
        assert!(Epochs::new(3, 3).is_ok());
    }
}
