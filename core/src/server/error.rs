//! Why a server does not start, or cannot go on.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::config::ConfigError;
use crate::storage;
use crate::wire::HostPort;
use crate::zab::EpochError;

/// Why a server does not start, or cannot go on. The text is for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The configuration asks for what cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data directory cannot be used or its files cannot be read.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// `datadir.autocreate=false`, and a directory is missing.
    #[error(
        "{} does not exist, and datadir.autocreate=false: mount or make it, or correct dataDir and dataLogDir", directory.display()
    )]
    NoDirectory {
        /// The directory.
        directory: PathBuf,
    },
    /// `db.autocreate=false`, and there is no data.
    #[error(
        "{0} holds no snapshot and no transaction, and db.autocreate=false: bring the data back; if this server is new, make \
         the file {0}/initialize and start again", data_dir.display()
    )]
    NoDatabase {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// The client address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; is another server running there? clientPort and clientPortAddress choose another place"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A port for the other members cannot be listened on.
    #[error(
        "cannot listen on the {port} {address}: {source}; this server's own server.N line must name an address of this machine \
         and free ports, or set quorumListenOnAllIPs=true"
    )]
    BindQuorum {
        /// Which of the two ports.
        port: &'static str,
        /// The address.
        address: HostPort,
        /// What the system said.
        source: std::io::Error,
    },
    /// The member's epochs and its log cannot be of one moment.
    #[error("{0}")]
    Epochs(#[from] EpochError),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
    /// The disk failed while the server ran, or a thread ended; the log says how.
    #[error(
        "the server cannot go on, and acknowledged nothing more: the lines above say why, most often the disk. Mend it and start again"
    )]
    DiskFailed,
}

impl ServerError {
    /// The exit code of the process, as the reference has it (protocol §4.1): 2 for the configuration, 3 for the data
    /// directory, 14 for the ports of the ensemble, 1 for the rest.
    pub fn exit_code(&self) -> u8 {
        match self {
            ServerError::Config(_) => 2,
            ServerError::Storage(_)
            | ServerError::Epochs(_)
            | ServerError::NoDirectory { .. }
            | ServerError::NoDatabase { .. }
            | ServerError::DiskFailed => 3,
            ServerError::BindQuorum { .. } => 14,
            ServerError::Bind { .. } | ServerError::Thread(_) => 1,
        }
    }
}
