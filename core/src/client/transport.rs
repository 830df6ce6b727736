//! The only file with sockets.
use std::sync::Arc;

use tokio::sync::mpsc;

use super::State;
use super::error::Cause;
use super::handle::{Inbox, Shared};
use super::request::{Command, Ticket};
use super::session::Config;

/// Runs a session until it ends.
pub(super) async fn run(config: Config, shared: Arc<Shared>, mut commands: mpsc::UnboundedReceiver<Inbox>) {
    drop(config);
    while let Some(command) = commands.recv().await {
        match command {
            Command::Submit(request) => {
                if let Some(ticket) = request.ticket {
                    ticket.complete(Err(Cause::ConnectionLoss { may_have_applied: request.write }));
                }
            }
            Command::Unwatch(_) => {}
            Command::Close(ticket) => {
                shared.state.send_replace(State::Closed);
                if let Some(ticket) = ticket {
                    ticket.complete(Ok(bytes::Bytes::new()));
                }
                return;
            }
        }
    }
}
