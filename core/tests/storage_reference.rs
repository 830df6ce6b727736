//! The reference server's own files, written by 3.8.0: read to the last Stat, written again to the byte; and our files,
//! read by the reference server itself where it is installed.
#![cfg(feature = "replica")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test reads and writes files, and waits")]

mod storage_support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use menagerie_core::jute::{Decode, Encode, Reader};
use menagerie_core::storage::{
    self, Disk, LogIterator, LogOptions, MemDisk, RecoverOptions, Recovered, SnapshotFile, TxnLog, recover, snapshot,
};
use menagerie_core::tree::{DataTree, SnapshotCursor};
use menagerie_core::wire::txn::TxnRecord;
use menagerie_core::wire::{Acl, Stat, Zxid};

const DIR: &str = "/data/version-2";
const LIMIT: usize = 1 << 20;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/storage_vectors")
}

fn reference_disk() -> (MemDisk, Arc<dyn Disk>) {
    let mem = MemDisk::new();
    for entry in fs::read_dir(vectors()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("log.") || name.starts_with("snapshot.") {
            mem.plant(&Path::new(DIR).join(name), &fs::read(&path).unwrap());
        }
    }
    (mem.clone(), Arc::new(mem))
}

fn restore(disk: &Arc<dyn Disk>) -> Recovered {
    recover(disk, Path::new(DIR), Path::new(DIR), &RecoverOptions::default()).unwrap()
}

/// What a server serves of a node: data, Stat, ACL.
type Served = (Option<Bytes>, Stat, Vec<Acl>);

fn served(tree: &DataTree) -> BTreeMap<String, Served> {
    let nodes = storage_support::dump(tree).into_keys().map(|path| {
        let node = tree.node(&path).unwrap();
        let data = node.data().map(Bytes::copy_from_slice);
        (path, (data, node.stat(), node.acl().to_vec()))
    });
    nodes.collect()
}

/// What the reference server served before it was killed.
fn expected() -> BTreeMap<String, Served> {
    let text = fs::read_to_string(vectors().join("tree.txt")).unwrap();
    let nodes = text.lines().map(|line| {
        let [path, data, stat, acl] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let served = (
            Option::<Bytes>::from_bytes(&hex(data)).unwrap(),
            Stat::from_bytes(&hex(stat)).unwrap(),
            Vec::<Acl>::from_bytes(&hex(acl)).unwrap(),
        );
        (path.to_owned(), served)
    });
    nodes.collect()
}

fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn assert_serves(tree: &DataTree, expected: &BTreeMap<String, Served>) {
    let found = served(tree);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (path, node) in expected {
        assert_eq!(&found[path], node, "{path}");
    }
}

#[test]
fn the_reference_servers_directory_is_restored_to_what_it_served() {
    let (_, disk) = reference_disk();
    let recovered = restore(&disk);
    assert_serves(&recovered.tree, &expected());
    let report = &recovered.report;
    assert_eq!(report.digests.mismatched, 0, "{report}");
    assert!(report.digests.matched > 0 && !report.has_warnings(), "{report}");
    let facts = fs::read_to_string(vectors().join("facts.txt")).unwrap();
    let [_, session, timeout_ms] = facts.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{facts}") };
    let sessions = BTreeMap::from([(session.parse().unwrap(), timeout_ms.parse().unwrap())]);
    assert_eq!(recovered.sessions, sessions);
    assert_eq!(recovered.tree.sessions_with_ephemerals().collect::<Vec<_>>(), [*sessions.keys().next().unwrap()]);
}

