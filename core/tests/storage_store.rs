//! What a member changes on disk, with a crash and a full disk at every single operation: truncation, a whole new state,
//! epochs. And with the reference server's own files.
#![cfg(feature = "replica")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test reads files")]

mod storage_support;
#[path = "storage_support/traced_disk.rs"]
mod traced_disk;

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use menagerie_core::storage::{
    Disk, EpochFile, Error, LogOptions, MemDisk, RecoverOptions, Recovered, Store, StoreOptions, receive_snapshot,
    recover, snapshot, snapshot_files,
};
use menagerie_core::tree::{DataTree, SnapshotCursor};
use menagerie_core::wire::Zxid;
use storage_support::{Dumped, History, Step, dump};
use traced_disk::TracedDisk;

const SNAP: &str = "/data/version-2";
const LOG: &str = "/logs/version-2";
const LAST: i64 = 12;

type State = (Zxid, BTreeMap<String, Dumped>, BTreeMap<i64, i32>);

/// A member with the transactions up to [`LAST`] in two log files, and a snapshot of 0 and of 8; one more waits for a sync.
struct World {
    mem: MemDisk,
    disk: Arc<dyn Disk>,
    log_dir: &'static str,
    store: Store,
    /// By zxid, from 0 on.
    states: Vec<State>,
}

impl World {
    fn new(log_dir: &'static str) -> Self {
        let mem = MemDisk::new();
        for dir in [SNAP, log_dir] {
            mem.create_dir_all(Path::new(dir)).unwrap();
        }
        let disk: Arc<dyn Disk> = Arc::new(mem.clone());
        let mut history = History::new();
        write_snapshot(&disk, &history);
        let mut store = open(&disk, log_dir);
        let mut states = vec![state_of(&history)];
        for at in 1..=LAST + 1 {
            let entry = history.entry(&step(at));
            store.append(history.zxid, &entry).unwrap();
            states.push(state_of(&history));
            match at {
                5 => store.roll().unwrap(),
                8 => write_snapshot(&disk, &history),
                LAST => store.sync().unwrap(),
                _ => {}
            }
        }
        World { mem, disk, log_dir, store, states }
    }

    fn recover(&self) -> Result<Recovered, Error> {
        recover(&self.disk, Path::new(SNAP), Path::new(self.log_dir), &RecoverOptions::default())
    }

    fn files(&self) -> Vec<String> {
        let mut files: Vec<String> =
            [SNAP, self.log_dir].iter().flat_map(|dir| self.disk.list(Path::new(dir)).unwrap()).collect();
        files.sort();
        files.dedup();
        files
    }

    fn install(&mut self, link: u64, image: &Image) -> Result<(), Error> {
        let options = RecoverOptions::default();
        let received =
            receive_snapshot(&self.disk, Path::new(SNAP), link, image.zxid, &mut &image.bytes[..], &options)?;
        let installed = self.store.install(&received);
        assert!(installed.is_ok() || matches!(self.store.sync(), Err(Error::Stopped)));
        installed
    }
}

fn open(disk: &Arc<dyn Disk>, log_dir: &str) -> Store {
    let log = LogOptions { pre_alloc_bytes: 1024, force_sync: true, max_entry_bytes: 1 << 20 };
    let options = StoreOptions { log, recover: RecoverOptions::default() };
    Store::open(Arc::clone(disk), SNAP.into(), log_dir.into(), options)
}

fn step(at: i64) -> Step {
    let (name, data) = (at as u8, Some(vec![at as u8; 20]));
    match at % 4 {
        0 => Step::OpenSession { session: name },
        1 => Step::Create { parent: 0, name, kind: 0, data, acl: name },
        2 => Step::Create { parent: 1, name, kind: 4, data, acl: 0 },
        _ => Step::Set { node: at as usize, data },
    }
}

fn state_of(history: &History) -> State {
    (history.zxid, dump(&history.tree), history.sessions.clone())
}

