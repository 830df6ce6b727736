//! `wchs`, `wchp` and `wchc`: who watches what. As in the reference, only the table of data watches is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::atomic::Ordering;

use super::super::Context;

pub(super) fn wchs(context: &Context) -> String {
    let table = context.shared.watches();
    let (mut paths, mut total, mut watchers) = (0, 0, BTreeSet::new());
    for (_, of_path) in table.data_watches() {
        paths += 1;
        for watcher in of_path {
            total += 1;
            watchers.insert(watcher);
        }
    }
    format!("{} connections watching {paths} paths\nTotal watches:{total}\n", watchers.len())
}

pub(super) fn wchp(context: &Context) -> String {
    let mut text = String::new();
    for (path, watchers) in context.shared.watches().data_watches() {
        let _ = writeln!(text, "{path}");
        for session in watchers.filter_map(|watcher| session_of(context, watcher)) {
            let _ = writeln!(text, "\t0x{session:x}");
        }
    }
    text + "\n"
}

pub(super) fn wchc(context: &Context) -> String {
    let mut by_session: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for (path, watchers) in context.shared.watches().data_watches() {
        for session in watchers.filter_map(|watcher| session_of(context, watcher)) {
            by_session.entry(session).or_default().push(path.to_owned());
        }
    }
    let mut text = String::new();
    for (session, paths) in by_session {
        let _ = writeln!(text, "0x{session:x}");
        for path in paths {
            let _ = writeln!(text, "\t{path}");
        }
    }
    text + "\n"
}

fn session_of(context: &Context, watcher: u64) -> Option<i64> {
    context.registry.get(watcher).map(|handle| handle.session.load(Ordering::Relaxed))
}
