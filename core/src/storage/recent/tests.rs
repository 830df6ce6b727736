//! The end of logs of every shape.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::jute::Encode;
use crate::storage::{LogOptions, MemDisk, TxnLog};
use crate::wire::txn::{Txn, TxnHeader, TxnRecord};

const SNAP: &str = "/snap";
const LOG: &str = "/log";
const LIMIT: usize = 4096;

/// Logs, each `&[zxid]` in a file of its own, and empty snapshots.
fn world(logs: &[&[Zxid]], snapshots: &[Zxid]) -> (MemDisk, Arc<dyn Disk>) {
    let mem = MemDisk::new();
    mem.create_dir_all(Path::new(LOG)).unwrap();
    for zxid in snapshots {
        mem.plant(&Path::new(SNAP).join(format!("snapshot.{:x}", zxid.0)), b"");
    }
    let disk: Arc<dyn Disk> = Arc::new(mem.clone());
    for zxids in logs {
        let options = LogOptions { pre_alloc_bytes: 0, force_sync: true, max_entry_bytes: LIMIT };
        let mut log = TxnLog::open(disk.clone(), LOG, options);
        zxids.iter().for_each(|zxid| log.append(*zxid, &entry(*zxid)).unwrap());
        log.sync().unwrap();
    }
    (mem, disk)
}

fn entry(zxid: Zxid) -> Bytes {
    let txn = Txn::Error { err: -4 };
    let header = TxnHeader { zxid, kind: txn.kind().code(), ..TxnHeader::default() };
    TxnRecord { header, txn, digest: None }.to_bytes()
}

fn at(epoch: u32, counters: std::ops::RangeInclusive<u32>) -> Vec<Zxid> {
    counters.map(|counter| Zxid::new(epoch, counter)).collect()
}

/// What comes before, and the entries.
fn recent(disk: &Arc<dyn Disk>, through: Zxid, max_entries: usize, max_bytes: usize) -> (Zxid, Vec<Zxid>) {
    let (snap, log) = (Path::new(SNAP), Path::new(LOG));
    let found = recent_entries(disk, snap, log, through, max_entries, max_bytes, LIMIT).unwrap();
    let zxids = found.entries.iter().map(|(zxid, bytes)| {
        assert_eq!(*bytes, entry(*zxid));
        *zxid
    });
    (found.before, zxids.collect())
}

fn all(disk: &Arc<dyn Disk>, through: Zxid) -> (Zxid, Vec<Zxid>) {
    recent(disk, through, usize::MAX, usize::MAX)
}

#[test]
fn the_last_entries_are_gathered_over_files_up_to_either_limit() {
    let one = at(0, 1..=9);
    let (_, disk) = world(&[&one[..3], &one[3..6], &one[6..]], &[]);
    assert_eq!(all(&disk, Zxid(9)), (Zxid(0), one.clone()));
    let size = entry(Zxid(1)).len();
    for through in 1..=9 {
        for count in 0..=through {
            let expected = (Zxid((through - count) as i64), one[through - count..through].to_vec());
            let through = Zxid(through as i64);
            assert_eq!(recent(&disk, through, count, usize::MAX), expected);
            assert_eq!(recent(&disk, through, usize::MAX, count * size), expected);
            assert_eq!(recent(&disk, through, usize::MAX, count * size + size - 1), expected);
        }
    }
}

#[test]
fn without_the_last_transaction_itself_there_are_none() {
    let (_, disk) = world(&[&at(0, 1..=4)], &[Zxid(6)]);
    assert_eq!(all(&disk, Zxid(6)), (Zxid(6), vec![]));
    let (_, nothing) = world(&[], &[]);
    assert_eq!(all(&nothing, Zxid::ZERO), (Zxid::ZERO, vec![]));
}

#[test]
fn they_begin_after_a_gap() {
    let (first, second) = (at(1, 1..=4), at(1, 6..=8));
    let (through, before) = (Zxid::new(1, 8), Zxid::new(1, 5));
    let (_, between_files) = world(&[&first, &second], &[]);
    assert_eq!(all(&between_files, through), (before, second.clone()));
    let (_, within) = world(&[&[&first[..], &second[..]].concat()], &[]);
    assert_eq!(all(&within, through), (before, second));
}

/// What came before an epoch's first transaction is only known when it was read.
#[test]
fn an_epochs_first_transaction_is_what_comes_before_when_nothing_else_is_known() {
    let second = at(2, 1..=3);
    let (_, alone) = world(&[&second], &[Zxid::new(1, 7)]);
    assert_eq!(all(&alone, second[2]), (second[0], second[1..].to_vec()));
    let (_, only) = world(&[&second[..1]], &[]);
    assert_eq!(all(&only, second[0]), (second[0], vec![]));
    let first = at(1, 5..=7);
    let (_, both) = world(&[&first, &second], &[Zxid::new(1, 7)]);
    assert_eq!(all(&both, second[2]), (Zxid::new(1, 4), [first.clone(), second.clone()].concat()));
    assert_eq!(recent(&both, second[2], 3, usize::MAX), (first[2], second));
}

