//! The requests that register watches again on a new connection (protocol §2.9). Pure.

use std::sync::Arc;

use bytes::BytesMut;

use crate::wire::proto::{SetWatches, SetWatches2, xid};
use crate::wire::{OpCode, Zxid};

use super::request::frame_of;
use super::watch_table::Rewatch;

/// Bytes of paths in one request: far enough below the servers' frame limit (1 MiB), and what the reference sends.
const BATCH_BYTES: usize = 128 * 1024;

/// The frames that register `watches`, each with paths of about 128 KiB. The server reports what has changed since `seen`. Requests without
/// persistent watches use the older operation, which servers before 3.6 know too.
pub(super) fn frames(watches: Vec<(Rewatch, Arc<str>)>, seen: Zxid) -> Vec<BytesMut> {
    let mut frames = Vec::new();
    let mut batch = Batch::new(seen);
    for (list, path) in watches {
        batch.add(list, &path);
        if batch.bytes >= BATCH_BYTES {
            frames.push(batch.frame());
            batch = Batch::new(seen);
        }
    }
    if batch.bytes > 0 {
        frames.push(batch.frame());
    }
    frames
}

struct Batch {
    record: SetWatches2,
    bytes: usize,
}

impl Batch {
    fn new(relative_zxid: Zxid) -> Self {
        Batch { record: SetWatches2 { relative_zxid, ..SetWatches2::default() }, bytes: 0 }
    }

    fn add(&mut self, list: Rewatch, path: &str) {
        let paths = match list {
            Rewatch::Data => &mut self.record.data,
            Rewatch::Exist => &mut self.record.exist,
            Rewatch::Child => &mut self.record.child,
            Rewatch::Persistent => &mut self.record.persistent,
            Rewatch::PersistentRecursive => &mut self.record.persistent_recursive,
        };
        paths.push(path.to_owned());
        self.bytes += path.len() + 4;
    }

    fn frame(self) -> BytesMut {
        let SetWatches2 { relative_zxid, data, exist, child, persistent, persistent_recursive } = self.record;
        if persistent.is_empty() && persistent_recursive.is_empty() {
            let record = SetWatches { relative_zxid, data, exist, child };
            frame_of(xid::SET_WATCHES, OpCode::SetWatches, &record)
        } else {
            let record = SetWatches2 { relative_zxid, data, exist, child, persistent, persistent_recursive };
            frame_of(xid::SET_WATCHES, OpCode::SetWatches2, &record)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::jute::{Decode, Reader};
    use crate::wire::proto::RequestHeader;

    #[test]
    fn many_watches_are_split_and_none_is_lost() {
        let path = |n: usize| Arc::from(format!("/{n:0>1000}"));
        let watches = (0..300).map(|n| (if n < 200 { Rewatch::Data } else { Rewatch::Persistent }, path(n))).collect();
        let frames = frames(watches, Zxid(7));
        assert_eq!(frames.len(), 3);
        let mut paths = Vec::new();
        for frame in frames {
            assert!(frame.len() < BATCH_BYTES + 2000);
            let frame = frame.freeze().slice(4..);
            let mut reader = Reader::new(&frame);
            let header = RequestHeader::decode(&mut reader).unwrap();
            assert_eq!(header.xid, xid::SET_WATCHES);
            let record = if header.op == OpCode::SetWatches.code() {
                SetWatches2::from(SetWatches::decode(&mut reader).unwrap())
            } else {
                assert_eq!(header.op, OpCode::SetWatches2.code());
                SetWatches2::decode(&mut reader).unwrap()
            };
            assert_eq!(record.relative_zxid, Zxid(7));
            paths.extend(record.data.into_iter().chain(record.persistent));
        }
        assert_eq!(paths, (0..300).map(|n| path(n).to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn no_watches_need_no_request() {
        assert!(frames(Vec::new(), Zxid(7)).is_empty());
    }
}
