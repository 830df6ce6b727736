//! Whether a write keeps within the quota of its path (protocol §2.12). It decides on what is applied, as the reference does:
//! what is only proposed does not count yet. It never knows how the use is kept up to date; that is the tree's.

use super::Time;
use super::prepare_ops::Scope;
use crate::tree::QuotaInUse;
use crate::wire::ErrorCode;

/// A warning at most so often, however many writes exceed a quota.
const QUIET_MS: u64 = 1_000;

/// Which quota was exceeded, and whether that is told now or counted.
#[derive(Debug, Default)]
pub(super) struct QuotaLog {
    next_ms: u64,
    not_told: u64,
}

impl QuotaLog {
    fn exceeded(&mut self, now: Time, quota: &QuotaInUse, what: &str, new: i64, limit: i64, kind: &str) {
        if now.monotonic_ms < self.next_ms {
            self.not_told += 1;
            return;
        }
        self.next_ms = now.monotonic_ms + QUIET_MS;
        let not_told = std::mem::take(&mut self.not_told);
        tracing::warn!(path = quota.path, what, new, limit, kind, not_told, "a quota is exceeded");
    }
}

impl Scope<'_> {
    /// Checks a write of `path` that adds `znodes` and `bytes` to what its quota counts.
    ///
    /// # Errors
    /// QUOTAEXCEEDED where hard limits are enforced (`enforceQuota`) and there would be more; MARSHALLINGERROR when the limits
    /// cannot be understood, as in the reference. A soft limit is only logged.
    pub(super) fn check_quota(&mut self, path: &str, znodes: i64, bytes: i64) -> Result<(), ErrorCode> {
        let quota = match self.tree.quota(path) {
            Ok(Some(quota)) => quota,
            Err(error) if self.config.enforce_quota => {
                tracing::warn!(path, %error, "the limits of a quota cannot be understood; the write is refused");
                return Err(ErrorCode::MarshallingError);
            }
            Ok(None) | Err(_) => return Ok(()),
        };
        let Some(used) = &quota.used else { return Ok(()) };
        let limits = &quota.limits;
        let checks = [
            ("znodes", znodes, used.count(), limits.count(), limits.count_hard_limit()),
            ("bytes", bytes, used.bytes(), limits.bytes(), limits.bytes_hard_limit()),
        ];
        // What a write does not change is not held against it; what shrinks and is still too much is.
        for (what, change, used, soft, hard) in checks.into_iter().filter(|(_, change, ..)| *change != 0) {
            let new = used.saturating_add(change);
            let (limit, kind) = if hard > -1 { (hard, "hard") } else { (soft, "soft") };
            if limit > -1 && new > limit {
                self.quota_log.exceeded(self.now, &quota, what, new, limit, kind);
                if hard > -1 && self.config.enforce_quota {
                    return Err(ErrorCode::QuotaExceeded);
                }
            }
        }
        Ok(())
    }
}
