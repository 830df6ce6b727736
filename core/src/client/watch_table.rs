//! Which watches this client holds, whom an event is for, and what a server has to be told. Pure: it never sends anything.
//!
//! A server remembers one watch per connection, path and kind, however often it is set (protocol §2.9). A slot mirrors that: the
//! application's watches on it, whether the server holds it (`armed`), and how many requests under way will set it (`pending`). Only
//! an armed slot that nobody waits for and nothing under way needs may be removed from the server.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::wire::{WatcherKind, path};

use super::event::EventKind;
use super::request::{WatchId, WatchKind, WatchRequest, Watcher};

/// All watches of a client, in the order of their paths.
#[derive(Debug)]
pub(super) struct WatchTable<W> {
    nodes: BTreeMap<Arc<str>, Node<W>>,
    /// How many recursive watches there are; with none of them, events need no look at the ancestors.
    recursive: usize,
}

#[derive(Debug)]
struct Node<W> {
    slots: [Slot<W>; 4],
}

const DATA: usize = 0;
const CHILD: usize = 1;
const PERSISTENT: usize = 2;
const RECURSIVE: usize = 3;

#[derive(Debug)]
struct Slot<W> {
    watches: Vec<Watch<W>>,
    pending: u32,
    armed: bool,
}

#[derive(Debug)]
struct Watch<W> {
    serial: u64,
    /// Set by exists on a znode that was not there.
    missing: bool,
    watcher: W,
}

/// What a reply said of the watch its request was to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is set.
    Set,
    /// It is set, on a znode that does not exist.
    SetOnMissing,
    /// It is not set.
    NotSet,
}

/// A watch that a server holds and nobody needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Removal {
    pub(super) path: Arc<str>,
    pub(super) kind: WatcherKind,
}

/// In which of a re-registration's lists a path stands, in the order of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rewatch {
    Data,
    Exist,
    Child,
    Persistent,
    PersistentRecursive,
}

impl<W: Watcher> WatchTable<W> {
    pub(super) fn new() -> Self {
        WatchTable { nodes: BTreeMap::new(), recursive: 0 }
    }

    /// How many paths are watched, or will be.
    pub(super) fn paths(&self) -> usize {
        self.nodes.len()
    }

    /// A request that will set this watch has been queued.
    pub(super) fn expect(&mut self, id: &WatchId) {
        let node = self.nodes.entry(Arc::clone(&id.path)).or_default();
        node.slots[slot_of(id.kind)].pending += 1;
    }

    /// That request has been answered, or will never be. Returns what the server should now forget.
    pub(super) fn settle(&mut self, request: WatchRequest<W>, outcome: Outcome) -> Option<Removal> {
        let WatchRequest { id, watcher } = request;
        let slot = &mut self.nodes.get_mut(&id.path)?.slots[slot_of(id.kind)];
        slot.pending = slot.pending.saturating_sub(1);
        if outcome != Outcome::NotSet {
            slot.armed = true;
            if !watcher.is_abandoned() {
                slot.watches.push(Watch { serial: id.serial, missing: outcome == Outcome::SetOnMissing, watcher });
                self.recursive += usize::from(id.kind == WatchKind::PersistentRecursive);
            }
        }
        self.release(&id.path, slot_of(id.kind))
    }

    /// The application has dropped this watch. Returns what the server should now forget.
    pub(super) fn remove(&mut self, id: &WatchId) -> Option<Removal> {
        let slot = &mut self.nodes.get_mut(&id.path)?.slots[slot_of(id.kind)];
        let before = slot.watches.len();
        slot.watches.retain(|watch| watch.serial != id.serial);
        if slot.watches.len() < before {
            self.recursive -= usize::from(id.kind == WatchKind::PersistentRecursive);
        }
        self.release(&id.path, slot_of(id.kind))
    }

