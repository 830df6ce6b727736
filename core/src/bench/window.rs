//! The span of time that is measured, after a warm-up and before the last requests are waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::eprint_if_terminal;
use super::interrupt::Interrupt;
use super::options::Options;
use super::process::{Process, Usage};
use super::report::ServerCost;

/// How often the progress is told.
const PROGRESS: Duration = Duration::from_millis(500);

/// When to measure, as the connections see it.
#[derive(Clone)]
pub(super) struct Window {
    /// Whether what is answered now counts. It is set and cleared beside the readings of the server's CPU time, so that both
    /// speak of the same span.
    is_open: Arc<AtomicBool>,
    is_over: watch::Receiver<bool>,
}

/// The end of the window, which may come early. Dropping it says that the last requests are not waited for either.
pub(super) struct End(watch::Sender<bool>);

impl Window {
    /// A window that is still closed, and the end that opens and closes it.
    pub(super) fn new() -> (Self, End) {
        let (sender, is_over) = watch::channel(false);
        (Self { is_open: Arc::default(), is_over }, End(sender))
    }

    /// Whether what is answered now counts.
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Waits for the end.
    pub(super) async fn closed(&mut self) {
        // An error means that the sender is gone, which is the end as well.
        let _ = self.is_over.wait_for(|over| *over).await;
    }

    /// Waits until nobody waits for the last requests any more.
    pub(super) async fn given_up(&mut self) {
        // Nothing but the end of the sender ends this.
        let _ = self.is_over.wait_for(|_| false).await;
    }
}

impl End {
    /// Opens the window after the warm-up, tells the progress until its end or Ctrl-C, and closes it. Returns how long it was and what
    /// it cost the server.
    pub(super) async fn measure(
        &self,
        window: &Window,
        options: &Options,
        ops: &AtomicU64,
        server: Option<Process>,
        interrupt: &mut Interrupt,
    ) -> (Duration, Option<ServerCost>) {
        let is_interrupted = tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(options.warmup)) => false,
            () = interrupt.pressed(1) => true,
        };
        let (began, before) = (Instant::now(), usage(server));
        window.is_open.store(true, Ordering::Relaxed);
        let length = if is_interrupted { Duration::ZERO } else { Duration::from_secs(options.seconds) };
        tokio::select! {
            () = tell_progress(began + length, ops) => {}
            () = interrupt.pressed(1) => {}
        }
        window.is_open.store(false, Ordering::Relaxed);
        let (elapsed, after) = (began.elapsed(), usage(server));
        self.0.send_replace(true);
        eprint_if_terminal("");
        (elapsed, before.zip(after).map(|(before, after)| ServerCost::between(before, after)))
    }
}

async fn tell_progress(until: Instant, ops: &AtomicU64) {
    let mut last = (Instant::now(), 0);
    while last.0 < until {
        tokio::time::sleep_until((last.0 + PROGRESS).min(until).into()).await;
        let now = (Instant::now(), ops.load(Ordering::Relaxed));
        let rate = (now.1 - last.1) as f64 / (now.0 - last.0).as_secs_f64();
        let left = until.saturating_duration_since(now.0).as_secs_f64();
        eprint_if_terminal(format_args!("{rate:>10.0} ops/s, {left:.0} s to go"));
        last = now;
    }
}

/// A server that is gone has no cost; the errors of the report tell of it.
fn usage(server: Option<Process>) -> Option<Usage> {
    server.and_then(|server| server.usage().ok())
}
