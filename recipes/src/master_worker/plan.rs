//! What a master should do next, from what it sees. Pure: it never knows the client, and nothing it says is done yet.

use super::record::WorkerRecord;
use super::strategy::{Candidate, Strategy};

/// A worker that is registered and has its letter box.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) name: String,
    pub(super) record: WorkerRecord,
    /// How many assignments are in its letter box.
    pub(super) load: usize,
}

/// A task that needs a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) task: String,
    pub(super) kind: String,
    /// The worker that died with it, if one did.
    pub(super) orphan_of: Option<String>,
}

/// One multi to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Transition {
    /// Give a task to a worker.
    Assign { task: String, to: String },
    /// Give a dead worker's task to another.
    Reassign { task: String, from: String, to: String },
    /// Forget an assignment whose task is gone.
    Forget { task: String, from: String },
    /// Remove the empty letter box of a worker that left.
    Clear { worker: String },
}

/// Gives each task to a worker while there are free slots, in the order given. Tasks that no worker can take stay as they are.
pub(super) fn plan(waiting: Vec<Waiting>, desks: &mut [Desk], strategy: &mut dyn Strategy) -> Vec<Transition> {
    let mut transitions = Vec::new();
    for Waiting { task, kind, orphan_of } in waiting {
        let free: Vec<usize> = (0..desks.len())
            .filter(|&index| desks[index].load < desks[index].record.slots && desks[index].record.can_do(&kind))
            .collect();
        let candidates: Vec<_> = free
            .iter()
            .map(|&index| &desks[index])
            .map(|desk| Candidate { name: &desk.name, load: desk.load, slots: desk.record.slots })
            .collect();
        if candidates.is_empty() {
            continue;
        }
        let chosen = strategy.choose(&task, &candidates);
        let Some(&index) = free.get(chosen) else { continue };
        desks[index].load += 1;
        let to = desks[index].name.clone();
        transitions.push(match orphan_of {
            None => Transition::Assign { task, to },
            Some(from) => Transition::Reassign { task, from, to },
        });
    }
    transitions
}

#[cfg(test)]
mod tests {
    use super::super::strategy::{LeastLoaded, RoundRobin};
    use super::*;

    fn desk(name: &str, slots: usize, load: usize, kinds: &[&str]) -> Desk {
        let kinds = (!kinds.is_empty()).then(|| kinds.iter().map(|kind| (*kind).to_owned()).collect());
        Desk { name: name.into(), record: WorkerRecord { slots, kinds }, load }
    }

    fn task(name: &str, kind: &str, orphan_of: Option<&str>) -> Waiting {
        Waiting { task: name.into(), kind: kind.into(), orphan_of: orphan_of.map(str::to_owned) }
    }

    fn assign(task: &str, to: &str) -> Transition {
        Transition::Assign { task: task.into(), to: to.into() }
    }

    #[test]
    fn no_worker_gets_more_than_its_slots() {
        let mut desks = [desk("a", 1, 0, &[]), desk("b", 2, 1, &[])];
        let waiting = ["t1", "t2", "t3"].map(|name| task(name, "k", None)).to_vec();
        let transitions = plan(waiting, &mut desks, &mut RoundRobin::default());
        assert_eq!(transitions, [assign("t1", "a"), assign("t2", "b")]);
    }

    #[test]
    fn a_task_waits_for_a_worker_of_its_kind_and_holds_nobody_up() {
        let mut desks = [desk("a", 1, 0, &["print"])];
        let waiting = vec![task("t1", "scan", None), task("t2", "print", None)];
        assert_eq!(plan(waiting, &mut desks, &mut LeastLoaded), [assign("t2", "a")]);
    }

    #[test]
    fn an_orphan_moves_in_one_step() {
        let mut desks = [desk("b", 1, 0, &[])];
        let transitions = plan(vec![task("t1", "k", Some("a"))], &mut desks, &mut LeastLoaded);
        assert_eq!(transitions, [Transition::Reassign { task: "t1".into(), from: "a".into(), to: "b".into() }]);
    }
}
