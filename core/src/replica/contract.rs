//! What happens to a member, and what it wants done: the contract with whoever drives it. It decides nothing.

use super::{ConnId, Fatal, Request};
use crate::wire::proto::{ConnectRequest, ConnectResponse};
use crate::zab::{self, Role, Ticket};

/// What happens to a member.
#[derive(Debug)]
pub enum Input {
    /// A client's first record on a connection: open a session or resume one.
    Connect {
        /// The connection.
        conn: ConnId,
        /// The record.
        request: ConnectRequest,
    },
    /// A write, a sync or a closeSession of a connection whose session is open.
    Request(
        /// The request.
        Request,
    ),
    /// Sessions were heard of by their connections, at these monotonic times.
    Touched(
        /// Session and time of each.
        Vec<(i64, u64)>,
    ),
    /// A connection is gone; its session lives on until it expires.
    Disconnected {
        /// The connection.
        conn: ConnId,
    },
    /// Every [`Output::Persist`] with a ticket up to this one is on disk.
    Persisted {
        /// The last such ticket.
        through: Ticket,
    },
    /// The state was made anew from disk, as [`Output::ReplaceState`] asked, and given to [`super::Shared::replace`].
    StateReplaced {
        /// The ticket of that output.
        through: Ticket,
    },
    /// Something came from another member. What is of the disk, of time and of clients comes by the other inputs.
    Zab(
        /// What came.
        zab::Input,
    ),
    /// Time has passed: see [`super::Replica::poll_timeout`]. Touches collected until then must be given before it.
    Tick,
}

/// What a member wants done, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Change what is on disk, after all earlier changes. Answer with [`Input::Persisted`] only when it is there. A standalone
    /// member only appends: header, record and digest.
    Persist {
        /// Counts up by one.
        ticket: Ticket,
        /// What to write.
        write: zab::Write,
    },
    /// Make the state anew from disk, exactly as of the write with this ticket, which came just before; then call
    /// [`super::Shared::replace`] and answer with [`Input::StateReplaced`]. Until then nothing is served.
    ReplaceState {
        /// The write's.
        ticket: Ticket,
    },
    /// Say something to another member: only what connects, sends or disconnects.
    Zab(
        /// What to do.
        zab::Output,
    ),
    /// What this member does has changed. One that looks for a leader has no connections, but for those of
    /// [`Output::ReadOnly`].
    RoleChanged(
        /// What it does now.
        Role,
    ),
    /// This member, which has no leader, serves clients that only read from now on, or no longer.
    ReadOnly(
        /// Whether it does.
        bool,
    ),
    /// Answer a [`Input::Connect`]. A timeout of 0 refuses the session: close the connection after it.
    Connected {
        /// The connection.
        conn: ConnId,
        /// The answer.
        response: ConnectResponse,
    },
    /// Close the connection without a word.
    Close {
        /// The connection.
        conn: ConnId,
    },
    /// The member cannot go on, and ignores every input from now on: stop it and tell the operator why.
    Fatal(
        /// Why.
        Fatal,
    ),
}
