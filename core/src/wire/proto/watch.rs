//! Watches: setting, re-setting, removing, and the events (protocol §2.9).

use crate::wire::Zxid;

records! {
    /// setWatches: one-shot watches again, after a reconnect.
    pub struct SetWatches {
        /// The last zxid the client has seen.
        pub relative_zxid: Zxid,
        /// Data watches.
        pub data: Vec<String>,
        /// Exist watches.
        pub exist: Vec<String>,
        /// Child watches.
        pub child: Vec<String>,
    }

    /// setWatches2: persistent ones too.
    pub struct SetWatches2 {
        /// The last zxid the client has seen.
        pub relative_zxid: Zxid,
        /// Data watches.
        pub data: Vec<String>,
        /// Exist watches.
        pub exist: Vec<String>,
        /// Child watches.
        pub child: Vec<String>,
        /// Persistent watches.
        pub persistent: Vec<String>,
        /// Persistent recursive watches.
        pub persistent_recursive: Vec<String>,
    }

    /// addWatch.
    pub struct AddWatchRequest {
        /// The path.
        pub path: String,
        /// The number of an [`AddWatchMode`](crate::wire::AddWatchMode).
        pub mode: i32,
    }

    /// checkWatches and removeWatches.
    pub struct WatchesRequest {
        /// The path.
        pub path: String,
        /// The number of a [`WatcherKind`](crate::wire::WatcherKind).
        pub kind: i32,
    }

    /// A notification's record.
    pub struct WatcherEvent {
        /// The number of an [`EventKind`](crate::wire::EventKind).
        pub kind: i32,
        /// The number of a [`KeeperState`](crate::wire::KeeperState).
        pub state: i32,
        /// The path the event happened at.
        pub path: String,
    }

    /// The reply of addWatch, and of a failed operation inside a multi.
    pub struct ErrorResponse {
        /// The error code.
        pub err: i32,
    }
}

impl From<SetWatches> for SetWatches2 {
    fn from(old: SetWatches) -> Self {
        SetWatches2 {
            relative_zxid: old.relative_zxid,
            data: old.data,
            exist: old.exist,
            child: old.child,
            persistent: Vec::new(),
            persistent_recursive: Vec::new(),
        }
    }
}
