//! Operations on one znode's data, and the requests that name a path and little else (protocol §2.3).

use bytes::Bytes;

use crate::wire::Stat;

records! {
    /// A request that is a path: getACL, sync (and its reply), getAllChildrenNumber; the reply of create.
    pub struct PathOnly {
        /// The path.
        pub path: String,
    }

    /// exists, getData, getChildren and getChildren2.
    pub struct PathRequest {
        /// The path.
        pub path: String,
        /// Whether to set a one-shot watch.
        pub watch: bool,
    }

    /// delete, and check inside a multi.
    pub struct PathVersion {
        /// The path.
        pub path: String,
        /// The version expected, or −1 for any.
        pub version: i32,
    }

    /// setData.
    pub struct SetDataRequest {
        /// The path.
        pub path: String,
        /// The data.
        pub data: Option<Bytes>,
        /// The version expected, or −1 for any.
        pub version: i32,
    }

    /// The reply of exists, setData and setACL.
    pub struct StatResponse {
        /// The znode's Stat.
        pub stat: Stat,
    }

    /// The reply of getData and reconfig.
    pub struct GetDataResponse {
        /// The data.
        pub data: Option<Bytes>,
        /// The znode's Stat.
        pub stat: Stat,
    }
}
