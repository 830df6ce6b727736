//! What is recorded of a run: each client's log in its own order, and the transactions in the one order.

use bytes::Bytes;
use menagerie_core::wire::txn::TxnRecord;
use menagerie_core::wire::{CreateMode, ErrorCode, EventKind, Zxid};

/// Everything that is known of a run.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The clients' logs.
    pub clients: Vec<ClientLog>,
    /// All committed transactions from the first one on.
    pub committed: Vec<TxnRecord>,
}

/// What one client did and saw. A client may have one session after the other.
#[derive(Clone, Debug, Default)]
pub struct ClientLog {
    /// Its name in messages.
    pub name: String,
    /// In the order in which the client did and saw it.
    pub steps: Vec<Step>,
}

/// One thing that a client did or saw.
#[derive(Clone, Debug)]
pub struct Step {
    /// When: all clients' times are of one clock, in any unit.
    pub at: u64,
    /// What.
    pub what: What,
}

/// What a client did or saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A session was opened, or resumed on another connection.
    Connected {
        /// Its id.
        session: i64,
    },
    /// The connection ended: what was asked and not answered has an unknown end.
    Lost,
    /// The server said that the session is gone.
    Refused,
    /// It asked for something.
    Asked {
        /// The request's number.
        xid: i32,
        /// For what.
        action: Action,
    },
    /// It was answered.
    Answered {
        /// The request's number.
        xid: i32,
        /// The zxid in the reply's header.
        zxid: Zxid,
        /// The answer.
        answer: Answer,
    },
    /// A reply that says nothing but the zxid: to a ping.
    Heard {
        /// The zxid in the reply's header.
        zxid: Zxid,
    },
    /// A watch's event.
    Event {
        /// The zxid in its header; −1 from servers that do not say it.
        zxid: Zxid,
        /// What happened.
        kind: EventKind,
        /// Where.
        path: String,
    },
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// create2.
    Create {
        /// The path, without its number when the mode adds one.
        path: String,
        /// The data.
        data: Bytes,
        /// Which kind.
        mode: CreateMode,
    },
    /// setData.
    SetData {
        /// Where.
        path: String,
        /// The data.
        data: Bytes,
        /// The version expected, or −1.
        version: i32,
    },
    /// delete.
    Delete {
        /// Where.
        path: String,
        /// The version expected, or −1.
        version: i32,
    },
    /// check; only inside of a multi.
    Check {
        /// Where.
        path: String,
        /// The version expected, or −1.
        version: i32,
    },
    /// multi.
    Multi(
        /// Its operations.
        Vec<Action>,
    ),
    /// getData.
    GetData {
        /// Where.
        path: String,
        /// Whether to watch it.
        watch: bool,
    },
    /// exists.
    Exists {
        /// Where.
        path: String,
        /// Whether to watch it.
        watch: bool,
    },
    /// getChildren.
    GetChildren {
        /// Where.
        path: String,
        /// Whether to watch it.
        watch: bool,
    },
    /// Watches that were set on an earlier connection.
    SetWatches {
        /// The last zxid that was seen.
        since: Zxid,
        /// Of data.
        data: Vec<String>,
        /// Of what was not there.
        exist: Vec<String>,
        /// Of children.
        child: Vec<String>,
    },
    /// sync.
    Sync {
        /// The path that is echoed.
        path: String,
    },
    /// closeSession.
    Close,
}

impl Action {
    /// Whether it becomes a transaction.
    pub fn is_write(&self) -> bool {
        matches!(
            self,
            Action::Create { .. }
                | Action::SetData { .. }
                | Action::Delete { .. }
                | Action::Check { .. }
                | Action::Multi(_)
                | Action::Close
        )
    }
}

/// An answer, as far as it can be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done, and nothing more to say.
    Done,
    /// A znode was created.
    Created {
        /// Its whole path.
        path: String,
        /// What it is.
        node: NodeView,
    },
    /// What a znode is.
    Node(
        /// The znode.
        NodeView,
    ),
    /// A znode's data.
    Data {
        /// The data.
        data: Bytes,
        /// The znode.
        node: NodeView,
    },
    /// Names of children, sorted.
    Children(
        /// The names.
        Vec<String>,
    ),
    /// One for each operation.
    Multi(
        /// The answers.
        Vec<Answer>,
    ),
    /// What is told at once of watches that are set again.
    Rewatched(
        /// The events.
        Vec<(EventKind, String)>,
    ),
    /// It was refused.
    Error(
        /// Why.
        ErrorCode,
    ),
}

/// What a Stat says that is the same wherever the history is replayed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeView {
    /// The transaction that created it.
    pub czxid: Zxid,
    /// The transaction that last set its data.
    pub mzxid: Zxid,
    /// The transaction that last changed its children.
    pub pzxid: Zxid,
    /// How often its data was set.
    pub version: i32,
    /// The session that owns it.
    pub owner: i64,
    /// How many children it has.
    pub children: i32,
}