fn state(recovered: &Recovered) -> State {
    assert_eq!(recovered.report.digests.mismatched, 0, "{}", recovered.report);
    assert!(recovered.report.gaps.is_empty());
    (recovered.last_zxid, dump(&recovered.tree), recovered.sessions.clone())
}

fn write_snapshot(disk: &Arc<dyn Disk>, history: &History) {
    let (cursor, options) = (SnapshotCursor::new(&history.tree), snapshot::SnapshotOptions::default());
    let look = |see: &mut dyn FnMut(&DataTree)| see(&history.tree);
    snapshot::write(disk.as_ref(), Path::new(SNAP), cursor, &history.sessions, &options, look).unwrap();
}

/// What a leader sends.
struct Image {
    zxid: Zxid,
    bytes: Vec<u8>,
    state: State,
}

impl Image {
    /// Of a tree after `steps` transactions from `from` on, which has nothing to do with the world's.
    fn new(from: Zxid, steps: i64) -> Self {
        let mut history = History::new();
        history.zxid = from;
        for at in 0..steps {
            history.step(&step(100 + 3 * at));
        }
        let mut bytes = Vec::new();
        let look = |see: &mut dyn FnMut(&DataTree)| see(&history.tree);
        snapshot::write_stream(&mut bytes, SnapshotCursor::new(&history.tree), &history.sessions, look).unwrap();
        Image { zxid: history.zxid, bytes, state: state_of(&history) }
    }
}

/// How much of what was not synced survives a crash.
const CRASHES: [fn(u64) -> u64; 4] = [|_| 0, |all| all, |all| all / 2, |all| all.saturating_sub(1)];

/// Does `act` on a new world with the disk full from each operation on, until all of it is done; then power is lost, and
/// again at each operation of the recovery. `check` is told whether it was done, and what was recovered in the end.
fn at_every_operation(
    log_dir: &'static str,
    act: impl Fn(&mut World) -> Result<(), Error>,
    check: impl Fn(&World, bool, State),
) -> u64 {
    for failing in 0.. {
        let mut is_done = false;
        for crash in CRASHES {
            let mut world = World::new(log_dir);
            world.mem.fail_after(failing, ErrorKind::StorageFull);
            is_done = act(&mut world).is_ok();
            world.mem.crash(crash);
            for again in 0.. {
                let mem = world.mem.fork();
                let disk: Arc<dyn Disk> = Arc::new(mem.clone());
                let restarted = || recover(&disk, Path::new(SNAP), Path::new(log_dir), &RecoverOptions::default());
                mem.fail_after(again, ErrorKind::StorageFull);
                let recovered_at_once = restarted().is_ok();
                mem.crash(crash);
                check(&world, is_done, state(&restarted().unwrap()));
                let left = disk.list(Path::new(SNAP)).unwrap();
                assert!(!left.iter().any(|name| name.starts_with("tmp.") || name.starts_with("install.")), "{left:?}");
                if recovered_at_once {
                    break;
                }
            }
        }
        if is_done {
            return failing;
        }
    }
    unreachable!("it ends when all is done")
}

#[test]
fn a_new_state_replaces_the_old_one_as_a_whole_wherever_it_is_interrupted() {
    for log_dir in [SNAP, LOG] {
        for (from, steps) in [(Zxid::ZERO, 0), (Zxid::ZERO, 4), (Zxid(8), 0), (Zxid::new(2, 0), 20)] {
            let image = Image::new(from, steps);
            let points = at_every_operation(
                log_dir,
                |world| world.install(7, &image),
                |world, is_done, found| {
                    // The one that waited for a sync may be there or not.
                    let is_old = found == world.states[LAST as usize] || found == world.states[LAST as usize + 1];
                    assert!(found == image.state || (!is_done && is_old), "{:?}", found.0);
                },
            );
            assert!(points > 8, "{points}");
        }
    }
}

