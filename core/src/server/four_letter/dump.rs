//! `dump`: when sessions and connections expire, and which session has which ephemeral znodes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::super::Context;
use super::super::event_loop::Event;
use super::connections::address;
use super::date::date;

/// `None` when the server is stopping.
pub(super) async fn dump(context: &Context) -> Option<String> {
    let mut text = String::from("SessionTracker dump:\n");
    if context.mode().is_some_and(|mode| mode == "follower" || mode == "observer") {
        sessions_of_all(&mut text, context);
    } else {
        let (answer, sessions) = oneshot::channel();
        context.events.send(Event::Sessions(answer)).ok()?;
        let sessions = sessions.await.ok()?;
        let lines = |sessions: Vec<i64>| sessions.into_iter().map(|session| format!("0x{session:x}")).collect();
        let sessions = sessions.into_iter().map(|(due_ms, ids)| (due_ms, lines(ids)));
        buckets(&mut text, context, "Session", sessions.collect());
    }
    ephemerals(&mut text, context);
    text += "Connections dump:\n";
    buckets(&mut text, context, "Connections", connections(context));
    Some(text)
}

/// A learner knows of all sessions and their timeouts; when they expire only the leader knows.
fn sessions_of_all(text: &mut String, context: &Context) {
    let sessions = context.shared.sessions();
    let _ = writeln!(text, "Global Sessions({}):", sessions.len());
    for (session, timeout_ms) in sessions {
        let _ = writeln!(text, "0x{session:x}\t{timeout_ms}ms");
    }
}

/// What expires, bucket by bucket.
fn buckets(text: &mut String, context: &Context, what: &str, buckets: BTreeMap<u64, Vec<String>>) {
    let all: usize = buckets.values().map(Vec::len).sum();
    let _ = writeln!(text, "{what} Sets ({})/({all}):", buckets.len());
    let now = context.clock.now();
    for (due_ms, lines) in buckets {
        let due = now.wall_ms.saturating_add_unsigned(due_ms).saturating_sub_unsigned(now.monotonic_ms);
        let _ = writeln!(text, "{} expire at {}:", lines.len(), date(due));
        for line in lines {
            let _ = writeln!(text, "\t{line}");
        }
    }
}

fn ephemerals(text: &mut String, context: &Context) {
    let tree = context.shared.tree();
    let sessions: Vec<i64> = tree.sessions_with_ephemerals().collect();
    let _ = writeln!(text, "ephemeral nodes dump:\nSessions with Ephemerals ({}):", sessions.len());
    for session in sessions {
        let _ = writeln!(text, "0x{session:x}:");
        for path in tree.ephemerals(session) {
            let _ = writeln!(text, "\t{path}");
        }
    }
}

/// The connections by when they are given up if nothing is heard of them: with their session, or, without one, after
/// `nio.sessionlessCnxnTimeout`, whose multiples are the buckets' ends.
fn connections(context: &Context) -> BTreeMap<u64, Vec<String>> {
    let patience_ms = u64::from(context.config.sessionless_cnxn_timeout_ms).max(1);
    let mut buckets: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for handle in context.registry.all() {
        let session = handle.session.load(Ordering::Relaxed);
        let timeout_ms = if session == 0 { patience_ms } else { handle.timeout_ms.load(Ordering::Relaxed) };
        let due_ms = handle.heard_ms.load(Ordering::Relaxed) + timeout_ms;
        let line = format!("ip: {} sessionId: 0x{session:x}", address(&handle));
        buckets.entry((due_ms / patience_ms + 1) * patience_ms).or_default().push(line);
    }
    buckets
}
