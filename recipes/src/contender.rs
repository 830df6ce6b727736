//! The one algorithm for taking turns through ephemeral sequential znodes: enqueue, find the nearest predecessor, wait for it alone.
//! It never knows what the turn is for.

use bytes::Bytes;
use menagerie_core::client::{self, Client};
use menagerie_core::wire::{CreateMode, path};
use tracing::{Instrument, debug, debug_span};
use uuid::Uuid;

use crate::Error;
use crate::held::Held;
use crate::janitor::{Cleanup, Target};
use crate::loss::{Gone, Loss, LossPolicy, Node, gone};
use crate::parents::{self, Parents};
use crate::protected::{NameKind, Naming, find, sort_by_sequence};
use crate::retry::{self, until_answered};

/// Where to contend, and how.
#[derive(Debug, Clone)]
pub(crate) struct Contest {
    pub(crate) client: Client,
    pub(crate) directory: String,
    pub(crate) naming: Naming,
    pub(crate) payload: Bytes,
    pub(crate) parents: Parents,
}

/// A place in the queue. Dropping it gives it up.
pub(crate) struct Place {
    client: Client,
    directory: String,
    naming: Naming,
    node: Node,
    /// Set right after the create, so that a contender whose znode goes learns of it while it waits.
    gone: Gone,
    cleanup: Cleanup,
}

/// Who is before a contender.
struct Ahead {
    count: usize,
    /// The name of the last of them: the only one worth watching, so that a release wakes one contender and not all.
    nearest: Option<String>,
}

impl Contest {
    /// Takes a place at the end of the queue. Dropping the future, wherever it stands, leaves nothing.
    pub(crate) async fn enqueue(&self) -> Result<Place, Error> {
        // One GUID for one attempt: what an old attempt left can never be taken for a new one's.
        let guid = Uuid::new_v4();
        let prefix = self.naming.prefix(guid);
        let target = Target::Prefixed { directory: self.directory.clone(), prefix: prefix.clone() };
        let mut cleanup = Cleanup::arm(&self.client, target);
        let node = self.create(&prefix).await?;
        cleanup.retarget(Target::Unique(node.path.clone()));
        debug!(path = node.path, czxid = node.czxid.0, "enqueued");
        let own = self.client.get_data_and_watch(&node.path);
        let gone = Box::pin(gone(self.client.downgrade(), node.clone(), own));
        let (client, directory) = (self.client.clone(), self.directory.clone());
        Ok(Place { client, directory, naming: self.naming.clone(), node, gone, cleanup })
    }

