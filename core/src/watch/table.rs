//! The two tables of watches, data and child, as the protocol has them: a deletion fires in both.

use std::collections::{BTreeMap, BTreeSet};

use super::{WatchEvent, WatcherId};
use crate::wire::{AddWatchMode, EventKind, WatcherKind, path};

/// Which one-shot watch a read sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// The znode's data or existence.
    Data,
    /// The znode's children.
    Children,
}

const ONE_SHOT: u8 = 1;
const PERSISTENT: u8 = 2;
const RECURSIVE: u8 = 4;

type Table = BTreeMap<Box<str>, BTreeMap<WatcherId, u8>>;

/// All watches of one server.
#[derive(Debug, Default)]
pub struct WatchTable {
    data: Table,
    child: Table,
    /// Paths per watcher, so that a lost connection costs only its own watches.
    paths: BTreeMap<WatcherId, BTreeSet<Box<str>>>,
    recursive: usize,
}

impl WatchTable {
    /// Sets a one-shot watch. Setting it twice fires it once.
    pub fn add(&mut self, watched: Watched, path: &str, watcher: WatcherId) {
        match watched {
            Watched::Data => self.insert_data(path, watcher, ONE_SHOT),
            Watched::Children => insert(&mut self.child, path, watcher, ONE_SHOT),
        }
        self.remember(path, watcher);
    }

    /// Sets a watch that stays.
    pub fn add_persistent(&mut self, mode: AddWatchMode, path: &str, watcher: WatcherId) {
        match mode {
            AddWatchMode::Persistent => {
                self.insert_data(path, watcher, PERSISTENT);
                insert(&mut self.child, path, watcher, PERSISTENT);
            }
            AddWatchMode::PersistentRecursive => self.insert_data(path, watcher, RECURSIVE),
        }
        self.remember(path, watcher);
    }

    /// Whether the watcher has such a watch on the path.
    pub fn contains(&self, kind: WatcherKind, path: &str, watcher: WatcherId) -> bool {
        let (data_mask, child_mask) = masks(kind);
        modes(&self.data, path, watcher) & data_mask != 0 || modes(&self.child, path, watcher) & child_mask != 0
    }

    /// Removes such watches; false when there was none.
    pub fn remove(&mut self, kind: WatcherKind, path: &str, watcher: WatcherId) -> bool {
        let (data_mask, child_mask) = masks(kind);
        let from_data = self.clear_data(path, watcher, data_mask);
        let from_child = clear(&mut self.child, path, watcher, child_mask) != 0;
        self.forget_if_unused(path, watcher);
        from_data || from_child
    }

    /// Removes all watches of a connection.
    pub fn remove_watcher(&mut self, watcher: WatcherId) {
        for path in self.paths.remove(&watcher).unwrap_or_default() {
            self.clear_data(&path, watcher, u8::MAX);
            clear(&mut self.child, &path, watcher, u8::MAX);
        }
    }

