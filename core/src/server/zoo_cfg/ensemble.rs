//! What the list of servers means together with the rest of `zoo.cfg`: who this server is, and what cannot be an ensemble
//! (protocol §4.1, §4.3).

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Draft, members};
use crate::server::config::{ConfigError, Warning};
use crate::wire::HostPort;
use crate::wire::ensemble::{Ensemble, Role};

/// The highest number of a member: a session's id begins with its last byte, and 255 marks a time to live there.
const MAX_SERVER_ID: i64 = 254;

impl Draft {
    pub(super) fn take_ensemble(&self, dynamic: Option<Ensemble>) -> Result<Option<Ensemble>, ConfigError> {
        match (dynamic, self.members.first()) {
            (Some(_), Some(member)) => Err(self.contradiction(format!(
                "{} stands in line {} while dynamicConfigFile is given: the servers must then all stand in that file",
                member.key, member.line
            ))),
            (Some(ensemble), None) => Ok(Some(ensemble)),
            (None, Some(_)) => members::build(&self.file, &self.members, 0).map(Some),
            (None, None) => Ok(None),
        }
    }

    pub(super) fn check_ensemble(&self) -> Result<(), ConfigError> {
        let quorum = &self.config.quorum;
        if quorum.min_notification_ms > quorum.max_notification_ms {
            return Err(self.contradiction(format!(
                "fastleader.minNotificationInterval is {} ms and fastleader.maxNotificationInterval {} ms: the minimum must \
                 not exceed the maximum",
                quorum.min_notification_ms, quorum.max_notification_ms
            )));
        }
        let Some(ensemble) = &self.config.ensemble else { return Ok(()) };
        let (participants, observers) = (ensemble.participant_count(), ensemble.observer_count());
        if participants == 0 {
            return Err(self.contradiction("no server of the list is a participant: somebody must vote"));
        }
        if participants == 1 && observers > 0 && self.config.standalone_enabled {
            return Err(self.contradiction(format!(
                "one participant and {observers} observer(s) with standaloneEnabled=true: a standalone server has no \
                 observers; set standaloneEnabled=false or list more participants"
            )));
        }
        self.check_addresses(ensemble)?;
        self.check_groups(ensemble)?;
        if self.config.is_distributed() { self.check_member(ensemble) } else { Ok(()) }
    }

    fn check_addresses(&self, ensemble: &Ensemble) -> Result<(), ConfigError> {
        self.check_ports_differ(ensemble)?;
        let several = ensemble.members.iter().find(|(_, member)| member.addresses.len() > 1);
        match several {
            Some((id, _)) if !self.config.quorum.multi_address => Err(self.contradiction(format!(
                "server.{id} has more than one address, which needs multiAddress.enabled=true"
            ))),
            _ => Ok(()),
        }
    }

    /// With groups, each participant must be in exactly one, and a group has no strangers.
    fn check_groups(&self, ensemble: &Ensemble) -> Result<(), ConfigError> {
        let Some(hierarchy) = &ensemble.hierarchy else { return Ok(()) };
        for (id, member) in &ensemble.members {
            let groups = hierarchy.groups.values().flatten().filter(|&other| other == id).count();
            if groups > 1 || (groups == 0 && member.role == Role::Participant) {
                return Err(self.contradiction(format!(
                    "server.{id} is in {groups} groups: with group.N or weight.N each participant must be in exactly one"
                )));
            }
        }
        let named = hierarchy.groups.values().flatten().chain(hierarchy.weights.keys());
        match named.into_iter().find(|id| !ensemble.members.contains_key(id)) {
            Some(id) => {
                Err(self.contradiction(format!("a group or a weight names server {id}, and there is no server.{id}")))
            }
            None => Ok(()),
        }
    }