#[test]
fn a_truncation_ends_at_its_transaction_and_never_before_it_wherever_it_is_interrupted() {
    for log_dir in [SNAP, LOG] {
        for to in 0..=LAST + 1 {
            at_every_operation(
                log_dir,
                |world| world.store.truncate(Zxid(to)),
                |world, is_done, found| {
                    let last = found.0.0;
                    assert_eq!(found, world.states[last as usize]);
                    assert!(last == to || (!is_done && last > to) || (!is_done && last >= LAST), "{to}: {last}");
                },
            );
        }
    }
}

#[test]
fn an_epoch_is_the_old_or_the_new_one_and_comes_after_what_was_appended() {
    at_every_operation(
        LOG,
        |world| {
            let set = world.store.set_accepted_epoch(5).and_then(|()| world.store.set_current_epoch(4));
            assert!(set.is_ok() || matches!(world.store.append(Zxid(99), b""), Err(Error::Stopped)));
            set
        },
        |world, is_done, found| {
            let epoch = |file: EpochFile| file.read(world.disk.as_ref()).unwrap();
            let (accepted, current) =
                (epoch(EpochFile::accepted(Path::new(SNAP))), epoch(EpochFile::current(Path::new(SNAP))));
            assert!(!is_done || (accepted, current) == (Some(5), Some(4)));
            assert!(current.is_none() || accepted == Some(5));
            assert!(accepted.is_none() || found.0.0 == LAST + 1);
            assert_eq!(found, world.states[found.0.0 as usize]);
        },
    );
}

#[test]
fn what_is_read_again_is_what_was_written_last() {
    let mut world = World::new(LOG);
    assert_eq!(state(&world.store.reload().unwrap()), world.states[LAST as usize + 1]);
    world.store.truncate(Zxid(7)).unwrap();
    assert_eq!(world.files(), ["log.1", "log.6", "snapshot.0"]);
    assert_eq!(state(&world.store.reload().unwrap()), world.states[7]);
    // The member goes on from there, in a new file.
    let mut history = History::new();
    (1..=7).for_each(|at| drop(history.step(&step(at))));
    let entry = history.entry(&step(1));
    world.store.append(Zxid(8), &entry).unwrap();
    assert!(world.store.file_bytes() > 0);
    assert_eq!(state(&world.store.reload().unwrap()), state_of(&history));
    world.store.roll().unwrap();

    let image = Image::new(Zxid::new(3, 0), 5);
    world.install(1, &image).unwrap();
    assert_eq!(world.files(), ["snapshot.300000005"]);
    assert_eq!(state(&world.store.reload().unwrap()), image.state);
    let refused = world.store.append(Zxid(9), &entry);
    assert!(matches!(refused, Err(Error::OutOfOrder { .. })), "{refused:?}");
    assert!(matches!(world.store.reload(), Err(Error::Stopped)));
    assert_eq!(state(&world.recover().unwrap()), image.state);
}

/// A member whose disk cannot go back that far must be told, and must be able to take a snapshot instead.
#[test]
fn where_the_state_cannot_be_had_nothing_is_changed_and_the_member_may_ask_for_a_snapshot() {
    let mut world = World::new(LOG);
    world.store.sync().unwrap();
    let before = world.files();
    // Never logged; and, once the old files are gone, too far back.
    assert!(world.store.truncate(Zxid(LAST + 2)).unwrap_err().wants_snapshot());
    world.mem.remove(&Path::new(SNAP).join("snapshot.0")).unwrap();
    let refused = world.store.truncate(Zxid(7)).unwrap_err();
    assert!(refused.wants_snapshot() && refused.to_string().contains("cannot go back to 0x7"), "{refused}");
    world.mem.remove(&Path::new(LOG).join("log.6")).unwrap();
    let refused = world.store.truncate(Zxid(10)).unwrap_err();
    assert!(refused.wants_snapshot() && refused.to_string().contains("from 0x8 to 0xa"), "{refused}");
    let after: Vec<String> = before.into_iter().filter(|name| name != "snapshot.0" && name != "log.6").collect();
    assert_eq!(world.files(), after);
    let image = Image::new(Zxid::new(1, 0), 3);
    world.install(1, &image).unwrap();
    assert_eq!(state(&world.store.reload().unwrap()), image.state);
}

