//! The members of an ensemble as text describes them, in `zoo.cfg` and in the znode `/zookeeper/config`: `server.N`, `group.N` and
//! `weight.N` (protocol §4.3).
//!
//! Knows nothing of who leads, who is connected, or of quorums being reached; names are not resolved here.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::HostPort;

/// A list of servers, by id, and how their votes count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ensemble {
    /// Every member, participants and observers, by id.
    pub members: BTreeMap<i64, Member>,
    /// Groups and weights. `None`: each participant has one vote and a majority decides.
    pub hierarchy: Option<Hierarchy>,
    /// The version, which is the zxid that established it; 0 for a list that stands in `zoo.cfg` itself.
    pub version: i64,
}

impl Ensemble {
    /// The number of members that vote.
    pub fn participant_count(&self) -> usize {
        self.members.values().filter(|member| member.role == Role::Participant).count()
    }

    /// The number of members that do not vote.
    pub fn observer_count(&self) -> usize {
        self.members.len() - self.participant_count()
    }

    /// Takes in one `server.N`, `group.N` or `weight.N`. The error says what was expected.
    ///
    /// # Errors
    /// Any other key, an id that is no number, a value that is not of the key's form.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let (what, id) = key.split_once('.').unwrap_or((key, ""));
        let id = id.parse::<i64>().map_err(|_| format!("a number after `{what}.`, such as {what}.1"))?;
        match what {
            "server" => {
                self.members.insert(id, value.parse()?);
            }
            "group" => {
                let ids = value.split(':').map(|id| id.trim().parse()).collect::<Result<Vec<_>, _>>();
                let ids = ids.map_err(|_| "ids of servers between colons, such as 1:2:3")?;
                self.hierarchy.get_or_insert_default().groups.insert(id, ids);
            }
            "weight" => {
                let weight = value.parse().ok().filter(|weight| *weight >= 0);
                let weight = weight.ok_or_else(|| format!("a number from 0 to {}", i64::MAX))?;
                self.hierarchy.get_or_insert_default().weights.insert(id, weight);
            }
            _ => return Err("server.N, group.N or weight.N as the key".to_owned()),
        }
        Ok(())
    }
}

/// The text of `/zookeeper/config`: a line for each member, group and weight, then `version=` and the version in hexadecimal. A list without
/// a version has version 0.
impl FromStr for Ensemble {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut ensemble = Ensemble::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (key, value) = line.split_once('=').ok_or_else(|| format!("key=value where `{line}` stands"))?;
            if key == "version" {
                let version = i64::from_str_radix(value, 16);
                ensemble.version = version.map_err(|_| format!("a hexadecimal version where `{value}` stands"))?;
            } else {
                ensemble.set(key, value).map_err(|expected| format!("{key}={value}: {expected}"))?;
            }
        }
        Ok(ensemble)
    }
}

/// The same text, as the reference writes it: no line end after the version.
impl fmt::Display for Ensemble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, member) in &self.members {
            writeln!(f, "server.{id}={member}")?;
        }
        if let Some(Hierarchy { groups, weights }) = &self.hierarchy {
            for (id, members) in groups {
                let members: Vec<String> = members.iter().map(ToString::to_string).collect();
                writeln!(f, "group.{id}={}", members.join(":"))?;
            }
            for (id, weight) in weights {
                writeln!(f, "weight.{id}={weight}")?;
            }
        }
        write!(f, "version={:x}", self.version)
    }
}

/// One `server.N`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Where the other members reach it; at least one.
    pub addresses: Vec<PeerAddress>,
    /// Whether it votes.
    pub role: Role,
    /// Where its clients connect, when the list says so.
    pub client: Option<HostPort>,
    /// Where its TLS clients connect, when the list says so.
    pub secure_client: Option<HostPort>,
}

/// A host as it was written, and a member's two ports there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// Name or address; an IPv6 address without its brackets.
    pub host: String,
    /// Where learners connect to the leader.
    pub quorum_port: u16,
    /// Where votes are exchanged.
    pub election_port: u16,
}

/// Whether a member votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Votes, and may lead.
    Participant,
    /// Follows without a vote.
    Observer,
}

/// Hierarchical quorums: a majority of the groups, in each of them a majority of the weight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hierarchy {
    /// The members of each group, by the group's id.
    pub groups: BTreeMap<i64, Vec<i64>>,
    /// The weight of each member that has one given; 1 for the others.
    pub weights: BTreeMap<i64, i64>,
}

/// What a `server.N` value may look like; the text of every error here.
const SERVER_FORM: &str =
    "host:quorumPort:electionPort[:participant|:observer][;[clientHost:]clientPort][;[secureHost:]securePort]";

impl FromStr for Member {
    type Err = String;

    /// Parses the value of a `server.N` key. The error says what was expected.
    fn from_str(value: &str) -> Result<Self, String> {
        let mut parts = value.split(';').map(str::trim);
        let (addresses, role) = peer_addresses(parts.next().unwrap_or_default())?;
        let client = parts.next().map(optional_client).transpose()?.flatten();
        let secure_client = parts.next().map(optional_client).transpose()?.flatten();
        if parts.next().is_some() {
            return Err(SERVER_FORM.to_owned());
        }
        Ok(Self { addresses, role, client, secure_client })
    }
}