/// The older the snapshot, the more is replayed; the end is the same, and so is every digest on the way.
#[test]
fn every_snapshot_of_the_reference_server_leads_to_the_same_tree() {
    let (mem, disk) = reference_disk();
    let snapshots = storage::snapshot_files(disk.as_ref(), Path::new(DIR)).unwrap();
    assert!(snapshots.len() >= 3);
    let mut replayed = 0;
    for file in snapshots.iter().rev() {
        let recovered = restore(&disk);
        assert_serves(&recovered.tree, &expected());
        assert_eq!(recovered.report.snapshot.as_ref().unwrap().zxid, file.zxid);
        assert_eq!(recovered.report.digests.mismatched, 0);
        assert!(recovered.report.txns_replayed > replayed || replayed == 0);
        replayed = recovered.report.txns_replayed;
        mem.remove(&file.path).unwrap();
    }
    let error = recover(&disk, Path::new(DIR), Path::new(DIR), &RecoverOptions::default()).unwrap_err();
    assert!(error.to_string().contains("snapshot.trust.empty"), "{error}");
    let trusting = RecoverOptions { trust_empty: true, ..RecoverOptions::default() };
    let recovered = recover(&disk, Path::new(DIR), Path::new(DIR), &trusting).unwrap();
    assert_serves(&recovered.tree, &expected());
}

#[test]
fn a_damaged_snapshot_is_passed_over_and_said() {
    let (mem, disk) = reference_disk();
    let newest = storage::snapshot_files(disk.as_ref(), Path::new(DIR)).unwrap().pop().unwrap();
    let good = mem.contents(&newest.path).unwrap();
    let seal = good.len() - 33;
    for at in [0, 5, 30, good.len() / 2, seal - 1, seal + 3, good.len() - 1] {
        let mut damaged = good.clone();
        damaged[at] ^= 1;
        mem.plant(&newest.path, &damaged);
        let recovered = restore(&disk);
        assert_serves(&recovered.tree, &expected());
        assert_eq!(recovered.report.skipped_snapshots.len(), 1, "byte {at}");
        assert!(recovered.report.to_string().contains("was skipped"), "{}", recovered.report);
    }
}

/// Every transaction is decoded and encoded, and the log written with our own writer: the same bytes to the last record.
#[test]
fn the_reference_servers_logs_are_written_again_to_the_byte() {
    let (mem, disk) = reference_disk();
    for (first, path) in storage::log_files(disk.as_ref(), Path::new(DIR)).unwrap() {
        let ours = MemDisk::new();
        ours.create_dir_all(Path::new(DIR)).unwrap();
        let options = LogOptions { pre_alloc_bytes: 4096, ..LogOptions::default() };
        let mut log = TxnLog::open(Arc::new(ours.clone()), DIR, options);
        let mut entries = LogIterator::from_zxid(&disk, Path::new(DIR), first, LIMIT).unwrap();
        while let Some(entry) = entries.next_entry().unwrap().filter(|entry| *entry.path == *path) {
            let record = TxnRecord::from_bytes(&entry.bytes).unwrap();
            assert_eq!(record.to_bytes(), entry.bytes, "{:?}", record.txn);
            log.append(entry.zxid, &record.to_bytes()).unwrap();
        }
        log.sync().unwrap();
        let written = log.file_bytes() as usize;
        let theirs = mem.contents(&path).unwrap();
        assert_eq!(ours.contents(&path).unwrap()[..written], theirs[..written]);
        assert!(theirs[written..].iter().all(|byte| *byte == 0));
    }
}

fn written(tree: &DataTree, sessions: &BTreeMap<i64, i32>, options: &snapshot::SnapshotOptions) -> (MemDisk, Vec<u8>) {
    let mem = MemDisk::new();
    mem.create_dir_all(Path::new(DIR)).unwrap();
    let cursor = SnapshotCursor::new(tree);
    let snapshot = snapshot::write(&mem, Path::new(DIR), cursor, sessions, options, |see| see(tree)).unwrap();
    let bytes = mem.contents(&snapshot.path).unwrap();
    assert_eq!(snapshot.bytes, bytes.len() as u64);
    (mem, bytes)
}

