//! Properties of tree and storage over random histories: the tree against a naive model, fuzzy snapshots against the exact
//! tree, any crash against what was acknowledged, any bytes against a panic.
#![cfg(feature = "replica")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod storage_support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use menagerie_core::storage::{
    self, Disk, LogIterator, LogOptions, MemDisk, RecoverOptions, Recovered, TxnLog, recover, snapshot,
};
use menagerie_core::tree::{DataTree, NodeKind, SnapshotCursor, node_digest};
use menagerie_core::wire::txn::{CreateTxn, Txn, TxnRecord};
use menagerie_core::wire::{Acl, StatPersisted, Zxid};
use proptest::collection::vec;
use proptest::prelude::*;
use storage_support::{Dumped, History, Step, dump};

const DIR: &str = "/data";
const OPTIONS: LogOptions = LogOptions { pre_alloc_bytes: 1024, force_sync: true, max_entry_bytes: 1 << 20 };

fn data() -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::of(vec(any::<u8>(), 0..20))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<usize>(), any::<u8>(), any::<u8>(), data(), any::<u8>())
            .prop_map(|(parent, name, kind, data, acl)| Step::Create { parent, name, kind, data, acl }),
        3 => any::<usize>().prop_map(|node| Step::Delete { node }),
        3 => (any::<usize>(), data()).prop_map(|(node, data)| Step::Set { node, data }),
        1 => (any::<usize>(), any::<u8>()).prop_map(|(node, acl)| Step::SetAcl { node, acl }),
        1 => (any::<usize>(), any::<u8>(), any::<bool>())
            .prop_map(|(parent, name, failing)| Step::Multi { parent, name, failing }),
        1 => (0u8..4).prop_map(|session| Step::OpenSession { session }),
        1 => (0u8..4).prop_map(|session| Step::CloseSession { session }),
    ]
}

/// The rules of protocol §6.4 in the plainest form: a map of paths, no index, no cached sums.
#[derive(Default)]
struct Model(BTreeMap<String, ModelNode>);

type ModelNode = (Option<Vec<u8>>, Vec<Acl>, StatPersisted);

impl Model {
    fn of(tree: &DataTree) -> Self {
        let nodes = dump(tree).into_iter().map(|(path, (data, acl, stat, _))| (path, (data, acl, stat)));
        Model(nodes.collect())
    }

    fn apply(&mut self, record: &TxnRecord) {
        match &record.txn {
            Txn::Multi(txns) if txns.iter().any(|txn| matches!(txn, Txn::Error { .. })) => {}
            Txn::Multi(txns) => txns.iter().for_each(|txn| self.single(record, txn)),
            Txn::CloseSession { .. } => {
                let owner = record.header.client_id;
                let owned = self.0.iter().filter(|(_, (_, _, stat))| stat.ephemeral_owner == owner);
                for path in owned.map(|(path, _)| path.clone()).collect::<Vec<_>>() {
                    self.delete(&path, record.header.zxid);
                }
            }
            txn => self.single(record, txn),
        }
    }

    fn single(&mut self, record: &TxnRecord, txn: &Txn) {
        let (zxid, time) = (record.header.zxid, record.header.time_ms);
        match txn {
            Txn::Create(_, create) => {
                let owner = if create.ephemeral { record.header.client_id } else { 0 };
                self.create(create, owner, zxid, time);
            }
            Txn::CreateContainer(create) => self.create(create, i64::MIN, zxid, time),
            Txn::CreateTtl(create, ms) => self.create(create, (0xff << 56) | ms, zxid, time),
            Txn::Delete { path } => self.delete(path, zxid),
            Txn::SetData { path, data, version } => {
                let node = self.0.get_mut(path).unwrap();
                node.0 = data.as_deref().map(<[u8]>::to_vec);
                (node.2.version, node.2.mzxid, node.2.mtime) = (*version, zxid, time);
            }
            Txn::SetAcl { path, acl, version } => {
                let node = self.0.get_mut(path).unwrap();
                node.1.clone_from(acl);
                node.2.aversion = *version;
            }
            _ => {}
        }
    }

    fn create(&mut self, create: &CreateTxn, owner: i64, zxid: Zxid, time: i64) {
        let parent = self.0.get_mut(parent(&create.path)).unwrap();
        (parent.2.cversion, parent.2.pzxid) = (create.parent_cversion, zxid);
        let stat = StatPersisted {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time,
            mtime: time,
            ephemeral_owner: owner,
            ..StatPersisted::default()
        };
        let data = create.data.as_deref().map(<[u8]>::to_vec);
        self.0.insert(create.path.clone(), (data, create.acl.clone(), stat));
    }

