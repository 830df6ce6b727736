//! Reads a script, plays it against one member, and compares.

mod words;

use std::fmt::Write as _;
use std::path::PathBuf;

use bytes::Bytes;
use menagerie_core::wire::Zxid;
use menagerie_core::wire::ensemble::Ensemble;
use menagerie_core::zab::{Config, Entry, Epochs, Input, Output, Peer, RecentLog, Recovered};

use words::{Words, input, zxid};

/// How many transactions a member of a script keeps in memory.
const WINDOW: usize = 3;

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/zab")
}

pub(crate) fn play(name: &str) {
    let file = folder().join(format!("{name}.txt"));
    let script = std::fs::read_to_string(&file).unwrap();
    let played = played(&script);
    if std::env::var_os("MENAGERIE_BLESS").is_some() {
        std::fs::write(&file, &played).unwrap();
    }
    assert!(played == script, "{name} does not play as written; it plays so:\n{played}");
}

/// The script with the outputs that the member really has.
fn played(script: &str) -> String {
    let mut out = String::new();
    let mut peer: Option<Peer> = None;
    let mut last_ticket = 0;
    for line in script.lines().filter(|line| !line.starts_with("< ")) {
        writeln!(out, "{line}").unwrap();
        if let Some(member) = line.strip_prefix("member ") {
            peer = Some(member_of(member));
        } else if let Some(happens) = line.strip_prefix("> ") {
            let peer = peer.as_mut().unwrap();
            happen(peer, happens, last_ticket, &mut out);
        }
        while let Some(output) = peer.as_mut().and_then(Peer::poll_output) {
            if let Output::Persist { ticket, .. } = output {
                last_ticket = ticket;
            }
            writeln!(out, "< {}", words::output(&output)).unwrap();
        }
    }
    out
}

fn happen(peer: &mut Peer, line: &str, last_ticket: u64, out: &mut String) {
    let mut words = Words::new(line);
    let now_ms = words.number();
    match words.next() {
        "propose" => {
            if let Err(why) = peer.propose(now_ms, &Bytes::from(words.next().to_owned())) {
                writeln!(out, "< refused: {why}").unwrap();
            }
        }
        "persisted" => peer.handle(now_ms, Input::Persisted { through: last_ticket }),
        word => peer.handle(now_ms, input(word, &mut words)),
    }
}

/// With `changing`, members can change; with `forced`, all learners are sent a snapshot; with `reading`, the log on disk can be read. `limits 1 2` is how many snapshots
/// and how many other syncs there may be at once.
/// `2 voters 1 2 3 observers 4 epochs 1 1 log 1:0 1:1 1:2`: accepted and current epoch; where the window begins, and what it has.
fn member_of(line: &str) -> Peer {
    let mut words = Words::new(line);
    let id = words.number() as i64;
    let mut ensemble = String::new();
    let (mut epochs, mut log, mut limits, mut section) = (Vec::new(), Vec::new(), vec![10, 100], "");
    let (mut changing, mut forced, mut reading) = (false, false, false);
    while let Some(word) = words.more() {
        match (section, word) {
            (_, "changing") => changing = true,
            (_, "forced") => forced = true,
            (_, "reading") => reading = true,
            (_, "voters" | "observers" | "epochs" | "log") => section = word,
            (_, "limits") => (limits, section) = (Vec::new(), word),
            ("limits", limit) => limits.push(limit.parse().unwrap()),
            ("voters", voter) => writeln!(ensemble, "server.{voter}=host{voter}:1:2").unwrap(),
            ("observers", observer) => writeln!(ensemble, "server.{observer}=host{observer}:1:2:observer").unwrap(),
            ("epochs", epoch) => epochs.push(epoch.parse().unwrap()),
            _ => log.push(zxid(word)),
        }
    }
    let config = Config {
        tick_ms: 100,
        init_limit: 10,
        sync_limit: 5,
        window_entries: WINDOW,
        reads_history: reading,
        force_snapshot_sync: forced,
        snapshot_syncs_at_most: limits[0],
        diff_syncs_at_most: limits[1],
        read_members: changing.then_some(words::members),
        ..Config::new(id, ensemble.parse::<Ensemble>().unwrap())
    };
    let entry = |zxid: &Zxid| Entry { zxid: *zxid, payload: Bytes::from_static(b"old") };
    let entries = log[1..].iter().map(entry).collect();
    let log = RecentLog::new(log[0], entries, WINDOW, usize::MAX);
    let recovered = Recovered { epochs: Epochs::new(epochs[0], epochs[1]).unwrap(), log };
    Peer::new(config, recovered, 0).unwrap()
}
