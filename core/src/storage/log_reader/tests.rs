//! What is a torn tail and what is damage.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::BytesMut;

use super::*;
use crate::jute::Put;
use crate::storage::MemDisk;
use crate::wire::txn::{Txn, TxnHeader};

const LIMIT: usize = 4096;

fn entry(zxid: i64, path_length: usize) -> Bytes {
    let txn = Txn::Delete { path: "x".repeat(path_length) };
    let header = TxnHeader { client_id: 7, cxid: 1, zxid: Zxid(zxid), time_ms: 0, kind: txn.kind().code() };
    let digest = None;
    TxnRecord { header, txn, digest }.to_bytes()
}

fn record(entry: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    out.put_long(checksum::of(entry));
    out.put_buffer(Some(entry));
    out.extend_from_slice(b"B");
    out.to_vec()
}

/// A file of three records, and where each begins.
fn file() -> (Vec<u8>, [usize; 3]) {
    let mut bytes = header().to_bytes().to_vec();
    let starts = [1, 2, 3].map(|zxid| {
        let start = bytes.len();
        bytes.extend(record(&entry(zxid, 100)));
        start
    });
    (bytes, starts)
}

fn read(bytes: &[u8]) -> Result<(Vec<i64>, LogEnd), Error> {
    let mem = MemDisk::new();
    mem.plant(Path::new("/log/log.1"), bytes);
    let disk: Arc<dyn Disk> = Arc::new(mem);
    let mut reader = LogReader::open(&disk, Path::new("/log/log.1"), LIMIT)?;
    let mut zxids = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        entry.decode()?;
        zxids.push(entry.zxid.0);
    }
    Ok((zxids, reader.end().unwrap().clone()))
}

#[test]
fn zeros_after_the_last_record_mean_nothing() {
    let (mut bytes, _) = file();
    assert_eq!(read(&bytes).unwrap(), (vec![1, 2, 3], LogEnd::Clean));
    bytes.resize(bytes.len() + 50_000, 0);
    assert_eq!(read(&bytes).unwrap(), (vec![1, 2, 3], LogEnd::Clean));
}

/// The file ends, or goes on with the zeros it was grown by, at every byte a write can be cut at.
#[test]
fn a_write_cut_at_any_byte_ends_the_file_there() {
    let (bytes, starts) = file();
    for cut in FILE_HEAD..bytes.len() {
        let whole = starts.iter().filter(|start| **start + 149 <= cut).count();
        for padding in [0, 20_000] {
            let mut torn = bytes[..cut].to_vec();
            torn.resize(cut + padding, 0);
            let (zxids, end) = read(&torn).unwrap();
            assert_eq!(zxids.len(), whole, "cut at {cut}");
            if starts.contains(&cut) {
                assert_eq!(end, LogEnd::Clean, "cut at {cut}");
            } else if let LogEnd::Torn { offset, .. } = end {
                assert_eq!(offset as usize, starts[whole], "cut at {cut}");
            } else {
                // The checksum's first four bytes are zeros: cut there, nothing tells the record was begun.
                assert!(padding > 0 && cut - starts[whole] <= 4, "cut at {cut}");
            }
        }
    }
    for cut in 0..FILE_HEAD {
        assert_eq!(read(&bytes[..cut]).unwrap(), (vec![], LogEnd::NoHeader));
        let mut grown = bytes[..cut].to_vec();
        grown.resize(20_000, 0);
        assert_eq!(read(&grown).unwrap().0, [] as [i64; 0], "cut at {cut}");
    }
    assert_eq!(read(&vec![0; 30_000]).unwrap(), (vec![], LogEnd::NoHeader));
}

#[test]
fn any_byte_changed_before_the_last_record_is_damage_with_the_record_s_offset() {
    let (bytes, starts) = file();
    for at in starts[0]..starts[2] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        let error = read(&damaged).unwrap_err();
        let record = if at < starts[1] { starts[0] } else { starts[1] };
        assert!(error.is_corruption(), "{at}: {error}");
        assert_eq!(error.offset(), Some(record as u64), "{at}: {error}");
    }
}

#[test]
fn a_hole_of_zeros_before_a_record_is_damage() {
    let (mut bytes, starts) = file();
    bytes[starts[1]..starts[2]].fill(0);
    let error = read(&bytes).unwrap_err();
    assert_eq!(error.offset(), Some(starts[1] as u64));
    assert!(error.to_string().contains(&format!("a transaction follows at byte {}", starts[2])), "{error}");
    // So is one that is longer than what is searched at a time.
    let mut far = bytes[..starts[1]].to_vec();
    far.resize(100_000, 0);
    far.extend(record(&entry(9, 10)));
    let error = read(&far).unwrap_err();
    assert!(error.to_string().contains("at byte 100000"), "{error}");
}

