//! Four-letter words: four ASCII bytes as the first thing on a connection, answered by text (protocol §3.1).

use std::fmt::Write;
use std::sync::atomic::Ordering;

use super::connection::display;
use super::{Context, VERSION};

/// The answer to a word, or `None` when there is no such word: the connection is then closed without a byte.
pub(super) fn answer(context: &Context, word: [u8; 4]) -> Option<String> {
    let word = std::str::from_utf8(&word).ok()?;
    let answer: fn(&Context) -> String = match word {
        "ruok" => |_| "imok".to_owned(),
        "srvr" => srvr,
        "stat" => stat,
        "mntr" => mntr,
        "conf" => conf,
        "cons" => cons,
        "isro" => |_| "rw".to_owned(),
        "wchs" => wchs,
        "wchp" => wchp,
        "wchc" => wchc,
        _ => return None,
    };
    // Where read-only mode is on, clients ask this before they connect.
    let asked_by_clients = word == "isro" && context.config.read_only_mode_enabled;
    if asked_by_clients || context.config.four_letter_words.allows(word) {
        Some(answer(context))
    } else {
        Some(format!("{word} is not executed because it is not in the whitelist.\n"))
    }
}

fn srvr(context: &Context) -> String {
    format!("Zookeeper version: {VERSION}\n{}", server_lines(context))
}

fn stat(context: &Context) -> String {
    let mut text = format!("Zookeeper version: {VERSION}\nClients:\n");
    for handle in context.registry.all() {
        let (received, sent) = (handle.received.load(Ordering::Relaxed), handle.sent.load(Ordering::Relaxed));
        let _ =
            writeln!(text, " {}[1](queued={},recved={received},sent={sent})", display(&handle.remote), handle.queued());
    }
    text + "\n" + &server_lines(context)
}

fn cons(context: &Context) -> String {
    let mut text = String::new();
    for handle in context.registry.all() {
        let (received, sent) = (handle.received.load(Ordering::Relaxed), handle.sent.load(Ordering::Relaxed));
        let _ =
            write!(text, " {}[1](queued={},recved={received},sent={sent}", display(&handle.remote), handle.queued());
        let session = handle.session.load(Ordering::Relaxed);
        if session != 0 {
            let _ = write!(text, ",sid=0x{session:x}");
        }
        text += ")\n";
    }
    text + "\n"
}

fn server_lines(context: &Context) -> String {
    let latency = context.stats.latency();
    let tree = context.shared.tree();
    format!(
        "Latency min/avg/max: {}/{:?}/{}\nReceived: {}\nSent: {}\nConnections: {}\nOutstanding: {}\nZxid: {}\n\
         Mode: standalone\nNode count: {}\n",
        latency.min,
        latency.average,
        latency.max,
        context.stats.received(),
        context.stats.sent(),
        context.registry.len(),
        context.outstanding.load(Ordering::Relaxed),
        tree.last_zxid(),
        node_count(tree.len()),
    )
}

fn mntr(context: &Context) -> String {
    let latency = context.stats.latency();
    let watch_count = context.shared.watches().len();
    let tree = context.shared.tree();
    let values = [
        ("version", VERSION.to_owned()),
        ("server_state", "standalone".to_owned()),
        ("avg_latency", format!("{:?}", latency.average)),
        ("max_latency", latency.max.to_string()),
        ("min_latency", latency.min.to_string()),
        ("packets_received", context.stats.received().to_string()),
        ("packets_sent", context.stats.sent().to_string()),
        ("num_alive_connections", context.registry.len().to_string()),
        ("outstanding_requests", context.outstanding.load(Ordering::Relaxed).to_string()),
        ("znode_count", node_count(tree.len()).to_string()),
        ("watch_count", watch_count.to_string()),
        ("ephemerals_count", tree.ephemeral_count().to_string()),
        ("approximate_data_size", tree.approximate_data_size().to_string()),
        ("global_sessions", context.shared.sessions().len().to_string()),
        ("uptime", context.clock.monotonic_ms().to_string()),
    ];
    values.into_iter().chain(file_descriptors()).fold(String::new(), |mut text, (key, value)| {
        let _ = writeln!(text, "zk_{key}\t{value}");
        text
    })
}

/// Open files and how many there may be, as Linux tells them; nothing where it does not.
fn file_descriptors() -> Vec<(&'static str, String)> {
    let open = std::fs::read_dir("/proc/self/fd").map(|entries| entries.count().to_string());
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let most = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
    let open = open.ok().map(|open| ("open_file_descriptor_count", open));
    open.into_iter().chain(most.map(|most| ("max_file_descriptor_count", most.to_owned()))).collect()
}

fn conf(context: &Context) -> String {
    let config = &context.config;
    format!(
        "clientPort={}\nsecureClientPort=-1\ndataDir={}\ndataDirSize={}\ndataLogDir={}\ndataLogSize={}\ntickTime={}\n\
         maxClientCnxns={}\nminSessionTimeout={}\nmaxSessionTimeout={}\nclientPortListenBacklog={}\nserverId={}\n",
        context.address.port(),
        context.snapshot_dir.display(),
        directory_size(&context.snapshot_dir),
        context.log_dir.display(),
        directory_size(&context.log_dir),
        config.tick_time_ms,
        config.max_client_cnxns,
        config.min_session_timeout_ms,
        config.max_session_timeout_ms,
        config.client_port_listen_backlog.map_or(-1, i64::from),
        config.server_id.unwrap_or(0),
    )
}

fn wchs(context: &Context) -> String {
    let table = context.shared.watches();
    let (mut paths, mut total, mut watchers) = (0, 0, std::collections::BTreeSet::new());
    for (_, of_path) in table.data_watches() {
        paths += 1;
        for watcher in of_path {
            total += 1;
            watchers.insert(watcher);
        }
    }
    format!("{} connections watching {paths} paths\nTotal watches:{total}\n", watchers.len())
}

fn wchp(context: &Context) -> String {
    let mut text = String::new();
    for (path, watchers) in context.shared.watches().data_watches() {
        let _ = writeln!(text, "{path}");
        for session in watchers.filter_map(|watcher| session_of(context, watcher)) {
            let _ = writeln!(text, "\t0x{session:x}");
        }
    }
    text + "\n"
}

fn wchc(context: &Context) -> String {
    let mut by_session: std::collections::BTreeMap<i64, Vec<String>> = std::collections::BTreeMap::new();
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

/// The reference keeps the root under two names and counts both.
fn node_count(nodes: usize) -> usize {
    nodes + 1
}

fn directory_size(directory: &std::path::Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|metadata| metadata.len()).sum()
}
