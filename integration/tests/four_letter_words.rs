//! Every four-letter word against the reference in the same state: the same script of requests on both servers, then the
//! answers side by side. What counts must be equal; times, ports and session ids must have the same form. What is left out
//! or different on purpose stands in the tables below, each with its reason, and on the book's page.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use menagerie_core::jute::Encode;
use menagerie_core::wire::proto::{CreateRequest, PathRequest, SetDataRequest};
use menagerie_core::wire::{Acl, OpCode};
use menagerie_integration::raw::RawConnection;
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;
use menagerie_integration::{TestResult, four_letter, workspace};

/// Names of the reference's `mntr` that ours leaves out, by the reason.
#[rustfmt::skip]
const LEFT_OUT: &[(&str, &[&str])] = &[
    (
        "stages and caches of the Java implementation",
        &[
            "jvm_pause_time_ms", "netty_queued_buffer_capacity", "proposal_process_time", "outstanding_changes_queued",
            "outstanding_changes_removed", "dead_watchers_queued", "dead_watchers_cleared", "add_dead_watcher_stall_time",
            "dead_watchers_cleaner_latency", "response_packet_cache_hits", "response_packet_cache_misses",
            "response_packet_get_children_cache_hits", "response_packet_get_children_cache_misses",
            "requests_not_forwarded_to_commit_processor", "skip_learner_request_to_next_processor_count",
            "cnxn_closed_without_zk_server_running", "unrecoverable_error_count", "socket_closing_time",
            "request_commit_queued", "session_queues_drained", "write_commit_proc_req_queued",
            "read_commit_proc_req_queued", "commit_commit_proc_req_queued", "reads_issued_from_session_queue",
            "reads_after_write_in_session_queue", "requests_in_session_queue", "pending_session_queue_size",
            "write_commit_proc_issued", "read_commit_proc_issued",
            "time_waiting_empty_pool_in_commit_processor_read_ms", "commit_process_time",
            "write_batch_time_in_commit_processor", "concurrent_request_processing_in_commit_processor",
            "read_commitproc_time_ms", "write_commitproc_time_ms", "local_write_committed_time_ms",
            "server_write_committed_time_ms", "read_final_proc_time_ms", "write_final_proc_time_ms",
        ],
    ),
    (
        "ensembles, for which this is not counted",
        &[
            "local_sessions", "proposal_count", "looking_count", "commit_count",
            "learner_proposal_received_count", "learner_commit_received_count", "connection_revalidate_count",
            "revalidate_count", "quit_leading_due_to_disloyal_voter", "ensemble_auth_success", "ensemble_auth_fail",
            "ensemble_auth_skip", "leader_unavailable_time", "unavailable_time", "election_time", "follower_sync_time",
            "observer_sync_time", "inflight_snap_count", "inflight_diff_count", "learner_request_processor_queue_size",
            "quorum_ack_latency", "om_commit_process_time_ms", "om_proposal_process_time_ms",
            "commit_propagation_latency", "proposal_latency", "proposal_ack_creation_latency", "propagation_latency",
        ],
    ),
    (
        "TLS and HTTP administration, which this version does not have",
        &[
            "non_mtls_remote_conn_count", "non_mtls_local_conn_count", "outstanding_tls_handshake",
            "unsuccessful_handshake", "tls_handshake_exceeded", "insecure_admin_count",
        ],
    ),
    (
        "not measured apart",
        &[
            "startup_txns_load_time", "startup_snap_load_time", "close_session_prep_time", "read_per_namespace",
            "write_per_namespace",
        ],
    ),
];

