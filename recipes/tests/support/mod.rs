//! What the tests of the recipes share: a service to run against, sessions that can be cut off, and looks at what is left behind.
//!
//! The service is an embedded server of each test's own, with short ticks. `MENAGERIE_TEST_CONNECT=host:port` runs the same tests against
//! another service instead (all four-letter words must be allowed there); tests then keep apart by the directory they work in.

#![allow(dead_code, unreachable_pub, reason = "each test file is a crate and uses a part of it")]

pub mod proxy;
pub mod service;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

pub use proxy::{Fault, Proxy};
pub use service::Service;

/// What a test returns: any error ends it with its message.
pub type TestResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How long anything that must happen may take on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The session timeout of sessions that must not expire by themselves, however slow the machine: a test that waits for so long has failed
/// before. [`Service::expire`] ends them.
pub const LONG_SESSION: Duration = Duration::from_mins(1);

/// What must happen, or the test fails saying what did not.
pub async fn soon<T>(what: &str, event: impl Future<Output = T>) -> TestResult<T> {
    tokio::time::timeout(PATIENCE, event).await.map_err(|_| format!("this did not happen: {what}").into())
}

/// Asks again and again until the answer is as it should be; the last answer is part of the failure.
pub async fn eventually<T: std::fmt::Debug, F: Future<Output = TestResult<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
    mut is_right: impl FnMut(&T) -> bool,
) -> TestResult<T> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let answer = ask().await?;
        if is_right(&answer) {
            return Ok(answer);
        }
        if tokio::time::Instant::now() > deadline {
            return Err(format!("{what}: still {answer:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Where a future stood when [`poll_times`] let go of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Polled<T> {
    /// It was ready.
    Ready(T),
    /// It was polled as often as asked for, and is not ready.
    Enough,
    /// It has stopped asking to be polled: it waits for something that does not come.
    Idle,
}

/// Polls a future at most `times` times, each time when it asks for it, and drops it.
pub async fn poll_times<F: Future>(future: F, times: usize, idle: Duration) -> Polled<F::Output> {
    let mut future = pin!(future);
    let mut polls = 0;
    let limited = poll_fn(|context| {
        polls += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Polled::Ready(output)),
            Poll::Pending if polls >= times => Poll::Ready(Polled::Enough),
            Poll::Pending => Poll::Pending,
        }
    });
    tokio::time::timeout(idle, limited).await.unwrap_or(Polled::Idle)
}
