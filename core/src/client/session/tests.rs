//! The session's rules, one test each, in virtual time.
#![allow(clippy::unwrap_used, clippy::unchecked_time_subtraction, reason = "a test fails by panicking")]

mod calls;
mod closing;
mod connections;
mod harness;
mod moving;
mod watches;