/// Names whose values the script decides.
#[rustfmt::skip]
const COUNTED: &[&str] = &[
    "server_state", "ephemerals_count", "num_alive_connections", "outstanding_requests", "znode_count", "global_sessions",
    "last_client_response_size", "min_client_response_size", "max_client_response_size", "packets_received",
    "packets_sent", "connection_drop_probability", "watch_count", "auth_failed_count", "max_file_descriptor_count",
    "approximate_data_size", "watch_bytes", "throttled_ops", "stale_requests", "stale_requests_dropped",
    "large_requests_rejected", "connection_rejected", "sessionless_connections_expired", "connection_drop_count",
    "digest_mismatches_count", "bytes_received_count", "request_throttle_wait_count", "stale_replies",
    "connection_request_count", "response_bytes", "stale_sessions_expired", "cnt_connection_token_deficit",
    "sum_connection_token_deficit", "cnt_node_created_watch_count", "sum_node_created_watch_count",
    "cnt_node_deleted_watch_count", "sum_node_deleted_watch_count", "cnt_node_changed_watch_count",
    "sum_node_changed_watch_count", "max_node_changed_watch_count", "cnt_node_children_watch_count",
    "sum_node_children_watch_count", "cnt_readlatency", "cnt_updatelatency",
];

/// Keys of `envi` that are the Java runtime's.
#[rustfmt::skip]
const JAVA_ENVIRONMENT: &[&str] = &[
    "java.version", "java.vendor", "java.home", "java.class.path", "java.library.path", "java.io.tmpdir",
    "java.compiler", "os.memory.free", "os.memory.max", "os.memory.total",
];

/// What is measured: the reference may round its latencies to other numbers, never to another form.
const TIMES: &[&str] = &["est", "lresp", "llat", "minlat", "avglat", "maxlat"];

const SESSION_MS: i32 = 600_000;

#[test]
fn every_word_answers_as_the_reference_does() -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    let theirs = Scripted::start(reference)?;
    let ours = Scripted::start(Software::menagerie()?)?;
    for server in [&theirs, &ours] {
        server.settle()?;
    }
    for word in ["isro", "ruok", "wchs", "srvr", "stat", "cons", "wchp", "wchc", "dump", "conf", "dirs", "hash"] {
        assert_eq!(ours.normal(word)?, theirs.normal(word)?, "{word}");
    }
    environments(&theirs.ask("envi")?, &ours.ask("envi")?);
    monitors(&theirs.ask("mntr")?, &ours.ask("mntr")?);
    for word in ["gtmk", "stmk\0\0\0\0\0\0\0M", "gtmk", "crst", "srst", "xxxx"] {
        assert_eq!(ours.ask(word)?, theirs.ask(word)?, "{word}");
    }
    for word in ["cons", "srvr"] {
        assert_eq!(ours.normal(word)?, theirs.normal(word)?, "{word} after srst and crst");
    }
    Ok(())
}

#[test]
fn a_word_that_is_not_listed_is_refused_in_the_references_words() -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    let settings = [("4lw.commands.whitelist", "ruok, cons")];
    let (theirs, ours) =
        (Server::start_with(reference, &settings)?, Server::start_with(Software::menagerie()?, &settings)?);
    for word in ["ruok", "dump", "mntr", "stmk\0\0\0\0\0\0\0M", "isro", "crst", "xxxx"] {
        let (theirs, ours) = (four_letter::ask(theirs.port(), word)?, four_letter::ask(ours.port(), word)?);
        assert_eq!(ours, theirs, "{word}");
    }
    Ok(())
}

#[test]
fn the_book_lists_what_is_left_out() -> TestResult {
    let page = workspace::read("book/src/reference/four-letter-words.md")?;
    let names = LEFT_OUT.iter().flat_map(|(_, names)| names.iter()).chain(JAVA_ENVIRONMENT);
    let missing: Vec<_> = names.filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "the page does not name {missing:?}");
    Ok(())
}

/// A server with two sessions, after a script that touches what the words show.
struct Scripted {
    server: Server,
    sessions: [(i64, RawConnection); 2],
}