    fn delete(&mut self, path: &str, zxid: Zxid) {
        self.0.remove(path).unwrap();
        self.0.get_mut(parent(path)).unwrap().2.pzxid = zxid;
    }

    fn dump(&self) -> BTreeMap<String, Dumped> {
        let children = |of: &str| -> Vec<String> {
            let below = self.0.keys().filter(|path| *path != "/" && parent(path) == of);
            below.map(|path| path[path.rfind('/').unwrap() + 1..].to_owned()).collect()
        };
        let nodes = self.0.iter();
        nodes
            .map(|(path, (data, acl, stat))| (path.clone(), (data.clone(), acl.clone(), stat.clone(), children(path))))
            .collect()
    }

    fn digest(&self) -> u64 {
        let digests = self.0.iter().map(|(path, (data, _, stat))| node_digest(path, data.as_deref(), stat));
        digests.fold(0, u64::wrapping_add)
    }
}

fn parent(path: &str) -> &str {
    match path.rfind('/').unwrap() {
        0 => "/",
        slash => &path[..slash],
    }
}

fn check_against_model(tree: &DataTree, model: &Model) {
    let nodes = dump(tree);
    assert_eq!(nodes, model.dump());
    assert_eq!(tree.digest(), model.digest());
    let size: usize = nodes.iter().map(|(path, node)| path.len() + node.0.as_ref().map_or(0, Vec::len)).sum();
    assert_eq!(tree.approximate_data_size(), size as u64);
    let of_kind = |wanted: fn(NodeKind) -> bool| -> Vec<&str> {
        let paths = nodes.iter().filter(|(_, node)| wanted(NodeKind::of_owner(node.2.ephemeral_owner)));
        paths.map(|(path, _)| path.as_str()).collect()
    };
    let sorted = |paths: &mut dyn Iterator<Item = &str>| {
        let mut paths: Vec<String> = paths.map(str::to_owned).collect();
        paths.sort();
        paths
    };
    assert_eq!(sorted(&mut tree.containers()), of_kind(|kind| kind == NodeKind::Container));
    assert_eq!(sorted(&mut tree.ttl_nodes()), of_kind(|kind| matches!(kind, NodeKind::Ttl { .. })));
    let owned: Vec<i64> = tree.sessions_with_ephemerals().collect();
    let mut ephemerals = owned.iter().flat_map(|session| tree.ephemerals(*session));
    assert_eq!(sorted(&mut ephemerals), of_kind(|kind| matches!(kind, NodeKind::Ephemeral(_))));
}

fn disk() -> (MemDisk, Arc<dyn Disk>) {
    let mem = MemDisk::new();
    mem.create_dir_all(Path::new(DIR)).unwrap();
    (mem.clone(), Arc::new(mem))
}

fn restore(disk: &Arc<dyn Disk>) -> Recovered {
    recover(disk, Path::new(DIR), Path::new(DIR), &RecoverOptions::default()).unwrap()
}

