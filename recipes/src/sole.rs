//! The other way to take turns: one ephemeral znode, which everybody tries to create and whose deletion wakes everybody.
//! It never knows what the turn is for.

use bytes::Bytes;
use menagerie_core::client::{self, Client, Version};
use menagerie_core::wire::{CreateMode, path};
use tracing::debug;

use crate::held::Held;
use crate::janitor::{Cleanup, Target};
use crate::loss::{LossPolicy, Node, gone};
use crate::parents::{self, Parents};
use crate::protected::is_owner;
use crate::retry::{self, until_answered};
use crate::{Error, mark};

/// Which znode to claim, and how.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) client: Client,
    pub(crate) path: String,
    pub(crate) payload: Bytes,
    pub(crate) parents: Parents,
    /// A persistent znode that gets the claim's data in the same transaction, so that its version counts the claims.
    pub(crate) stamp: Option<String>,
}

/// A claim that was won.
pub(crate) struct Won {
    pub(crate) held: Held,
    /// The znode's data: the payload, a line's end, and a GUID that no other claim has.
    pub(crate) data: Bytes,
}

impl Claim {
    /// Waits until the znode can be created. Dropping the future, wherever it stands, leaves nothing.
    pub(crate) async fn win(&self, policy: LossPolicy) -> Result<Won, Error> {
        // The znode's name is everybody's, so the GUID that tells this claim from others stands in the data.
        let mark = mark::new();
        let data = mark::append(&self.payload, &mark);
        let cleanup = Cleanup::arm(&self.client, Target::Marked { path: self.path.clone(), mark });
        loop {
            self.create(&data).await?;
            match until_answered(|| self.client.get_data(&self.path)).await {
                Ok((found, stat)) if found == data => {
                    let node = Node { path: self.path.clone(), czxid: stat.czxid };
                    let own = self.client.get_data_and_watch(&self.path);
                    let gone = Box::pin(gone(self.client.downgrade(), node.clone(), own));
                    return Ok(Won { held: Held::new(self.client.clone(), node, gone, cleanup, policy), data });
                }
                Err(error) if !error.is_no_node() => return Err(error.into()),
                _ => debug!(path = self.path, "created, and deleted by somebody at once"),
            }
        }
    }

    async fn create(&self, data: &Bytes) -> Result<(), Error> {
        loop {
            let error = match self.try_create(data).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if error.may_have_applied() {
                until_answered(|| self.client.sync(&self.path)).await?;
            } else if error.is_no_node() && self.parents != Parents::Require {
                match parents::ensure(&self.client, path::parent(&self.path), self.parents).await {
                    Err(error) if !error.is_retryable() => return Err(error.into()),
                    _ => continue,
                }
            } else if error.is_retryable() {
                tokio::time::sleep(retry::PAUSE).await;
                continue;
            } else if !error.is_node_exists() {
                return Err(error.into());
            }
            if self.is_ours(data).await? {
                return Ok(());
            }
        }
    }

    async fn try_create(&self, data: &Bytes) -> Result<(), client::Error> {
        let Some(stamp) = &self.stamp else {
            return self.client.create(&self.path, data.clone(), CreateMode::Ephemeral).await.map(drop);
        };
        let multi = self.client.multi().create(&self.path, data.clone(), CreateMode::Ephemeral);
        multi.set_data(stamp, data.clone(), Version::Any).commit().await.map(drop)
    }

    /// Whether the znode is this claim's; if it is another's, waits until that may have changed.
    async fn is_ours(&self, data: &Bytes) -> Result<bool, Error> {
        match until_answered(|| self.client.get_data_and_watch(&self.path)).await {
            Ok((found, stat, _)) if found == *data && is_owner(&self.client.downgrade(), &stat) => Ok(true),
            Ok((_, _, watch)) => {
                let event = watch.changed().await;
                debug!(path = self.path, kind = ?event.kind, "the holder's znode changed");
                Ok(false)
            }
            Err(error) if error.is_no_node() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
