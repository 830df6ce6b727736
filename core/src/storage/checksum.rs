//! Adler-32, the checksum of logs and snapshots (protocol §6.2, §6.5), zero-extended to a long as files hold it.

use adler2::Adler32;

/// The checksum of one log entry.
pub(super) fn of(bytes: &[u8]) -> i64 {
    let mut adler = Adler32::new();
    adler.write_slice(bytes);
    value(adler)
}

/// A running checksum as files hold it.
pub(super) fn value(adler: Adler32) -> i64 {
    i64::from(adler.checksum())
}
