//! One client's log in its own order: answers come in the order of the requests and are those of the replay, what it sees never
//! goes back, nothing is answered after the end of its session, and its watches fire once, in time.

use std::collections::{BTreeMap, VecDeque};

use menagerie_core::wire::{ErrorCode, EventKind, Zxid};

use super::history::{Action, Answer, ClientLog, What};
use super::replay::Replayed;
use super::{Broken, Summary, broken};

/// How many steps before a broken promise are told.
const TOLD: usize = 12;

/// What a watch is set on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Watched {
    Data,
    Children,
}

struct Client<'a> {
    log: &'a ClientLog,
    replayed: &'a Replayed,
    session: i64,
    in_flight: VecDeque<(i32, &'a Action)>,
    /// The highest zxid seen.
    seen: Zxid,
    /// Watches of this connection, with the zxid as of which each was set.
    watches: BTreeMap<(Watched, String), Zxid>,
}

/// Checks one client's log.
///
/// # Errors
/// The first promise that is broken.
pub fn check(log: &ClientLog, replayed: &Replayed, summary: &mut Summary) -> Result<(), Broken> {
    let (in_flight, watches) = Default::default();
    let mut client = Client { log, replayed, session: 0, in_flight, seen: Zxid::ZERO, watches };
    for (index, step) in log.steps.iter().enumerate() {
        client.step(&step.what, summary).map_err(|Broken { promise, what }| {
            let before: Vec<String> =
                log.steps[index.saturating_sub(TOLD)..=index].iter().map(|step| format!("\n  {step:?}")).collect();
            Broken { promise, what: format!("{what}; what it did and saw:{}", before.concat()) }
        })?;
    }
    Ok(())
}

impl<'a> Client<'a> {
    fn step(&mut self, what: &'a What, summary: &mut Summary) -> Result<(), Broken> {
        match what {
            What::Connected { session } => {
                self.session = *session;
                self.lost();
            }
            What::Lost | What::Refused => self.lost(),
            What::Asked { xid, action } => self.in_flight.push_back((*xid, action)),
            What::Heard { zxid } => return self.sees(*zxid),
            What::Answered { xid, zxid, answer } => return self.answered(*xid, *zxid, answer, summary),
            What::Event { zxid, kind, path } => {
                summary.events += 1;
                return self.event(*zxid, *kind, path);
            }
        }
        Ok(())
    }

    fn lost(&mut self) {
        self.in_flight.clear();
        self.watches.clear();
    }

    fn broken<T>(&self, promise: &'static str, what: &str) -> Result<T, Broken> {
        broken(promise, format!("{} (session 0x{:x}): {what}", self.log.name, self.session))
    }

    /// Something came that is as of `zxid`: everything up to it has been told.
    fn sees(&mut self, zxid: Zxid) -> Result<(), Broken> {
        if zxid < self.seen {
            let what = format!("it is shown {zxid} after {}", self.seen);
            return self.broken("a client never goes back", &what);
        }
        self.seen = zxid;
        let late = self.watches.iter().find_map(|((watched, path), since)| {
            let (at, kind) = self.first_after(*watched, path, *since)?;
            (at <= zxid).then(|| format!("it is shown {zxid} before {kind:?} of {path}, which {at} caused"))
        });
        late.map_or(Ok(()), |what| self.broken("an event comes before what shows its change", &what))
    }

    /// The first change that concerns a watch.
    fn first_after(&self, watched: Watched, path: &str, since: Zxid) -> Option<(Zxid, EventKind)> {
        let changes = self.replayed.changes.get(path)?;
        let begin = changes.partition_point(|(zxid, _)| *zxid <= since);
        let concerns = |kind: EventKind| match watched {
            Watched::Data => kind != EventKind::NodeChildrenChanged,
            Watched::Children => matches!(kind, EventKind::NodeChildrenChanged | EventKind::NodeDeleted),
        };
        changes[begin..].iter().copied().find(|(_, kind)| concerns(*kind))
    }

