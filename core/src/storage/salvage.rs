//! Looks for a whole transaction in what follows a bad record. If there is one, the bad record is no torn tail.

use std::io::{self, Read};
use std::path::Path;

use super::log_reader::{MIN_ENTRY, split_head, zxid_of};
use super::txn_log::{RECORD_END, RECORD_HEAD};
use super::{Disk, Error, checksum};
use crate::wire::Zxid;

/// What the rest of a file is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing, or zeros.
    Zeros,
    /// Bytes, but no transaction.
    Bytes,
    /// A whole transaction begins here.
    RecordAt(u64),
}

/// Reads a file from `from` to its end, holding no more than two entries' worth of it, and finds the first whole record
/// of a transaction later than `last`.
pub(super) fn search(disk: &dyn Disk, path: &Path, from: u64, last: Zxid, max_entry: usize) -> Result<Rest, Error> {
    let mut window = Window {
        input: disk.read_from(path, from).map_err(Error::io("open", path))?,
        bytes: Vec::new(),
        start: from,
        at_end: false,
        reach: max_entry + RECORD_HEAD + 1,
    };
    let mut only_zeros = true;
    loop {
        window.fill().map_err(Error::io("read", path))?;
        if window.bytes.is_empty() {
            return Ok(if only_zeros { Rest::Zeros } else { Rest::Bytes });
        }
        // Most of what is searched is the zeros of a file grown in advance.
        if window.bytes.iter().fold(0, |all, byte| all | byte) == 0 {
            window.forget_zeros();
            continue;
        }
        only_zeros = false;
        let last_start = if window.at_end { window.bytes.len() } else { window.bytes.len() - window.reach + 1 };
        for start in 0..last_start {
            if is_record(&window.bytes[start..], last, max_entry) {
                return Ok(Rest::RecordAt(window.start + start as u64));
            }
        }
        window.forget(last_start);
    }
}

struct Window {
    input: Box<dyn Read + Send>,
    bytes: Vec<u8>,
    /// The file's offset of the first byte held.
    start: u64,
    at_end: bool,
    /// How far a record that begins at a byte can reach.
    reach: usize,
}

impl Window {
    fn fill(&mut self) -> io::Result<()> {
        let wanted = (2 * self.reach).saturating_sub(self.bytes.len()) as u64;
        let read = self.input.by_ref().take(wanted).read_to_end(&mut self.bytes)?;
        self.at_end = (read as u64) < wanted;
        Ok(())
    }

    fn forget(&mut self, count: usize) {
        self.bytes.drain(..count);
        self.start += count as u64;
    }

    /// A record may begin with zeros: the high half of its checksum, and the high bytes of its length.
    fn forget_zeros(&mut self) {
        let kept = if self.at_end { 0 } else { RECORD_HEAD };
        self.forget(self.bytes.len() - kept);
    }
}

fn is_record(bytes: &[u8], last: Zxid, max_entry: usize) -> bool {
    let Some(head) = bytes.first_chunk::<RECORD_HEAD>() else {
        return false;
    };
    let (expected, length) = split_head(head);
    // The checksum is 32 bits wide; this also rules out nearly every start at once.
    if !(1..=i64::from(u32::MAX)).contains(&expected) {
        return false;
    }
    let Some(length) = usize::try_from(length).ok().filter(|length| (MIN_ENTRY..=max_entry).contains(length)) else {
        return false;
    };
    let Some(record) = bytes.get(RECORD_HEAD..=RECORD_HEAD + length) else {
        return false;
    };
    let entry = &record[..length];
    record[length] == RECORD_END && zxid_of(entry).is_some_and(|zxid| zxid > last) && checksum::of(entry) == expected
}
