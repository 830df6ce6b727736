//! What a master sees of the tree, read again only where a watch says so. It never knows what the master makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::task::{Context, Poll};

use futures_util::future::{join_all, try_join_all, try_join3};
use menagerie_core::client::{Client, Error};
use tracing::warn;

use crate::directory::Directory;
use crate::error::is_session_over;
use crate::retry::{reread, until_answered};

use super::layout::Layout;
use super::plan::{Desk, Transition, Waiting};
use super::record::{TaskRecord, WorkerRecord};

/// The tasks, the workers and who has what, as last read.
#[derive(Debug)]
pub(super) struct View {
    client: Client,
    layout: Layout,
    tasks: Directory,
    workers: Directory,
    assign: Directory,
    records: BTreeMap<String, WorkerRecord>,
    boxes: BTreeMap<String, Directory>,
    known: BTreeMap<String, Known>,
    /// The tasks of which it was told that they cannot be read.
    unreadable: BTreeSet<String>,
}

/// What is known of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Known {
    /// It waits to be assigned.
    Waiting { kind: String },
    /// It was seen in a letter box; what became of it must be read when it is no longer there. The kind is read when it is needed.
    Assigned { kind: Option<String> },
    /// It has its status, and waits to be collected.
    Done,
}

impl View {
    pub(super) fn new(client: Client, layout: Layout) -> Self {
        View {
            tasks: Directory::new(layout.tasks()),
            workers: Directory::new(layout.workers()),
            assign: Directory::new(layout.assign()),
            records: BTreeMap::new(),
            boxes: BTreeMap::new(),
            known: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            client,
            layout,
        }
    }

    /// Reads what may have changed.
    pub(super) async fn refresh(&mut self) -> Result<(), Error> {
        let client = &self.client;
        let (_, workers_read, _) =
            try_join3(self.tasks.refresh(client), self.workers.refresh(client), self.assign.refresh(client)).await?;
        if workers_read {
            self.read_records().await?;
        }
        self.refresh_boxes().await?;
        self.learn().await
    }

    /// Ready when something may have changed since the last [`View::refresh`].
    pub(super) fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let directories =
            [&mut self.tasks, &mut self.workers, &mut self.assign].into_iter().chain(self.boxes.values_mut());
        // All are polled, so that all can wake the task.
        let changed =
            directories.filter_map(|directory| directory.poll_changed(context).is_ready().then_some(())).count();
        if changed > 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    /// The names of the registered workers.
    pub(super) fn workers(&self) -> BTreeSet<String> {
        self.records.keys().cloned().collect()
    }

    /// How many assignments are in a worker's letter box.
    pub(super) fn load(&self, worker: &str) -> usize {
        self.boxes.get(worker).map_or(0, |letter_box| letter_box.names().len())
    }

    /// The workers that can be given something.
    pub(super) fn desks(&self) -> Vec<Desk> {
        let desk = |(name, record): (&String, &WorkerRecord)| {
            let load = self.boxes.get(name)?.names().len();
            Some(Desk { name: name.clone(), record: record.clone(), load })
        };
        self.records.iter().filter_map(desk).collect()
    }

    /// The tasks that need a worker: first those whose worker died, then those nobody has had; each in the order of their numbers.
    pub(super) fn waiting(&self) -> Vec<Waiting> {
        let orphans = self.orphans().filter_map(|(worker, task)| match self.known.get(task) {
            Some(Known::Assigned { kind: Some(kind) }) => {
                Some(Waiting { task: task.clone(), kind: kind.clone(), orphan_of: Some(worker.clone()) })
            }
            _ => None,
        });
        let fresh = self.known.iter().filter_map(|(task, known)| match known {
            Known::Waiting { kind } => Some(Waiting { task: task.clone(), kind: kind.clone(), orphan_of: None }),
            _ => None,
        });
        orphans.chain(fresh).collect()
    }

    /// What is left over: assignments of workers that are gone to tasks that are gone, and their empty letter boxes.
    pub(super) fn leftovers(&self) -> Vec<Transition> {
        let stale = self.orphans().filter(|(_, task)| !self.tasks.contains(task));
        let forget = stale.map(|(worker, task)| Transition::Forget { task: task.clone(), from: worker.clone() });
        let empty = self.boxes.iter().filter(|(worker, letter_box)| {
            letter_box.names().is_empty() && !self.records.contains_key(worker.as_str())
        });
        let clear = empty.map(|(worker, _)| Transition::Clear { worker: worker.clone() });
        forget.chain(clear).collect()
    }

    /// Counts what a transition has changed, before the watches tell of it.
    pub(super) fn applied(&mut self, transition: &Transition) {
        let (Transition::Assign { task, to } | Transition::Reassign { task, to, .. }) = transition else { return };
        if let Some(letter_box) = self.boxes.get_mut(to) {
            letter_box.expect(task);
        }
        self.known.insert(task.clone(), Known::Assigned { kind: None });
    }

    /// Counts nothing as known of what a transition touches: it was refused, so something there is not as it was read.
    pub(super) fn doubt(&mut self, transition: &Transition) {
        self.workers.doubt();
        self.assign.doubt();
        self.tasks.doubt();
        let (task, boxes) = match transition {
            Transition::Assign { task, to } => (Some(task), vec![to]),
            Transition::Reassign { task, from, to } => (Some(task), vec![from, to]),
            Transition::Forget { from: worker, .. } | Transition::Clear { worker } => (None, vec![worker]),
        };
        if let Some(task) = task {
            self.known.remove(task);
        }
        for worker in boxes {
            if let Some(letter_box) = self.boxes.get_mut(worker) {
                letter_box.doubt();
            }
        }
    }

