//! The async client: a session with an ensemble, its operations, its watches.
//!
//! ```no_run
//! use menagerie_core::client::{Client, Version};
//! use menagerie_core::wire::CreateMode;
//!
//! # async fn example() -> Result<(), menagerie_core::client::Error> {
//! let client = Client::connect("127.0.0.1:2181").await?;
//! let created = client.create("/greeting", "hello", CreateMode::Ephemeral).await?;
//! let (data, _stat, watch) = client.get_data_and_watch("/greeting").await?;
//! assert_eq!(data, "hello");
//! client.set_data("/greeting", "hi", Version::Is(created.stat.version)).await?;
//! println!("{:?}", watch.changed().await.kind);
//! client.close().await
//! # }
//! ```
//!
//! One task owns a session. Handles put requests into its queue, the task moves bytes, and callers decode their own replies:
//!
//! ```text
//!  Client (clones) --- Command: unbounded queue, in order of calls ---> transport   the only file with sockets
//!     ^  Call <--------- oneshot: the reply's bytes ------------------     |  ^
//!     '  OneshotWatch, PersistentWatch <--- EventQueue ---------------     v  |
//!                                                                       session     pure: connect, ping, expire, re-watch
//!                                                                       |     |
//!                                                                  pending   watch_table, rewatch
//! ```
//!
//! Each request has a `tracing` span of the target `menagerie_core::client::request` where somebody listens to it at DEBUG: with the operation,
//! path, session, xid, zxid, error and latency in microseconds.
//!
//! `session`, `pending`, `watch_table` and `rewatch` have no clock and no socket: time is an argument, bytes and connections are
//! inputs and outputs. This module never knows the tree, Zab or the server.

mod builder;
mod call;
mod chroot;
mod error;
mod event;
mod handle;
mod hosts;
mod membership;
mod multi;
mod options;
mod pending;
mod reads;
mod request;
mod rewatch;
mod session;
mod state;
mod status;
mod trace;
mod transport;
mod walk;
mod watch;
mod watch_table;
mod writes;

pub use builder::ClientBuilder;
pub use call::Call;
pub use error::Error;
pub use event::{EventKind, WatchedEvent};
pub use handle::{Client, WeakClient};
pub use hosts::{CONNECT_VARIABLE, DEFAULT_HOSTS};
pub use membership::Reconfig;
pub use multi::{Multi, MultiOutcome, MultiRead, MultiReadOutcome};
pub use options::{CreateOptions, Version};
pub use state::{SessionCredentials, State, StateWatch};
pub use status::Status;
pub use walk::{Visited, Walk};
pub use watch::{OneshotWatch, PersistentWatch};
pub use writes::Created;

pub use crate::wire::AddWatchMode;
pub use crate::wire::ensemble::Ensemble;
