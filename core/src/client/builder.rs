//! The settings of a session, and its start.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::jute::DEFAULT_MAX_BUFFER;

use super::error::Cause;
use super::handle::Shared;
use super::hosts::{self, Hosts};
use super::session::{Config, Snapshot};
use super::status::Published;
use super::{Client, Error, SessionCredentials, State, transport};

/// Settings of a session to be opened. All but [`ClientBuilder::hosts`] have defaults.
#[derive(Debug, Clone)]
#[must_use = "nothing happens before `connect` or `connect_lazily`"]
pub struct ClientBuilder {
    hosts: String,
    session_timeout: Duration,
    connect_timeout: Option<Duration>,
    read_only: bool,
    resume: Option<SessionCredentials>,
    auths: Vec<(String, Bytes)>,
    seed: Option<u64>,
    max_request_bytes: usize,
}

impl ClientBuilder {
    pub(super) fn new() -> Self {
        ClientBuilder {
            hosts: String::new(),
            session_timeout: Duration::from_secs(15),
            connect_timeout: None,
            read_only: false,
            resume: None,
            auths: Vec::new(),
            seed: None,
            max_request_bytes: DEFAULT_MAX_BUFFER,
        }
    }

    /// The servers and an optional chroot, such as `h1:2181,h2:2181,[::1]/app`. The port is 2181 where none is given.
    pub fn hosts(mut self, connect_string: impl AsRef<str>) -> Self {
        connect_string.as_ref().clone_into(&mut self.hosts);
        self
    }

    /// The session timeout to ask for; 15 s by default. The servers decide, within bounds of their own (twice to twenty times their tick):
    /// see [`Client::negotiated_timeout`].
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.session_timeout = timeout;
        self
    }

    /// How long [`ClientBuilder::connect`] waits for the session; the session timeout by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// Whether a server without a quorum, which only reads, will do while no other is found; not by default.
    ///
    /// The session is then [`State::ConnectedReadOnly`]: reads are answered, from a tree that may be old, and writes fail with
    /// [`Error::is_read_only`]. Meanwhile the client asks one host after the other whether it writes, at first every second, at last every
    /// minute, and moves to the first that does. A session that began on such a server is known to it alone: the client gets another one
    /// when it moves, and keeps its watches.
    pub fn allow_read_only(mut self, allow: bool) -> Self {
        self.read_only = allow;
        self
    }

    /// Resumes a session instead of opening one. Its other client, if there still is one, loses its connection. If the session has
    /// expired, the client ends as [`State::Expired`].
    pub fn resume(mut self, session: SessionCredentials) -> Self {
        self.resume = Some(session);
        self
    }

    /// Credentials to present on every connection before anything else; see [`Client::add_auth`].
    pub fn auth(mut self, scheme: impl Into<String>, credentials: impl Into<Bytes>) -> Self {
        self.auths.push((scheme.into(), credentials.into()));
        self
    }

    /// The seed of all that is random: the order of the servers, the spread of the delays. Random by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The longest request to send, in bytes: `jute.maxbuffer` as the servers have it, by default 1 MiB − 1 as they have it by default. A server
    /// closes the connection on a longer one, so such a call fails without being sent.
    pub fn max_request_bytes(mut self, limit: usize) -> Self {
        self.max_request_bytes = limit;
        self
    }

    /// Opens the session and waits until a server has granted it. Dropping the future closes the session, and so does its failure; but a session
    /// to be resumed that no server has granted by then is left as it is.
    ///
    /// # Errors
    /// Those of [`ClientBuilder::connect_lazily`]; [`Error::is_timeout`] when no server granted it in time; [`Error::is_session_expired`] when
    /// the session to resume is no more; [`Error::is_auth_failed`].
    pub async fn connect(self) -> Result<Client, Error> {
        let wait = self.connect_timeout.unwrap_or(self.session_timeout);
        let client = self.connect_lazily()?;
        let mut states = client.states();
        match tokio::time::timeout(wait, states.wait_for(State::is_connected)).await {
            Ok(state) if state.is_connected() => Ok(client),
            Ok(ended) => Err(Error::new(Cause::of_final(ended))),
            Err(_elapsed) => Err(Error::new(Cause::Timeout)),
        }
    }

    /// Starts to open the session in the background. Calls wait in the queue until a server has granted it, however long that takes.
    ///
    /// # Errors
    /// A connect string that cannot be read, or no tokio runtime to run in.
    pub fn connect_lazily(self) -> Result<Client, Error> {
        let (hosts, chroot) = hosts::parse(&self.hosts)?;
        let runtime = tokio::runtime::Handle::try_current().map_err(Error::invalid)?;
        #[expect(clippy::disallowed_methods, reason = "where no seed is given, this is the one place that draws it")]
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        let config = Config {
            hosts: Hosts::new(hosts, seed),
            session_timeout: self.session_timeout,
            read_only: self.read_only,
            resume: self.resume,
            auths: self.auths,
            seed,
        };
        let session = Snapshot::before(self.resume, self.session_timeout);
        let published = Published { session, server: None, valid_until: None };
        let shared =
            Arc::new(Shared { state: watch::Sender::new(State::Connecting), published: Mutex::new(published) });
        let (sender, receiver) = mpsc::unbounded_channel();
        runtime.spawn(transport::run(config, Arc::clone(&shared), receiver));
        Ok(Client::new(shared, sender, chroot, self.max_request_bytes, runtime))
    }
}