/// Protocol §8.4: the whole first snapshot of 3.8.0, and the trailer that 3.9.5 adds.
#[test]
fn the_first_snapshot_is_the_reference_servers_to_the_byte() {
    let options = snapshot::SnapshotOptions::default();
    let (_, ours) = written(&DataTree::new(), &BTreeMap::new(), &options);
    let theirs = fs::read(vectors().join("snapshot.0")).unwrap();
    assert_eq!(Bytes::from(ours), Bytes::from(theirs.clone()));
    let options = snapshot::SnapshotOptions { last_zxid: true, ..options };
    let (_, ours) = written(&DataTree::new(), &BTreeMap::new(), &options);
    let mut newer = theirs;
    newer.extend_from_slice(&hex("0000000000000000 00000000bde83f6d 000000012f"));
    assert_eq!(Bytes::from(ours), Bytes::from(newer));
}

#[test]
fn snapshots_are_read_with_and_without_what_may_follow_the_nodes() {
    let (_, disk) = reference_disk();
    let recovered = restore(&disk);
    let expected = storage_support::dump(&recovered.tree);
    for (digest, last_zxid) in [(false, false), (true, false), (false, true), (true, true)] {
        let options = snapshot::SnapshotOptions { digest, last_zxid, batch_nodes: 7, ..Default::default() };
        let (mem, bytes) = written(&recovered.tree, &recovered.sessions, &options);
        let zxid = recovered.last_zxid;
        let path = Path::new(DIR).join(format!("snapshot.{:x}", zxid.0));
        let file = SnapshotFile { zxid, path: path.clone(), compression: None };
        assert!(snapshot::is_plausible(&mem, &file).unwrap());
        let image = snapshot::read(&mem, &file, LIMIT, 5).unwrap();
        assert_eq!(storage_support::dump(&image.tree), expected);
        assert_eq!((image.tree.digest(), image.tree.last_zxid()), (recovered.tree.digest(), zxid));
        assert_eq!(image.sessions, recovered.sessions);
        assert_eq!(image.digest.map(|found| (found.zxid, found.digest)), digest.then(|| (zxid, image.tree.digest())));
        // Cut short anywhere but where an optional part begins, it is no snapshot.
        for cut in 0..bytes.len() {
            mem.plant(&path, &bytes[..cut]);
            if let Ok(image) = snapshot::read(&mem, &file, LIMIT, 5) {
                assert!([13 + 20 + 21, 13 + 20, 21].contains(&(bytes.len() - cut)), "cut at {cut}");
                assert_eq!(storage_support::dump(&image.tree), expected);
            }
        }
    }
}

#[test]
fn compressed_snapshots_are_read_and_damaged_ones_are_damaged() {
    let (_, disk) = reference_disk();
    let recovered = restore(&disk);
    let expected = storage_support::dump(&recovered.tree);
    for form in [snapshot::Compression::Gzip, snapshot::Compression::Snappy] {
        let options = snapshot::SnapshotOptions { compression: Some(form), ..Default::default() };
        let mem = MemDisk::new();
        mem.create_dir_all(Path::new(DIR)).unwrap();
        let (cursor, dir) = (SnapshotCursor::new(&recovered.tree), Path::new(DIR));
        let look = |see: &mut dyn FnMut(&DataTree)| see(&recovered.tree);
        let written = snapshot::write(&mem, dir, cursor, &recovered.sessions, &options, look).unwrap();
        let files = storage::snapshot_files(&mem, dir).unwrap();
        assert_eq!(
            files.iter().map(|file| (&file.path, file.compression)).collect::<Vec<_>>(),
            [(&written.path, Some(form))]
        );
        assert!(snapshot::is_plausible(&mem, &files[0]).unwrap());
        let image = snapshot::read(&mem, &files[0], LIMIT, 5).unwrap();
        assert_eq!(
            (storage_support::dump(&image.tree), image.sessions),
            (expected.clone(), recovered.sessions.clone())
        );

        let mut bytes = Vec::new();
        mem.read_from(&written.path, 0).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, written.bytes);
        for cut in (0..bytes.len()).step_by(3) {
            mem.plant(&written.path, &bytes[..cut]);
            assert!(snapshot::read(&mem, &files[0], LIMIT, 5).unwrap_err().is_corruption(), "{form:?} cut at {cut}");
        }
        for at in (0..bytes.len()).step_by(3) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            mem.plant(&written.path, &damaged);
            match snapshot::read(&mem, &files[0], LIMIT, 5) {
                // A few bytes of the headers mean nothing: times, and names of systems.
                Ok(image) => assert_eq!(storage_support::dump(&image.tree), expected, "{form:?} at {at}"),
                Err(error) => assert!(error.is_corruption(), "{form:?} at {at}: {error}"),
            }
        }
    }
}

