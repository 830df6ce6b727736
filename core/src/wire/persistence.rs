//! The header of log and snapshot files (protocol §6.2, §6.5).

records! {
    /// What a file is.
    pub struct FileHeader {
        /// [`LOG_MAGIC`] or [`SNAPSHOT_MAGIC`].
        pub magic: i32,
        /// [`FORMAT_VERSION`].
        pub version: i32,
        /// 0 in logs, −1 in snapshots.
        pub dbid: i64,
    }
}

/// `ZKLG`.
pub const LOG_MAGIC: i32 = 0x5a4b_4c47;
/// `ZKSN`.
pub const SNAPSHOT_MAGIC: i32 = 0x5a4b_534e;
/// The version of both formats.
pub const FORMAT_VERSION: i32 = 2;