/// A snapshot that was begun at 8 and still being written at 11 holds what 11 did.
#[test]
fn a_snapshot_that_shows_later_transactions_goes_with_them() {
    let mut history = History::new();
    let mut world = World::new(SNAP);
    (1..=8).for_each(|at| drop(history.step(&step(at))));
    let cursor = SnapshotCursor::new(&history.tree);
    (9..=11).for_each(|at| drop(history.step(&step(at))));
    let options = snapshot::SnapshotOptions::default();
    let look = |see: &mut dyn FnMut(&DataTree)| see(&history.tree);
    snapshot::write(world.disk.as_ref(), Path::new(SNAP), cursor, &history.sessions, &options, look).unwrap();
    world.store.truncate(Zxid(11)).unwrap();
    assert_eq!(world.files(), ["log.1", "log.6", "snapshot.0", "snapshot.8"]);
    world.store.truncate(Zxid(10)).unwrap();
    assert_eq!(world.files(), ["log.1", "log.6", "snapshot.0"]);
    assert_eq!(state(&world.store.reload().unwrap()), world.states[10]);
}

#[test]
fn an_image_is_read_to_its_end_and_not_further_and_a_torn_one_leaves_nothing() {
    let world = World::new(SNAP);
    let (image, before) = (Image::new(Zxid(50), 9), world.files());
    let options = RecoverOptions::default();
    let receive = |mut bytes: &[u8], options: &RecoverOptions| {
        let received = receive_snapshot(&world.disk, Path::new(SNAP), 3, image.zxid, &mut bytes, options);
        (received, bytes.len())
    };
    for end in 0..image.bytes.len() {
        let (torn, _) = receive(&image.bytes[..end], &options);
        assert!(torn.unwrap_err().is_corruption(), "{end}");
        assert_eq!(world.files(), before, "{end}");
    }
    // Data of 20 bytes are too much for 19.
    let (too_long, _) = receive(&image.bytes, &RecoverOptions { max_entry_bytes: 19, ..RecoverOptions::default() });
    assert!(too_long.unwrap_err().to_string().contains("unreasonable length"));
    let with_more = [&image.bytes[..], b"signature"].concat();
    let (received, left) = receive(&with_more, &options);
    let mut received = received.unwrap();
    assert_eq!((left, received.zxid()), ("signature".len(), image.zxid));
    assert_eq!(world.files().len(), before.len() + 1);
    let (tree, sessions) = received.take_state();
    assert_eq!((tree.last_zxid(), dump(&tree), sessions), image.state);
    received.discard();
    assert_eq!(world.files(), before);
}

/// The member recovers, or reads its state again, while the next leader's image comes.
#[test]
fn an_image_that_comes_meanwhile_is_not_in_the_way() {
    let mut world = World::new(SNAP);
    let image = Image::new(Zxid(50), 9);
    let (disk, options) = (Arc::clone(&world.disk), RecoverOptions::default());
    let received = receive_snapshot(&disk, Path::new(SNAP), 3, image.zxid, &mut &image.bytes[..], &options).unwrap();
    world.store.truncate(Zxid(4)).unwrap();
    assert_eq!(state(&world.store.reload().unwrap()), world.states[4]);
    world.store.install(&received).unwrap();
    drop(received);
    assert_eq!(state(&world.recover().unwrap()), image.state);
}

