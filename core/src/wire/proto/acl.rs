//! Access control and identities (protocol §2.10).

use bytes::Bytes;

use crate::wire::{Acl, Stat};

records! {
    /// setACL.
    pub struct SetAclRequest {
        /// The path.
        pub path: String,
        /// The new list.
        pub acl: Vec<Acl>,
        /// The ACL version expected, or −1 for any.
        pub version: i32,
    }

    /// The reply of getACL.
    pub struct GetAclResponse {
        /// The list.
        pub acl: Vec<Acl>,
        /// The znode's Stat.
        pub stat: Stat,
    }

    /// auth: credentials for the connection.
    pub struct AuthPacket {
        /// Always 0.
        pub kind: i32,
        /// The scheme.
        pub scheme: String,
        /// The credentials, in the scheme's syntax.
        pub auth: Option<Bytes>,
    }

    /// A SASL token, in both directions.
    pub struct SaslToken {
        /// The mechanism's bytes.
        pub token: Option<Bytes>,
    }

    /// One identity of a connection.
    pub struct ClientInfo {
        /// Its scheme.
        pub auth_scheme: String,
        /// Its user.
        pub user: String,
    }

    /// The reply of whoAmI.
    pub struct WhoAmIResponse {
        /// The connection's identities.
        pub client_info: Vec<ClientInfo>,
    }
}