    /// Whom an event is for. One-shot watches are used up by it.
    pub(super) fn fire(&mut self, kind: EventKind, at: &str) -> Vec<W> {
        let mut told = Vec::new();
        let one_shot: &[usize] = match kind {
            EventKind::NodeCreated | EventKind::NodeDataChanged => &[DATA],
            EventKind::NodeDeleted => &[DATA, CHILD],
            EventKind::NodeChildrenChanged => &[CHILD],
            _ => &[],
        };
        if let Some((path, node)) =
            self.nodes.get_key_value(at).map(|(path, _)| Arc::clone(path)).zip(self.nodes.get_mut(at))
        {
            for index in one_shot {
                let slot = &mut node.slots[*index];
                slot.armed = false;
                told.extend(slot.watches.drain(..).map(|watch| watch.watcher));
            }
            told.extend(node.slots[PERSISTENT].watchers());
            self.forget_if_free(&path);
        }
        if self.recursive > 0 && kind != EventKind::NodeChildrenChanged {
            for node in path::upward(at).filter_map(|ancestor| self.nodes.get(ancestor)) {
                told.extend(node.slots[RECURSIVE].watchers());
            }
        }
        told
    }

    /// The connection is gone, and with it all that the server held.
    pub(super) fn disarm(&mut self) {
        for node in self.nodes.values_mut() {
            for slot in &mut node.slots {
                slot.armed = false;
            }
        }
        self.nodes.retain(|_, node| !node.is_free());
    }

    /// What a new connection has to register, list by list and sorted by path; it counts as registered.
    pub(super) fn rearm(&mut self) -> Vec<(Rewatch, Arc<str>)> {
        let mut lists = Vec::new();
        for (path, node) in &mut self.nodes {
            for (index, slot) in node.slots.iter_mut().enumerate() {
                slot.armed = !slot.watches.is_empty();
                let mut add = |list| lists.push((list, Arc::clone(path)));
                match index {
                    DATA => {
                        if slot.watches.iter().any(|watch| !watch.missing) {
                            add(Rewatch::Data);
                        }
                        if slot.watches.iter().any(|watch| watch.missing) {
                            add(Rewatch::Exist);
                        }
                    }
                    _ if !slot.armed => {}
                    CHILD => add(Rewatch::Child),
                    PERSISTENT => add(Rewatch::Persistent),
                    _ => add(Rewatch::PersistentRecursive),
                }
            }
        }
        // Stable, so that paths stay sorted within their list.
        lists.sort_by_key(|(list, _)| *list);
        lists
    }

    /// The persistent watches, which have to be told that they may have missed something.
    pub(super) fn persistent(&self) -> Vec<(Arc<str>, W)> {
        self.watchers(&[PERSISTENT, RECURSIVE])
    }

    /// All watches; afterwards there are none.
    pub(super) fn drain(&mut self) -> Vec<(Arc<str>, W)> {
        let all = self.watchers(&[DATA, CHILD, PERSISTENT, RECURSIVE]);
        self.nodes.clear();
        self.recursive = 0;
        all
    }

    fn watchers(&self, slots: &[usize]) -> Vec<(Arc<str>, W)> {
        let mut watchers = Vec::new();
        for (path, node) in &self.nodes {
            for index in slots {
                watchers.extend(node.slots[*index].watchers().map(|watcher| (Arc::clone(path), watcher)));
            }
        }
        watchers
    }

    /// Forgets a slot that nobody needs, and says what the server should forget.
    fn release(&mut self, path: &Arc<str>, index: usize) -> Option<Removal> {
        let node = self.nodes.get_mut(path)?;
        let slot = &mut node.slots[index];
        if slot.pending > 0 || !slot.watches.is_empty() {
            return None;
        }
        let armed = std::mem::take(&mut slot.armed);
        let alone = node.is_free();
        let persistent = !node.slots[PERSISTENT].is_free() || !node.slots[RECURSIVE].is_free();
        self.forget_if_free(path);
        let kind = match index {
            // Servers before 3.9 keep one mode per path and would forget the persistent watch instead. A stray event that
            // nobody waits for does less harm.
            DATA | CHILD if persistent => return None,
            DATA => WatcherKind::Data,
            CHILD => WatcherKind::Children,
            // The only kind that servers before 3.9 know for persistent watches.
            _ if alone => WatcherKind::Any,
            PERSISTENT => WatcherKind::Persistent,
            _ => WatcherKind::PersistentRecursive,
        };
        armed.then(|| Removal { path: Arc::clone(path), kind })
    }

