//! What all guards have in common: something is held through an ephemeral znode, until it is released or lost.
//! It never knows by which rules it was won.

use menagerie_core::client::Client;
use tokio::time::Instant;
use tracing::debug;

use crate::janitor::{Cleanup, Removal};
use crate::loss::{Gone, Loss, LossPolicy, Lost, Node, Oversight, valid_until};
use crate::{Error, FencingToken, LostOr};

/// Something held. Guards dereference to it.
///
/// It is not `Clone`: share it in an `Arc`. It can be moved between tasks and threads, and dropped anywhere, also outside a runtime:
/// its znode is then removed in the background.
#[derive(Debug)]
pub struct Held {
    client: Client,
    path: String,
    token: FencingToken,
    cleanup: Cleanup,
    oversight: Oversight,
}

impl Held {
    pub(crate) fn new(client: Client, node: Node, gone: Gone, cleanup: Cleanup, policy: LossPolicy) -> Self {
        let oversight = Oversight::start(&client, gone, policy, cleanup.outcome());
        debug!(path = node.path, token = node.czxid.0, "held");
        Held { client, path: node.path, token: node.czxid.into(), cleanup, oversight }
    }

    /// The znode that stands for the hold.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The client whose session holds.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A number higher than that of every holder before, for resources that can compare it.
    pub fn token(&self) -> FencingToken {
        self.token
    }

    /// Resolves when this is no longer held. It fires on the session's end, when somebody deletes the znode, when [`Held::valid_until`]
    /// passes, when the connection is lost if the [`LossPolicy`] says so, and on release. What is lost stays lost.
    pub fn lost(&self) -> Lost {
        self.oversight.lost()
    }

    /// Whether this is held as far as can be known now. True a moment ago is no proof: to write into the service use a fenced multi,
    /// elsewhere the [token](Held::token).
    pub fn is_valid(&self) -> bool {
        self.oversight.loss().is_none() && self.valid_until().is_some_and(|deadline| Instant::now() < deadline)
    }

    /// Until when the session is kept, as far as the server knows that serves it, if nothing more is heard: the send time of the last
    /// acknowledged request plus the negotiated timeout, less a tenth of it. Monotonic clock; pings move it on.
    ///
    /// Nobody else holds this before then, but for one case: in an ensemble, a server that is cut off from the others goes on answering
    /// pings for up to `syncLimit` × `tickTime`, while the leader may give the session up; see
    /// [the client's own](menagerie_core::client::Client::valid_until). What must not have two holders even then needs the
    /// [token](Held::token) or a fenced multi.
    pub fn valid_until(&self) -> Option<Instant> {
        valid_until(&self.client)
    }

    /// Runs `work` as long as this is held, and drops it at its next await point when this is lost. `work` does not start if it is lost already.
    pub async fn run<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, LostOr<E>> {
        tokio::select! {
            biased;
            loss = self.lost() => Err(LostOr::Lost(loss)),
            outcome = work => outcome.map_err(LostOr::Failed),
        }
    }

    /// Gives it back. Whoever is next may go ahead once this is done, or later: the order is given when this is called, and dropping the
    /// future does not take it back.
    ///
    /// # Errors
    /// [`Error::Lost`] or [`Error::SessionExpired`] when there was nothing left to give back; [`Error::Client`] when the server refuses.
    pub(crate) fn release(self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let Held { client, cleanup, oversight, .. } = self;
        drop(oversight);
        let removed = cleanup.finish();
        async move {
            let removal = removed.await?;
            drop(client);
            match removal {
                Removal::Removed => Ok(()),
                Removal::Missing => Err(Error::Lost(Loss::NodeDeleted)),
            }
        }
    }
}
