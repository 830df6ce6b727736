//! Mutual exclusion: [`Lock`], the queue that people use, and [`Exclusive`], the single znode that explains why.
//! Neither knows what it protects.

mod acquire;
mod entry;
mod exclusive;
mod guard;
mod queue;
mod ticket;

pub use acquire::Acquire;
pub use entry::{BoundLock, Lock};
pub use exclusive::{AcquireExclusive, Exclusive, ExclusiveGuard};
pub use guard::LockGuard;
pub use queue::Contender;
pub use ticket::Ticket;