    /// Makes the next [`View::refresh`] read all of them. When it is not known what became of a transition, no letter box may be older than
    /// another: a task that has moved from one to the other would be seen in neither, and given to a third worker.
    pub(super) fn doubt_all(&mut self) {
        let directories =
            [&mut self.tasks, &mut self.workers, &mut self.assign].into_iter().chain(self.boxes.values_mut());
        directories.for_each(Directory::doubt);
    }

    /// The assignments of workers that are not there, as (worker, task).
    fn orphans(&self) -> impl Iterator<Item = (&String, &String)> {
        let absent = self.boxes.iter().filter(|(worker, _)| !self.records.contains_key(worker.as_str()));
        absent.flat_map(|(worker, letter_box)| letter_box.names().iter().map(move |task| (worker, task)))
    }

    async fn read_records(&mut self) -> Result<(), Error> {
        let reads: Vec<_> = self
            .workers
            .names()
            .iter()
            .map(|worker| (worker, self.layout.worker(worker)))
            .map(|(worker, path)| (worker, self.client.get_data(&path), path))
            .collect();
        let mut records = BTreeMap::new();
        for (worker, read, path) in reads {
            match reread(read, || self.client.get_data(&path)).await {
                Ok((data, _)) => {
                    records.insert(worker.clone(), WorkerRecord::decode(&data));
                }
                Err(error) if error.is_no_node() => {}
                Err(error) if is_session_over(&error) => return Err(error),
                // It is there, so what it has stays its own; but what it can do is not known.
                Err(error) => {
                    warn!(worker, %error, "a worker cannot be read, and gets nothing");
                    records.insert(worker.clone(), WorkerRecord { slots: 0, kinds: None });
                }
            }
        }
        self.records = records;
        Ok(())
    }

    async fn refresh_boxes(&mut self) -> Result<(), Error> {
        self.boxes.retain(|worker, _| self.assign.contains(worker));
        for worker in self.assign.names() {
            let letter_box = || Directory::new(self.layout.letter_box(worker));
            self.boxes.entry(worker.clone()).or_insert_with(letter_box);
        }
        let client = &self.client;
        let refreshes =
            self.boxes.iter_mut().map(async |(worker, letter_box)| match letter_box.refresh(client).await {
                Err(error) if error.is_no_node() => Ok(Some(worker.clone())),
                outcome => outcome.map(|_| None),
            });
        let gone: Vec<_> = try_join_all(refreshes).await?.into_iter().flatten().collect();
        for worker in gone {
            self.boxes.remove(&worker);
        }
        Ok(())
    }

    /// Finds out where the tasks stand of which that is not known.
    async fn learn(&mut self) -> Result<(), Error> {
        let assigned: BTreeSet<&String> = self.boxes.values().flat_map(Directory::names).collect();
        self.known.retain(|task, _| self.tasks.contains(task));
        self.unreadable.retain(|task| self.tasks.contains(task));
        let mut unknown = Vec::new();
        for task in self.tasks.names() {
            match (self.known.get(task), assigned.contains(task)) {
                (Some(Known::Assigned { .. }), true) | (Some(Known::Waiting { .. } | Known::Done), false) => {}
                (_, true) => {
                    self.known.insert(task.clone(), Known::Assigned { kind: None });
                }
                (_, false) => unknown.push(task.clone()),
            }
        }
        self.resolve(unknown).await?;
        let needs_kind = |task: &&String| self.known.get(*task) == Some(&Known::Assigned { kind: None });
        let orphans: Vec<_> = self.orphans().map(|(_, task)| task).filter(needs_kind).cloned().collect();
        for (task, kind) in self.read_kinds(orphans).await? {
            self.known.insert(task, Known::Assigned { kind: Some(kind) });
        }
        Ok(())
    }

    /// Reads of tasks that are in no letter box whether they have their status, or wait.
    async fn resolve(&mut self, tasks: Vec<String>) -> Result<(), Error> {
        let statuses: Vec<_> = tasks
            .into_iter()
            .map(|task| (self.layout.status(&task), task))
            .map(|(path, task)| (self.client.exists(&path), path, task))
            .collect();
        let mut waiting = Vec::new();
        for (read, path, task) in statuses {
            if reread(read, || self.client.exists(&path)).await?.is_some() {
                self.known.insert(task, Known::Done);
            } else {
                waiting.push(task);
            }
        }
        for (task, kind) in self.read_kinds(waiting).await? {
            self.known.insert(task, Known::Waiting { kind });
        }
        Ok(())
    }

    /// The kinds of those of the tasks that still exist, and can be read. The others are asked for again at the next look.
    async fn read_kinds(&mut self, tasks: Vec<String>) -> Result<Vec<(String, String)>, Error> {
        let (client, layout) = (&self.client, &self.layout);
        let reads = tasks.into_iter().map(async |task| {
            let path = layout.task(&task);
            (until_answered(|| client.get_data(&path)).await, task)
        });
        let mut kinds = Vec::new();
        for (read, task) in join_all(reads).await {
            match read {
                Ok((data, _)) => kinds.push((task, TaskRecord::decode(&data).kind)),
                Err(error) if error.is_no_node() => {}
                Err(error) if is_session_over(&error) => return Err(error),
                Err(error) => {
                    if self.unreadable.insert(task.clone()) {
                        warn!(task, %error, "a task cannot be read, and is left out");
                    }
                }
            }
        }
        Ok(kinds)
    }
}
