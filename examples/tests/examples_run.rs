//! Every example runs to its end, and says what it promises.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

#[test]
fn the_master_worker_cluster_does_every_task_exactly_once() {
    let output = Command::new(env!("CARGO_BIN_EXE_master_worker")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("KILL master") && text.contains("KILL worker"), "{text}");
    assert!(text.ends_with("every task was done exactly once\n"), "{text}");
}

#[test]
fn the_distributed_lock_is_taken_and_released() {
    let output = Command::new(env!("CARGO_BIN_EXE_distributed_lock")).env_remove("MENAGERIE_CONNECT").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("the work is done") && text.contains("/lock is free again"), "{text}");
}
