//! The numbers of watch events, watch modes and connection states (protocol §2.9).

/// What happened to a znode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// Nothing: the event is about the connection.
    None,
    /// The znode was created.
    NodeCreated,
    /// The znode was deleted.
    NodeDeleted,
    /// The znode's data were set.
    NodeDataChanged,
    /// A child was created or deleted.
    NodeChildrenChanged,
    /// The client removed a data watch (made by clients).
    DataWatchRemoved,
    /// The client removed a child watch (made by clients).
    ChildWatchRemoved,
    /// The client removed a persistent watch (made by clients).
    PersistentWatchRemoved,
}

impl EventKind {
    /// The number on the wire.
    pub const fn code(self) -> i32 {
        match self {
            EventKind::None => -1,
            EventKind::NodeCreated => 1,
            EventKind::NodeDeleted => 2,
            EventKind::NodeDataChanged => 3,
            EventKind::NodeChildrenChanged => 4,
            EventKind::DataWatchRemoved => 5,
            EventKind::ChildWatchRemoved => 6,
            EventKind::PersistentWatchRemoved => 7,
        }
    }

    /// The kind of a number, or `None` when there is none.
    pub const fn from_i32(code: i32) -> Option<Self> {
        Some(match code {
            -1 => EventKind::None,
            1 => EventKind::NodeCreated,
            2 => EventKind::NodeDeleted,
            3 => EventKind::NodeDataChanged,
            4 => EventKind::NodeChildrenChanged,
            5 => EventKind::DataWatchRemoved,
            6 => EventKind::ChildWatchRemoved,
            7 => EventKind::PersistentWatchRemoved,
            _ => return None,
        })
    }
}

/// The state of a connection as events carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeeperState {
    /// The session has expired.
    Expired,
    /// No connection.
    Disconnected,
    /// Connected: the state in every event a server sends.
    SyncConnected,
    /// The credentials were refused.
    AuthFailed,
    /// Connected to a read-only server.
    ConnectedReadOnly,
    /// Authenticated by SASL.
    SaslAuthenticated,
    /// Closed by the client.
    Closed,
}

impl KeeperState {
    /// The number on the wire.
    pub const fn code(self) -> i32 {
        match self {
            KeeperState::Expired => -112,
            KeeperState::Disconnected => 0,
            KeeperState::SyncConnected => 3,
            KeeperState::AuthFailed => 4,
            KeeperState::ConnectedReadOnly => 5,
            KeeperState::SaslAuthenticated => 6,
            KeeperState::Closed => 7,
        }
    }
}

/// How a persistent watch looks at the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddWatchMode {
    /// Exactly one path, all four events.
    Persistent,
    /// A path and all below it; never `NodeChildrenChanged`.
    PersistentRecursive,
}

impl AddWatchMode {
    /// The number on the wire.
    pub const fn code(self) -> i32 {
        match self {
            AddWatchMode::Persistent => 0,
            AddWatchMode::PersistentRecursive => 1,
        }
    }

    /// The mode of a number, or `None` when there is none.
    pub const fn from_i32(code: i32) -> Option<Self> {
        match code {
            0 => Some(AddWatchMode::Persistent),
            1 => Some(AddWatchMode::PersistentRecursive),
            _ => None,
        }
    }
}

/// Which watches `checkWatches` and `removeWatches` mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WatcherKind {
    /// One-shot child watches.
    Children,
    /// One-shot data and exist watches.
    Data,
    /// All on the path.
    Any,
    /// Persistent watches (3.9 and later).
    Persistent,
    /// Persistent recursive watches (3.9 and later).
    PersistentRecursive,
}

impl WatcherKind {
    /// The number on the wire.
    pub const fn code(self) -> i32 {
        match self {
            WatcherKind::Children => 1,
            WatcherKind::Data => 2,
            WatcherKind::Any => 3,
            WatcherKind::Persistent => 4,
            WatcherKind::PersistentRecursive => 5,
        }
    }

    /// The kind of a number, or `None` when there is none.
    pub const fn from_i32(code: i32) -> Option<Self> {
        Some(match code {
            1 => WatcherKind::Children,
            2 => WatcherKind::Data,
            3 => WatcherKind::Any,
            4 => WatcherKind::Persistent,
            5 => WatcherKind::PersistentRecursive,
            _ => return None,
        })
    }
}
