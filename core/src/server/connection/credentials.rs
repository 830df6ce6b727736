//! Who a client says it is: answered at once, ahead of what stands in line, as the reference does. It never decides what an
//! identity may do.

use std::sync::Arc;

use bytes::Bytes;

use super::Connection;
use crate::auth;
use crate::jute::{Decode, DecodeError, Encode, Reader};
use crate::wire::proto::{ReplyHeader, SaslToken};
use crate::wire::{ErrorCode, Zxid};

impl Connection {
    /// Takes credentials; refused ones end the connection after their reply.
    pub(super) fn authenticate(&mut self, xid: i32, body: &Bytes) {
        let remote = self.handle.remote.ip().to_string();
        let Ok((scheme, credentials)) = packet(body) else {
            tracing::warn!(remote = %self.handle.remote, "closing a connection that sent credentials of no form");
            self.closing = true;
            return;
        };
        let proved = auth::authenticate(&self.context.auth, &scheme, credentials.as_deref(), &remote);
        let err = if let Some(proved) = proved {
            let mut ids = self.ids.to_vec();
            ids.extend(proved.into_iter().filter(|id| !self.ids.contains(id)));
            self.ids = ids.into();
            self.handle.set_ids(Arc::clone(&self.ids));
            ErrorCode::Ok
        } else {
            self.context.metrics.auth_failed.add(1);
            tracing::warn!(remote = %self.handle.remote, "closing a connection whose credentials were refused");
            self.closing = true;
            ErrorCode::AuthFailed
        };
        self.answer_header(xid, Zxid::ZERO, err);
    }

    /// No mechanism is configured. The answer is then a null token, as the reference's is: a client that is set up for SASL
    /// goes on without it, where a refusal would keep it from ever connecting.
    pub(super) fn sasl(&mut self, xid: i32, body: &Bytes) {
        if let Ok(SaslToken { token: Some(_) }) = SaslToken::from_bytes(body) {
            let none = SaslToken { token: None };
            self.reply(&ReplyHeader { xid, zxid: Zxid::ZERO, err: 0 }, |out| none.encode(out));
        } else {
            tracing::warn!(remote = %self.handle.remote, "closing a connection that sent no SASL token");
            self.closing = true;
        }
    }

    /// Answers a request of a client without an identity of an enforced scheme, and ends the connection: nothing that was
    /// asked before can have been admitted either.
    pub(super) fn turn_away(&mut self, xid: i32) {
        let schemes = &self.context.auth.enforced_schemes;
        tracing::warn!(remote = %self.handle.remote, ?schemes, "closing a connection without an identity of an enforced scheme");
        self.answer_header(xid, Zxid::ZERO, ErrorCode::SessionClosedRequireSaslAuth);
        self.closing = true;
    }
}

/// Scheme and proof of an auth packet. A scheme that is null is one that there is not.
fn packet(body: &Bytes) -> Result<(String, Option<Bytes>), DecodeError> {
    let mut reader = Reader::new(body);
    reader.int()?;
    Ok((reader.str()?.unwrap_or_default().into_owned(), reader.buffer()?))
}
