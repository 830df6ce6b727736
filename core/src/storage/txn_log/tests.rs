//! Writing, reading and tearing the log.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::storage::{LogIterator, MemDisk};
use crate::wire::txn::{Txn, TxnHeader, TxnRecord};

const DIR: &str = "/log";
const OPTIONS: LogOptions = LogOptions { pre_alloc_bytes: 8192, force_sync: true, max_entry_bytes: 4096 };

struct World {
    mem: MemDisk,
    disk: Arc<dyn Disk>,
    log: TxnLog,
}

impl World {
    fn new() -> Self {
        Self::on(MemDisk::new())
    }

    fn on(mem: MemDisk) -> Self {
        mem.create_dir_all(Path::new(DIR)).unwrap();
        let disk: Arc<dyn Disk> = Arc::new(mem.clone());
        World { log: TxnLog::open(disk.clone(), DIR, OPTIONS), disk, mem }
    }

    fn log(&mut self, zxids: std::ops::RangeInclusive<i64>) {
        for zxid in zxids {
            self.log.append(Zxid(zxid), &entry(zxid)).unwrap();
        }
        self.log.sync().unwrap();
    }

    fn read(&self, from: i64) -> Result<Vec<i64>, Error> {
        let mut log = LogIterator::from_zxid(&self.disk, Path::new(DIR), Zxid(from), OPTIONS.max_entry_bytes)?;
        let mut zxids = Vec::new();
        while let Some(entry) = log.next_entry()? {
            assert_eq!(entry.bytes, self::entry(entry.zxid.0));
            zxids.push(entry.zxid.0);
        }
        Ok(zxids)
    }

    fn path(name: &str) -> PathBuf {
        Path::new(DIR).join(name)
    }
}

fn entry(zxid: i64) -> bytes::Bytes {
    let txn = Txn::Error { err: zxid as i32 };
    let header = TxnHeader { client_id: 7, cxid: 1, zxid: Zxid(zxid), time_ms: 0, kind: txn.kind().code() };
    TxnRecord { header, txn, digest: None }.to_bytes()
}

#[test]
fn what_was_synced_is_read_back_after_the_worst_crash_and_nothing_else() {
    let mut world = World::new();
    world.log(1..=3);
    world.log.append(Zxid(4), &entry(4)).unwrap();
    assert_eq!(world.log.durable(), Zxid(3));
    world.mem.crash(|_| 0);
    assert_eq!(world.read(1).unwrap(), [1, 2, 3]);
    assert_eq!(world.read(3).unwrap(), [3]);
    assert_eq!(world.read(4).unwrap(), [] as [i64; 0]);
}

#[test]
fn one_sync_is_one_write_however_much_was_appended() {
    let mut world = World::new();
    world.log(1..=1);
    let before = world.mem.sync_count();
    world.log(2..=50);
    assert_eq!(world.mem.sync_count(), before + 1);
    world.log.sync().unwrap();
    assert_eq!(world.mem.sync_count(), before + 1, "nothing to sync");
}

#[test]
fn files_begin_at_a_roll_and_are_named_by_their_first_transaction() {
    let mut world = World::new();
    world.log(1..=15);
    assert_eq!(world.disk.len(&World::path("log.1")).unwrap(), 8192);
    world.log.roll().unwrap();
    world.log(16..=17);
    assert_eq!(world.disk.list(Path::new(DIR)).unwrap(), ["log.1", "log.10"]);
    let used = (FILE_HEAD + 15 * (RECORD_HEAD + entry(1).len() + 1)) as u64;
    assert_eq!(world.disk.len(&World::path("log.1")).unwrap(), used, "the zeros are cut off");
    assert_eq!(world.read(10).unwrap(), (10..=17).collect::<Vec<_>>());
}

#[test]
fn a_restart_opens_a_new_file_and_never_overwrites_transactions() {
    let mut world = World::new();
    world.log(1..=2);
    let mut world = World::on(world.mem);
    world.log(3..=3);
    assert_eq!(world.read(1).unwrap(), [1, 2, 3]);
    let mut world = World::on(world.mem);
    world.log.append(Zxid(3), &entry(3)).unwrap();
    assert!(matches!(world.log.sync(), Err(Error::AlreadyLogged { .. })));
    assert!(matches!(world.log.sync(), Err(Error::Stopped)));
}

#[test]
fn a_file_torn_before_its_first_record_may_be_written_anew() {
    for bytes in [&b""[..], b"ZKLG", &[0; 40], b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0\0\0"] {
        let mem = MemDisk::new();
        mem.plant(&World::path("log.1"), bytes);
        let mut world = World::on(mem);
        assert_eq!(world.read(1).unwrap(), [] as [i64; 0], "{bytes:?}");
        world.log(1..=2);
        assert_eq!(world.read(1).unwrap(), [1, 2], "{bytes:?}");
    }
}

#[test]
fn entries_that_could_not_be_read_back_are_refused() {
    let mut world = World::new();
    world.log(1..=5);
    let again = world.log.append(Zxid(5), &entry(5));
    assert!(matches!(again, Err(Error::OutOfOrder { last: Zxid(5), .. })));
    let long = world.log.append(Zxid(6), &[0; 4097]);
    assert!(matches!(long, Err(Error::EntryTooLong { length: 4097, limit: 4096, .. })));
    world.log(6..=6);
    assert_eq!(world.read(1).unwrap().len(), 6);
}

