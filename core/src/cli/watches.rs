//! The watches that a shell has set: each waits in a task of its own and prints its event.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};

use super::command::WatchKinds;
use super::format::Event;
use crate::client::{OneshotWatch, PersistentWatch, State, StateWatch};

/// Prints text that nobody is waiting for: above the prompt on a terminal.
pub type Announce = Arc<dyn Fn(String) + Send + Sync>;

/// What a watch looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looks {
    /// At the list of children.
    Children,
    /// At the data, or at whether the znode is there.
    Data,
    /// At both.
    Everything,
}

/// How long the events of a session that has ended may take to be printed.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// The watches of one session. They end with it, or when this is dropped. The end itself is not printed for each of them.
pub(super) struct Watches {
    announce: Announce,
    /// Whether events are printed.
    on: Arc<AtomicBool>,
    /// Whether they are printed as JSON.
    json: bool,
    tasks: JoinSet<()>,
    set: Vec<Set>,
}

struct Set {
    path: String,
    looks: Looks,
    task: AbortHandle,
}

impl Watches {
    /// No watches yet.
    pub(super) fn new(announce: Announce, json: bool) -> Self {
        Self { announce, on: Arc::new(AtomicBool::new(true)), json, tasks: JoinSet::new(), set: Vec::new() }
    }

    /// Prints what the session goes through from now on.
    pub(super) fn add_states(&mut self, mut states: StateWatch) {
        let print = self.printer();
        self.tasks.spawn(async move {
            let mut state = states.current();
            while !state.is_final() {
                state = states.changed().await;
                print(Event::of_state(state));
            }
        });
    }

    /// Whether events are printed from now on.
    pub(super) fn print(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    /// Whether events are printed.
    pub(super) fn are_printed(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Waits for a watch that fires once.
    pub(super) fn add(&mut self, path: &str, looks: Looks, watch: OneshotWatch) {
        let print = self.printer();
        let task = self.tasks.spawn(async move {
            let event = watch.changed().await;
            if !event.kind.is_final() {
                print(Event::of_watch(&event));
            }
        });
        self.keep(path, looks, task);
    }

    /// Waits for a watch that fires again and again.
    pub(super) fn add_persistent(&mut self, path: &str, mut watch: PersistentWatch) {
        let print = self.printer();
        let task = self.tasks.spawn(async move {
            while let Some(event) = watch.next().await.filter(|event| !event.kind.is_final()) {
                print(Event::of_watch(&event));
            }
        });
        self.keep(path, Looks::Everything, task);
    }

    /// Removes watches, and prints that they were; how many there were.
    pub(super) fn remove(&mut self, path: &str, kinds: WatchKinds, state: State) -> usize {
        self.forget_fired();
        let matches = |set: &Set| {
            set.path == path
                && match kinds {
                    WatchKinds::All => true,
                    WatchKinds::Children => set.looks != Looks::Data,
                    WatchKinds::Data => set.looks != Looks::Children,
                }
        };
        let (removed, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.set).into_iter().partition(matches);
        self.set = kept;
        // The task owns the watch, and dropping a watch removes it from the server.
        let print = self.printer();
        for set in &removed {
            set.task.abort();
            let kind = match set.looks {
                Looks::Children => "ChildWatchRemoved",
                Looks::Data => "DataWatchRemoved",
                Looks::Everything => "PersistentWatchRemoved",
            };
            print(Event { state, kind, path: set.path.clone() });
        }
        removed.len()
    }

    /// Prints what has come and was not printed yet. The session must have ended.
    pub(super) async fn finish(&mut self) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_WAIT, all).await;
    }

    fn keep(&mut self, path: &str, looks: Looks, task: AbortHandle) {
        self.forget_fired();
        self.set.push(Set { path: path.to_owned(), looks, task });
    }

    fn forget_fired(&mut self) {
        self.set.retain(|set| !set.task.is_finished());
        while self.tasks.try_join_next().is_some() {}
    }

    fn printer(&self) -> impl Fn(Event) + Send + 'static {
        let (announce, on, json) = (self.announce.clone(), self.on.clone(), self.json);
        move |event| {
            if on.load(Ordering::Relaxed) {
                announce(if json { event.json() } else { event.to_string() });
            }
        }
    }
}
