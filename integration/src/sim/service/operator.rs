//! Somebody who changes the members while everything else goes on, through whoever leads.

use menagerie_core::jute::Encode;
use menagerie_core::replica::{ConnId, Input, Request};
use menagerie_core::wire::OpCode;
use menagerie_core::wire::proto::{ConnectRequest, ConnectResponse, ReconfigRequest};
use menagerie_core::zab::Role;

use super::Violation;
use super::world::{Event, World};
use crate::sim::network::MemberIndex;

/// Connections of the operator are none of a client's.
const FIRST_CONN: ConnId = 1 << 40;

/// The operator: where it is connected, in which life of the member, and its session once it is open.
#[derive(Clone, Copy, Debug, Default)]
pub struct Operator {
    connections: u64,
    at: Option<(MemberIndex, u64, ConnId)>,
    session: Option<i64>,
    xid: i32,
}

impl World {
    /// It asks for a change, or opens a session first.
    pub(super) fn operate(&mut self) -> Result<(), Violation> {
        if self.options.changes_ms == 0 || self.is_calm() {
            return Ok(());
        }
        let pause = self.rng.u64(1..self.options.changes_ms * 2);
        self.schedule(pause, Event::Operate);
        let leads = |at: &MemberIndex| {
            let running = self.members[*at].running.as_ref().filter(|_| self.members[*at].paused.is_none());
            running.is_some_and(|it| matches!(it.role, Role::Leading { .. }))
        };
        let Some(leader) = (0..self.members.len()).find(leads) else { return Ok(()) };
        let life = self.members[leader].life;
        match self.operator {
            Operator { at: Some((at, of, conn)), session: Some(session), .. } if (at, of) == (leader, life) => {
                self.operator.xid += 1;
                let (xid, body) = (self.operator.xid, self.draw_change().to_bytes());
                let request = Request { conn, session, ids: [].into(), xid, op: OpCode::Reconfig, body };
                self.input(leader, Input::Request(request))
            }
            _ => {
                self.operator.connections += 1;
                let conn = FIRST_CONN + self.operator.connections;
                (self.operator.at, self.operator.session) = (Some((leader, life, conn)), None);
                let request = ConnectRequest { timeout_ms: 1_000, ..ConnectRequest::default() };
                self.input(leader, Input::Connect { conn, request })
            }
        }
    }

    /// A member answers the operator, if it is that.
    pub(super) fn operator_connected(&mut self, conn: ConnId, response: &ConnectResponse) {
        if self.operator.at.is_some_and(|(_, _, of)| of == conn) {
            self.operator.session = Some(response.session_id);
        }
    }

    /// One server joins, leaves, or changes its role.
    fn draw_change(&mut self) -> ReconfigRequest {
        let id = self.rng.usize(..self.members.len()) + 1;
        let role = if self.rng.u8(..4) == 0 { "observer" } else { "participant" };
        let joins = self.rng.u8(..3) > 0;
        ReconfigRequest {
            joining: joins.then(|| format!("server.{id}=host{id}:2888:3888:{role};2181")),
            leaving: (!joins).then(|| id.to_string()),
            new_members: None,
            config_version: -1,
        }
    }
}
