//! reconfig (protocol §4.4).

records! {
    /// A change of the ensemble's members: incremental, or all at once.
    pub struct ReconfigRequest {
        /// Servers that join, comma separated `server.N=…`.
        pub joining: Option<String>,
        /// Ids of servers that leave, comma separated.
        pub leaving: Option<String>,
        /// The whole new membership.
        pub new_members: Option<String>,
        /// The configuration version expected, or −1 for any.
        pub config_version: i64,
    }
}
