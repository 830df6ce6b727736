//! Why a tool cannot do what it was asked, in words for the operator.

use std::io;

use super::exit_code;
use crate::storage;

/// Why.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The command line.
    #[error("{0}")]
    Usage(String),
    /// The files.
    #[error("{error}{}", hint(error))]
    Storage {
        /// What is wrong with them.
        #[from]
        error: storage::Error,
    },
    /// It could be done, but it would do harm.
    #[error("{0}")]
    Refused(String),
    /// Standard output.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Failure::Usage(_) => exit_code::USAGE,
            Failure::Storage { error } if error.is_corruption() => exit_code::DAMAGED,
            Failure::Storage { .. } | Failure::Refused(_) | Failure::Output(_) => exit_code::REFUSED,
        }
    }

    /// Whether whoever read the output has gone.
    pub(super) fn is_broken_pipe(&self) -> bool {
        matches!(self, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

fn hint(error: &storage::Error) -> &'static str {
    match error {
        storage::Error::Corrupt { what, .. } if what.contains("unreasonable length") => {
            "\n  hint: if the servers run with a larger jute.maxbuffer, give it as --max-buffer"
        }
        _ => "",
    }
}
