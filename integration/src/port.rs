//! Free ports on 127.0.0.1 for servers that must be told their port before they start.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// The ports tried lie below the range from which Linux takes the local ports of outgoing connections (32768 and up):
/// a test's own client must not be handed the port of a server that is just being restarted.
const FIRST: u32 = 15_000;
const COUNT: u32 = 17_000;

/// A port that nobody listens on now. Processes start looking at different places, so that tests that run side by side
/// do not race for the same one.
pub fn free() -> io::Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let offset = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + offset).map_err(io::Error::other)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no free port on 127.0.0.1"))
}