impl Scripted {
    fn start(software: Software) -> TestResult<Self> {
        // Sessions that outlive the start of the other server, however slow the machine.
        let server = Server::start_with(software, &[("maxSessionTimeout", &SESSION_MS.to_string())])?;
        // The harness has asked it until it served.
        four_letter::ask(server.port(), "srst")?;
        let [mut first, mut second] = [RawConnection::open(server.port())?, RawConnection::open(server.port())?];
        let ids = [first.open_session_for(SESSION_MS)?.session_id, second.open_session_for(SESSION_MS)?.session_id];
        let path = |path: &str, watch| PathRequest { path: path.to_owned(), watch };
        first.request(1, OpCode::Create, &create("/app", 0))?;
        first.request(2, OpCode::Create2, &create("/app/mine", 1))?;
        second.request(1, OpCode::GetData, &path("/app", true))?;
        second.request(2, OpCode::Exists, &path("/missing", true))?;
        let (refused, _) = first.request(3, OpCode::Create, &create("/no/parent", 0))?;
        assert_eq!(refused.err, -101);
        let set =
            SetDataRequest { path: "/app".to_owned(), data: Some(Bytes::from_static(b"longer data")), version: -1 };
        first.request(4, OpCode::SetData, &set)?;
        second.receive()?;
        first.request(5, OpCode::GetAcl, &path("/app", false))?;
        first.request(-2, OpCode::Ping, &Nothing)?;
        for missing in ["/app", "/missing"] {
            second.request(3, OpCode::Exists, &path(missing, true))?;
        }
        first.request(6, OpCode::GetChildren2, &path("/app", true))?;
        // Far enough for `hash` to have an entry.
        for xid in 7..130 {
            first.request(xid, OpCode::Create, &create("/app", 0))?;
        }
        let [first_id, second_id] = ids;
        Ok(Self { server, sessions: [(first_id, first), (second_id, second)] })
    }

    fn ask(&self, word: &str) -> TestResult<String> {
        Ok(four_letter::ask(self.server.port(), word)?)
    }

    /// Waits until everything that was sent is counted as sent; the reference counts a little later. A fixed number of
    /// questions, so that both servers were asked as often.
    fn settle(&self) -> TestResult {
        for _ in 0..5 {
            self.ask("ruok")?;
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Ok(())
    }

    /// The answer without what may differ: times, ports, folders, ids of sessions, and the order of a hash table.
    fn normal(&self, word: &str) -> TestResult<Vec<String>> {
        let mut text = self.ask(word)?;
        assert!(text.is_empty() || text.ends_with('\n') || ["isro", "ruok"].contains(&word), "{word}: {text:?}");
        for (number, (id, _)) in self.sessions.iter().enumerate() {
            text = text.replace(&format!("0x{id:x}"), &format!("<session {number}>"));
        }
        let home = self.server.data_dir().display().to_string();
        text = text.replace(&home, "<data>").replace(&self.server.port().to_string(), "<port>");
        let mut lines: Vec<String> = text.lines().map(|line| normal_line(word, line)).collect();
        match word {
            // Its buckets' borders fall where the clock stands.
            "dump" => lines.retain(|line| !line.is_empty()),
            "wchp" | "wchc" | "stat" | "cons" => {}
            _ => return Ok(lines),
        }
        lines.sort();
        Ok(lines)
    }
}

/// A request without a record.
struct Nothing;

impl Encode for Nothing {
    fn encode(&self, _: &mut bytes::BytesMut) {}
}

fn create(path: &str, flags: i32) -> CreateRequest {
    CreateRequest { path: path.to_owned(), data: Some(Bytes::from_static(b"data")), acl: Acl::open(), flags }
}

fn normal_line(word: &str, line: &str) -> String {
    if let Some((before, _)) = line.split_once("Zookeeper version: ") {
        return format!("{before}Zookeeper version: <version>");
    }
    if let Some(latencies) = line.strip_prefix("Latency min/avg/max: ") {
        let values: Vec<&str> = latencies.split('/').collect();
        let form = values.len() == 3 && values.iter().all(|value| value.parse::<f64>().is_ok());
        return format!("Latency: {}", if form && values[1].contains('.') { "<times>" } else { latencies });
    }
    if let Some((_, date)) = line.split_once(" expire at ") {
        // `Tue Nov 24 13:06:23 UTC 2026:`
        let words: Vec<&str> = date.split(' ').collect();
        let form = words.len() == 6 && words[3].len() == 8 && date.ends_with(':');
        return if form { String::new() } else { line.to_owned() };
    }
    if line.contains(" Sets (") {
        return line.split_once('(').map_or(line, |(name, _)| name).to_owned() + "<buckets>";
    }
    let line = without_port(line);
    match word {
        "cons" => line.split(',').map(|field| normal_field(field, ",)", TIMES)).collect::<Vec<_>>().join(","),
        "conf" => normal_field(&line, "", &["dataDirSize", "dataLogSize"]),
        "dirs" | "hash" => line.split_once(": ").map_or(line.clone(), |(key, value)| {
            let number = value.parse::<u64>().is_ok();
            format!("{key}: {}", if number { "<number>" } else { value })
        }),
        _ => line,
    }
}

/// The field without its number, if it is one of `masked`; what may close it stays.
fn normal_field(field: &str, closing: &str, masked: &[&str]) -> String {
    let Some((name, value)) = field.split_once('=').filter(|(name, _)| masked.contains(name)) else {
        return field.to_owned();
    };
    let number = value.trim_end_matches(|end| closing.contains(end));
    if number.parse::<u64>().is_err() {
        return field.to_owned();
    }
    format!("{name}=<number>{}", value.strip_prefix(number).unwrap_or_default())
}

/// Without the port of a client.
fn without_port(line: &str) -> String {
    let Some((before, rest)) = line.split_once("/127.0.0.1:") else { return line.to_owned() };
    let after = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
    format!("{before}/127.0.0.1:<client>{after}")
}

fn environments(theirs: &str, ours: &str) {
    fn pairs(text: &str) -> Vec<(&str, &str)> {
        text.lines().filter_map(|line| line.split_once('=')).collect()
    }
    let kept: Vec<_> = pairs(theirs).into_iter().filter(|(key, _)| !JAVA_ENVIRONMENT.contains(key)).collect();
    let ours_pairs = pairs(ours);
    let keys = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, _)| (*key).to_owned()).collect::<Vec<_>>();
    assert_eq!(keys(&ours_pairs), keys(&kept));
    assert_eq!(ours.lines().next(), theirs.lines().next());
    for ((key, ours), (_, theirs)) in ours_pairs.into_iter().zip(kept) {
        // How a host is named depends on who resolves it; each server has its own folder and version.
        assert!(
            ["zookeeper.version", "host.name", "user.dir"].contains(&key) || ours == theirs,
            "{key}: {ours}, {theirs}"
        );
    }
}

