//! Create requests of every kind (protocol §2.3, §2.5).

use bytes::Bytes;

use crate::wire::{Acl, Stat};

impl CreateTtlRequest {
    /// The request without its time to live, and that.
    pub fn split(self) -> (CreateRequest, i64) {
        let CreateTtlRequest { path, data, acl, flags, ttl_ms } = self;
        (CreateRequest { path, data, acl, flags }, ttl_ms)
    }
}

records! {
    /// create, create2 and createContainer.
    pub struct CreateRequest {
        /// The path; a sequential znode's gets its number appended.
        pub path: String,
        /// The data.
        pub data: Option<Bytes>,
        /// Who may do what.
        pub acl: Vec<Acl>,
        /// The create mode's number.
        pub flags: i32,
    }

    /// createTTL.
    pub struct CreateTtlRequest {
        /// The path.
        pub path: String,
        /// The data.
        pub data: Option<Bytes>,
        /// Who may do what.
        pub acl: Vec<Acl>,
        /// The create mode's number.
        pub flags: i32,
        /// The time to live in milliseconds.
        pub ttl_ms: i64,
    }

    /// The reply to create2, createContainer and createTTL.
    pub struct Create2Response {
        /// The path of the znode that was created.
        pub path: String,
        /// Its Stat.
        pub stat: Stat,
    }
}
