//! `stat` and `cons`: a line for each connection.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use super::super::registry::Handle;
use super::super::{Context, VERSION};
use super::server::summary;

/// The reference prints what its selector waits for on the connection: to read, to write, both or neither.
const READING: u8 = 1;
const WRITING: u8 = 4;

pub(super) fn stat(context: &Context) -> String {
    let mut text = format!("Zookeeper version: {VERSION}\nClients:\n");
    for handle in context.registry.all() {
        brief(&mut text, &handle);
        text += ")\n";
    }
    text + "\n" + &summary(context)
}

pub(super) fn cons(context: &Context) -> String {
    let mut text = String::new();
    for handle in context.registry.all() {
        brief(&mut text, &handle);
        let session = handle.session.load(Ordering::Relaxed);
        if session != 0 {
            with_session(&mut text, &handle, session);
        }
        text += ")\n";
    }
    text + "\n"
}

fn brief(text: &mut String, handle: &Handle) {
    let waits_for = if handle.writing.load(Ordering::Relaxed) {
        WRITING
    } else if handle.reading.load(Ordering::Relaxed) {
        READING
    } else {
        0
    };
    let in_line = handle.in_line.load(Ordering::Relaxed);
    let stats = handle.stats();
    // A string takes whatever is written.
    let _ = write!(
        text,
        " {}[{waits_for}](queued={in_line},recved={},sent={}",
        address(handle),
        stats.received,
        stats.sent
    );
}

fn with_session(text: &mut String, handle: &Handle, session: i64) {
    let stats = handle.stats();
    let _ = write!(
        text,
        ",sid=0x{session:x},lop={},est={},to={}",
        stats.last_op,
        handle.established_ms,
        handle.timeout_ms.load(Ordering::Relaxed)
    );
    if stats.last_cxid >= 0 {
        let _ = write!(text, ",lcxid=0x{:x}", stats.last_cxid);
    }
    let _ = write!(
        text,
        ",lzxid=0x{:x},lresp={},llat={},minlat={},avglat={},maxlat={}",
        stats.last_zxid.0,
        stats.last_response_ms,
        stats.last_latency_ms,
        stats.min_latency_ms(),
        stats.average_latency_ms(),
        stats.max_latency_ms
    );
}

/// Where a connection comes from, as the reference writes it.
pub(super) fn address(handle: &Handle) -> String {
    format!("/{}", handle.remote)
}
