//! A `tracing` span for each request, from the call to its answer. It costs a comparison where nobody listens, and reads a clock only where
//! somebody does; it never changes what is sent.
//!
//! The spans have the target `menagerie_core::client::request`, the level DEBUG and the name `request`; the span that was current when the
//! call was made is their parent. Their fields: `op`; `path`, as servers know it; `session`; `xid`, once the request is sent; `zxid`, the one
//! of the reply; `error`; `latency_us`, the microseconds from the call to its answer, in which it may have waited for a connection. When the
//! answer has come, an event in the span says so. A call that is dropped before it is sent ends its span without a word.

use std::time::Instant;

use tracing::field::{Empty, display};

use crate::wire::{OpCode, Zxid};

use super::Client;
use super::request::Answer;

/// Where the spans can be switched on, as a filter of `tracing` names it.
const TARGET: &str = "menagerie_core::client::request";

/// The span of one request.
#[derive(Debug)]
pub(super) struct Trace {
    span: tracing::Span,
    called_at: Instant,
}

impl Trace {
    /// Begins a span, if anybody listens.
    pub(super) fn begin(client: &Client, op: OpCode, path: &str) -> Option<Box<Self>> {
        let span = tracing::debug_span!(
            target: TARGET,
            "request",
            ?op,
            path = if path.is_empty() { "".into() } else { client.chroot.outward(path) }.as_ref(),
            session = format_args!("0x{:x}", client.session_id()),
            xid = Empty,
            zxid = Empty,
            error = Empty,
            latency_us = Empty,
        );
        if span.is_disabled() {
            return None;
        }
        #[expect(clippy::disallowed_methods, reason = "what is measured is how long the caller really waits")]
        let called_at = Instant::now();
        Some(Box::new(Trace { span, called_at }))
    }

    /// The request is being sent.
    pub(super) fn sent(&self, xid: i32) {
        self.span.record("xid", xid);
    }

    /// A reply has come.
    pub(super) fn replied(&self, zxid: Zxid) {
        self.span.record("zxid", display(zxid));
    }

    /// The call has its answer.
    pub(super) fn end(&self, answer: &Answer) {
        let latency_us = u64::try_from(self.called_at.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.span.record("latency_us", latency_us);
        match answer {
            Ok(_) => tracing::debug!(target: TARGET, parent: &self.span, "answered"),
            Err(cause) => {
                self.span.record("error", display(cause));
                tracing::debug!(target: TARGET, parent: &self.span, "failed");
            }
        }
    }
}
