//! Who holds a lock, and who waits, for people and programs that only look.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use menagerie_core::client::Client;
use menagerie_core::wire::path;

use crate::contender::contenders;
use crate::protected::Naming;
use crate::retry::{reread, until_answered};
use crate::{Error, FencingToken};

/// One in a lock's queue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contender {
    /// Its znode.
    pub path: String,
    /// The session that holds or waits.
    pub session: i64,
    /// What it says of itself ([`Acquire::payload`](super::Acquire::payload)).
    pub payload: Bytes,
    /// The token it has, or will have when its turn comes.
    pub token: FencingToken,
    /// Since when it contends, by the server's clock.
    pub since: SystemTime,
}

/// The queue of a directory, first the holder; empty when there is no such directory.
pub(super) async fn list(client: &Client, directory: &str, naming: &Naming) -> Result<Vec<Contender>, Error> {
    let names = match until_answered(|| client.get_children(directory)).await {
        Ok(names) => names,
        Err(error) if error.is_no_node() => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let queue = contenders(naming, directory, names)?;
    // All are asked for before the first answer is awaited: one round trip.
    let reads: Vec<_> = queue
        .into_iter()
        .map(|(_, name)| path::join(directory, &name))
        .map(|path| (client.get_data(&path), path))
        .collect();
    let mut found = Vec::with_capacity(reads.len());
    for (read, path) in reads {
        match reread(read, || client.get_data(&path)).await {
            Ok((payload, stat)) => found.push(Contender {
                path,
                session: stat.ephemeral_owner,
                payload,
                token: stat.czxid.into(),
                since: SystemTime::UNIX_EPOCH + Duration::from_millis(stat.ctime.unsigned_abs()),
            }),
            // It left while we looked.
            Err(error) if error.is_no_node() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}
