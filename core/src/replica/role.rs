//! What changes in a member when it begins to lead, to follow, or to look for a leader. It never knows how leaders are found.

use super::{Origin, Output, Owner, Replica, TouchTimer};
use crate::session::SessionTracker;
use crate::zab::Role;

impl Replica {
    pub(super) fn role_changed(&mut self, role: Role) {
        self.role = role;
        // Whatever a leader's snapshot saw of later transactions was committed before the leader let this member serve.
        if role != Role::Looking && !self.is_exact {
            self.is_exact = true;
            self.shared.tree_mut().forget_digests();
        }
        self.proposes_no_more = false;
        match role {
            Role::Looking => self.stop_serving(),
            Role::Leading { .. } => self.begin_to_lead(),
            Role::Following { .. } | Role::Observing { .. } => {
                self.touch_timer = TouchTimer::from(self.now, &self.config);
            }
        }
        self.outputs.push_back(Output::RoleChanged(role));
    }

    /// Whatever waits for an answer has an unknown end: the clients find that out at another member, or at this one later.
    fn stop_serving(&mut self) {
        for conn in std::mem::take(&mut self.connections).into_keys() {
            self.outputs.push_back(Output::Close { conn });
        }
        for waiting in std::mem::take(&mut self.revalidating).into_values() {
            self.outputs.push_back(Output::Close { conn: waiting.conn });
        }
        self.owners.clear();
        self.proposals.clear();
        self.barriers.clear();
        self.forwarded.clear();
        self.syncs.clear();
        self.verdicts.clear();
        self.sessions = SessionTracker::new(self.config.tick_ms);
        self.forget_proposed();
    }

    /// Every session gets its whole timeout anew: nobody knows when the old leader last heard of it.
    fn begin_to_lead(&mut self) {
        // What others had proposed was committed since this member began to look for a leader.
        self.forget_proposed();
        for (id, timeout_ms) in self.shared.sessions() {
            self.sessions.open(id, u64::try_from(timeout_ms).unwrap_or(0), self.now.monotonic_ms);
        }
        let orphans: Vec<i64> = {
            let (tree, sessions) = (self.shared.tree(), self.shared.sessions());
            tree.sessions_with_ephemerals().filter(|session| !sessions.contains_key(session)).collect()
        };
        for session in orphans {
            tracing::info!(
                session = format_args!("0x{session:x}"),
                "removing the ephemeral znodes of a session that is gone"
            );
            self.propose_close(self.now, session, 0, Origin::Internal);
        }
    }

    /// The state was made anew from disk.
    pub(super) fn state_replaced(&mut self) {
        self.replacing = None;
        self.applied = self.shared.tree().last_zxid();
        // A snapshot is written while the tree goes on: it shows some of the transactions that are yet to come.
        self.is_exact = false;
        self.show_members();
        self.forget_proposed();
    }

    fn forget_proposed(&mut self) {
        self.pending = super::Outstanding::new(self.shared.tree().digest());
    }

    /// The connection of this member that owns the session.
    pub(super) fn local_owner(&self, session: i64) -> Option<super::ConnId> {
        match self.owners.get(&session) {
            Some(Owner::Local { conn, .. }) => Some(*conn),
            Some(Owner::Learner(_) | Owner::Nowhere) | None => None,
        }
    }
}
