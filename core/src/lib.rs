//! Menagerie's core: a replicated znode service that speaks the ZooKeeper protocol, and its async client.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod jute;
pub mod wire;

#[cfg(feature = "replica")]
pub mod auth;
#[cfg(feature = "replica")]
pub mod replica;
#[cfg(feature = "replica")]
pub mod session;
#[cfg(feature = "replica")]
pub mod storage;
#[cfg(feature = "replica")]
pub mod tree;
#[cfg(feature = "replica")]
pub mod watch;
#[cfg(feature = "replica")]
pub mod zab;

#[cfg(feature = "client")]
pub mod client;

#[cfg(feature = "server")]
pub mod embedded;
#[cfg(feature = "server")]
pub mod server;

#[cfg(all(feature = "replica", feature = "cli"))]
pub mod offline;

#[cfg(all(feature = "server", feature = "cli"))]
pub mod migrate;

#[cfg(feature = "cli")]
pub mod bench;
#[cfg(feature = "cli")]
pub mod cli;
