//! What one connection has done, as the four-letter word `cons` prints it (protocol §3.1). It never knows sockets.

use crate::wire::{OpCode, Zxid};

/// Since the connection came, or since the last `crst`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConnectionStats {
    /// Requests, the connect request included.
    pub(super) received: u64,
    /// Replies and events.
    pub(super) sent: u64,
    /// What was done last; `NA` for nothing yet, and for a write that failed.
    pub(super) last_op: &'static str,
    /// The client's number of it; negative when it had none.
    pub(super) last_cxid: i32,
    /// The last transaction applied then.
    pub(super) last_zxid: Zxid,
    /// The monotonic millisecond of the reply.
    pub(super) last_response_ms: u64,
    pub(super) last_latency_ms: u64,
    min_latency_ms: u64,
    pub(super) max_latency_ms: u64,
    answered: u64,
    total_latency_ms: u64,
}

impl Default for ConnectionStats {
    fn default() -> Self {
        ConnectionStats {
            received: 0,
            sent: 0,
            last_op: NOTHING,
            last_cxid: -1,
            last_zxid: Zxid(-1),
            last_response_ms: 0,
            last_latency_ms: 0,
            min_latency_ms: u64::MAX,
            max_latency_ms: 0,
            answered: 0,
            total_latency_ms: 0,
        }
    }
}

/// A request that was answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    /// A name of [`name_of`], or [`NOTHING`].
    pub(super) op: &'static str,
    pub(super) xid: i32,
    pub(super) zxid: Zxid,
    /// Monotonic milliseconds.
    pub(super) since_ms: u64,
    pub(super) now_ms: u64,
}

/// In place of an operation: none, or a write that failed.
pub(super) const NOTHING: &str = "NA";
/// The opening of a session, which has no op code that clients send.
pub(super) const SESSION: &str = "SESS";

impl ConnectionStats {
    pub(super) fn answered(&mut self, request: Answered) {
        // Pings and the like have numbers below zero: the last real one is kept.
        if request.xid >= 0 {
            self.last_cxid = request.xid;
        }
        let latency_ms = request.now_ms.saturating_sub(request.since_ms);
        self.last_op = request.op;
        self.last_zxid = request.zxid;
        self.last_response_ms = request.now_ms;
        self.last_latency_ms = latency_ms;
        self.min_latency_ms = self.min_latency_ms.min(latency_ms);
        self.max_latency_ms = self.max_latency_ms.max(latency_ms);
        self.answered += 1;
        self.total_latency_ms += latency_ms;
    }

    pub(super) fn min_latency_ms(&self) -> u64 {
        if self.answered == 0 { 0 } else { self.min_latency_ms }
    }

    pub(super) fn average_latency_ms(&self) -> u64 {
        self.total_latency_ms.checked_div(self.answered).unwrap_or(0)
    }
}

/// The four letters (sometimes more) by which `cons` names an operation.
pub(super) fn name_of(op: OpCode) -> &'static str {
    match op {
        OpCode::Ping => "PING",
        OpCode::CreateSession => SESSION,
        OpCode::Multi => "MULT",
        OpCode::MultiRead => "MLTR",
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => "CREA",
        OpCode::Delete | OpCode::DeleteContainer => "DELE",
        OpCode::SetData => "SETD",
        OpCode::Reconfig => "RECO",
        OpCode::SetAcl => "SETA",
        OpCode::CloseSession => "CLOS",
        OpCode::Sync => "SYNC",
        OpCode::Check => "CHEC",
        OpCode::Exists => "EXIS",
        OpCode::GetData => "GETD",
        OpCode::SetWatches => "SETW",
        OpCode::SetWatches2 => "STW2",
        OpCode::AddWatch => "ADDW",
        OpCode::GetAcl => "GETA",
        OpCode::GetChildren | OpCode::GetChildren2 => "GETC",
        OpCode::GetAllChildrenNumber => "GETACN",
        OpCode::CheckWatches => "CHKW",
        OpCode::RemoveWatches => "REMW",
        OpCode::WhoAmI => "HOMI",
        OpCode::GetEphemerals => "GETE",
        OpCode::Notification | OpCode::Auth | OpCode::Sasl | OpCode::Error => NOTHING,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_and_the_last_request_are_kept() {
        let mut stats = ConnectionStats::default();
        assert_eq!((stats.min_latency_ms(), stats.average_latency_ms()), (0, 0));
        let answered = |op, xid, since_ms| Answered { op, xid, zxid: Zxid(7), since_ms, now_ms: 20 };
        stats.answered(answered("GETD", 5, 10));
        stats.answered(answered("PING", -2, 17));
        assert_eq!((stats.last_op, stats.last_cxid, stats.last_zxid), ("PING", 5, Zxid(7)));
        assert_eq!((stats.last_response_ms, stats.last_latency_ms), (20, 3));
        assert_eq!((stats.min_latency_ms(), stats.average_latency_ms(), stats.max_latency_ms), (3, 6, 10));
    }
}