#[test]
fn a_bad_last_record_is_a_torn_tail() {
    let (bytes, starts) = file();
    for at in [starts[2] + 5, starts[2] + 40, bytes.len() - 1] {
        let mut torn = bytes.clone();
        torn[at] ^= 0x55;
        let (zxids, end) = read(&torn).unwrap();
        assert_eq!(zxids, [1, 2]);
        assert!(matches!(end, LogEnd::Torn { offset, .. } if offset as usize == starts[2]));
    }
}

#[test]
fn unreasonable_lengths_are_damage_wherever_they_stand() {
    for length in [-1, -2, i32::MIN, LIMIT as i32 + 1, i32::MAX] {
        let (mut bytes, starts) = file();
        bytes[starts[2] + 8..starts[2] + 12].copy_from_slice(&length.to_be_bytes());
        let error = read(&bytes).unwrap_err();
        assert_eq!(error.offset(), Some(starts[2] as u64), "{length}");
        assert!(error.to_string().contains("unreasonable length"), "{error}");
    }
}

#[test]
fn a_good_checksum_over_what_is_no_transaction_is_damage() {
    let mut unknown = entry(4, 1).to_vec();
    unknown[28..32].copy_from_slice(&99i32.to_be_bytes());
    for (bad, what) in [
        (record(&[1; 31]), "a transaction of 31 bytes"),
        (record(&entry(3, 1)), "the transaction 0x3 follows 0x3"),
        (record(&unknown), "the transaction 0x4 cannot be read"),
    ] {
        let (mut bytes, _) = file();
        bytes.extend(bad);
        let error = read(&bytes).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn what_is_no_log_is_refused() {
    let error = read(b"ZKSN\0\0\0\x02 and more").unwrap_err();
    assert!(error.to_string().contains("not a transaction log"), "{error}");
}

#[test]
fn reading_goes_on_behind_damage_at_the_next_whole_record() {
    let (mut bytes, starts) = file();
    bytes[starts[1] + 40] ^= 0x55;
    let mem = MemDisk::new();
    mem.plant(Path::new("/log/log.1"), &bytes);
    let disk: Arc<dyn Disk> = Arc::new(mem);
    let mut reader = LogReader::open(&disk, Path::new("/log/log.1"), LIMIT).unwrap();
    assert_eq!(reader.next_entry().unwrap().unwrap().zxid, Zxid(1));
    assert!(reader.next_entry().unwrap_err().is_corruption());
    assert_eq!(reader.skip_damage().unwrap(), Some(starts[2] as u64));
    assert_eq!(reader.next_entry().unwrap().unwrap().zxid, Zxid(3));
    assert!(reader.next_entry().unwrap().is_none());
    assert_eq!(reader.end(), Some(&LogEnd::Clean));
    assert_eq!(reader.skip_damage().unwrap(), None);
}

#[test]
fn unchecked_reading_gives_a_transaction_with_a_wrong_checksum_and_says_so() {
    let read = |bytes: &[u8]| {
        let mem = MemDisk::new();
        mem.plant(Path::new("/log/log.1"), bytes);
        let disk: Arc<dyn Disk> = Arc::new(mem);
        let mut reader = LogReader::open(&disk, Path::new("/log/log.1"), LIMIT)?;
        let mut found = Vec::new();
        while let Some((entry, is_sound)) = reader.next_unchecked()? {
            found.push((entry.zxid.0, is_sound));
        }
        Ok::<_, Error>(found)
    };
    let (bytes, starts) = file();
    let mut changed = bytes.clone();
    changed[starts[1] + RECORD_HEAD + MIN_ENTRY + 10] = b'y';
    assert_eq!(read(&changed).unwrap(), [(1, true), (2, false), (3, true)]);
    // A kind that no transaction has, and a zxid that is not the next: nobody can say what stood there.
    for (at, byte) in [(31, 99), (ZXID_AT + 7, 0)] {
        let mut lost = bytes.clone();
        lost[starts[1] + RECORD_HEAD + at] = byte;
        let error = read(&lost).unwrap_err();
        assert_eq!(error.offset(), Some(starts[1] as u64), "{error}");
        assert!(error.to_string().contains("the checksum is wrong"), "{error}");
    }
}
