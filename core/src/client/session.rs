//! The session as a pure machine.
use std::time::Duration;

use bytes::Bytes;

use super::SessionCredentials;
use super::hosts::Hosts;

/// Settings.
#[derive(Debug)]
#[allow(dead_code, reason = "the machine lands next")]
pub(super) struct Config {
    pub(super) hosts: Hosts,
    pub(super) session_timeout: Duration,
    pub(super) read_only: bool,
    pub(super) resume: Option<SessionCredentials>,
    pub(super) auths: Vec<(String, Bytes)>,
    pub(super) seed: u64,
}