    fn check_member(&self, ensemble: &Ensemble) -> Result<(), ConfigError> {
        let config = &self.config;
        for (key, limit) in [("initLimit", config.init_limit_ticks), ("syncLimit", config.sync_limit_ticks)] {
            if limit.is_none() {
                return Err(
                    self.contradiction(format!("{key} is missing: an ensemble needs it, in ticks, such as {key}=10"))
                );
            }
        }
        let file = config.data_dir.join("myid");
        match config.server_id {
            None => Err(self
                .contradiction(format!("{} is missing: it holds this server's number N of server.N", file.display()))),
            Some(id) if !ensemble.members.contains_key(&id) => {
                Err(self.contradiction(format!("{} says {id}, and there is no server.{id}", file.display())))
            }
            // Of 255 the ephemeral znodes would be taken for such with a time to live (protocol §2.5), and of others the
            // sessions for those of another member.
            Some(id) if !(0..=MAX_SERVER_ID).contains(&id) => Err(self.contradiction(format!(
                "{} says {id}, which no member can be: session ids begin with it, so give this server a number from 1 to \
                 {MAX_SERVER_ID}, in server.N as well",
                file.display()
            ))),
            Some(_) => Ok(()),
        }
    }

    /// Nobody can be reached where somebody else listens.
    fn check_ports_differ(&self, ensemble: &Ensemble) -> Result<(), ConfigError> {
        let mut taken = BTreeMap::new();
        for (id, member) in &ensemble.members {
            for address in &member.addresses {
                for port in [address.quorum_port, address.election_port] {
                    let place = HostPort { host: address.host.clone(), port }.to_string();
                    if let Some(other) = taken.insert(place.clone(), id) {
                        return Err(self.contradiction(format!(
                            "server.{other} and server.{id} both have {place}: each needs ports of its own there"
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    /// The port for clients must not be one for members, on the same address or on all.
    pub(super) fn check_client_port(&self) -> Result<(), ConfigError> {
        let config = &self.config;
        let members = config.ensemble.as_ref().filter(|_| config.is_distributed()).map(|ensemble| &ensemble.members);
        let own = config.server_id.zip(members).and_then(|(id, members)| Some((id, members.get(&id)?)));
        let (Some(client), Some((id, member))) = (config.client_address, own) else { return Ok(()) };
        for address in &member.addresses {
            let same = client.ip().is_unspecified()
                || config.quorum.listen_on_all_ips
                || address.host.parse::<IpAddr>().is_ok_and(|host| host == client.ip());
            if same && [address.quorum_port, address.election_port].contains(&client.port()) {
                return Err(self.contradiction(format!(
                    "the client port {client} is also a port for members in server.{id}: give clientPort or server.{id} \
                     another"
                )));
            }
        }
        Ok(())
    }

    /// What the reference logs about lists that are allowed and not wise.
    pub(super) fn warn_of_ensemble(&mut self) {
        let Some(ensemble) = &self.config.ensemble else { return };
        let participants = ensemble.participant_count();
        let own = self.config.server_id.and_then(|id| ensemble.members.get(&id)).map(|member| member.role);
        let mut messages = Vec::new();
        if !self.config.is_distributed() {
            messages.push((
                "server",
                "only one server is listed: it is ignored, and this server runs standalone; with \
                standaloneEnabled=false it would be an ensemble of one",
            ));
        } else if ensemble.hierarchy.is_none() && participants == 2 {
            messages.push(("server", "two participants tolerate no failure: list at least 3"));
        } else if ensemble.hierarchy.is_none() && participants.is_multiple_of(2) {
            messages.push((
                "server",
                "an even number of participants tolerates no more failures than one fewer: an odd \
                number is better",
            ));
        }
        if self.peer_type.is_some() && own.is_some() && own != self.peer_type {
            messages
                .push(("peerType", "the list of servers gives this server another role, which is the one that counts"));
        }
        for (key, message) in messages {
            let (origin, key, message) = (self.file.clone(), key.to_owned(), message.to_owned());
            self.config.warnings.push(Warning { origin, key, message });
        }
    }
}
