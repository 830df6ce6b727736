//! Typed async coordination recipes on the Menagerie client.
//!
//! ```
//! use menagerie_recipes::Lock;
//! # use menagerie_core::{client::Client, embedded::Server};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = Server::start().await?;
//! # menagerie_recipes::init(Client::connect(server.connect_string()).await?);
//! let guard = Lock::acquire("/lock").await?;
//! // ... nobody else is here ...
//! guard.release().await?;
//! # Ok(())
//! # }
//! ```
//!
//! | recipe | guarantee | lost reply | session lost | status |
//! | --- | --- | --- | --- | --- |
//! | [`Lock`] | one holder, first come first served | found by its GUID | [`Held::lost`], never re-acquired | tested under cuts at every await |
//! | [`lock::Exclusive`] | one holder, no order; every release wakes all | found by its mark | as above | for learning, and for `/master` |
//! | [`master_worker`] | each task has exactly one result, across deaths of master and workers | each transition is one multi | tasks are reassigned | tested under kills |
//!
//! All recipes stand on the same pieces: one GUID per attempt (`protected`), one task per session that removes what nobody wants any more
//! (`janitor`), one algorithm for turns (`contender`), one for a single znode (`sole`), and what a holder can know of its hold
//! (`loss`, [`FencingToken`]). No recipe imports another. They run on Menagerie and on Apache ZooKeeper since 3.5.

pub mod ambient;
pub mod codec;
pub mod lock;
pub mod master_worker;

mod contender;
mod directory;
mod error;
mod fence;
mod held;
mod janitor;
mod limits;
mod loss;
mod mark;
mod parents;
mod protected;
mod retry;
mod sole;

pub use ambient::{init, with_client};
pub use error::{Error, LostOr};
pub use fence::FencingToken;
pub use held::Held;
pub use lock::Lock;
pub use loss::{Loss, LossPolicy, Lost};
pub use parents::Parents;
pub use protected::Naming;
