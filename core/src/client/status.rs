//! What a session looks like at a moment: for monitoring, logs and people. It never knows who asks.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::wire::Zxid;

use super::session::Snapshot;
use super::{Client, State};

/// A session at a moment; see [`Client::status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Where the session stands.
    pub state: State,
    /// The session's id, 0 before there is one.
    pub session_id: i64,
    /// The server that serves the session; `None` while none does.
    pub server: Option<SocketAddr>,
    /// The session timeout that the servers agreed to; the one asked for before there is a session.
    pub negotiated_timeout: Duration,
    /// The highest zxid a reply has carried.
    pub last_zxid: Zxid,
    /// See [`Client::valid_until`].
    pub valid_until: Option<Instant>,
    /// Requests that wait to be sent.
    pub queued: usize,
    /// Requests that were sent and are not answered.
    pub outstanding: usize,
    /// Paths with watches of this client, and those that requests under way will watch.
    pub watched_paths: usize,
    /// Connections on which servers have served the session: one more than it was reconnected.
    pub connections: u64,
}

/// What the session's task tells its handles, as far as it last knew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Published {
    pub(super) session: Snapshot,
    pub(super) server: Option<SocketAddr>,
    pub(super) valid_until: Option<Instant>,
}

impl Client {
    /// The session now, as its task last knew it: cheap enough to be asked often. Calls that the task has not looked at yet are not counted.
    pub fn status(&self) -> Status {
        let Published { session, server, valid_until } = self.published();
        let state = self.state();
        Status {
            state,
            session_id: session.credentials.map_or(0, |credentials| credentials.id),
            server: server.filter(|_| state.is_connected()),
            negotiated_timeout: session.timeout,
            last_zxid: session.last_zxid,
            valid_until,
            queued: session.queued,
            outstanding: session.outstanding,
            watched_paths: session.watched_paths,
            connections: session.connections,
        }
    }
}
