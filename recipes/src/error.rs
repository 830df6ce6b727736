//! What recipes fail with, one type for all of them. It never knows how a recipe works; it says what its caller can act on.

use std::time::Duration;

use menagerie_core::client;
use menagerie_core::wire::path::PathError;

use crate::codec::CodecError;
use crate::loss::Loss;

/// Why a recipe failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no client to use: none was given, and connecting to the ambient address failed.
    #[error("no client: none was given, and connecting to {hosts} failed")]
    NoClient {
        /// The connect string that was tried.
        hosts: String,
        /// Why it failed.
        #[source]
        source: client::Error,
    },
    /// The service refused a call, or could not be reached.
    #[error(transparent)]
    Client(client::Error),
    /// The session has expired: what it held is gone. Make a new client; nothing that grants exclusivity does so by itself.
    #[error("the session has expired")]
    SessionExpired,
    /// The wait ended before its turn came. Nothing of it stays on the server.
    #[error("not acquired {path} within {after:?}")]
    Timeout {
        /// What was asked for.
        path: String,
        /// How long the caller was ready to wait.
        after: Duration,
    },
    /// What was held, or the place in the queue, is gone.
    #[error("lost: {0}")]
    Lost(
        /// How.
        Loss,
    ),
    /// A write's outcome is unknown, and it cannot be found out.
    #[error("the outcome is unknown: {what}")]
    Indeterminate {
        /// What was to be written.
        what: String,
        /// What came in place of the reply.
        #[source]
        source: client::Error,
    },
    /// Another recipe, or the same under another naming profile, uses this directory: the two would not exclude each other.
    #[error("{path} is used under other names: {}", names.join(", "))]
    ForeignNames {
        /// The directory.
        path: String,
        /// Some of the names that are not ours.
        names: Vec<String>,
    },
    /// A path is not one.
    #[error("{path:?} is not a path")]
    Path {
        /// What was given.
        path: String,
        /// The rule that it breaks.
        #[source]
        source: PathError,
    },
    /// A name or an option is not what the recipe accepts. Nothing was sent.
    #[error("{0}")]
    Invalid(
        /// What is wrong with it.
        String,
    ),
    /// A znode holds bytes that are not what the recipe writes there.
    #[error("{path} holds something else: {what}")]
    Malformed {
        /// The znode.
        path: String,
        /// What was expected.
        what: &'static str,
    },
    /// A payload could not be written as bytes, or read from them.
    #[error(transparent)]
    Codec(
        /// Why.
        #[from]
        CodecError,
    ),
    /// A task's handler failed. The task is done all the same, and will not run again.
    #[error("{task} failed on {worker}: {message}")]
    TaskFailed {
        /// The task's name.
        task: String,
        /// The worker whose handler failed.
        worker: String,
        /// What the handler said.
        message: String,
    },
}

impl Error {
    /// The session is over: its client is of no more use.
    pub fn is_session_over(&self) -> bool {
        match self {
            Error::SessionExpired | Error::Lost(Loss::SessionExpired | Loss::SessionClosed) => true,
            Error::Client(source) | Error::NoClient { source, .. } | Error::Indeterminate { source, .. } => {
                is_session_over(source)
            }
            _ => false,
        }
    }

    /// The caller's time ran out.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Error::Timeout { .. })
    }
}

/// As [`Error::is_session_over`], of what a call failed with.
pub(crate) fn is_session_over(error: &client::Error) -> bool {
    error.is_session_expired() || error.is_closed() || error.is_auth_failed()
}

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Self {
        if error.is_session_expired() { Error::SessionExpired } else { Error::Client(error) }
    }
}

/// How work under a guard ended without a result ([`Held::run`](crate::Held::run)).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LostOr<E> {
    /// The guard was lost first; the work was dropped where it stood.
    #[error("lost while working: {0}")]
    Lost(
        /// How.
        Loss,
    ),
    /// The work itself failed.
    #[error("{0}")]
    Failed(
        /// Its error.
        E,
    ),
}
