//! The tokio shell around the replica.
