//! The two ports on which others reach this member: which addresses they are, and accepting there (protocol §4.2, §5.1). It
//! never reads a byte.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Shared;
use super::elections::Elections;
use super::links::Links;
use crate::server::ServerError;
use crate::wire::HostPort;

/// The pauses between two attempts to take a port: the first, and the longest.
const BIND_PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// The pause after a connection could not be accepted, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Port {
    Election,
    Quorum,
}

/// The open ports of this member.
pub(super) struct Listeners {
    shared: Arc<Shared>,
    elections: Elections,
    links: Arc<Links>,
    open: Mutex<BTreeMap<(Port, String, u16), DropGuard>>,
}

impl Listeners {
    pub(super) fn new(shared: Arc<Shared>, elections: Elections, links: Arc<Links>) -> Self {
        Listeners { shared, elections, links, open: Mutex::default() }
    }

    /// Closes what this member no longer listens on, and opens what it does not listen on yet.
    pub(super) async fn open(&self) -> Result<(), ServerError> {
        let mut open = self.open.lock().await;
        let wanted = self.wanted();
        open.retain(|address, _| wanted.contains(address));
        for address in wanted {
            if open.contains_key(&address) {
                continue;
            }
            let (port, host, number) = &address;
            let listener = self.bind(*port, host, *number).await?;
            let closed = CancellationToken::new();
            open.insert(address.clone(), closed.clone().drop_guard());
            self.accept(address.0, listener, closed);
        }
        Ok(())
    }

    fn wanted(&self) -> Vec<(Port, String, u16)> {
        let Shared { settings, book, .. } = &*self.shared;
        let place = |port, HostPort { host, port: number }| {
            let everywhere = if host.contains(':') { "::" } else { "0.0.0.0" };
            (port, if settings.listen_on_all { everywhere.to_owned() } else { host }, number)
        };
        let election = book.election(settings.server_id).into_iter().map(|address| place(Port::Election, address));
        let quorum = book.quorum(settings.server_id).into_iter().map(|address| place(Port::Quorum, address));
        let quorum = quorum.filter(|_| book.votes(settings.server_id));
        let mut wanted: Vec<_> = election.chain(quorum).collect();
        wanted.sort();
        wanted.dedup();
        wanted
    }

    async fn bind(&self, port: Port, host: &str, number: u16) -> Result<TcpListener, ServerError> {
        let (mut pause, longest) = BIND_PAUSES;
        for attempt in 1_u32.. {
            let source = match TcpListener::bind((host, number)).await {
                Ok(listener) => return Ok(listener),
                Err(source) => source,
            };
            if attempt == self.shared.settings.bind_attempts {
                return Err(bind_failed(port, host, number, source));
            }
            tracing::warn!(host, number, %source, ?port, "cannot listen on a port for the other members; trying again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
        Err(bind_failed(port, host, number, io::Error::other("too many attempts")))
    }

    fn accept(&self, port: Port, listener: TcpListener, closed: CancellationToken) {
        let (elections, links) = (self.elections.clone(), Arc::clone(&self.links));
        let taken = move |stream: TcpStream| match port {
            Port::Election => elections.accepted(stream),
            Port::Quorum => links.accepted(stream),
        };
        self.shared.spawn(async move {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = closed.cancelled() => return,
                };
                match accepted.and_then(|(stream, _)| stream.set_nodelay(true).map(|()| stream)) {
                    Ok(stream) => taken(stream),
                    Err(error) => {
                        tracing::warn!(%error, ?port, "cannot accept a connection of another member");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        });
    }
}

fn bind_failed(port: Port, host: &str, number: u16, source: io::Error) -> ServerError {
    let port = match port {
        Port::Election => "election port",
        Port::Quorum => "quorum port",
    };
    ServerError::BindQuorum { port, address: HostPort { host: host.to_owned(), port: number }, source }
}
