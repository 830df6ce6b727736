//! The op codes of requests and transactions (protocol §2.3).

macro_rules! op_codes {
    ($($(#[$meta:meta])* $variant:ident = $code:literal;)*) => {
        /// What a request asks for, or what kind of transaction a record is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i32)]
        #[non_exhaustive]
        pub enum OpCode {
            $($(#[$meta])* $variant = $code,)*
        }

        impl OpCode {
            /// The op of a number, or `None` when the protocol has none.
            pub const fn from_i32(code: i32) -> Option<Self> {
                match code {
                    $($code => Some(OpCode::$variant),)*
                    _ => None,
                }
            }

            /// The number on the wire.
            pub const fn code(self) -> i32 {
                self as i32
            }
        }
    };
}

op_codes! {
    /// 0: a watch event; only servers send it.
    Notification = 0;
    /// 1: create.
    Create = 1;
    /// 2: delete.
    Delete = 2;
    /// 3: exists.
    Exists = 3;
    /// 4: getData.
    GetData = 4;
    /// 5: setData.
    SetData = 5;
    /// 6: getACL.
    GetAcl = 6;
    /// 7: setACL.
    SetAcl = 7;
    /// 8: getChildren.
    GetChildren = 8;
    /// 9: sync.
    Sync = 9;
    /// 11: ping.
    Ping = 11;
    /// 12: getChildren with the parent's Stat.
    GetChildren2 = 12;
    /// 13: check a version; only inside a multi.
    Check = 13;
    /// 14: several writes as one transaction.
    Multi = 14;
    /// 15: create, answering with the Stat.
    Create2 = 15;
    /// 16: change the ensemble's members.
    Reconfig = 16;
    /// 17: ask whether a watch is set.
    CheckWatches = 17;
    /// 18: remove a watch.
    RemoveWatches = 18;
    /// 19: create a container znode.
    CreateContainer = 19;
    /// 20: reap a container or TTL znode; internal.
    DeleteContainer = 20;
    /// 21: create a TTL znode.
    CreateTtl = 21;
    /// 22: several reads.
    MultiRead = 22;
    /// 100: present credentials.
    Auth = 100;
    /// 101: re-register watches after a reconnect.
    SetWatches = 101;
    /// 102: a SASL token.
    Sasl = 102;
    /// 103: list the session's ephemeral znodes.
    GetEphemerals = 103;
    /// 104: count descendants.
    GetAllChildrenNumber = 104;
    /// 105: re-register watches, persistent ones too.
    SetWatches2 = 105;
    /// 106: set a persistent watch.
    AddWatch = 106;
    /// 107: list the connection's identities.
    WhoAmI = 107;
    /// -10: open a session; internal.
    CreateSession = -10;
    /// -11: close the session.
    CloseSession = -11;
    /// -1: a failed write; in transactions only.
    Error = -1;
}
