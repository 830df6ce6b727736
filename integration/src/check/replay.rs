//! The transactions in their order against the model: every write of a client has one place, does there what it must, and every
//! read shows the state at the zxid of its reply. Sessions are unique and end once; their ephemerals end with them.

use std::collections::{BTreeMap, BTreeSet};

use menagerie_core::wire::txn::{Txn, TxnRecord};
use menagerie_core::wire::{ErrorCode, EventKind, Zxid};

use super::history::{Action, Answer, History, What};
use super::model::Model;
use super::{Broken, broken};

/// A request of a client: its session and its number.
pub type Asked = (i64, i32);

/// What the replay found.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Where each write stands, and how it is answered.
    pub writes: BTreeMap<Asked, (Zxid, Answer)>,
    /// What happened to each path, and when.
    pub changes: BTreeMap<String, Vec<(Zxid, EventKind)>>,
    /// When each session ended.
    pub ended: BTreeMap<i64, Zxid>,
}

#[derive(Debug)]
struct Read<'a> {
    zxid: Zxid,
    who: &'a str,
    action: &'a Action,
    answer: &'a Answer,
}

/// The requests and the answered reads of all clients.
fn gather(history: &History) -> (BTreeMap<Asked, &Action>, Vec<Read<'_>>) {
    let (mut asked, mut reads) = (BTreeMap::new(), Vec::new());
    for log in &history.clients {
        let mut session = 0;
        for step in &log.steps {
            match &step.what {
                What::Connected { session: now } => session = *now,
                What::Asked { xid, action } => {
                    asked.insert((session, *xid), action);
                }
                What::Answered { xid, zxid, answer } => match asked.get(&(session, *xid)) {
                    Some(action) if !action.is_write() && !matches!(action, Action::Sync { .. }) => {
                        reads.push(Read { zxid: *zxid, who: &log.name, action, answer });
                    }
                    _ => {}
                },
                _ => {}
            }
        }
    }
    reads.sort_by_key(|read| read.zxid);
    (asked, reads)
}

/// Replays the committed transactions.
///
/// # Errors
/// The first promise that is broken.
pub fn replay(history: &History) -> Result<Replayed, Broken> {
    let (asked, reads) = gather(history);
    let known: BTreeSet<i64> = asked.keys().map(|(session, _)| *session).collect();
    let mut replay = Replay { asked, known, ..Replay::default() };
    let mut reads = reads.into_iter().peekable();
    let mut last = Zxid::ZERO;
    for record in &history.committed {
        let zxid = record.header.zxid;
        if zxid <= last {
            return broken("one order", format!("{zxid} is committed after {last}"));
        }
        last = zxid;
        while let Some(read) = reads.next_if(|read| read.zxid < zxid) {
            check_read(&replay.model, &read)?;
        }
        replay.record(record)?;
        for (path, kind) in replay.model.take_changes() {
            replay.replayed.changes.entry(path).or_default().push((zxid, kind));
        }
    }
    reads.try_for_each(|read| check_read(&replay.model, &read))?;
    Ok(replay.replayed)
}

fn check_read(model: &Model, read: &Read<'_>) -> Result<(), Broken> {
    let Read { zxid, who, action, answer } = read;
    let expected = model.read(action);
    if expected == **answer {
        return Ok(());
    }
    broken("reads show their zxid", format!("{who}: {action:?} at {zxid} was answered {answer:?}, not {expected:?}"))
}

#[derive(Debug, Default)]
struct Replay<'a> {
    asked: BTreeMap<Asked, &'a Action>,
    /// Sessions of clients whose requests are recorded.
    known: BTreeSet<i64>,
    model: Model,
    alive: BTreeSet<i64>,
    /// The number of each session's last write.
    last_cxid: BTreeMap<i64, i32>,
    replayed: Replayed,
}

impl Replay<'_> {
    fn record(&mut self, record: &TxnRecord) -> Result<(), Broken> {
        let (zxid, session, cxid) = (record.header.zxid, record.header.client_id, record.header.cxid);
        let name = format!("session 0x{session:x}");
        match &record.txn {
            Txn::CreateSession { .. } if self.replayed.ended.contains_key(&session) => {
                return broken("sessions end once", format!("{name} is opened again by {zxid}"));
            }
            Txn::CreateSession { .. } => {
                if !self.alive.insert(session) {
                    return broken("sessions are unique", format!("{name} is opened twice, again by {zxid}"));
                }
                return Ok(());
            }
            Txn::CloseSession { .. } => return self.close(zxid, session, cxid),
            // It changes nothing, and may come from a connection that did not know yet.
            Txn::Error { err } if matches!(ErrorCode::from_i32(*err), ErrorCode::SessionMoved) => {
                self.replayed.writes.insert((session, cxid), (zxid, Answer::Error(ErrorCode::SessionMoved)));
                return Ok(());
            }
            Txn::Error { err } if matches!(ErrorCode::from_i32(*err), ErrorCode::SessionExpired) => {
                self.replayed.writes.insert((session, cxid), (zxid, Answer::Error(ErrorCode::SessionExpired)));
                return Ok(());
            }
            _ => {}
        }
        if session != 0 && !self.alive.contains(&session) && !matches!(record.txn, Txn::Error { .. }) {
            return broken("sessions end once", format!("{name}, which is not open, writes {zxid}"));
        }
        if session == 0 || !self.known.contains(&session) {
            self.model.apply(zxid, session, &record.txn);
            return Ok(());
        }
        self.take_turn(zxid, session, cxid)?;
        let Some(action) = self.asked.get(&(session, cxid)) else {
            return broken("no write of nobody", format!("{zxid} is request {cxid} of {name}, which was never made"));
        };
        let answer = self.model.write(zxid, session, action);
        let refused = match &record.txn {
            Txn::Error { err } => Some(ErrorCode::from_i32(*err)),
            _ => None,
        };
        let must_be = match &answer {
            Answer::Error(code) => Some(*code),
            _ => None,
        };
        if refused != must_be {
            let what = format!("{name}: {action:?} became {:?} at {zxid}, but is answered {answer:?}", record.txn);
            return broken("writes do what they say", what);
        }
        self.replayed.writes.insert((session, cxid), (zxid, answer));
        Ok(())
    }

    /// The writes of a session take effect in the order in which they were made, each at most once.
    fn take_turn(&mut self, zxid: Zxid, session: i64, cxid: i32) -> Result<(), Broken> {
        let before = self.last_cxid.insert(session, cxid);
        if let Some(before) = before.filter(|before| *before >= cxid) {
            let what = format!("session 0x{session:x}: request {cxid} takes effect as {zxid}, after request {before}");
            return broken("writes of a client in order, once", what);
        }
        Ok(())
    }

    fn close(&mut self, zxid: Zxid, session: i64, cxid: i32) -> Result<(), Broken> {
        self.model.close(zxid, session);
        if self.alive.remove(&session) {
            self.replayed.ended.insert(session, zxid);
        }
        if cxid != 0 && matches!(self.asked.get(&(session, cxid)), Some(Action::Close)) {
            self.replayed.writes.insert((session, cxid), (zxid, Answer::Done));
        }
        match self.model.ephemerals().find(|(_, owner)| !self.alive.contains(owner)) {
            Some((path, owner)) => broken("ephemerals end", format!("{path} outlives its session 0x{owner:x}")),
            None => Ok(()),
        }
    }
}
