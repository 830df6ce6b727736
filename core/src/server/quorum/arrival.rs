//! What came from the network on its way to the event loop, counted against the connection it came on. It never knows what
//! is done with it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::zab::Input;

/// An input, and its claim on what its connection may have waiting. Drop it when the input is taken off the event loop's
/// queue: until then its bytes count, and a connection that has too many of them waiting is not read from.
#[derive(Debug)]
pub struct Arrival {
    /// What happened.
    pub input: Input,
    _claim: Option<OwnedSemaphorePermit>,
}

impl Arrival {
    /// An input that came with bytes which were claimed.
    fn claiming(input: Input, claim: OwnedSemaphorePermit) -> Self {
        Arrival { input, _claim: Some(claim) }
    }
}

/// Something that takes no memory worth counting.
impl From<Input> for Arrival {
    fn from(input: Input) -> Self {
        Arrival { input, _claim: None }
    }
}

/// Where inputs go: called from tasks of the runtime, in the order of each connection. It must not block; an unbounded channel
/// does, for the claims bound it.
pub type Inputs = Arc<dyn Fn(Arrival) + Send + Sync>;

/// The inputs of one connection.
pub(super) struct Inbox {
    inputs: Inputs,
    room: Arc<Semaphore>,
    bytes: u32,
}

impl Inbox {
    /// At most `bytes` may wait; a single input that is larger waits alone.
    pub(super) fn new(inputs: &Inputs, bytes: u32) -> Self {
        Inbox { inputs: Arc::clone(inputs), room: Arc::new(Semaphore::new(bytes as usize)), bytes }
    }

    /// Hands on an input that came as `length` bytes, once there is room for it.
    pub(super) async fn put(&self, input: Input, length: usize) {
        let length = u32::try_from(length).unwrap_or(u32::MAX).clamp(1, self.bytes);
        // The semaphore is never closed, so there is always a claim in the end.
        if let Ok(claim) = Arc::clone(&self.room).acquire_many_owned(length).await {
            (self.inputs)(Arrival::claiming(input, claim));
        }
    }
}
