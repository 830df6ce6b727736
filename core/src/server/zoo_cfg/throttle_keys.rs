//! The keys of throttling (protocol §2.14), each with what it sets.

use super::keys::{Set, put};
use super::values::{Bad, MAX_INT, Value};

/// As in [`super::keys`].
#[rustfmt::skip]
pub(super) const THROTTLES: &[(&str, Set)] = &[
    ("request_throttle_max_requests", |d, v| put(&mut d.config.throttle.max_requests, off_at_zero(v))),
    ("request_throttle_drop_stale", |d, v| put(&mut d.config.throttle.drop_stale, v.boolean())),
    ("request_stale_latency_check", |d, v| put(&mut d.config.throttle.stale_latency_check, v.boolean())),
    ("throttled_op_wait_time", |d, v| put(&mut d.config.throttle.op_wait_ms, off_at_zero(v))),
    ("largeRequestThreshold", |d, v| put(&mut d.config.throttle.large_threshold, threshold(v))),
    ("largeRequestMaxBytes", |d, v| put(&mut d.config.throttle.large_max_bytes, v.int(1, MAX_INT).map(|bytes| bytes as usize))),
    ("connection_throttle_tokens", |d, v| put(&mut d.config.throttle.new_sessions.tokens, off_at_zero(v))),
    ("connection_throttle_fill_time", |d, v| put(&mut d.config.throttle.new_sessions.fill_time_ms, v.int(1, MAX_INT))),
    ("connection_throttle_fill_count", |d, v| put(&mut d.config.throttle.new_sessions.fill_count, v.int(0, MAX_INT))),
    ("connection_throttle_freeze_time", |d, v| put(&mut d.config.throttle.new_sessions.freeze_time_ms, v.int_or_default(0))),
    ("connection_throttle_drop_increase", |d, v| put(&mut d.config.throttle.new_sessions.drop_increase, share(v))),
    ("connection_throttle_drop_decrease", |d, v| put(&mut d.config.throttle.new_sessions.drop_decrease, share(v))),
    ("connection_throttle_decrease_ratio", |d, v| put(&mut d.config.throttle.new_sessions.decrease_ratio, share(v))),
    ("connection_throttle_weight_enabled", |d, v| put(&mut d.config.throttle.new_sessions.weight_enabled, v.boolean())),
    ("connection_throttle_global_session_weight", |d, v| put(&mut d.config.throttle.new_sessions.global_session_weight, v.int(1, MAX_INT))),
    ("connection_throttle_renew_session_weight", |d, v| put(&mut d.config.throttle.new_sessions.renew_session_weight, v.int(1, MAX_INT))),
];

/// A limit, of which 0 is none.
pub(super) fn off_at_zero(value: Value<'_>) -> Result<Option<u32>, Bad> {
    Ok(Some(value.int(0, MAX_INT)?).filter(|&limit| limit > 0))
}

/// A number of bytes, of which -1 is none.
fn threshold(value: Value<'_>) -> Result<Option<usize>, Bad> {
    Ok(value.int_or_default(0)?.map(|bytes| bytes as usize))
}

/// A share or a probability.
fn share(value: Value<'_>) -> Result<f64, Bad> {
    let share = value.decimal()?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(Bad::new("a decimal number from 0 to 1")) }
}