/// A reference server that took a leader's snapshot keeps its old log: (1, 7) is followed by (3, 1), and the transactions
/// between them, which the snapshot of (3, 0) holds, are nowhere.
#[test]
fn a_snapshot_between_two_epochs_is_where_transactions_may_be_missing() {
    let (old, new) = (at(1, 5..=7), at(3, 1..=4));
    for files in [vec![&old[..], &new[..]], vec![&[&old[..], &new[..]].concat()[..]]] {
        let (_, disk) = world(&files, &[Zxid::new(1, 4), Zxid::new(3, 0)]);
        assert_eq!(all(&disk, new[3]), (new[0], new[1..].to_vec()));
    }
    // And an epoch that does not begin with its first number is not whole, whatever snapshots there are.
    let (_, disk) = world(&[&old, &at(3, 4..=6)], &[]);
    assert_eq!(all(&disk, Zxid::new(3, 6)), (Zxid::new(3, 3), at(3, 4..=6)));
}

#[test]
fn damage_and_torn_tails_are_where_they_begin() {
    let one = at(0, 1..=9);
    let (mem, disk) = world(&[&one[..3], &one[3..6], &one[6..]], &[]);
    let path = Path::new(LOG).join("log.4");
    let mut bytes = mem.contents(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    mem.plant(&path, &bytes);
    assert_eq!(all(&disk, Zxid(9)), (Zxid(6), one[6..].to_vec()));
    let cut = bytes.len() - 1;
    bytes[middle] ^= 1;
    mem.plant(&path, &bytes[..cut]);
    assert_eq!(all(&disk, Zxid(9)), (Zxid(6), one[6..].to_vec()));
    // A file that a crash left without anything is not in the way.
    mem.plant(&path, &bytes);
    mem.plant(&Path::new(LOG).join("log.9"), b"");
    assert_eq!(all(&disk, Zxid(6)), (Zxid(0), one[..6].to_vec()));
    // What is longer than the limit is damage too.
    let found = recent_entries(&disk, Path::new(SNAP), Path::new(LOG), Zxid(6), 9, 999, 8).unwrap();
    assert_eq!((found.before, found.entries), (Zxid(6), vec![]));
}

/// Whether its beginning is known, what it gives, and whether it ends well.
fn range(disk: &Arc<dyn Disk>, after: Zxid, through: Zxid) -> (bool, Vec<Zxid>, bool) {
    let mut range = log_range(disk, Path::new(SNAP), Path::new(LOG), after, through, LIMIT).unwrap();
    let (knows, mut zxids) = (range.knows_after(), Vec::new());
    loop {
        match range.next_entry() {
            Ok(Some((zxid, bytes))) => {
                assert_eq!(bytes, entry(zxid));
                zxids.push(zxid);
            }
            Ok(None) => return (knows, zxids, true),
            Err(error) => {
                assert!(matches!(error, Error::NotLogged { .. }), "{error}");
                return (knows, zxids, false);
            }
        }
    }
}

#[test]
fn a_range_gives_all_between_or_says_that_it_cannot() {
    let (old, new) = (at(1, 5..=7), at(2, 1..=4));
    let (_, disk) = world(&[&old[..2], &[&old[2..], &new[..2]].concat(), &new[2..]], &[]);
    let (first, last) = (old[0], new[3]);
    let both = [&old[..], &new[..]].concat();
    for (index, after) in both.iter().enumerate() {
        for (end, through) in both.iter().enumerate().skip(index) {
            assert_eq!(range(&disk, *after, *through), (true, both[index + 1..=end].to_vec(), true));
        }
    }
    // Not logged, but before what is, which leaves no doubt; and further back, of which nothing is known.
    assert_eq!(range(&disk, Zxid::new(1, 4), last), (true, both.clone(), true));
    assert_eq!(range(&disk, Zxid::new(1, 3), last), (false, vec![], false));
    // A transaction that somebody else had.
    assert_eq!(range(&disk, Zxid::new(1, 9), last), (false, vec![], false));
    assert_eq!(range(&disk, first, Zxid::new(2, 9)), (true, both[1..].to_vec(), false));
    let (_, gap) = world(&[&old, &new], &[Zxid::new(2, 0)]);
    assert_eq!(range(&gap, first, last), (true, old[1..].to_vec(), false));
}