fn monitors(theirs: &str, ours: &str) {
    let left_out: BTreeSet<&str> = LEFT_OUT.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let is_left_out = |name: &str| {
        let part = ["avg_", "min_", "max_", "cnt_", "sum_", "p50_", "p95_", "p99_", "p999_"];
        let bare = part.iter().find_map(|part| name.strip_prefix(part)).unwrap_or(name);
        left_out.contains(bare) || bare.ends_with("_per_namespace")
    };
    let (theirs, ours) = (parsed(theirs), parsed(ours));
    let expected: Vec<&str> = theirs.iter().map(|(name, _)| *name).filter(|name| !is_left_out(name)).collect();
    let given: Vec<&str> = ours.iter().map(|(name, _)| *name).filter(|name| !name.starts_with("menagerie_")).collect();
    assert_eq!(given, expected, "names and their order");
    let (theirs, ours): (BTreeMap<_, _>, BTreeMap<_, _>) = (theirs.into_iter().collect(), ours.into_iter().collect());
    for name in COUNTED {
        assert_eq!(ours.get(name), theirs.get(name), "zk_{name}");
    }
    for (name, value) in theirs.iter().filter(|(name, _)| ours.contains_key(*name) && **name != "version") {
        let form = |value: &str| (value.parse::<f64>().is_ok(), value.contains('.'));
        assert_eq!(form(ours.get(name).copied().unwrap_or_default()), form(value), "the form of zk_{name}");
    }
}

fn parsed(answer: &str) -> Vec<(&str, &str)> {
    answer.lines().filter_map(|line| line.strip_prefix("zk_")?.split_once('\t')).collect()
}