    fn forget_if_free(&mut self, path: &Arc<str>) {
        if self.nodes.get(path).is_some_and(Node::is_free) {
            self.nodes.remove(path);
        }
    }
}

impl<W> Node<W> {
    fn is_free(&self) -> bool {
        self.slots.iter().all(Slot::is_free)
    }
}

impl<W> Default for Node<W> {
    fn default() -> Self {
        Node { slots: std::array::from_fn(|_| Slot { watches: Vec::new(), pending: 0, armed: false }) }
    }
}

impl<W> Slot<W> {
    fn is_free(&self) -> bool {
        self.watches.is_empty() && self.pending == 0 && !self.armed
    }
}

impl<W: Clone> Slot<W> {
    fn watchers(&self) -> impl Iterator<Item = W> + '_ {
        self.watches.iter().map(|watch| watch.watcher.clone())
    }
}

fn slot_of(kind: WatchKind) -> usize {
    match kind {
        WatchKind::Data | WatchKind::Exist => DATA,
        WatchKind::Child => CHILD,
        WatchKind::Persistent => PERSISTENT,
        WatchKind::PersistentRecursive => RECURSIVE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::WatchedEvent;

    /// A watcher by its number; odd ones are abandoned.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Numbered(u64);

    impl Watcher for Numbered {
        fn is_abandoned(&self) -> bool {
            self.0 % 2 == 1
        }

        fn tell(&self, _event: WatchedEvent) {}
    }

    fn id(path: &str, kind: WatchKind, serial: u64) -> WatchId {
        WatchId { path: path.into(), kind, serial }
    }

    fn set(table: &mut WatchTable<Numbered>, path: &str, kind: WatchKind, serial: u64) -> Option<Removal> {
        let id = id(path, kind, serial);
        table.expect(&id);
        table.settle(WatchRequest { id, watcher: Numbered(serial) }, Outcome::Set)
    }

    fn told(table: &mut WatchTable<Numbered>, kind: EventKind, path: &str) -> Vec<u64> {
        table.fire(kind, path).into_iter().map(|watcher| watcher.0).collect()
    }

    #[test]
    fn watches_on_one_path_share_the_servers_and_are_all_told_once() {
        let mut table = WatchTable::new();
        set(&mut table, "/a", WatchKind::Data, 2);
        set(&mut table, "/a", WatchKind::Exist, 4);
        set(&mut table, "/a", WatchKind::Child, 6);
        assert_eq!(told(&mut table, EventKind::NodeDataChanged, "/a"), [2, 4]);
        assert_eq!(told(&mut table, EventKind::NodeDataChanged, "/a"), [0_u64; 0]);
        assert_eq!(told(&mut table, EventKind::NodeChildrenChanged, "/a"), [6]);
        assert!(table.nodes.is_empty());
        set(&mut table, "/a", WatchKind::Data, 8);
        set(&mut table, "/a", WatchKind::Child, 10);
        assert_eq!(told(&mut table, EventKind::NodeDeleted, "/a"), [8, 10]);
    }

    #[test]
    fn persistent_watches_stay_and_recursive_ones_look_below() {
        let mut table = WatchTable::new();
        set(&mut table, "/a", WatchKind::Persistent, 2);
        set(&mut table, "/a", WatchKind::PersistentRecursive, 4);
        set(&mut table, "/", WatchKind::PersistentRecursive, 6);
        for _ in 0..2 {
            assert_eq!(told(&mut table, EventKind::NodeCreated, "/a"), [2, 4, 6]);
            assert_eq!(told(&mut table, EventKind::NodeChildrenChanged, "/a"), [2]);
            assert_eq!(told(&mut table, EventKind::NodeDataChanged, "/a/b"), [4, 6]);
            assert_eq!(told(&mut table, EventKind::NodeDeleted, "/ab"), [6]);
        }
    }

    #[test]
    fn the_last_watch_dropped_is_removed_from_the_server() {
        let mut table = WatchTable::new();
        set(&mut table, "/a", WatchKind::Data, 2);
        set(&mut table, "/a", WatchKind::Data, 4);
        assert_eq!(table.remove(&id("/a", WatchKind::Data, 2)), None);
        let removal = table.remove(&id("/a", WatchKind::Data, 4));
        assert_eq!(removal, Some(Removal { path: "/a".into(), kind: WatcherKind::Data }));
        assert_eq!(table.remove(&id("/a", WatchKind::Data, 4)), None);
        assert!(table.nodes.is_empty());
    }

    #[test]
    fn a_watch_that_a_request_under_way_will_set_is_not_removed() {
        let mut table = WatchTable::new();
        set(&mut table, "/a", WatchKind::Child, 2);
        let next = id("/a", WatchKind::Child, 4);
        table.expect(&next);
        assert_eq!(table.remove(&id("/a", WatchKind::Child, 2)), None);
        let removal = table.settle(WatchRequest { id: next, watcher: Numbered(4) }, Outcome::NotSet);
        assert_eq!(removal, Some(Removal { path: "/a".into(), kind: WatcherKind::Children }));
    }

    #[test]
    fn a_watch_dropped_before_its_reply_is_removed_with_the_reply() {
        let mut table = WatchTable::new();
        let removal = set(&mut table, "/a", WatchKind::Child, 1);
        assert_eq!(removal, Some(Removal { path: "/a".into(), kind: WatcherKind::Children }));
        assert!(table.nodes.is_empty());
    }

    #[test]
    fn a_persistent_watch_is_removed_without_touching_its_neighbours() {
        let mut table = WatchTable::new();
        set(&mut table, "/a", WatchKind::Persistent, 2);
        set(&mut table, "/a", WatchKind::Data, 4);
        assert_eq!(table.remove(&id("/a", WatchKind::Data, 4)), None);
        let removal = table.remove(&id("/a", WatchKind::Persistent, 2));
        assert_eq!(removal.map(|removal| removal.kind), Some(WatcherKind::Any));
        set(&mut table, "/a", WatchKind::PersistentRecursive, 2);
        set(&mut table, "/a", WatchKind::Data, 4);
        let removal = table.remove(&id("/a", WatchKind::PersistentRecursive, 2));
        assert_eq!(removal.map(|removal| removal.kind), Some(WatcherKind::PersistentRecursive));
        assert_eq!(table.recursive, 0);
    }

    #[test]
    fn after_a_reconnect_every_watch_stands_in_its_list() {
        let mut table = WatchTable::new();
        set(&mut table, "/d", WatchKind::Data, 2);
        set(&mut table, "/c", WatchKind::Child, 4);
        set(&mut table, "/p", WatchKind::Persistent, 6);
        set(&mut table, "/r", WatchKind::PersistentRecursive, 8);
        let missing = id("/e", WatchKind::Exist, 10);
        table.expect(&missing);
        table.settle(WatchRequest { id: missing, watcher: Numbered(10) }, Outcome::SetOnMissing);
        set(&mut table, "/b", WatchKind::Exist, 12);
        table.expect(&id("/queued", WatchKind::Data, 14));
        table.disarm();
        assert_eq!(table.remove(&id("/c", WatchKind::Child, 4)), None, "no server holds it");
        let lists = table.rearm();
        let lists: Vec<(Rewatch, &str)> = lists.iter().map(|(list, path)| (*list, &**path)).collect();
        let expected = [
            (Rewatch::Data, "/b"),
            (Rewatch::Data, "/d"),
            (Rewatch::Exist, "/e"),
            (Rewatch::Persistent, "/p"),
            (Rewatch::PersistentRecursive, "/r"),
        ];
        assert_eq!(lists, expected);
        assert_eq!(table.persistent().len(), 2);
        assert_eq!(table.drain().len(), 5);
    }
}
