//! Real time: a write that was answered before another was asked for stands before it, whoever asked; and a sync shows every write
//! that was answered before it began.

use menagerie_core::wire::Zxid;

use super::history::{Action, History, What};
use super::replay::Replayed;
use super::{Broken, Summary, broken};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    /// At the same time as an answer, a request may be before or after it: it is held to the least.
    Asked(usize),
    Answered(Zxid),
}

struct Claim<'a> {
    who: &'a str,
    action: &'a Action,
    at: Zxid,
}

/// Checks the order of all clients' writes and syncs in real time.
///
/// # Errors
/// The first promise that is broken.
pub fn check(history: &History, replayed: &Replayed, summary: &mut Summary) -> Result<(), Broken> {
    let (mut moments, mut claims) = (Vec::new(), Vec::new());
    for log in &history.clients {
        let mut session = 0;
        let mut syncs = std::collections::BTreeMap::new();
        for step in &log.steps {
            match &step.what {
                What::Connected { session: now } => session = *now,
                What::Asked { xid, action: action @ Action::Sync { .. } } => {
                    syncs.insert(*xid, (step.at, action));
                }
                What::Asked { xid, action } if action.is_write() => {
                    if let Some((at, _)) = replayed.writes.get(&(session, *xid)) {
                        moments.push((step.at, Moment::Asked(claims.len())));
                        claims.push(Claim { who: &log.name, action, at: *at });
                    }
                }
                What::Answered { xid, zxid, .. } => {
                    if replayed.writes.contains_key(&(session, *xid)) {
                        moments.push((step.at, Moment::Answered(*zxid)));
                    } else if let Some((asked, action)) = syncs.remove(xid) {
                        moments.push((asked, Moment::Asked(claims.len())));
                        claims.push(Claim { who: &log.name, action, at: *zxid });
                    }
                }
                What::Lost => syncs.clear(),
                _ => {}
            }
        }
    }
    moments.sort_unstable();
    let mut answered = Zxid::ZERO;
    for (_, moment) in moments {
        match moment {
            Moment::Answered(zxid) => answered = answered.max(zxid),
            Moment::Asked(claim) => hold(&claims[claim], answered, summary)?,
        }
    }
    Ok(())
}

fn hold(claim: &Claim<'_>, answered: Zxid, summary: &mut Summary) -> Result<(), Broken> {
    let Claim { who, action, at } = claim;
    let is_sync = matches!(action, Action::Sync { .. });
    if *at > answered || (is_sync && *at == answered) {
        return Ok(());
    }
    // As in the reference, a leader answers a sync without asking whether it still leads.
    if is_sync && at.epoch() < answered.epoch() {
        summary.stale_syncs += 1;
        return Ok(());
    }
    let promise = if is_sync { "a sync shows what was answered" } else { "writes are linearizable" };
    broken(promise, format!("{who}: {action:?} stands at {at}, though {answered} was answered before it began"))
}
