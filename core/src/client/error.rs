//! What a client's calls fail with. The type is opaque: callers ask it questions, so that new causes break nobody.

use std::fmt;
use std::sync::Arc;

use crate::jute::DecodeError;
use crate::wire::{ErrorCode, OpCode};

use super::State;

/// Why a call failed. Cheap to clone.
///
/// Ask it what you need to know: [`Error::is_no_node`] and its siblings for a server's answer, [`Error::is_connection_loss`],
/// [`Error::is_session_expired`] and [`Error::is_closed`] for the session, and [`Error::may_have_applied`] before a write is
/// made again.
#[derive(Debug, Clone)]
pub struct Error {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cause: Cause,
    op: Option<OpCode>,
    path: Option<Box<str>>,
}

/// The causes behind [`Error`].
#[derive(Debug, Clone)]
pub(super) enum Cause {
    /// A server said so.
    Code { code: ErrorCode, write: bool },
    /// One operation of a multi failed, and with it all of them.
    Multi { index: usize, code: ErrorCode, codes: Arc<[ErrorCode]> },
    /// The connection was lost before the reply.
    ConnectionLoss { may_have_applied: bool },
    /// A server said that the session has expired.
    SessionExpired,
    /// The client was closed.
    Closed,
    /// The credentials were refused.
    AuthFailed,
    /// The client gave up waiting for a session.
    Timeout,
    /// A server's reply could not be read.
    Reply { error: DecodeError, write: bool },
    /// The text in a server's reply could not be read.
    Text { expected: Box<str>, write: bool },
    /// The call's arguments are not what it accepts; nothing was sent.
    Invalid(Box<str>),
}

impl Cause {
    /// Why a call fails once the session has ended in this state.
    pub(super) fn of_final(state: State) -> Self {
        match state {
            State::Expired => Cause::SessionExpired,
            State::AuthFailed => Cause::AuthFailed,
            _ => Cause::Closed,
        }
    }
}

impl Error {
    pub(super) fn new(cause: Cause) -> Self {
        Error { inner: Arc::new(Inner { cause, op: None, path: None }) }
    }

    pub(super) fn invalid(what: impl fmt::Display) -> Self {
        Self::new(Cause::Invalid(what.to_string().into()))
    }

    /// The same cause, with the operation and the path that a message should name.
    pub(super) fn of_call(cause: Cause, op: OpCode, path: &str) -> Self {
        Error { inner: Arc::new(Inner { cause, op: Some(op), path: Some(path.into()) }) }
    }

    /// The path of the call that failed, as the application named it; `None` where there is none.
    pub fn path(&self) -> Option<&str> {
        self.inner.path.as_deref().filter(|path| !path.is_empty())
    }

    /// The protocol's code for the failure. Failures that never were on the wire have one too where the protocol names it:
    /// connection loss, expiry, refused credentials, bad arguments, timeouts. A closed client has none.
    pub fn code(&self) -> Option<ErrorCode> {
        match &self.inner.cause {
            Cause::Code { code, .. } | Cause::Multi { code, .. } => Some(*code),
            Cause::ConnectionLoss { .. } => Some(ErrorCode::ConnectionLoss),
            Cause::SessionExpired => Some(ErrorCode::SessionExpired),
            Cause::AuthFailed => Some(ErrorCode::AuthFailed),
            Cause::Timeout => Some(ErrorCode::OperationTimeout),
            Cause::Reply { .. } | Cause::Text { .. } => Some(ErrorCode::MarshallingError),
            Cause::Invalid(_) => Some(ErrorCode::BadArguments),
            Cause::Closed => None,
        }
    }

    /// The znode does not exist.
    pub fn is_no_node(&self) -> bool {
        self.code() == Some(ErrorCode::NoNode)
    }

    /// The znode exists already.
    pub fn is_node_exists(&self) -> bool {
        self.code() == Some(ErrorCode::NodeExists)
    }

    /// The znode's version is not the expected one.
    pub fn is_bad_version(&self) -> bool {
        self.code() == Some(ErrorCode::BadVersion)
    }

    /// The znode has children.
    pub fn is_not_empty(&self) -> bool {
        self.code() == Some(ErrorCode::NotEmpty)
    }

    /// The connection was lost before the reply came. The session may live on; ask [`Error::may_have_applied`] before a
    /// write is made again.
    pub fn is_connection_loss(&self) -> bool {
        self.code() == Some(ErrorCode::ConnectionLoss)
    }

    /// A server said that the session has expired: its ephemeral znodes and watches are gone, and this client is of no more
    /// use.
    pub fn is_session_expired(&self) -> bool {
        self.code() == Some(ErrorCode::SessionExpired)
    }

    /// The client was closed, by [`Client::close`](super::Client::close) or by dropping its last clone.
    pub fn is_closed(&self) -> bool {
        matches!(self.inner.cause, Cause::Closed)
    }

    /// The credentials were refused; the client is of no more use.
    pub fn is_auth_failed(&self) -> bool {
        self.code() == Some(ErrorCode::AuthFailed)
    }

