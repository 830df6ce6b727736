//! Where a member lives: its number, address and ports, its role, and the network namespace it is started in. And the lines
//! of a configuration that say so. Knows no process.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use crate::port;

/// What a member is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It votes.
    Participant,
    /// It only learns what the others have decided.
    Observer,
}

/// Where one member lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number in `server.N`.
    pub id: i64,
    /// Its address: loopback, or one of a namespace that the test made.
    pub host: Ipv4Addr,
    /// Where learners dial.
    pub quorum: u16,
    /// Where votes are exchanged.
    pub election: u16,
    /// Where clients connect.
    pub client: u16,
    /// Whether it votes.
    pub role: Role,
    /// The network namespace that it is started in; `None` for that of the test.
    pub namespace: Option<String>,
}

impl Place {
    /// A voting member on 127.0.0.1, with three ports that are free now.
    pub fn on_loopback(id: i64) -> io::Result<Self> {
        let (quorum, election, client) = (port::free()?, port::free()?, port::free()?);
        let (host, role) = (Ipv4Addr::LOCALHOST, Role::Participant);
        Ok(Place { id, host, quorum, election, client, role, namespace: None })
    }

    /// Where clients connect.
    pub fn client_address(&self) -> SocketAddr {
        (self.host, self.client).into()
    }

    /// `host:quorum:election:role`, as `zoo.cfg` has it after `server.N=`.
    pub fn server_value(&self) -> String {
        let role = match self.role {
            Role::Participant => "participant",
            Role::Observer => "observer",
        };
        format!("{}:{}:{}:{role}", self.host, self.quorum, self.election)
    }

    /// [`Place::server_value`] with the client's address, as a dynamic configuration has it.
    pub fn dynamic_value(&self) -> String {
        format!("{};{}", self.server_value(), self.client_address())
    }
}
