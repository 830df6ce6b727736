//! A multi: each operation sees what the earlier ones will do, and one failure takes all of them back (protocol §2.8).

use super::prepare_ops::Scope;
use crate::wire::proto::{MultiOp, MultiRequest};
use crate::wire::txn::Txn;
use crate::wire::{CreateMode, ErrorCode, OpCode};

impl Scope<'_> {
    /// The transaction of a multi: its operations', or one error each when one fails.
    ///
    /// # Errors
    /// MARSHALLINGERROR when operations stand in it that a multi cannot hold.
    pub(super) fn multi(&mut self, request: MultiRequest) -> Result<Txn, ErrorCode> {
        if request.ops.iter().any(is_out_of_place) {
            return Err(ErrorCode::MarshallingError);
        }
        let digest = self.pending.begin();
        let count = request.ops.len();
        let mut txns = Vec::with_capacity(count);
        for op in request.ops {
            match self.one(op) {
                Ok(txn) => txns.push(txn),
                Err(code) => {
                    self.pending.roll_back(digest);
                    return Ok(failed(count, txns.len(), code));
                }
            }
        }
        Ok(Txn::Multi(txns))
    }

    fn one(&mut self, op: MultiOp) -> Result<Txn, ErrorCode> {
        match op {
            MultiOp::Create(code, request) => self.create(code, &request, None),
            MultiOp::CreateTtl(request) => {
                let is_ttl = is_ttl(request.flags);
                let (create, ttl_ms) = request.split();
                // With the flags of another kind it is another kind here, and its time to live is not looked at.
                let op = if is_ttl { OpCode::CreateTtl } else { OpCode::Create };
                self.create(op, &create, is_ttl.then_some(ttl_ms))
            }
            MultiOp::Delete(request) => self.delete(&request),
            MultiOp::SetData(request) => self.set_data(request),
            MultiOp::Check(request) => self.check(request),
            MultiOp::GetData(_) | MultiOp::GetChildren(_) => Err(ErrorCode::MarshallingError),
        }
    }
}

/// Reads, and a time to live asked of an op that has none: the reference refuses that in another way outside of a multi.
fn is_out_of_place(op: &MultiOp) -> bool {
    match op {
        MultiOp::Create(_, request) => is_ttl(request.flags),
        other => other.is_read(),
    }
}

fn is_ttl(flags: i32) -> bool {
    CreateMode::from_flags(flags).is_some_and(CreateMode::is_ttl)
}

/// OK for those before the one that failed, its error, and RUNTIMEINCONSISTENCY for those after it.
fn failed(count: usize, at: usize, code: ErrorCode) -> Txn {
    let err = |index: usize| match index.cmp(&at) {
        std::cmp::Ordering::Less => ErrorCode::Ok,
        std::cmp::Ordering::Equal => code,
        std::cmp::Ordering::Greater => ErrorCode::RuntimeInconsistency,
    };
    Txn::Multi((0..count).map(|index| Txn::Error { err: err(index).code() }).collect())
}
