//! Why a command did not do what was asked, in words that say what to do next, and as an exit code.

use std::fmt;
use std::io;

use super::command::{Command, ParseError};
use crate::client::Error;
use crate::wire::{ErrorCode, path};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Failure(#[from] Kind);

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("{0}")]
    Usage(String),
    #[error("{message}")]
    Server { error: Error, message: String },
    #[error("Node does not exist: {0}")]
    Missing(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    NoConnection(String),
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

/// The exit codes of `menagerie cli`.
pub mod exit_code {
    /// Everything was done.
    pub const OK: u8 = 0;
    /// A server refused a command, such as for a znode that does not exist.
    pub const REFUSED: u8 = 1;
    /// The command line, or a command, is not understood.
    pub const USAGE: u8 = 2;
    /// No server could be reached, or the connection or the session was lost on the way: the outcome may be unknown.
    pub const NO_CONNECTION: u8 = 3;
}

impl Failure {
    /// What was typed is no command.
    pub(super) fn usage(what: impl fmt::Display) -> Self {
        Kind::Usage(what.to_string()).into()
    }

    /// It was understood, and is not to be done, or not everything was.
    pub(super) fn refused(why: impl fmt::Display) -> Self {
        Kind::Refused(why.to_string()).into()
    }

    /// No session could be opened.
    pub(super) fn no_connection(hosts: &str, why: &str) -> Self {
        Kind::NoConnection(format!(
            "cannot connect to {hosts}: {why}\n  hint: is a server running there? `menagerie server` starts one on \
             127.0.0.1:2181; --server names another"
        ))
        .into()
    }

    /// A call failed while `command` ran.
    pub(super) fn of_call(command: &Command, error: Error) -> Self {
        let mut message = describe(&error, command);
        if let Some(hint) = hint(&error, command) {
            message.push_str("\n  hint: ");
            message.push_str(&hint);
        }
        Kind::Server { error, message }.into()
    }

    /// The znode that `command` looks at does not exist.
    pub(super) fn missing(command: &Command) -> Self {
        Kind::Missing(command.path().unwrap_or_default().to_owned()).into()
    }

    /// The exit code that a one-shot command ends with.
    pub fn exit_code(&self) -> u8 {
        match &self.0 {
            Kind::Usage(_) => exit_code::USAGE,
            Kind::NoConnection(_) => exit_code::NO_CONNECTION,
            Kind::Server { error, .. } if is_session_gone(error) => exit_code::NO_CONNECTION,
            Kind::Server { .. } | Kind::Missing(_) | Kind::Refused(_) | Kind::Output(_) => exit_code::REFUSED,
        }
    }

    /// Whether it was caused by whoever reads the output having gone, which in a pipe is no failure.
    pub(super) fn is_broken_pipe(&self) -> bool {
        matches!(&self.0, Kind::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Kind::Output(error).into()
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::Unknown { name, hint } => Self::usage(format_args!("no command `{name}`: {hint}")),
            ParseError::Usage { name, what } => {
                let usage = super::catalogue::find(name).map(super::catalogue::Spec::usage).unwrap_or_default();
                Self::usage(format_args!("{name}: {what}\n  usage: {name} {usage}"))
            }
        }
    }
}

fn is_session_gone(error: &Error) -> bool {
    error.is_connection_loss()
        || error.is_session_expired()
        || error.is_closed()
        || error.is_auth_failed()
        || error.is_timeout()
}

/// The reference's words where it has some, since people know them and tools look for them.
fn describe(error: &Error, command: &Command) -> String {
    let path = error.path().or(command.path()).unwrap_or_default();
    match error.code() {
        Some(ErrorCode::NoNode) => format!("Node does not exist: {path}"),
        Some(ErrorCode::NodeExists) => format!("Node already exists: {path}"),
        Some(ErrorCode::NotEmpty) => format!("Node not empty: {path}"),
        Some(ErrorCode::NoChildrenForEphemerals) => format!("Ephemerals cannot have children: {path}"),
        Some(ErrorCode::NoAuth) => format!("Insufficient permission : {path}"),
        Some(ErrorCode::BadVersion) => format!("version No is not valid : {path}"),
        Some(ErrorCode::InvalidAcl) => format!("Acl is not valid : {path}"),
        Some(ErrorCode::QuotaExceeded) => format!("Quota has exceeded : {path}"),
        Some(ErrorCode::NotReadOnly) => format!("Not a read-only call: {path}"),
        Some(ErrorCode::BadArguments) => format!("Arguments are not valid : {path}"),
        Some(ErrorCode::ReconfigDisabled) => "KeeperErrorCode = Reconfig is disabled".to_owned(),
        Some(ErrorCode::ReconfigInProgress) => {
            "Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)".to_owned()
        }
        Some(ErrorCode::NewConfigNoQuorum) => {
            "No quorum of new config is connected and up-to-date with the leader of last committed config".to_owned()
        }
        _ => error.to_string(),
    }
}

fn hint(error: &Error, command: &Command) -> Option<String> {
    if error.may_have_applied() {
        return Some("nobody knows whether the write was applied: look before it is made again".to_owned());
    }
    if error.is_session_expired() || error.is_closed() || error.is_auth_failed() {
        return Some("`connect` opens a new session".to_owned());
    }
    match error.code()? {
        ErrorCode::ReconfigDisabled => {
            return Some("the servers need reconfigEnabled=true in their zoo.cfg".to_owned());
        }
        ErrorCode::NewConfigNoQuorum => {
            return Some("start the new servers first, and wait until they follow".to_owned());
        }
        ErrorCode::NoAuth if matches!(command, Command::Reconfig(_)) => {
            return Some("the access list of /zookeeper/config says who may; `addauth` says who you are".to_owned());
        }
        _ => {}
    }
    let path = command.path()?;
    match error.code()? {
        ErrorCode::NoNode if matches!(command, Command::Create { .. }) => {
            Some(format!("its parent must exist first: create {}", path::parent(path)))
        }
        ErrorCode::NoNode if path == "/" => Some(
            "the path after the servers, the chroot, must exist first; create it without naming it there".to_owned(),
        ),
        ErrorCode::NodeExists => Some(format!("`set {path} <data>` changes its data; -s appends a number to the name")),
        ErrorCode::NotEmpty => Some(format!("`deleteall {path}` deletes it and everything below it")),
        ErrorCode::BadVersion if matches!(command, Command::SetAcl { .. }) => {
            Some(format!("`stat {path}` shows the aclVersion that it has now"))
        }
        ErrorCode::BadVersion => Some(format!("`stat {path}` shows the dataVersion that it has now")),
        ErrorCode::NoAuth => Some(format!("`getAcl {path}` shows who may; `addauth` says who you are")),
        ErrorCode::Unimplemented if matches!(command, Command::Create { ttl: Some(_), .. }) => {
            Some("the server does not allow a time to live: extendedTypesEnabled=true in its zoo.cfg".to_owned())
        }
        ErrorCode::NotReadOnly => {
            Some("this server has no quorum and only reads; `connect` may find another".to_owned())
        }
        _ => None,
    }
}