    async fn create(&self, prefix: &str) -> Result<Node, Error> {
        let wanted = path::join(&self.directory, prefix);
        let mut may_be_there = false;
        loop {
            if may_be_there {
                // The connection may be lost again and again: nothing is created before it is known what the last create did.
                match find(&self.client.downgrade(), &self.directory, prefix).await {
                    Ok(Some((path, stat))) => return Ok(Node { path, czxid: stat.czxid }),
                    Ok(None) => may_be_there = false,
                    Err(error) if error.is_retryable() => {
                        tokio::time::sleep(retry::PAUSE).await;
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            match self.client.create(&wanted, self.payload.clone(), CreateMode::EphemeralSequential).await {
                Ok(created) => return Ok(Node { path: created.path, czxid: created.stat.czxid }),
                Err(error) if error.may_have_applied() => may_be_there = true,
                Err(error) => self.mend(error).await?,
            }
        }
    }

    /// Does what can be done about a refused create, so that it may be tried again.
    async fn mend(&self, error: client::Error) -> Result<(), Error> {
        if error.is_no_node() && self.parents != Parents::Require {
            match parents::ensure(&self.client, &self.directory, self.parents).await {
                Err(error) if !error.is_retryable() => Err(error.into()),
                _ => Ok(()),
            }
        } else if error.is_retryable() {
            tokio::time::sleep(retry::PAUSE).await;
            Ok(())
        } else {
            Err(error.into())
        }
    }
}

impl Place {
    pub(crate) fn path(&self) -> &str {
        &self.node.path
    }

    /// How many contenders are ahead; 0 is the holder's own place.
    pub(crate) async fn position(&self) -> Result<usize, Error> {
        Ok(self.ahead().await?.count)
    }

    /// Waits until nobody is ahead. Dropping the future keeps the place.
    pub(crate) async fn wait_turn(&mut self) -> Result<(), Error> {
        loop {
            let ahead = self.ahead().await?;
            let Some(nearest) = ahead.nearest else { return Ok(()) };
            let span = debug_span!("lock.wait", path = self.node.path, ahead = ahead.count, predecessor = nearest);
            self.wait_for(&path::join(&self.directory, &nearest)).instrument(span).await?;
        }
    }

    /// The turn has come: holds it.
    pub(crate) fn hold(self, policy: LossPolicy) -> Held {
        Held::new(self.client, self.node, self.gone, self.cleanup, policy)
    }

    /// Gives the place up, and waits until it is empty.
    ///
    /// # Errors
    /// When the server refuses the removal. The znode then stays as long as its session.
    pub(crate) async fn leave(self) -> Result<(), Error> {
        let Place { client, gone, cleanup, .. } = self;
        let removal = cleanup.finish().await;
        // Not before the answer: the watch has seen the deletion then, which is one request less than to remove it.
        drop(gone);
        drop(client);
        removal.map(|_| ()).map_err(Error::from)
    }

    /// Waits until the predecessor's znode changes; whatever happened to it, the caller looks at the whole queue again.
    async fn wait_for(&mut self, predecessor: &str) -> Result<(), Error> {
        // Read it rather than ask whether it exists: a read of a missing znode leaves no watch behind.
        let watch = match until_answered(|| self.client.get_data_and_watch(predecessor)).await {
            Ok((_, _, watch)) => watch,
            Err(error) if error.is_no_node() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        tokio::select! {
            biased;
            loss = &mut self.gone => Err(lost(loss)),
            event = watch.changed() => {
                debug!(kind = ?event.kind, "the predecessor changed");
                Ok(())
            }
        }
    }

    async fn ahead(&self) -> Result<Ahead, Error> {
        let names = match until_answered(|| self.client.get_children(&self.directory)).await {
            Ok(names) => names,
            // Without its directory our znode is not there either.
            Err(error) if error.is_no_node() => return Err(lost(Loss::NodeDeleted)),
            Err(error) => return Err(error.into()),
        };
        let queue = contenders(&self.naming, &self.directory, names)?;
        let own = path::name(&self.node.path);
        let Some(count) = queue.iter().position(|(_, name)| name == own) else { return Err(lost(Loss::NodeDeleted)) };
        Ok(Ahead { count, nearest: queue.into_iter().take(count).next_back().map(|(_, name)| name) })
    }
}

/// The contenders among the names of a directory, in the order of their turns.
///
/// # Errors
/// [`Error::ForeignNames`] when something else takes turns there.
pub(crate) fn contenders(naming: &Naming, directory: &str, names: Vec<String>) -> Result<Vec<(i32, String)>, Error> {
    let mut queue = Vec::with_capacity(names.len());
    let mut foreign = Vec::new();
    for name in names {
        match naming.classify(&name) {
            NameKind::Contender(sequence) => queue.push((sequence, name)),
            NameKind::Foreign => foreign.push(name),
            NameKind::Other => {}
        }
    }
    if foreign.is_empty() {
        sort_by_sequence(&mut queue);
        return Ok(queue);
    }
    foreign.sort_unstable();
    foreign.truncate(3);
    Err(Error::ForeignNames { path: directory.to_owned(), names: foreign })
}

fn lost(loss: Loss) -> Error {
    if loss == Loss::SessionExpired { Error::SessionExpired } else { Error::Lost(loss) }
}
