//! Where the members are: the ensemble as it was configured last. It never resolves a name.

use std::sync::{PoisonError, RwLock};

use crate::wire::HostPort;
use crate::wire::ensemble::{Ensemble, PeerAddress, Role};
use crate::zab::ServerId;

/// The members, for all tasks.
pub(super) struct Book(RwLock<Ensemble>);

impl Book {
    pub(super) fn new(ensemble: &Ensemble) -> Self {
        Book(RwLock::new(ensemble.clone()))
    }

    /// Replaces the members. False when they are the same.
    pub(super) fn set(&self, ensemble: &Ensemble) -> bool {
        let mut book = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *book != *ensemble;
        book.clone_from(ensemble);
        changed
    }

    /// Whether the server is a member.
    pub(super) fn knows(&self, id: ServerId) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).members.contains_key(&id)
    }

    /// Whether the server is a member that votes.
    pub(super) fn votes(&self, id: ServerId) -> bool {
        let book = self.0.read().unwrap_or_else(PoisonError::into_inner);
        book.members.get(&id).is_some_and(|member| member.role == Role::Participant)
    }

    /// The election addresses of a member; none of a stranger.
    pub(super) fn election(&self, id: ServerId) -> Vec<HostPort> {
        self.addresses(id, |address| address.election_port)
    }

    /// The quorum addresses of a member; none of a stranger.
    pub(super) fn quorum(&self, id: ServerId) -> Vec<HostPort> {
        self.addresses(id, |address| address.quorum_port)
    }

    fn addresses(&self, id: ServerId, port: impl Fn(&PeerAddress) -> u16) -> Vec<HostPort> {
        let book = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let addresses = book.members.get(&id).map(|member| member.addresses.as_slice()).unwrap_or_default();
        addresses.iter().map(|address| HostPort { host: address.host.clone(), port: port(address) }).collect()
    }
}