fn write_snapshot(disk: &Arc<dyn Disk>, history: &History) {
    let cursor = SnapshotCursor::new(&history.tree);
    let options = snapshot::SnapshotOptions::default();
    let look = |see: &mut dyn FnMut(&DataTree)| see(&history.tree);
    snapshot::write(disk.as_ref(), Path::new(DIR), cursor, &history.sessions, &options, look).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_tree_is_what_a_naive_model_says(steps in vec(step(), 1..80)) {
        let mut history = History::new();
        let mut model = Model::of(&history.tree);
        for step in &steps {
            let record = history.step(step);
            model.apply(&record);
        }
        check_against_model(&history.tree, &model);
    }

    /// Replaying any stretch of a history over a tree that has seen it already changes nothing.
    #[test]
    fn replay_is_idempotent(steps in vec(step(), 1..60), from in any::<prop::sample::Index>()) {
        let mut history = History::new();
        let records: Vec<TxnRecord> = steps.iter().map(|step| history.step(step)).collect();
        let expected = dump(&history.tree);
        for record in &records[from.index(records.len())..] {
            history.tree.apply(&record.header, &record.txn, &mut Vec::new());
        }
        prop_assert_eq!(dump(&history.tree), expected);
    }

    /// A snapshot walked while the tree changes, plus the log since its start, is the exact tree.
    #[test]
    fn a_fuzzy_snapshot_and_the_log_are_the_exact_tree(
        before in vec(step(), 0..60), during in vec((step(), 1usize..4), 0..60), after in vec(step(), 0..10),
    ) {
        check_fuzzy_snapshot(&before, during, &after);
    }

    /// Whatever a crash keeps of what was not synced, recovery gives a state of the history at or after the last sync.
    #[test]
    fn after_any_crash_the_tree_is_one_the_history_had_and_nothing_synced_is_lost(
        steps in vec((step(), 0u8..12), 1..60), choices in vec(any::<u64>(), 64), rounds in 1usize..3,
    ) {
        let (mem, _) = disk();
        let mut choices = choices.into_iter().cycle();
        let mut history = History::new();
        let mut states = vec![dump(&history.tree)];
        let mut disk: Arc<dyn Disk> = Arc::new(mem.clone());
        write_snapshot(&disk, &history);
        for _ in 0..rounds {
            let mut log = TxnLog::open(disk.clone(), DIR, OPTIONS);
            let mut durable = history.zxid;
            for (step, action) in &steps {
                let entry = history.entry(step);
                log.append(history.zxid, &entry).unwrap();
                states.push(dump(&history.tree));
                match action {
                    0..4 => durable = log.sync().unwrap(),
                    4 => { log.roll().unwrap(); durable = log.durable(); }
                    5 => { durable = log.sync().unwrap(); write_snapshot(&disk, &history); }
                    6 => { storage::purge(disk.as_ref(), Path::new(DIR), Path::new(DIR), 1).unwrap(); }
                    _ => {}
                }
            }
            mem.crash(|n| choices.next().unwrap() % (n + 1));
            disk = Arc::new(mem.clone());
            let recovered = restore(&disk);
            prop_assert!(recovered.last_zxid >= durable, "{} < {durable}", recovered.last_zxid);
            let last = recovered.last_zxid.0 as usize;
            prop_assert_eq!(dump(&recovered.tree), states[last].clone());
            prop_assert_eq!(recovered.report.digests.mismatched, 0);
            prop_assert!(recovered.report.gaps.is_empty());
            states.truncate(last + 1);
            history = History { tree: recovered.tree, sessions: recovered.sessions, zxid: recovered.last_zxid, changes: Vec::new() };
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..400), at in any::<prop::sample::Index>(), flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)) {
        let (mem, disk) = disk();
        let mut history = History::new();
        let mut log = TxnLog::open(disk.clone(), DIR, OPTIONS);
        for name in 0..5 {
            let step = Step::Create { parent: 0, name, kind: 0, data: Some(vec![name]), acl: name };
            let entry = history.entry(&step);
            log.append(history.zxid, &entry).unwrap();
        }
        log.sync().unwrap();
        write_snapshot(&disk, &history);
        for name in ["log.1", "snapshot.5"] {
            let path = Path::new(DIR).join(name);
            let good = mem.contents(&path).unwrap();
            let mut spliced = good[..at.index(good.len())].to_vec();
            spliced.extend(&bytes);
            let mut flipped = good.clone();
            for (at, byte) in &flips {
                flipped[at.index(good.len())] = *byte;
            }
            for bad in [bytes.clone(), spliced, flipped] {
                mem.plant(&path, &bad);
                let _ = recover(&disk, Path::new(DIR), Path::new(DIR), &RecoverOptions::default());
                let _ = snapshot::read_stream(&bad[..], Zxid(1), 1 << 20, 0);
            }
            mem.plant(&path, &good);
        }
    }
}

fn check_fuzzy_snapshot(before: &[Step], during: Vec<(Step, usize)>, after: &[Step]) {
    let (_, disk) = disk();
    let mut log = TxnLog::open(disk.clone(), DIR, OPTIONS);
    let mut history = History::new();
    let mut record = |history: &mut History, step: &Step| {
        let entry = history.entry(step);
        log.append(history.zxid, &entry).unwrap();
        log.sync().unwrap();
    };
    for step in before {
        record(&mut history, step);
    }
    let cursor = SnapshotCursor::new(&history.tree);
    let sessions = history.sessions.clone();
    let mut during = during.into_iter();
    // Batches of two nodes, so that small trees change between many looks.
    let options = snapshot::SnapshotOptions { batch_nodes: 2, ..snapshot::SnapshotOptions::default() };
    snapshot::write(disk.as_ref(), Path::new(DIR), cursor, &sessions, &options, |see| {
        if let Some((step, count)) = during.next() {
            (0..count).for_each(|_| record(&mut history, &step));
        }
        see(&history.tree);
    })
    .unwrap();
    for (step, _) in during {
        record(&mut history, &step);
    }
    for step in after {
        record(&mut history, step);
    }
    let recovered = restore(&disk);
    assert_eq!(dump(&recovered.tree), dump(&history.tree));
    assert_eq!(recovered.sessions, history.sessions);
    assert_eq!(recovered.tree.digest(), history.tree.digest());
    assert_eq!(recovered.report.digests.mismatched, 0);
}