/// Names that are changed between two syncs of a directory may survive a crash in any selection. So nothing is removed before
/// the decision is synced, and nothing takes its place before all removals are.
#[test]
fn each_step_is_durable_before_the_next_one_depends_on_it() {
    let world = World::new(LOG);
    let traced = TracedDisk { disk: world.mem.clone(), trace: Arc::default() };
    let (disk, trace): (Arc<dyn Disk>, _) = (Arc::new(traced.clone()), traced.trace);
    let (image, options) = (Image::new(Zxid(50), 9), RecoverOptions::default());
    let mut store = open(&disk, LOG);
    let received = receive_snapshot(&disk, Path::new(SNAP), 3, image.zxid, &mut &image.bytes[..], &options).unwrap();
    let steps = |trace: &mut Vec<String>| std::mem::take(trace);
    store.truncate(Zxid(4)).unwrap();
    let truncated = [
        "remove /data/version-2/snapshot.8",
        "sync /data/version-2",
        "remove /logs/version-2/log.6",
        "sync /logs/version-2",
        "cut /logs/version-2/log.1",
    ];
    assert_eq!(steps(&mut trace.lock().unwrap()), truncated);
    store.install(&received).unwrap();
    let installed = [
        "make /data/version-2/install.3b",
        "sync /data/version-2",
        "remove /data/version-2/snapshot.0",
        "sync /data/version-2",
        "remove /logs/version-2/log.1",
        "sync /logs/version-2",
        "make /data/version-2/snapshot.3b",
        "sync /data/version-2",
    ];
    assert_eq!(steps(&mut trace.lock().unwrap()), installed);
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/storage_vectors")
}

fn reference_disk() -> Arc<dyn Disk> {
    let mem = MemDisk::new();
    for entry in fs::read_dir(vectors()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("log.") || name.starts_with("snapshot.") {
            mem.plant(&Path::new(SNAP).join(name), &fs::read(&path).unwrap());
        }
    }
    Arc::new(mem)
}

/// From any of the reference server's transactions back to any older one; every digest that it logged is met on the way.
#[test]
fn the_reference_servers_directory_goes_back_to_each_of_its_transactions() {
    let disk = reference_disk();
    let mut store = open(&disk, SNAP);
    let last = store.reload().unwrap().last_zxid;
    let mut matched = 0;
    for to in (0..=last.0).rev().map(Zxid) {
        store.truncate(to).unwrap();
        let found = store.reload().unwrap();
        assert_eq!(state(&found).0, to);
        matched += found.report.digests.matched;
    }
    assert!(last.0 > 0x4d && matched > last.0 as u64);
}

/// What the reference server sends is what it writes, without the header and without what follows the nodes: installed, it
/// is its own file again.
#[test]
fn an_image_of_the_reference_server_becomes_its_file_to_the_byte() {
    /// Magic, version and dbid.
    const HEAD: usize = 16;
    /// Checksum and end mark.
    const SEAL: usize = 13;
    /// Zxid, version, digest and a seal.
    const DIGEST: usize = 20 + SEAL;
    let disk = reference_disk();
    for file in snapshot_files(disk.as_ref(), Path::new(SNAP)).unwrap() {
        let mut whole = Vec::new();
        disk.read_from(&file.path, 0).unwrap().read_to_end(&mut whole).unwrap();
        let sealed = &whole[..whole.len() - DIGEST];
        let mut world = World::new(LOG);
        let image = &sealed[HEAD..sealed.len() - SEAL];
        let (options, dir) = (RecoverOptions::default(), Path::new(SNAP));
        let received = receive_snapshot(&world.disk, dir, 1, file.zxid, &mut { image }, &options).unwrap();
        world.store.install(&received).unwrap();
        assert_eq!(world.mem.contents(&file.path).unwrap(), sealed);
        let expected = snapshot::read(disk.as_ref(), &file, 1 << 20, 0).unwrap();
        let found = world.store.reload().unwrap();
        assert_eq!((dump(&found.tree), found.sessions), (dump(&expected.tree), expected.sessions));
    }
}