    /// The server only reads, for it is cut off from the others
    /// ([`ClientBuilder::allow_read_only`](super::ClientBuilder::allow_read_only)): the write was not applied. It may succeed once the
    /// client has found a server that writes.
    pub fn is_read_only(&self) -> bool {
        self.code() == Some(ErrorCode::NotReadOnly)
    }

    /// No session was established within [`ClientBuilder::connect_timeout`](super::ClientBuilder::connect_timeout), or a
    /// server gave up on the request.
    pub fn is_timeout(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::OperationTimeout | ErrorCode::RequestTimeout))
    }

    /// True when, and only when, a write was sent and its outcome is unknown: it may have been applied, may yet be, or may
    /// never be. Find out by reading before it is made again, unless making it twice does no harm.
    pub fn may_have_applied(&self) -> bool {
        match &self.inner.cause {
            Cause::ConnectionLoss { may_have_applied } => *may_have_applied,
            Cause::Reply { write, .. } | Cause::Text { write, .. } => *write,
            Cause::Code { code, write } => {
                *write
                    && matches!(
                        code,
                        ErrorCode::ConnectionLoss
                            | ErrorCode::OperationTimeout
                            | ErrorCode::RequestTimeout
                            | ErrorCode::SystemError
                    )
            }
            _ => false,
        }
    }

    /// Whether the same call may succeed later on the same client: the connection was lost, or a server had too much to do, or only reads
    /// for now. For writes ask [`Error::may_have_applied`] as well.
    pub fn is_retryable(&self) -> bool {
        self.is_connection_loss()
            || self.is_timeout()
            || self.is_read_only()
            || self.code() == Some(ErrorCode::ThrottledOp)
    }

    /// For a failed multi, the index of the operation that failed (from 0) and why. None of the operations was applied.
    pub fn multi_failure(&self) -> Option<(usize, ErrorCode)> {
        match self.inner.cause {
            Cause::Multi { index, code, .. } => Some((index, code)),
            _ => None,
        }
    }

    /// For a failed multi, what became of each operation, in their order: [`ErrorCode::Ok`] for those before the one that failed, which were
    /// taken back, its own code for that one, and [`ErrorCode::RuntimeInconsistency`] for those after it, which were not tried.
    pub fn multi_codes(&self) -> Option<&[ErrorCode]> {
        match &self.inner.cause {
            Cause::Multi { codes, .. } => Some(codes),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(op) = self.inner.op {
            write!(f, "{op:?} ")?;
        }
        if let Some(path) = self.inner.path.as_deref().filter(|path| !path.is_empty()) {
            write!(f, "{path}: ")?;
        }
        self.inner.cause.fmt(f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Code { code, .. } => write!(f, "{code}"),
            Cause::Multi { index, code, .. } => write!(f, "operation {index} failed with {code}, none was applied"),
            Cause::ConnectionLoss { may_have_applied: true } => {
                write!(f, "connection lost before the reply; the write may have been applied")
            }
            Cause::ConnectionLoss { may_have_applied: false } => write!(f, "connection lost before the reply"),
            Cause::SessionExpired => write!(f, "the session has expired"),
            Cause::Closed => write!(f, "the client is closed"),
            Cause::AuthFailed => write!(f, "the credentials were refused"),
            Cause::Timeout => write!(f, "no session within the connect timeout"),
            Cause::Reply { error, .. } => write!(f, "unreadable reply: {error}"),
            Cause::Text { expected, .. } => write!(f, "unreadable reply, expected {expected}"),
            Cause::Invalid(what) => write!(f, "{what}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.inner.cause {
            Cause::Reply { error, .. } => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_write_that_was_sent_may_have_been_applied() {
        let lost = |may_have_applied| Error::new(Cause::ConnectionLoss { may_have_applied });
        assert!(lost(true).may_have_applied() && lost(true).is_connection_loss() && lost(true).is_retryable());
        assert!(!lost(false).may_have_applied());
        let code = |code, write| Error::new(Cause::Code { code, write });
        assert!(code(ErrorCode::RequestTimeout, true).may_have_applied());
        assert!(!code(ErrorCode::RequestTimeout, false).may_have_applied());
        assert!(!code(ErrorCode::NodeExists, true).may_have_applied());
        assert!(!Error::new(Cause::SessionExpired).may_have_applied());
    }

    #[test]
    fn a_failed_multi_answers_as_its_failed_operation() {
        let codes = [ErrorCode::Ok, ErrorCode::BadVersion];
        let error = Error::new(Cause::Multi { index: 1, code: ErrorCode::BadVersion, codes: codes.into() });
        assert!(error.is_bad_version());
        assert_eq!(error.multi_failure(), Some((1, ErrorCode::BadVersion)));
        assert_eq!(error.multi_codes(), Some(&codes[..]));
    }

    #[test]
    fn a_message_names_the_operation_and_the_path() {
        let cause = Cause::Code { code: ErrorCode::NoNode, write: false };
        assert_eq!(Error::of_call(cause, OpCode::GetData, "/a").to_string(), "GetData /a: NONODE");
        assert!(Error::new(Cause::Closed).code().is_none());
    }

    #[test]
    fn errors_travel_between_threads() {
        fn check<T: Send + Sync + Clone + std::error::Error>() {}
        check::<Error>();
    }
}
