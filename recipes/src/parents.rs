//! Makes the directories that recipes work in. It never knows what is put into them.

use menagerie_core::client::{self, Client};
use menagerie_core::wire::{CreateMode, ErrorCode, path};

/// What to do about a missing parent directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Parents {
    /// Make it a container, which the server removes when it has been emptied. Persistent where the server is too old (before 3.5).
    #[default]
    Container,
    /// Make it persistent: it stays.
    Persistent,
    /// Make nothing, and fail with NONODE.
    Require,
}

/// Makes `directory` and its ancestors as far as they are missing. Another process may do the same, or remove them, meanwhile: the
/// caller tries its own create again and comes back here if it must.
pub(crate) async fn ensure(client: &Client, directory: &str, parents: Parents) -> Result<(), client::Error> {
    let mode = if parents == Parents::Persistent { CreateMode::Persistent } else { CreateMode::Container };
    // Up until an ancestor can be made, then down again; `missing` holds what is still to be made, deepest first.
    let mut missing = vec![directory];
    while let Some(&next) = missing.last() {
        match make(client, next, mode).await {
            Ok(()) => {
                missing.pop();
            }
            Err(error) if error.is_no_node() && next != "/" => missing.push(path::parent(next)),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn make(client: &Client, directory: &str, mode: CreateMode) -> Result<(), client::Error> {
    let outcome = match client.create(directory, "", mode).await {
        Err(error) if mode == CreateMode::Container && is_unsupported(&error) => {
            client.create(directory, "", CreateMode::Persistent).await
        }
        outcome => outcome,
    };
    match outcome {
        // A server asks for the permission to create before it looks: the directory may be there all the same.
        Err(error) if error.code() == Some(ErrorCode::NoAuth) => {
            client.exists(directory).await?.map(|_| ()).ok_or(error)
        }
        Err(error) if !error.is_node_exists() => Err(error),
        _ => Ok(()),
    }
}

fn is_unsupported(error: &client::Error) -> bool {
    matches!(error.code(), Some(ErrorCode::Unimplemented | ErrorCode::BadArguments))
}