#[test]
fn a_failed_write_or_sync_stops_the_log_for_good() {
    // Of the first sync: create, grow, write, sync, sync of the directory.
    for failing in 0..5 {
        let mut world = World::new();
        world.mem.fail_after(failing, std::io::ErrorKind::StorageFull);
        world.log.append(Zxid(1), &entry(1)).unwrap();
        let error = world.log.sync().unwrap_err();
        assert!(error.is_io(), "{error}");
        world.mem.heal();
        assert!(matches!(world.log.sync(), Err(Error::Stopped)));
        assert!(matches!(world.log.append(Zxid(2), &entry(2)), Err(Error::Stopped)));
        assert_eq!(world.log.durable(), Zxid(0));
        // Whatever is there is a prefix.
        world.mem.crash(|all| all);
        assert!(world.read(1).unwrap().len() <= 1);
    }
}

#[test]
fn truncation_cuts_the_file_that_holds_the_zxid_and_removes_later_ones() {
    for to in 0..=9 {
        let mut world = World::new();
        world.log(1..=4);
        world.log.roll().unwrap();
        world.log(5..=6);
        world.log.roll().unwrap();
        world.log(7..=9);
        world.log.truncate(Zxid(to)).unwrap();
        world.mem.crash(|_| 0);
        assert_eq!(world.read(1).unwrap(), (1..=to).collect::<Vec<_>>(), "to {to}");
        let mut world = World::on(world.mem);
        world.log.append(Zxid(to + 1), &entry(to + 1)).unwrap();
        world.log.sync().unwrap();
        assert_eq!(world.read(1).unwrap(), (1..=to + 1).collect::<Vec<_>>(), "to {to}");
    }
}

/// The whole buffer went, and with it what should stay; the log believed it was there.
#[test]
fn a_truncation_keeps_what_was_appended_before_its_zxid_and_not_synced() {
    for synced in 0..=5 {
        let mut world = World::new();
        if synced > 0 {
            world.log(1..=synced);
        }
        for zxid in synced + 1..=5 {
            world.log.append(Zxid(zxid), &entry(zxid)).unwrap();
        }
        world.log.truncate(Zxid(3)).unwrap();
        assert_eq!(world.log.durable(), Zxid(3));
        world.mem.crash(|_| 0);
        assert_eq!(world.read(1).unwrap(), [1, 2, 3], "{synced} synced");
    }
}

/// It could not go on, and yet it took the next transaction: behind a gap, or before what it should have dropped.
#[test]
fn a_failed_truncation_stops_the_log_for_good_wherever_it_fails() {
    let mut failures = 0;
    for failing in 0.. {
        let mut world = World::new();
        world.log(1..=4);
        world.log.roll().unwrap();
        world.log(5..=6);
        world.log.append(Zxid(7), &entry(7)).unwrap();
        world.mem.fail_after(failing, std::io::ErrorKind::Other);
        if world.log.truncate(Zxid(3)).is_ok() {
            break;
        }
        failures += 1;
        world.mem.heal();
        assert!(matches!(world.log.append(Zxid(8), &entry(8)), Err(Error::Stopped)), "{failing}");
        assert!(matches!(world.log.truncate(Zxid(3)), Err(Error::Stopped)), "{failing}");
        world.mem.crash(|_| 0);
        let left = world.read(1).unwrap();
        assert_eq!(left, (1..=left.len() as i64).collect::<Vec<_>>());
        assert!(left.len() >= 3, "{failing}: {left:?}");
    }
    assert!(failures > 3);
}

/// The record behind was read as well, and one that was damaged kept the log from being cut before it.
#[test]
fn damage_behind_the_zxid_does_not_keep_a_truncation_from_it() {
    let mut world = World::new();
    world.log(1..=5);
    let mut bytes = world.mem.contents(&World::path("log.1")).unwrap();
    let fourth = FILE_HEAD + 3 * (RECORD_HEAD + entry(1).len() + 1);
    bytes[fourth + RECORD_HEAD] ^= 1;
    world.mem.plant(&World::path("log.1"), &bytes);
    assert!(world.read(1).unwrap_err().is_corruption());
    let mut world = World::on(world.mem);
    world.log.truncate(Zxid(3)).unwrap();
    assert_eq!(world.read(1).unwrap(), [1, 2, 3]);
}

#[test]
fn a_truncation_that_crashes_half_way_leaves_no_gap() {
    for failing in 0..8 {
        let mut world = World::new();
        for zxid in 1..=4 {
            world.log(zxid..=zxid);
            world.log.roll().unwrap();
        }
        world.mem.fail_after(failing, std::io::ErrorKind::Other);
        let _ = world.log.truncate(Zxid(1));
        world.mem.crash(|_| 0);
        let left = world.read(1).unwrap();
        assert_eq!(left, (1..=left.len() as i64).collect::<Vec<_>>());
    }
}

#[test]
fn without_force_sync_nothing_is_synced() {
    let mem = MemDisk::new();
    mem.create_dir_all(Path::new(DIR)).unwrap();
    let options = LogOptions { force_sync: false, ..OPTIONS };
    let mut log = TxnLog::open(Arc::new(mem.clone()), DIR, options);
    log.append(Zxid(1), &entry(1)).unwrap();
    log.sync().unwrap();
    assert_eq!(mem.sync_count(), 0);
}
