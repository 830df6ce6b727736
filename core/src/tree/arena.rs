//! Slots for nodes, and the index from full path to slot. It never knows what a node means.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::node::Node;

/// The root's slot: the first node inserted, and it is never removed.
pub(super) const ROOT: u32 = 0;
/// The parent of the root.
pub(super) const NO_SLOT: u32 = u32::MAX;

/// Slots are allocated in chunks, so that a growing tree never copies itself while a writer waits.
const CHUNK_BITS: u32 = 12;
const CHUNK: usize = 1 << CHUNK_BITS;

/// Nodes by slot and by path.
#[derive(Debug)]
pub(super) struct Arena {
    chunks: Vec<Vec<Option<Node>>>,
    free: Vec<u32>,
    index: HashTable<Entry>,
    hasher: FixedState,
}

/// The hash is kept beside the slot: a growing index rehashes without touching the nodes, and a lookup seldom compares
/// more than one path.
#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u32,
    slot: u32,
}

impl Arena {
    pub(super) fn new(seed: u64) -> Self {
        Arena { chunks: Vec::new(), free: Vec::new(), index: HashTable::new(), hasher: FixedState::with_seed(seed) }
    }

    /// Number of nodes.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn find(&self, path: &str) -> Option<u32> {
        let hash = self.hash(path);
        self.index.find(spread(hash), |entry| self.is_at(*entry, hash, path)).map(|entry| entry.slot)
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Node> {
        self.chunks.get((slot >> CHUNK_BITS) as usize)?.get(slot as usize & (CHUNK - 1))?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Node> {
        self.chunks.get_mut((slot >> CHUNK_BITS) as usize)?.get_mut(slot as usize & (CHUNK - 1))?.as_mut()
    }

    /// Stores a node whose path is not in the index yet, and returns its slot.
    pub(super) fn insert(&mut self, node: Node) -> u32 {
        let hash = self.hash(node.path());
        let slot = self.free.pop().unwrap_or_else(|| self.grow());
        self.chunks[(slot >> CHUNK_BITS) as usize][slot as usize & (CHUNK - 1)] = Some(node);
        self.index.insert_unique(spread(hash), Entry { hash, slot }, |entry| spread(entry.hash));
        slot
    }

    /// Takes the node out of its slot, which the next insert may use again.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Node> {
        let cell = self.chunks.get_mut((slot >> CHUNK_BITS) as usize)?.get_mut(slot as usize & (CHUNK - 1))?;
        let node = cell.take()?;
        let hash = self.hash(node.path());
        if let Ok(entry) = self.index.find_entry(spread(hash), |entry| entry.slot == slot) {
            entry.remove();
        }
        self.free.push(slot);
        Some(node)
    }

    fn grow(&mut self) -> u32 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let chunk = self.chunks.len() - 1;
        self.chunks[chunk].push(None);
        (chunk << CHUNK_BITS | (self.chunks[chunk].len() - 1)) as u32
    }

    fn hash(&self, path: &str) -> u32 {
        (self.hasher.hash_one(path) >> 32) as u32
    }

    fn is_at(&self, entry: Entry, hash: u32, path: &str) -> bool {
        entry.hash == hash && self.get(entry.slot).is_some_and(|node| node.path() == path)
    }
}

/// The table takes its buckets from the low bits and its tags from the highest: both must depend on all 32 bits kept.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