    /// A znode was created: its data table, then its parent's child table.
    pub fn created(&mut self, path: &str, deliver: &mut dyn FnMut(&BTreeSet<WatcherId>, WatchEvent<'_>)) {
        self.fire_data(EventKind::NodeCreated, path, deliver);
        self.fire_child(EventKind::NodeChildrenChanged, path::parent(path), &BTreeSet::new(), deliver);
    }

    /// A znode was deleted: its data table, then those of its child table that do not know yet, then its parent's.
    pub fn deleted(&mut self, path: &str, deliver: &mut dyn FnMut(&BTreeSet<WatcherId>, WatchEvent<'_>)) {
        let told = self.fire_data(EventKind::NodeDeleted, path, deliver);
        self.fire_child(EventKind::NodeDeleted, path, &told, deliver);
        self.fire_child(EventKind::NodeChildrenChanged, path::parent(path), &BTreeSet::new(), deliver);
    }

    /// A znode's data were set.
    pub fn data_changed(&mut self, path: &str, deliver: &mut dyn FnMut(&BTreeSet<WatcherId>, WatchEvent<'_>)) {
        self.fire_data(EventKind::NodeDataChanged, path, deliver);
    }

    /// Number of (path, watcher) pairs in both tables.
    pub fn len(&self) -> usize {
        self.data.values().chain(self.child.values()).map(BTreeMap::len).sum()
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty() && self.child.is_empty()
    }

    /// The data table, path by path, as the four-letter words `wchs`, `wchc` and `wchp` show it.
    pub fn data_watches(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = WatcherId>)> {
        self.data.iter().map(|(path, watchers)| (path.as_ref(), watchers.keys().copied()))
    }

    fn fire_data(
        &mut self,
        kind: EventKind,
        path: &str,
        deliver: &mut dyn FnMut(&BTreeSet<WatcherId>, WatchEvent<'_>),
    ) -> BTreeSet<WatcherId> {
        let mut told = take_watchers(&mut self.data, path);
        if self.recursive > 0 {
            for watchers in path::upward(path).filter_map(|above| self.data.get(above)) {
                told.extend(watchers.iter().filter(|(_, modes)| **modes & RECURSIVE != 0).map(|(id, _)| *id));
            }
        }
        self.tell(kind, path, &told, deliver);
        told
    }

    fn fire_child(
        &mut self,
        kind: EventKind,
        path: &str,
        except: &BTreeSet<WatcherId>,
        deliver: &mut dyn FnMut(&BTreeSet<WatcherId>, WatchEvent<'_>),
    ) {
        let mut told = take_watchers(&mut self.child, path);
        for watcher in &told {
            self.forget_if_unused(path, *watcher);
        }
        told.retain(|watcher| !except.contains(watcher));
        self.tell(kind, path, &told, deliver);
    }

    fn tell(
        &mut self,
        kind: EventKind,
        path: &str,
        told: &BTreeSet<WatcherId>,
        deliver: &mut dyn FnMut(&BTreeSet<WatcherId>, WatchEvent<'_>),
    ) {
        for watcher in told {
            self.forget_if_unused(path, *watcher);
        }
        if !told.is_empty() {
            deliver(told, WatchEvent { kind, path });
        }
    }

    fn insert_data(&mut self, path: &str, watcher: WatcherId, mode: u8) {
        if mode == RECURSIVE && modes(&self.data, path, watcher) & RECURSIVE == 0 {
            self.recursive += 1;
        }
        insert(&mut self.data, path, watcher, mode);
    }

    fn clear_data(&mut self, path: &str, watcher: WatcherId, mask: u8) -> bool {
        let cleared = clear(&mut self.data, path, watcher, mask);
        if cleared & RECURSIVE != 0 {
            self.recursive -= 1;
        }
        cleared != 0
    }

    fn remember(&mut self, path: &str, watcher: WatcherId) {
        self.paths.entry(watcher).or_default().insert(path.into());
    }

    fn forget_if_unused(&mut self, path: &str, watcher: WatcherId) {
        if modes(&self.data, path, watcher) | modes(&self.child, path, watcher) != 0 {
            return;
        }
        if let Some(paths) = self.paths.get_mut(&watcher) {
            paths.remove(path);
            if paths.is_empty() {
                self.paths.remove(&watcher);
            }
        }
    }
}

/// Which modes a kind of watch is, in the data table and in the child table.
fn masks(kind: WatcherKind) -> (u8, u8) {
    match kind {
        WatcherKind::Children => (0, ONE_SHOT),
        WatcherKind::Data => (ONE_SHOT, 0),
        WatcherKind::Any => (u8::MAX, u8::MAX),
        WatcherKind::Persistent => (PERSISTENT, PERSISTENT),
        WatcherKind::PersistentRecursive => (RECURSIVE, 0),
    }
}

fn modes(table: &Table, path: &str, watcher: WatcherId) -> u8 {
    table.get(path).and_then(|watchers| watchers.get(&watcher)).copied().unwrap_or(0)
}

fn insert(table: &mut Table, path: &str, watcher: WatcherId, mode: u8) {
    match table.get_mut(path) {
        Some(watchers) => *watchers.entry(watcher).or_default() |= mode,
        None => {
            table.insert(path.into(), BTreeMap::from([(watcher, mode)]));
        }
    }
}

/// Clears modes of a watch and returns those that were set.
fn clear(table: &mut Table, path: &str, watcher: WatcherId, mask: u8) -> u8 {
    let Some(watchers) = table.get_mut(path) else { return 0 };
    let Some(modes) = watchers.get_mut(&watcher) else { return 0 };
    let cleared = *modes & mask;
    *modes &= !mask;
    if *modes == 0 {
        watchers.remove(&watcher);
        if watchers.is_empty() {
            table.remove(path);
        }
    }
    cleared
}

/// The watchers of exactly this path; their one-shot watches are used up.
fn take_watchers(table: &mut Table, path: &str) -> BTreeSet<WatcherId> {
    let Some(watchers) = table.get_mut(path) else { return BTreeSet::new() };
    let told = watchers.keys().copied().collect();
    watchers.retain(|_, modes| {
        *modes &= !ONE_SHOT;
        *modes != 0
    });
    if watchers.is_empty() {
        table.remove(path);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    type Told = Vec<(Vec<WatcherId>, EventKind, String)>;

    fn record(told: &mut Told) -> impl FnMut(&BTreeSet<WatcherId>, WatchEvent<'_>) {
        |watchers, event| told.push((watchers.iter().copied().collect(), event.kind, event.path.to_owned()))
    }

    #[test]
    fn a_one_shot_watch_fires_once() {
        let (mut table, mut told) = (WatchTable::default(), Vec::new());
        table.add(Watched::Data, "/a", 1);
        table.add(Watched::Data, "/a", 1);
        table.data_changed("/a", &mut record(&mut told));
        table.data_changed("/a", &mut record(&mut told));
        assert_eq!(told, [(vec![1], EventKind::NodeDataChanged, "/a".into())]);
        assert!(table.is_empty() && table.paths.is_empty());
    }

    #[test]
    fn a_deletion_is_told_once_to_who_watches_data_and_children() {
        let (mut table, mut told) = (WatchTable::default(), Vec::new());
        table.add(Watched::Data, "/a", 1);
        table.add(Watched::Children, "/a", 1);
        table.add(Watched::Children, "/a", 2);
        table.add(Watched::Children, "/", 3);
        table.deleted("/a", &mut record(&mut told));
        assert_eq!(
            told,
            [
                (vec![1], EventKind::NodeDeleted, "/a".into()),
                (vec![2], EventKind::NodeDeleted, "/a".into()),
                (vec![3], EventKind::NodeChildrenChanged, "/".into()),
            ]
        );
        assert!(table.is_empty() && table.paths.is_empty());
    }

    #[test]
    fn persistent_watches_stay_and_recursive_ones_see_below() {
        let (mut table, mut told) = (WatchTable::default(), Vec::new());
        table.add_persistent(AddWatchMode::PersistentRecursive, "/", 1);
        table.add_persistent(AddWatchMode::Persistent, "/a", 2);
        table.created("/a/b", &mut record(&mut told));
        table.data_changed("/a", &mut record(&mut told));
        assert_eq!(
            told,
            [
                (vec![1], EventKind::NodeCreated, "/a/b".into()),
                (vec![2], EventKind::NodeChildrenChanged, "/a".into()),
                (vec![1, 2], EventKind::NodeDataChanged, "/a".into()),
            ]
        );
        table.remove_watcher(1);
        assert_eq!((table.recursive, table.len()), (0, 2));
        assert!(table.remove(WatcherKind::Any, "/a", 2) && table.is_empty() && table.paths.is_empty());
        assert!(!table.remove(WatcherKind::Any, "/a", 2));
    }
}
