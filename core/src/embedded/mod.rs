//! A server or an [`Ensemble`] in this process, for tests, examples and small programs: real sockets, real files, a free port.
//!
//! ```
//! # #[tokio::main(flavor = "multi_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = menagerie_core::embedded::Server::start().await?;
//! println!("clients connect to {}", server.connect_string());
//! server.stop().await;
//! # Ok(()) }
//! ```

mod door;
mod ensemble;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

pub use ensemble::{Ensemble, EnsembleBuilder};

use crate::server::config::FourLetterWords;
use crate::server::{self, ServerConfig, ServerError};

/// A running server. Dropping it stops it; a temporary directory goes with it.
#[derive(Debug)]
pub struct Server {
    inner: server::Server,
    directory: Option<TempDir>,
}

/// Why an embedded server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// No temporary directory.
    #[error("cannot make a temporary directory: {0}")]
    Directory(#[from] std::io::Error),
    /// The server itself.
    #[error(transparent)]
    Server(#[from] ServerError),
}

impl Server {
    /// A server on a free port of 127.0.0.1, with its data in a temporary directory.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub async fn start() -> Result<Server, EmbeddedError> {
        Server::builder().start().await
    }

    /// A server with choices.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// `127.0.0.1:port`, as clients take it.
    pub fn connect_string(&self) -> String {
        self.address().to_string()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.inner.address()
    }

    /// Stops it: every connection is closed, and the log is on disk.
    pub async fn stop(self) {
        self.inner.stop().await;
        drop(self.directory);
    }

    /// Stops it without waiting for anything, as a crash would: what was acknowledged is on disk, the rest may be lost.
    /// A server started on the same directory must wait until this one's threads are gone: use [`Server::stop`] for that.
    pub fn kill(self) {
        drop(self);
    }
}

/// Choices for an embedded server.
#[derive(Debug, Clone)]
pub struct Builder {
    config: ServerConfig,
    data_dir: Option<PathBuf>,
    port: u16,
    min_session_timeout_ms: Option<u32>,
    max_session_timeout_ms: Option<u32>,
}

impl Builder {
    fn new() -> Self {
        let config = ServerConfig::default().with_tick_time_ms(2000);
        Builder { config, data_dir: None, port: 0, min_session_timeout_ms: None, max_session_timeout_ms: None }
    }

    /// Keeps the data in this directory, which stays after the server.
    pub fn data_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(directory.into());
        self
    }

    /// Listens on this port of 127.0.0.1; 0, the default, is a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The tick, 2 s by default. Sessions last from two to twenty ticks, unless other bounds are given, and expire within a tick after
    /// their timeout.
    pub fn tick_time(mut self, tick: Duration) -> Self {
        self.config = self.config.with_tick_time_ms(milliseconds(tick));
        self
    }

    /// The shortest session timeout: who asks for less gets this. Two ticks by default.
    pub fn min_session_timeout(mut self, timeout: Duration) -> Self {
        self.min_session_timeout_ms = Some(milliseconds(timeout));
        self
    }

    /// The longest session timeout: who asks for more gets this. Twenty ticks by default, so a server with a short tick needs it for sessions
    /// that outlast a pause of the machine.
    pub fn max_session_timeout(mut self, timeout: Duration) -> Self {
        self.max_session_timeout_ms = Some(milliseconds(timeout));
        self
    }

    /// Transactions between two snapshots.
    pub fn snap_count(mut self, transactions: u32) -> Self {
        self.config.snap_count = transactions;
        self
    }

    /// For members of an ensemble.
    fn force_snapshots(mut self, force: bool) -> Self {
        self.config.quorum.force_snapshot_sync = force;
        self
    }

    /// Starts the server on the current tokio runtime.
    ///
    /// # Errors
    /// [`EmbeddedError`] when the directory cannot be used, the port is taken, or the shortest session timeout is above the longest.
    pub async fn start(mut self) -> Result<Server, EmbeddedError> {
        let (path, directory) = if let Some(path) = self.data_dir.take() {
            (path, None)
        } else {
            let directory = tempfile::Builder::new().prefix("menagerie-").tempdir()?;
            (directory.path().to_path_buf(), Some(directory))
        };
        let port = self.port;
        let inner = server::Server::start(self.configure(&path, port)).await?;
        Ok(Server { inner, directory })
    }

    /// What these choices mean for a server with its data in `directory` that listens on `port`.
    fn configure(self, directory: &Path, port: u16) -> ServerConfig {
        let Builder { mut config, min_session_timeout_ms, max_session_timeout_ms, .. } = self;
        // Here and not before, because the tick sets both.
        config.min_session_timeout_ms = min_session_timeout_ms.unwrap_or(config.min_session_timeout_ms);
        config.max_session_timeout_ms = max_session_timeout_ms.unwrap_or(config.max_session_timeout_ms);
        directory.clone_into(&mut config.data_dir);
        directory.clone_into(&mut config.data_log_dir);
        config.client_address = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        config.four_letter_words = FourLetterWords::parse("*");
        config.max_client_cnxns = 0;
        // Small servers come and go; a log file of 64 MiB each would only fill the disk.
        config.pre_alloc_kb = 256;
        config
    }
}

/// At least one, since no time at all would be no bound.
fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1)
}
