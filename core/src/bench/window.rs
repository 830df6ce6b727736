//! The span of time that is measured, after a warm-up and before the last requests are waited for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::eprint_if_terminal;
use super::process::{Process, Usage};
use super::report::ServerCost;

/// How often the progress is told.
const PROGRESS: Duration = Duration::from_millis(500);

/// When to measure, as the connections see it.
#[derive(Clone)]
pub(super) struct Window {
    from: Instant,
    until: Instant,
    is_over: watch::Receiver<bool>,
}

/// The end of the window, which may come early. Dropping it closes the window.
pub(super) struct End(watch::Sender<bool>);

impl Window {
    /// A window that opens after the warm-up.
    pub(super) fn open(warm_up: Duration, length: Duration) -> (Self, End) {
        let from = Instant::now() + warm_up;
        let (sender, is_over) = watch::channel(false);
        (Self { from, until: from + length, is_over }, End(sender))
    }

    /// Whether what ends at `at` counts.
    pub(super) fn contains(&self, at: Instant) -> bool {
        (self.from..self.until).contains(&at) && !*self.is_over.borrow()
    }

    /// Waits for the end.
    pub(super) async fn closed(&mut self) {
        // An error means that the sender is gone, which is the end as well.
        let _ = self.is_over.wait_for(|over| *over).await;
    }
}

impl End {
    /// Tells the progress until the window's end or Ctrl-C, and closes it. Returns how long it was and what it cost the server.
    pub(super) async fn watch(
        self,
        window: &Window,
        ops: &AtomicU64,
        server: Option<Process>,
    ) -> (Duration, Option<ServerCost>) {
        let interrupted = async {
            // Where signals cannot be had, there is no way to end early.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::pin!(interrupted);
        tokio::select! {
            () = tokio::time::sleep_until(window.from.into()) => {}
            () = &mut interrupted => {}
        }
        let (began, before) = (Instant::now(), usage(server));
        tokio::select! {
            () = tell_progress(window, ops) => {}
            () = &mut interrupted => {}
        }
        let (elapsed, after) = (began.elapsed(), usage(server));
        self.0.send_replace(true);
        eprint_if_terminal("");
        (elapsed, before.zip(after).map(|(before, after)| ServerCost::between(before, after)))
    }
}

async fn tell_progress(window: &Window, ops: &AtomicU64) {
    let mut last = (window.from, 0);
    while Instant::now() < window.until {
        tokio::time::sleep_until((Instant::now() + PROGRESS).min(window.until).into()).await;
        let now = (Instant::now(), ops.load(Ordering::Relaxed));
        let rate = (now.1 - last.1) as f64 / (now.0 - last.0).as_secs_f64();
        let left = window.until.saturating_duration_since(now.0).as_secs_f64();
        eprint_if_terminal(format_args!("{rate:>10.0} ops/s, {left:.0} s to go"));
        last = now;
    }
}

/// A server that is gone has no cost; the errors of the report tell of it.
fn usage(server: Option<Process>) -> Option<Usage> {
    server.and_then(|server| server.usage().ok())
}