/// Protocol §5.5: sessions, lists and nodes, and the bytes after them are left to whoever reads on.
#[test]
fn a_stream_to_a_learner_ends_where_the_nodes_end() {
    let (_, disk) = reference_disk();
    let recovered = restore(&disk);
    let mut stream = Vec::new();
    let cursor = SnapshotCursor::new(&recovered.tree);
    snapshot::write_stream(&mut stream, cursor, &recovered.sessions, |see| see(&recovered.tree)).unwrap();
    let (_, file) = written(&recovered.tree, &recovered.sessions, &snapshot::SnapshotOptions::default());
    assert_eq!(stream[..], file[16..16 + stream.len()]);
    "BenWasHere".to_owned().to_bytes().iter().for_each(|byte| stream.push(*byte));
    let mut left = &stream[..];
    let image = snapshot::read_stream(&mut left, recovered.last_zxid, LIMIT, 5).unwrap();
    assert_eq!(storage_support::dump(&image.tree), storage_support::dump(&recovered.tree));
    assert_eq!(Reader::new(&Bytes::copy_from_slice(left)).string().unwrap(), "BenWasHere");
}

#[test]
fn a_tree_that_was_replaced_makes_no_snapshot() {
    let mem = MemDisk::new();
    mem.create_dir_all(Path::new(DIR)).unwrap();
    let cursor = SnapshotCursor::new(&DataTree::new());
    let other = DataTree::new();
    let options = snapshot::SnapshotOptions::default();
    let failed = snapshot::write(&mem, Path::new(DIR), cursor, &BTreeMap::new(), &options, |see| see(&other));
    assert!(matches!(failed, Err(storage::Error::TreeReplaced)));
    assert_eq!(mem.list(Path::new(DIR)).unwrap(), [""; 0]);
}

#[test]
fn files_in_the_wrong_directory_are_refused_and_leftovers_removed() {
    let options = RecoverOptions::default();
    for (name, dir) in [("snapshot.0", "/logs"), ("log.1", "/snaps")] {
        let mem = MemDisk::new();
        mem.plant(&Path::new(dir).join(name), b"");
        let disk: Arc<dyn Disk> = Arc::new(mem);
        let error = recover(&disk, Path::new("/snaps"), Path::new("/logs"), &options).unwrap_err();
        assert!(matches!(error, storage::Error::Misplaced { .. }), "{error}");
    }
    let (mem, disk) = reference_disk();
    mem.plant(&Path::new(DIR).join("tmp.snapshot.99"), b"half a snapshot");
    mem.plant(&Path::new(DIR).join("log.ff"), b"");
    let recovered = restore(&disk);
    assert_eq!(recovered.report.empty_logs_removed, [Path::new(DIR).join("log.ff")]);
    let names = mem.list(Path::new(DIR)).unwrap();
    assert!(names.iter().all(|name| name != "tmp.snapshot.99" && name != "log.ff"), "{names:?}");
}

#[test]
fn an_empty_directory_is_a_fresh_tree() {
    let disk: Arc<dyn Disk> = Arc::new(MemDisk::new());
    let recovered = restore(&disk);
    assert!(recovered.report.is_fresh());
    assert_eq!(recovered.report.to_string(), "nothing to restore: the tree is new");
    assert_eq!((recovered.last_zxid, recovered.tree.len()), (Zxid::ZERO, 4));
}
