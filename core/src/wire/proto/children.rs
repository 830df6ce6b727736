//! Operations that list znodes (protocol §2.3).

use crate::wire::Stat;

records! {
    /// The reply of getChildren.
    pub struct GetChildrenResponse {
        /// The children's names, in no order.
        pub children: Vec<String>,
    }

    /// The reply of getChildren2.
    pub struct GetChildren2Response {
        /// The children's names, in no order.
        pub children: Vec<String>,
        /// The parent's Stat.
        pub stat: Stat,
    }

    /// The reply of getAllChildrenNumber.
    pub struct GetAllChildrenNumberResponse {
        /// The number of descendants.
        pub total: i32,
    }

    /// getEphemerals.
    pub struct GetEphemeralsRequest {
        /// What the paths start with; null, empty or `/` for all.
        pub prefix: Option<String>,
    }

    /// The reply of getEphemerals.
    pub struct GetEphemeralsResponse {
        /// The session's ephemeral znodes.
        pub ephemerals: Vec<String>,
    }
}
