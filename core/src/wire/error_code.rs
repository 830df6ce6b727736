//! The error codes of the protocol (protocol §2.4), one table for number, name and meaning.

macro_rules! error_codes {
    ($($(#[$meta:meta])* $variant:ident = $code:literal, $name:literal;)*) => {
        /// What a reply's header says of the request's outcome.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$meta])* $variant,)*
            /// A code this version does not name.
            Other(
                /// The number on the wire.
                i32,
            ),
        }

        impl ErrorCode {
            /// Every named code, in the order of the protocol sheet.
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$variant,)*];

            /// The number on the wire.
            pub const fn code(self) -> i32 {
                match self {
                    $(ErrorCode::$variant => $code,)*
                    ErrorCode::Other(code) => code,
                }
            }

            /// The code of a number; numbers without a name are kept as [`ErrorCode::Other`].
            pub const fn from_i32(code: i32) -> Self {
                match code {
                    $($code => ErrorCode::$variant,)*
                    other => ErrorCode::Other(other),
                }
            }

            /// The reference's name, such as `NONODE`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(ErrorCode::$variant => $name,)*
                    ErrorCode::Other(_) => "UNKNOWN",
                }
            }
        }
    };
}

error_codes! {
    /// No error.
    Ok = 0, "OK";
    /// A server's own fault.
    SystemError = -1, "SYSTEMERROR";
    /// An operation of a failed multi that was not tried.
    RuntimeInconsistency = -2, "RUNTIMEINCONSISTENCY";
    /// The server's data contradict each other.
    DataInconsistency = -3, "DATAINCONSISTENCY";
    /// The connection was lost before the reply (made by clients).
    ConnectionLoss = -4, "CONNECTIONLOSS";
    /// A request that cannot be decoded.
    MarshallingError = -5, "MARSHALLINGERROR";
    /// An operation the server does not have.
    Unimplemented = -6, "UNIMPLEMENTED";
    /// An operation took too long (made by clients).
    OperationTimeout = -7, "OPERATIONTIMEOUT";
    /// An argument outside of what the operation allows.
    BadArguments = -8, "BADARGUMENTS";
    /// A session no tracker knows (between servers).
    UnknownSession = -12, "UNKNOWNSESSION";
    /// No quorum of the new configuration is connected.
    NewConfigNoQuorum = -13, "NEWCONFIGNOQUORUM";
    /// Another reconfiguration is under way.
    ReconfigInProgress = -14, "RECONFIGINPROGRESS";
    /// Upper bound of the errors an application causes.
    ApiError = -100, "APIERROR";
    /// The znode does not exist.
    NoNode = -101, "NONODE";
    /// The znode's ACL does not permit it.
    NoAuth = -102, "NOAUTH";
    /// The version is not the expected one.
    BadVersion = -103, "BADVERSION";
    /// An ephemeral znode cannot have children.
    NoChildrenForEphemerals = -108, "NOCHILDRENFOREPHEMERALS";
    /// The znode exists already.
    NodeExists = -110, "NODEEXISTS";
    /// The znode has children.
    NotEmpty = -111, "NOTEMPTY";
    /// The session has expired.
    SessionExpired = -112, "SESSIONEXPIRED";
    /// Made by the C client.
    InvalidCallback = -113, "INVALIDCALLBACK";
    /// An ACL that is empty or names what does not exist.
    InvalidAcl = -114, "INVALIDACL";
    /// The credentials were refused.
    AuthFailed = -115, "AUTHFAILED";
    /// The session lives on another connection now.
    SessionMoved = -118, "SESSIONMOVED";
    /// A write on a read-only server.
    NotReadOnly = -119, "NOTREADONLY";
    /// A local session cannot own ephemeral znodes.
    EphemeralOnLocalSession = -120, "EPHEMERALONLOCALSESSION";
    /// There is no such watch.
    NoWatcher = -121, "NOWATCHER";
    /// A request took too long (made by clients).
    RequestTimeout = -122, "REQUESTTIMEOUT";
    /// Reconfiguration is switched off.
    ReconfigDisabled = -123, "RECONFIGDISABLED";
    /// The server requires authentication.
    SessionClosedRequireSaslAuth = -124, "SESSIONCLOSEDREQUIRESASLAUTH";
    /// A hard quota would be exceeded.
    QuotaExceeded = -125, "QUOTAEXCEEDED";
    /// The operation waited too long in the server.
    ThrottledOp = -127, "THROTTLEDOP";
}

/// The reference's name; an unnamed code with its number.
impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ErrorCode::Other(code) => write!(f, "UNKNOWN({code})"),
            named => f.write_str(named.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorCode;

    #[test]
    fn every_code_is_found_by_its_number() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_i32(code.code()), *code);
        }
        assert_eq!(ErrorCode::from_i32(-99), ErrorCode::Other(-99));
        assert_eq!(ErrorCode::NoNode.to_string(), "NONODE");
    }
}
