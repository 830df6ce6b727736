//! Which slots hold nodes that do not live for ever. It never knows paths.

use std::collections::{BTreeMap, BTreeSet};

use super::node::NodeKind;

/// Ephemerals by session, containers, and nodes with a time to live. Ordered sets, so that walks are deterministic.
#[derive(Debug, Default)]
pub(super) struct Owners {
    ephemerals: BTreeMap<i64, BTreeSet<u32>>,
    ephemeral_count: usize,
    containers: BTreeSet<u32>,
    ttl_nodes: BTreeSet<u32>,
}

impl Owners {
    pub(super) fn add(&mut self, kind: NodeKind, slot: u32) {
        match kind {
            NodeKind::Persistent => {}
            NodeKind::Container => {
                self.containers.insert(slot);
            }
            NodeKind::Ttl { .. } => {
                self.ttl_nodes.insert(slot);
            }
            NodeKind::Ephemeral(session) => {
                if self.ephemerals.entry(session).or_default().insert(slot) {
                    self.ephemeral_count += 1;
                }
            }
        }
    }

    pub(super) fn remove(&mut self, kind: NodeKind, slot: u32) {
        match kind {
            NodeKind::Persistent => {}
            NodeKind::Container => {
                self.containers.remove(&slot);
            }
            NodeKind::Ttl { .. } => {
                self.ttl_nodes.remove(&slot);
            }
            NodeKind::Ephemeral(session) => self.remove_ephemeral(session, slot),
        }
    }

    pub(super) fn ephemerals(&self, session: i64) -> impl Iterator<Item = u32> {
        self.ephemerals.get(&session).into_iter().flatten().copied()
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = i64> {
        self.ephemerals.keys().copied()
    }

    pub(super) fn ephemeral_count(&self) -> usize {
        self.ephemeral_count
    }

    pub(super) fn containers(&self) -> impl Iterator<Item = u32> {
        self.containers.iter().copied()
    }

    pub(super) fn ttl_nodes(&self) -> impl Iterator<Item = u32> {
        self.ttl_nodes.iter().copied()
    }

    fn remove_ephemeral(&mut self, session: i64, slot: u32) {
        let Some(slots) = self.ephemerals.get_mut(&session) else {
            return;
        };
        if slots.remove(&slot) {
            self.ephemeral_count -= 1;
        }
        if slots.is_empty() {
            self.ephemerals.remove(&session);
        }
    }
}
