//! A multi: each operation sees what the earlier ones will do, and one failure takes all of them back (protocol §2.8).

use super::prepare_ops::Scope;
use crate::wire::proto::{MultiOp, MultiRequest};
use crate::wire::txn::Txn;
use crate::wire::{CreateMode, ErrorCode, OpCode};

impl Scope<'_> {
    /// The transaction of a multi: its operations', or one error each when one fails.
    ///
    /// # Errors
    /// MARSHALLINGERROR when reads stand among the operations, or a TTL znode without a time to live is reached.
    pub(super) fn multi(&mut self, request: MultiRequest) -> Result<Txn, ErrorCode> {
        if request.ops.iter().any(MultiOp::is_read) {
            return Err(ErrorCode::MarshallingError);
        }
        let digest = self.pending.begin();
        let count = request.ops.len();
        let mut txns = Vec::with_capacity(count);
        for op in request.ops {
            // Only when it is reached: an operation before it that fails is the one that is told of.
            if has_no_time_to_live(&op) {
                self.pending.roll_back(digest);
                return Err(ErrorCode::MarshallingError);
            }
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
            MultiOp::Create(code, request) => self.create(by_flags(code, request.flags), &request, None),
            MultiOp::CreateTtl(request) => {
                let (create, ttl_ms) = request.split();
                let code = by_flags(OpCode::CreateTtl, create.flags);
                // With the flags of another kind its time to live is not looked at.
                self.create(code, &create, (code == OpCode::CreateTtl).then_some(ttl_ms))
            }
            MultiOp::Delete(request) => self.delete(&request),
            MultiOp::SetData(request) => self.set_data(request),
            MultiOp::Check(request) => self.check(request),
            MultiOp::GetData(_) | MultiOp::GetChildren(_) => Err(ErrorCode::MarshallingError),
        }
    }
}

/// What a create inside a multi makes is decided by its flags, as in the reference.
fn by_flags(code: OpCode, flags: i32) -> OpCode {
    match (code, CreateMode::from_flags(flags)) {
        (_, Some(CreateMode::Container)) => OpCode::CreateContainer,
        (OpCode::CreateTtl, Some(mode)) if mode.is_ttl() => OpCode::CreateTtl,
        (OpCode::CreateContainer | OpCode::CreateTtl, _) => OpCode::Create,
        (code, _) => code,
    }
}

/// A TTL znode is asked of an operation that has no field for its time to live: outside of a multi that is refused in
/// another way.
fn has_no_time_to_live(op: &MultiOp) -> bool {
    matches!(op, MultiOp::Create(_, request) if CreateMode::from_flags(request.flags).is_some_and(CreateMode::is_ttl))
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
