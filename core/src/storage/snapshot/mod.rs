//! Snapshots: the sessions and the whole tree in one file, or in one stream (protocol §6.5, §5.5).
//!
//! A snapshot is written while the server goes on serving, from a [`SnapshotCursor`](crate::tree::SnapshotCursor) that
//! looks at the tree in batches. So it is *fuzzy*: it holds everything up to the zxid in its name, and some of what came
//! after. Loading it and replaying the log from that zxid gives the exact tree, because every transaction may be replayed.

mod body;
mod compression;
mod image;
mod items;
mod reader;
mod receive;
mod snappy;
mod write;

pub use compression::Compression;
pub use image::{Image, SnapshotDigest, is_plausible, read, read_stream};
pub use items::Item;
pub use reader::SnapshotReader;
pub(super) use receive::keep_stream;
pub use write::{SnapshotOptions, Written, write, write_stream};
