//! The two epochs a member keeps on disk, and the rules for them (protocol §5.4, §5.5).
//!
//! *accepted* is the highest epoch whose leader it has promised to follow; *current* the highest epoch whose history it has
//! taken over. Both only rise. Neither is told to anybody before it is on disk.

use crate::wire::Zxid;

/// The highest epoch that is accepted from others: one more still fits into a zxid that is not negative.
pub(super) const HIGHEST_EPOCH: u32 = i32::MAX as u32 - 1;

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
    fn files_of_different_moments_are_refused() {
        assert_eq!(Epochs::new(2, 3), Err(EpochError::AcceptedBelowCurrent { accepted: 2, current: 3 }));
        assert!(Epochs::new(3, 3).is_ok());
    }
}
