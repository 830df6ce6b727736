//! The headers before every request and reply (protocol §2.2).

use crate::wire::Zxid;

records! {
    /// Before every request but the first.
    pub struct RequestHeader {
        /// The client's number of the request; negative ones have a meaning, see [`xid`].
        pub xid: i32,
        /// The op code.
        pub op: i32,
    }

    /// Before every reply and notification.
    pub struct ReplyHeader {
        /// The request's xid, or [`xid::NOTIFICATION`].
        pub xid: i32,
        /// The last transaction the server had processed.
        pub zxid: Zxid,
        /// The error code; the record follows only when it is 0.
        pub err: i32,
    }
}

/// Xids with a meaning of their own.
pub mod xid {
    /// A watch event, from the server.
    pub const NOTIFICATION: i32 = -1;
    /// A ping.
    pub const PING: i32 = -2;
    /// An auth packet.
    pub const AUTH: i32 = -4;
    /// Watches set again after a reconnect.
    pub const SET_WATCHES: i32 = -8;
}