/// The value of a `server.N` key, with its role always told; several addresses stand in the order of their hosts.
impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut addresses: Vec<&PeerAddress> = self.addresses.iter().collect();
        addresses.sort_by(|a, b| a.host.cmp(&b.host));
        for (index, PeerAddress { host, quorum_port, election_port }) in addresses.into_iter().enumerate() {
            let between = if index > 0 { "|" } else { "" };
            write!(f, "{between}{}:{election_port}", HostPort { host: host.clone(), port: *quorum_port })?;
        }
        f.write_str(match self.role {
            Role::Participant => ":participant",
            Role::Observer => ":observer",
        })?;
        match (&self.client, &self.secure_client) {
            (None, None) => Ok(()),
            (Some(client), None) => write!(f, ";{client}"),
            (None, Some(secure)) => write!(f, ";;{secure}"),
            (Some(client), Some(secure)) => write!(f, ";{client};{secure}"),
        }
    }
}

fn peer_addresses(list: &str) -> Result<(Vec<PeerAddress>, Role), String> {
    let parsed = list.split('|').map(|one| peer_address(one.trim())).collect::<Result<Vec<_>, _>>()?;
    let mut roles = parsed.iter().filter_map(|(_, role)| *role);
    let role = roles.next();
    if roles.any(|other| Some(other) != role) {
        return Err("the same role for all addresses of one server".to_owned());
    }
    let addresses = parsed.into_iter().map(|(address, _)| address).collect();
    Ok((addresses, role.unwrap_or(Role::Participant)))
}

fn peer_address(text: &str) -> Result<(PeerAddress, Option<Role>), String> {
    let (host, rest) = split_host(text).ok_or(SERVER_FORM)?;
    let mut fields = rest.split(':');
    let quorum_port = port(fields.next().ok_or(SERVER_FORM)?)?;
    let election_port = port(fields.next().ok_or(SERVER_FORM)?)?;
    let role = match fields.next() {
        None => None,
        Some(role) if role.eq_ignore_ascii_case("participant") => Some(Role::Participant),
        Some(role) if role.eq_ignore_ascii_case("observer") => Some(Role::Observer),
        Some(_) => return Err("participant or observer after the ports".to_owned()),
    };
    if fields.next().is_some() {
        return Err(SERVER_FORM.to_owned());
    }
    if quorum_port == election_port {
        return Err("a quorum port and an election port that differ".to_owned());
    }
    Ok((PeerAddress { host: host.to_owned(), quorum_port, election_port }, role))
}

/// An empty part is allowed where only the one after it is given (`;;2182`).
fn optional_client(text: &str) -> Result<Option<HostPort>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let Some((host, rest)) = split_host(text) else {
        return Ok(Some(HostPort { host: "0.0.0.0".to_owned(), port: port(text)? }));
    };
    Ok(Some(HostPort { host: host.to_owned(), port: port(rest)? }))
}

/// Splits `host:rest` or `[v6]:rest`.
fn split_host(text: &str) -> Option<(&str, &str)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once("]:")?,
        None => text.split_once(':')?,
    };
    (!host.is_empty()).then_some((host, rest))
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("a port from 0 to 65535 where `{text}` stands, in {SERVER_FORM}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn address(host: &str, quorum_port: u16, election_port: u16) -> PeerAddress {
        PeerAddress { host: host.to_owned(), quorum_port, election_port }
    }

    fn client(host: &str, port: u16) -> HostPort {
        HostPort { host: host.to_owned(), port }
    }

    #[test]
    fn reads_every_form_of_a_server() {
        let plain = |role| Member { addresses: vec![address("a", 1, 2)], role, client: None, secure_client: None };
        let table = [
            ("a:1:2", plain(Role::Participant)),
            ("a:1:2:participant", plain(Role::Participant)),
            ("a:1:2:OBSERVER", plain(Role::Observer)),
            ("a:1:2;2181", Member { client: Some(client("0.0.0.0", 2181)), ..plain(Role::Participant) }),
            ("a:1:2:observer;b:2181", Member { client: Some(client("b", 2181)), ..plain(Role::Observer) }),
            ("a:1:2;;2182", Member { secure_client: Some(client("0.0.0.0", 2182)), ..plain(Role::Participant) }),
            (
                "[::1]:1:2|b:3:4;[fe80::2]:5",
                Member {
                    addresses: vec![address("::1", 1, 2), address("b", 3, 4)],
                    client: Some(client("fe80::2", 5)),
                    ..plain(Role::Participant)
                },
            ),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_server() {
        let bad = ["", "a", "a:1", "a:1:1", ":1:2", "a:1:x", "a:1:70000", "a:1:2:leader", "a:1:2:observer:x"];
        let worse = ["a:1:2;1;2;3", "[::1:1:2", "a:1:2:observer|b:1:2:participant", "a:1:2;x", "a:1:2|"];
        for text in bad.into_iter().chain(worse) {
            assert!(text.parse::<Member>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_text_of_the_configuration_znode() {
        let text = "server.1=a:1:2:participant;0.0.0.0:2181\nserver.2=[::1]:3:4|b:1:2:observer\n\
                    group.1=1:2\nweight.1=3\nversion=1000000ab";
        let ensemble: Ensemble = text.parse().unwrap();
        assert_eq!((ensemble.version, ensemble.participant_count(), ensemble.observer_count()), (0x1_0000_00ab, 1, 1));
        assert_eq!(ensemble.to_string(), text);
        assert_eq!("".parse(), Ok(Ensemble::default()));
        for bad in ["server.1", "server.x=a:1:2", "server.1=a", "weight.1=-1", "version=x", "other.1=2"] {
            assert!(bad.parse::<Ensemble>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a0-9:;|\\[\\]]{0,30}") {
            let _ = text.parse::<Member>();
        }
    }
}
