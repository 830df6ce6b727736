//! The vocabulary of the protocol: records, op codes, error codes, paths, zxids and frames, as they stand on the wire and
//! on disk (protocol §1–§2, §6). It has no behaviour, and never knows sockets or the tree.

#[macro_use]
mod record;

mod create_mode;
mod data;
#[cfg(feature = "digest")]
mod digest;
pub mod ensemble;
mod error_code;
pub mod frame;
mod host_port;
mod op_code;
pub mod path;
pub mod persistence;
pub mod proto;
pub mod quorum;
pub mod quota;
pub mod txn;
mod watch_event;
mod zxid;

pub use create_mode::CreateMode;
pub use data::{Acl, Id, Perms, Stat, StatPersisted, Ttl};
#[cfg(feature = "digest")]
pub use digest::digest_id;
pub use error_code::ErrorCode;
pub use host_port::HostPort;
pub use op_code::OpCode;
pub use watch_event::{AddWatchMode, EventKind, KeeperState, WatcherKind};
pub use zxid::Zxid;
