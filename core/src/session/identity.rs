//! A session's id, and the password that is a function of it (protocol §2.1, §2.11).

use crate::wire::{Ttl, proto::PASSWORD_LENGTH};

/// The generator of session ids: the server's number in the top byte, then the start time, then a counter.
#[derive(Debug, Clone)]
pub struct SessionIds {
    next: i64,
}

impl SessionIds {
    /// A generator for server `server_id` (1 standalone), started at `wall_ms` milliseconds since the Unix epoch.
    pub fn new(server_id: u8, wall_ms: i64) -> Self {
        let time = ((wall_ms << 24) as u64) >> 8;
        let base = (time & 0x00ff_ffff_ffff_ffff) as i64 | (i64::from(server_id) << 56);
        // This one value marks container znodes.
        let next = if base == Ttl::CONTAINER_OWNER { base + 1 } else { base };
        SessionIds { next }
    }

    /// An id that no session had before.
    pub fn next_id(&mut self) -> i64 {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        id
    }
}

/// The password of a session id: the first bytes of Java's `java.util.Random` with the reference's seed, so that either
/// server can resume a session of the other.
pub fn password(session_id: i64) -> [u8; PASSWORD_LENGTH] {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let seed = (session_id ^ 0xB341_5C00) as u64;
    let mut state = (seed ^ MULTIPLIER) & MASK;
    let mut password = [0; PASSWORD_LENGTH];
    for word in password.chunks_exact_mut(4) {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        word.copy_from_slice(&((state >> 16) as u32).to_le_bytes());
    }
    password
}

/// Whether the password belongs to the session. Session 0 never has one.
pub fn password_matches(session_id: i64, given: &[u8]) -> bool {
    session_id != 0 && given == password(session_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8; PASSWORD_LENGTH]) -> String {
        format!("{:032x}", u128::from_be_bytes(*bytes))
    }

    /// Protocol §8.7.
    #[test]
    fn the_recorded_passwords() {
        assert_eq!(hex(&password(0x0100_0016_371f_0000)), "139449aaa44f7664a90c1e5d8d829974");
        assert_eq!(hex(&password(0x0100_0030_b929_000e)), "3c69c71b066fd5d2b793ff58c3dffdd2");
        assert!(!password_matches(0, &password(0)));
    }

    #[test]
    fn ids_carry_the_server_and_rise() {
        let mut ids = SessionIds::new(3, 1_795_476_076_939);
        let first = ids.next_id();
        assert_eq!((first >> 56, ids.next_id()), (3, first + 1));
        assert!(SessionIds::new(3, 1_795_476_076_940).next_id() > first);
        assert_eq!(first & 0xff_ffff, first & 0xff_ffff & !0xffff, "the counter starts low");
    }
}