/// Recovery warned an operator of digests that differ where none did: it took every snapshot of zxid 0 for one of an empty
/// tree, but this one was still being written when the first transactions were applied, so that it already held the second
/// when the first was replayed.
#[test]
fn a_snapshot_begun_before_the_first_transaction_is_fuzzy_too() {
    let multi = Step::Multi { parent: 0, name: 30, failing: false };
    check_fuzzy_snapshot(&[], vec![(multi, 2)], &[]);
}

/// Every byte of the log's last file at which a crash may end it, with and without the zeros the file was grown by.
#[test]
fn a_log_torn_at_any_byte_recovers_to_a_prefix() {
    let (mem, disk) = disk();
    let mut history = History::new();
    write_snapshot(&disk, &history);
    let mut log = TxnLog::open(disk.clone(), DIR, OPTIONS);
    let mut ends = vec![(16, dump(&history.tree))];
    for n in 0..6u8 {
        let step = match n {
            3 => Step::Set { node: 1, data: None },
            _ => Step::Create { parent: usize::from(n), name: n, kind: n, data: Some(vec![n; 9]), acl: n },
        };
        let entry = history.entry(&step);
        log.append(history.zxid, &entry).unwrap();
        log.sync().unwrap();
        ends.push((log.file_bytes() as usize, dump(&history.tree)));
    }
    let path = Path::new(DIR).join("log.1");
    let bytes = mem.contents(&path).unwrap();
    let written = ends.last().unwrap().0;
    for cut in 0..=written {
        for length in [cut, bytes.len()] {
            let mut torn = bytes[..cut].to_vec();
            torn.resize(length, 0);
            mem.plant(&path, &torn);
            let recovered = restore(&disk);
            let (_, expected) = ends.iter().rfind(|(end, _)| *end <= cut).unwrap_or(&ends[0]);
            assert_eq!(&dump(&recovered.tree), expected, "cut at {cut} of {length}");
        }
    }
}

#[test]
fn a_record_lost_at_the_end_of_a_file_that_is_not_the_last_is_damage() {
    let (mem, disk) = disk();
    let mut history = History::new();
    write_snapshot(&disk, &history);
    let mut log = TxnLog::open(disk.clone(), DIR, OPTIONS);
    for n in 0..4u8 {
        let entry = history.entry(&Step::OpenSession { session: n });
        log.append(history.zxid, &entry).unwrap();
        if n % 2 == 1 {
            log.roll().unwrap();
        }
    }
    let path = Path::new(DIR).join("log.1");
    let bytes = mem.contents(&path).unwrap();
    mem.plant(&path, &bytes[..bytes.len() - 1]);
    let error = recover(&disk, Path::new(DIR), Path::new(DIR), &RecoverOptions::default()).unwrap_err();
    assert!(error.is_corruption(), "{error}");
    assert_eq!(error.offset(), Some(16 + 61));
    assert!(error.to_string().contains("log.1"), "{error}");
}

#[test]
fn a_hundred_thousand_entries_are_read_one_at_a_time() {
    let (_, disk) = disk();
    let options = LogOptions { force_sync: false, ..OPTIONS };
    let mut log = TxnLog::open(disk.clone(), DIR, options);
    let mut history = History::new();
    for _ in 0..100_000 {
        let entry = history.entry(&Step::OpenSession { session: 1 });
        log.append(history.zxid, &entry).unwrap();
    }
    log.sync().unwrap();
    let mut entries = LogIterator::from_zxid(&disk, Path::new(DIR), Zxid(99_999), 1 << 20).unwrap();
    assert_eq!(entries.next_entry().unwrap().unwrap().zxid, Zxid(99_999));
    assert_eq!(entries.next_entry().unwrap().unwrap().zxid, Zxid(100_000));
    assert!(entries.next_entry().unwrap().is_none());
}
