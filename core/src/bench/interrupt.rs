//! Ctrl-C, counted: the first asks to end early and leave nothing behind, the second to leave things as they are.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;

/// From its start on, Ctrl-C no longer ends the process by itself.
pub(super) struct Interrupt {
    /// `None` where signals cannot be had: then Ctrl-C ends the process, and nothing waits for one here.
    signals: Option<Signal>,
    count: u32,
}

impl Interrupt {
    /// Begins to listen.
    pub(super) fn listen() -> Self {
        Self { signals: signal(SignalKind::interrupt()).ok(), count: 0 }
    }

    /// Waits until Ctrl-C was pressed so many times since the start. Dropping the future loses nothing.
    pub(super) async fn pressed(&mut self, times: u32) {
        while self.count < times {
            let pressed = match &mut self.signals {
                Some(signals) => signals.recv().await,
                None => None,
            };
            if pressed.is_none() {
                std::future::pending::<()>().await;
            }
            self.count += 1;
        }
    }

    /// Does `work` unless Ctrl-C is pressed before it is done.
    pub(super) async fn or<T>(&mut self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.pressed(1) => Err(Failure::Interrupted),
            done = work => done,
        }
    }
}
