//! A multi: each operation sees what the earlier ones will do, and one failure takes all of them back (protocol §2.8).

use super::prepare_ops::Scope;
use crate::wire::proto::{MultiOp, MultiRequest};
use crate::wire::txn::Txn;
use crate::wire::{ErrorCode, OpCode};

impl Scope<'_> {
    /// The transaction of a multi: its operations', or one error each when one fails.
    ///
    /// # Errors
    /// MARSHALLINGERROR when reads stand among the operations.
    pub(super) fn multi(&mut self, request: MultiRequest) -> Result<Txn, ErrorCode> {
        if request.ops.iter().any(MultiOp::is_read) {
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
                let (create, ttl_ms) = request.split();
                self.create(OpCode::CreateTtl, &create, Some(ttl_ms))
            }
            MultiOp::Delete(request) => self.delete(&request),
            MultiOp::SetData(request) => self.set_data(request),
            MultiOp::Check(request) => self.check(request),
            MultiOp::GetData(_) | MultiOp::GetChildren(_) => Err(ErrorCode::MarshallingError),
        }
    }
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
