//! Takes what consensus wants done: passes on what is the caller's to do, and gathers what is committed, to apply it at once. It
//! never knows what a transaction means.

use bytes::Bytes;

use super::{Output, Proposal, Replica};
use crate::jute::{Decode, DecodeError};
use crate::wire::Zxid;
use crate::wire::txn::TxnRecord;
use crate::zab;

/// Why a member cannot go on: what the ensemble has agreed upon cannot be applied here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fatal {
    /// The transaction is not one that this version knows.
    #[error("the committed transaction {zxid} cannot be read: {why}; is this member older than the others?")]
    Unreadable {
        /// Its place in the order.
        zxid: Zxid,
        /// What is wrong with it.
        why: DecodeError,
    },
    /// The transaction says that it stands elsewhere.
    #[error("the transaction committed as {zxid} says that it is {says}; the leader is at fault")]
    Misplaced {
        /// Its place in the order.
        zxid: Zxid,
        /// What its header says.
        says: Zxid,
    },
}

impl Replica {
    /// Does what consensus has made possible since the last time.
    pub(super) fn advance(&mut self) {
        let mut batch = Vec::new();
        loop {
            while let Some(output) = self.next_from_peer() {
                if let zab::Output::Committed { zxid, payload } = output {
                    match self.committed(zxid, &payload) {
                        Ok(proposal) => batch.extend(proposal),
                        Err(why) => return self.fail(batch, why),
                    }
                    continue;
                }
                let activates = matches!(output, zab::Output::Activated(_)) && self.replacing.is_none();
                if concerns_state(&output) || activates {
                    self.commit(std::mem::take(&mut batch));
                }
                self.pass_on(output);
                if self.snapshot_first {
                    return;
                }
            }
            if batch.is_empty() {
                return;
            }
            // To apply it may give the peer something to say.
            self.commit(std::mem::take(&mut batch));
        }
    }

    /// The next thing that may be done now. While the state is being made anew, whatever needs it is held back, in its order.
    fn next_from_peer(&mut self) -> Option<zab::Output> {
        if self.replacing.is_none()
            && let Some(held) = self.held.pop_front()
        {
            return Some(held);
        }
        while let Some(output) = self.peer.poll_output() {
            let snapshot_waits = || self.held.iter().any(|held| matches!(held, zab::Output::SendSnapshot { .. }));
            let waits = match &output {
                zab::Output::Persist { .. } => false,
                zab::Output::Committed { .. } => true,
                zab::Output::Send { .. } => snapshot_waits(),
                other => concerns_state(other),
            };
            if self.replacing.is_none() || !waits {
                return Some(output);
            }
            self.held.push_back(output);
        }
        None
    }

    fn pass_on(&mut self, output: zab::Output) {
        match output {
            zab::Output::Persist { ticket, write } => {
                let replaces = match &write {
                    zab::Write::InstallSnapshot { .. } => true,
                    zab::Write::Truncate { to } => self.replacing.is_some() || *to < self.applied,
                    _ => false,
                };
                self.outputs.push_back(Output::Persist { ticket, write });
                if replaces {
                    self.replacing = Some(ticket);
                    self.outputs.push_back(Output::ReplaceState { ticket });
                }
            }
            zab::Output::SendSnapshot { .. } => {
                self.snapshot_first = true;
                self.outputs.push_back(Output::Zab(output));
            }
            zab::Output::RoleChanged(role) => self.role_changed(role),
            zab::Output::ForwardedRequest { link, request } => self.forwarded_request(link, request),
            zab::Output::SessionsTouched(touches) => self.sessions_touched(touches),
            zab::Output::RevalidateSession { link, session, timeout_ms } => {
                self.revalidate_session(link, session, timeout_ms);
            }
            zab::Output::SessionRevalidated { session, valid } => self.revalidated(session, valid),
            zab::Output::Synced => self.synced(),
            zab::Output::Activated(_) => {
                // A state that is being made anew shows them when it is there.
                if self.replacing.is_none() {
                    self.show_members();
                }
                self.outputs.push_back(Output::Zab(output));
            }
            other => self.outputs.push_back(Output::Zab(other)),
        }
    }

    /// What was committed: as it was proposed here, or read from what another member proposed.
    /// `None` when the state has it already.
    fn committed(&mut self, zxid: Zxid, payload: &Bytes) -> Result<Option<Proposal>, Fatal> {
        if let Some(own) = self.proposals.pop_front_if(|proposal| proposal.record.header.zxid == zxid) {
            return Ok(Some(own));
        }
        if zxid <= self.applied {
            return Ok(None);
        }
        let mut record = TxnRecord::from_bytes(payload).map_err(|why| Fatal::Unreadable { zxid, why })?;
        let says = record.header.zxid;
        if says != zxid {
            return Err(Fatal::Misplaced { zxid, says });
        }
        let origin = self.forwarded_origin(&mut record);
        Ok(Some(Proposal { record, origin }))
    }

    fn fail(&mut self, before: Vec<Proposal>, why: Fatal) {
        self.commit(before);
        self.failed = true;
        self.outputs.push_back(Output::Fatal(why));
    }
}

/// Whether it must find applied what was committed before it.
fn concerns_state(output: &zab::Output) -> bool {
    matches!(
        output,
        zab::Output::Persist { write: zab::Write::Truncate { .. } | zab::Write::InstallSnapshot { .. }, .. }
            | zab::Output::SendSnapshot { .. }
            | zab::Output::RoleChanged(_)
            | zab::Output::ForwardedRequest { .. }
            | zab::Output::SessionsTouched(_)
            | zab::Output::RevalidateSession { .. }
            | zab::Output::SessionRevalidated { .. }
            | zab::Output::Synced
    )
}
