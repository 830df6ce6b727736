//! The tokio shell around the replica.

pub mod config;
pub mod ensemble;
pub mod properties;
pub mod zoo_cfg;
