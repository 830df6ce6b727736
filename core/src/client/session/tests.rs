//! The session's rules, one test each, in virtual time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod connections;
mod harness;
mod watches;
