//! Where a session stands, as applications see it. It never knows how the session got there.

use std::fmt;

use tokio::sync::watch;

use crate::wire::Zxid;
use crate::wire::proto::PASSWORD_LENGTH;

/// Where a session stands.
///
/// Only a server can say that a session has expired: a client that is cut off stays [`State::Suspended`], however long, until
/// a server answers it (protocol §2.1). Use [`Client::valid_until`](super::Client::valid_until) to stop acting as an owner in
/// time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// No session yet; looking for a server.
    Connecting,
    /// Connected to a server that reads and writes.
    Connected,
    /// Connected to a server without a quorum, which only reads ([`ClientBuilder::read_only`](super::ClientBuilder::allow_read_only)).
    ConnectedReadOnly,
    /// Was connected, and the connection is lost. The session, its ephemeral znodes and watches may still live.
    Suspended,
    /// A server said that the session has expired. Final.
    Expired,
    /// Closed by the application. Final.
    Closed,
    /// The credentials were refused. Final.
    AuthFailed,
}

impl State {
    /// Whether requests are being answered.
    pub const fn is_connected(self) -> bool {
        matches!(self, State::Connected | State::ConnectedReadOnly)
    }

    /// Whether no other state can follow.
    pub const fn is_final(self) -> bool {
        matches!(self, State::Expired | State::Closed | State::AuthFailed)
    }
}

/// Follows a session's [`State`]. States that come and go between two looks are not seen; the last one always is.
#[derive(Debug, Clone)]
pub struct StateWatch {
    receiver: watch::Receiver<State>,
}

impl StateWatch {
    pub(super) fn new(receiver: watch::Receiver<State>) -> Self {
        StateWatch { receiver }
    }

    /// The state now.
    pub fn current(&self) -> State {
        *self.receiver.borrow()
    }

    /// Waits for a state other than the one last returned by this watch, and returns it. After a final state was returned it
    /// returns that state at once, for ever: leave the loop when [`State::is_final`]. Dropping the future loses nothing.
    pub async fn changed(&mut self) -> State {
        // An error means that the session's task has ended; its last state stands in the channel.
        let _ended = self.receiver.changed().await;
        *self.receiver.borrow_and_update()
    }

    /// Waits until `wanted` is true of the state, or the state is final, and returns the state. Looks at the present one first.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(State) -> bool) -> State {
        let mut state = *self.receiver.borrow_and_update();
        while !wanted(state) && !state.is_final() {
            state = self.changed().await;
        }
        state
    }
}

/// What it takes to resume a session from another process or client: keep it as secret as a password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionCredentials {
    /// The session's id.
    pub id: i64,
    /// The password a server gave with it.
    pub password: [u8; PASSWORD_LENGTH],
    /// The highest zxid seen: no server behind it will be accepted.
    pub last_zxid: Zxid,
}

impl fmt::Debug for SessionCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCredentials")
            .field("id", &format_args!("0x{:x}", self.id))
            .field("last_zxid", &self.last_zxid)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_final_state_is_returned_for_ever() {
        let (sender, receiver) = watch::channel(State::Connecting);
        let mut states = StateWatch::new(receiver);
        sender.send_replace(State::Connected);
        assert_eq!(states.changed().await, State::Connected);
        sender.send_replace(State::Expired);
        drop(sender);
        assert_eq!(states.changed().await, State::Expired);
        assert_eq!(states.changed().await, State::Expired);
        assert_eq!(states.wait_for(State::is_connected).await, State::Expired);
    }

    #[test]
    fn a_password_is_never_printed() {
        let credentials = SessionCredentials { id: 0x10, password: [0xab; 16], last_zxid: Zxid(3) };
        assert_eq!(format!("{credentials:?}"), "SessionCredentials { id: 0x10, last_zxid: Zxid(0x3), .. }");
    }
}
