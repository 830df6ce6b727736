//! The fuzz target `replies`; what it does is in `targets.rs`.
#![no_main]

#[allow(dead_code, reason = "each binary uses one target")]
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::replies(bytes));
