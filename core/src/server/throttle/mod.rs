//! What holds clients back when they ask for too much at once (protocol §2.14): requests that wait for their turn, large
//! requests, and new sessions. Limits on connections are [`super::admission`]'s.

mod large;
mod new_sessions;
mod requests;

pub(super) use large::{LargeRequests, Reserved};
pub(super) use new_sessions::{NewSessions, Weight};
pub(super) use requests::{Queue, RequestThrottle, Turn, Verdict};

/// The throttles' keys of `zoo.cfg`; every one is off by default.
#[derive(Clone, Debug, PartialEq)]
pub struct ThrottleConfig {
    /// `request_throttle_max_requests`: writes in work at once. `None`: no limit.
    pub max_requests: Option<u32>,
    /// `request_stale_latency_check`: a request that waited longer than its session's timeout is stale.
    pub stale_latency_check: bool,
    /// `request_throttle_drop_stale`: close the connection of a stale request rather than execute it.
    pub drop_stale: bool,
    /// `throttled_op_wait_time`, in milliseconds: a write that waited longer is refused by THROTTLEDOP. `None`: never.
    pub op_wait_ms: Option<u32>,
    /// `largeRequestThreshold`, in bytes: longer requests are large. `None`: none is.
    pub large_threshold: Option<usize>,
    /// `largeRequestMaxBytes`: bytes of large requests in work at once.
    pub large_max_bytes: usize,
    /// `connection_throttle_…`: how fast sessions may be opened.
    pub new_sessions: NewSessionsConfig,
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        ThrottleConfig {
            max_requests: None,
            stale_latency_check: false,
            drop_stale: true,
            op_wait_ms: None,
            large_threshold: None,
            large_max_bytes: 100 << 20,
            new_sessions: NewSessionsConfig::default(),
        }
    }
}

/// The bucket of tokens that new sessions are paid from: the keys that begin with `connection_throttle_`.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSessionsConfig {
    /// `tokens`: how many the bucket holds. `None`: no limit.
    pub tokens: Option<u32>,
    /// `fill_time`, in milliseconds: how often tokens are added.
    pub fill_time_ms: u32,
    /// `fill_count`: tokens added each time.
    pub fill_count: u32,
    /// `freeze_time`, in milliseconds between two changes of the drop probability. `None`: nothing is dropped by chance.
    pub freeze_time_ms: Option<u32>,
    /// `drop_increase`: by how much the probability grows when the bucket is found empty.
    pub drop_increase: f64,
    /// `drop_decrease`: by how much it falls when enough tokens are there.
    pub drop_decrease: f64,
    /// `decrease_ratio`: the share of tokens in use at or below which it falls.
    pub decrease_ratio: f64,
    /// `weight_enabled`: a session costs its weight rather than one token.
    pub weight_enabled: bool,
    /// `global_session_weight`: of a session that is opened.
    pub global_session_weight: u32,
    /// `renew_session_weight`: of a session that is resumed.
    pub renew_session_weight: u32,
}

impl Default for NewSessionsConfig {
    fn default() -> Self {
        NewSessionsConfig {
            tokens: None,
            fill_time_ms: 1,
            fill_count: 1,
            freeze_time_ms: None,
            drop_increase: 0.02,
            drop_decrease: 0.002,
            decrease_ratio: 0.0,
            weight_enabled: false,
            global_session_weight: 3,
            renew_session_weight: 2,
        }
    }
}