    fn event(&mut self, zxid: Zxid, kind: EventKind, path: &str) -> Result<(), Broken> {
        let says = (zxid != Zxid(-1)).then_some(zxid);
        let first = |watched| {
            let since = *self.watches.get(&(watched, path.to_owned()))?;
            self.first_after(watched, path, since).filter(|(at, of)| *of == kind && says.is_none_or(|says| says == *at))
        };
        let found = [Watched::Data, Watched::Children].map(|watched| first(watched).map(|(at, _)| (watched, at)));
        let Some(at) = found.iter().flatten().map(|(_, at)| *at).min() else {
            let what = format!("{kind:?} of {path} with {zxid}, for which it has no watch, or which did not happen");
            return self.broken("watches fire once", &what);
        };
        for (watched, _) in found.iter().flatten().filter(|(_, other)| *other == at) {
            self.watches.remove(&(*watched, path.to_owned()));
        }
        if at < self.seen {
            let what = format!("{kind:?} of {path}, which {at} caused, comes after {}", self.seen);
            return self.broken("an event comes before what shows its change", &what);
        }
        self.seen = at;
        Ok(())
    }

    fn answered(&mut self, xid: i32, zxid: Zxid, answer: &Answer, summary: &mut Summary) -> Result<(), Broken> {
        let Some((_, action)) = self.in_flight.pop_front_if(|(asked, _)| *asked == xid) else {
            let next = self.in_flight.front();
            return self.broken("answers in order", &format!("request {xid} is answered; the next one is {next:?}"));
        };
        self.sees(zxid)?;
        let after_end = self.replayed.ended.get(&self.session).is_some_and(|end| zxid > *end);
        if after_end && !matches!(answer, Answer::Error(ErrorCode::SessionExpired)) {
            return self.broken("sessions end once", &format!("{action:?} is answered at {zxid}, after its end"));
        }
        if action.is_write() {
            summary.writes += 1;
            return self.written(xid, zxid, action, answer);
        }
        summary.reads += usize::from(!matches!(action, Action::Sync { .. }));
        self.set_watches(zxid, action, answer);
        Ok(())
    }

    fn written(&self, xid: i32, zxid: Zxid, action: &Action, answer: &Answer) -> Result<(), Broken> {
        match self.replayed.writes.get(&(self.session, xid)) {
            Some((at, must)) if *at == zxid && must == answer => Ok(()),
            None => self.broken("acknowledged writes last", &format!("{action:?}, answered at {zxid}, is lost")),
            Some((at, must)) => {
                let what = format!("{action:?} was answered {answer:?} at {zxid}; it is {must:?} at {at}");
                self.broken("writes do what they say", &what)
            }
        }
    }

    fn set_watches(&mut self, zxid: Zxid, action: &Action, answer: &Answer) {
        let found = !matches!(answer, Answer::Error(_));
        match action {
            Action::GetData { path, watch: true } if found => self.watch(Watched::Data, path, zxid),
            Action::Exists { path, watch: true } => self.watch(Watched::Data, path, zxid),
            Action::GetChildren { path, watch: true } if found => self.watch(Watched::Children, path, zxid),
            Action::SetWatches { data, exist, child, .. } => {
                let told = if let Answer::Rewatched(told) = answer { told.as_slice() } else { &[] };
                let was_told = |path: &String, children: bool| {
                    told.iter().any(|(kind, of)| {
                        let concerns =
                            *kind == EventKind::NodeDeleted || (*kind == EventKind::NodeChildrenChanged) == children;
                        of == path && concerns
                    })
                };
                for path in data.iter().chain(exist).filter(|path| !was_told(path, false)) {
                    self.watch(Watched::Data, path, zxid);
                }
                for path in child.iter().filter(|path| !was_told(path, true)) {
                    self.watch(Watched::Children, path, zxid);
                }
            }
            _ => {}
        }
    }

    fn watch(&mut self, watched: Watched, path: &str, zxid: Zxid) {
        // One that is there already is not set anew.
        self.watches.entry((watched, path.to_owned())).or_insert(zxid);
    }
}
