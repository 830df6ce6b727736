//! The session's rules, one test each, in virtual time.
#![allow(clippy::unwrap_used, clippy::unchecked_time_subtraction, reason = "a test fails by panicking")]

mod calls;
mod connections;
mod harness;
mod watches;
