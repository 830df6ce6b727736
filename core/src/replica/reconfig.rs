//! A change of the ensemble's members: what a request asks for, checked in the order that decides its error (protocol §4.4), and the
//! znode that shows the members in force. How members come into force is `zab`'s; files and addresses are the server's.

use bytes::Bytes;

use super::Replica;
use super::prepare_ops::Scope;
use crate::jute::Decode;
use crate::tree::CONFIG_PATH;
use crate::wire::ensemble::{Ensemble, Member};
use crate::wire::proto::ReconfigRequest;
use crate::wire::txn::{Txn, TxnRecord};
use crate::wire::{ErrorCode, HostPort, OpCode, Zxid};
use crate::zab::ProposeError;

/// Where the header of a transaction says its kind.
const KIND: std::ops::Range<usize> = 28..32;

/// The members that a transaction brings in, for [`crate::zab::Config::read_members`]; `None` for every other transaction, and for
/// a text that names no members.
pub fn members_in(payload: &Bytes) -> Option<Ensemble> {
    if payload.get(KIND)? != OpCode::Reconfig.code().to_be_bytes() {
        return None;
    }
    match TxnRecord::from_bytes(payload).ok()?.txn {
        Txn::Reconfig { data, .. } => read(&data?),
        _ => None,
    }
}

fn read(text: &Bytes) -> Option<Ensemble> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl Replica {
    /// The members that a request asks for, if there may be these.
    pub(super) fn next_members(&self, request: &ReconfigRequest) -> Result<Ensemble, ErrorCode> {
        let current = self.peer.members();
        // Standalone there is one member, and it cannot be changed.
        if current.members.is_empty() {
            return Err(ErrorCode::Unimplemented);
        }
        if self.peer.may_change_members(current) == Err(ProposeError::MembersAreChanging) {
            return Err(ErrorCode::ReconfigInProgress);
        }
        if request.config_version != -1 && request.config_version != current.version {
            return Err(ErrorCode::BadVersion);
        }
        let mut next = asked_for(current, request).ok_or(ErrorCode::BadArguments)?;
        next.version = self.peer.next_zxid().0;
        let fewest = if self.config.standalone_enabled { 2 } else { 1 };
        if next.participant_count() < fewest {
            return Err(ErrorCode::BadArguments);
        }
        match self.peer.may_change_members(&next) {
            Ok(()) => Ok(next),
            Err(ProposeError::MembersAreChanging) => Err(ErrorCode::ReconfigInProgress),
            Err(_) => Err(ErrorCode::NewConfigNoQuorum),
        }
    }

    /// Writes the members in force into their znode, unless it shows them, or newer ones, already. No transaction does this.
    pub(super) fn show_members(&self) {
        let members = self.peer.members();
        if members.members.is_empty() {
            return;
        }
        let (text, version) = (members.to_string(), Zxid(members.version));
        let mut tree = self.shared.tree_mut();
        let is_shown = tree.node(CONFIG_PATH).is_some_and(|node| {
            let shows = node.persisted().mzxid;
            shows > version || (shows == version && node.data() == Some(text.as_bytes()))
        });
        if !is_shown {
            tree.set_config(text.as_bytes(), version, self.now.wall_ms);
        }
    }
}

impl Scope<'_> {
    /// The transaction that brings in `members`.
    pub(super) fn reconfig(&mut self, members: &Ensemble) -> Result<Txn, ErrorCode> {
        let data = Some(Bytes::from(members.to_string()));
        // The znode has no version: what counts is the version in its text.
        self.show(CONFIG_PATH, data.as_ref(), -1)?;
        Ok(Txn::Reconfig { path: CONFIG_PATH.to_owned(), data, version: -1 })
    }
}

/// The members that a request describes, with the version that stands in it; `None` when it cannot be understood.
fn asked_for(current: &Ensemble, request: &ReconfigRequest) -> Option<Ensemble> {
    if let Some(all) = &request.new_members {
        let members: Ensemble = all.replace(',', "\n").parse().ok()?;
        return members.members.iter().all(|(id, member)| is_apart(&members, *id, member)).then_some(members);
    }
    // Who joins a hierarchy would need a group and a weight.
    if current.hierarchy.is_some() {
        return None;
    }
    let mut next = current.clone();
    for id in entries(request.leaving.as_ref()) {
        next.members.remove(&id.parse().ok()?);
    }
    for server in entries(request.joining.as_ref()) {
        let (key, value) = server.split_once('=')?;
        let id: i64 = key.trim().strip_prefix("server.")?.parse().ok()?;
        let member: Member = value.trim().parse().ok()?;
        member.client.as_ref()?;
        if !is_apart(&next, id, &member) {
            return None;
        }
        next.members.insert(id, member);
    }
    Some(next)
}

fn entries(list: Option<&String>) -> impl Iterator<Item = &str> {
    list.map(String::as_str).unwrap_or_default().split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

/// Whether no other member has an address of this one.
fn is_apart(members: &Ensemble, id: i64, member: &Member) -> bool {
    let mine = addresses(member);
    let others = members.members.iter().filter(|(other, _)| **other != id);
    others.flat_map(|(_, other)| addresses(other)).all(|address| !mine.contains(&address))
}

fn addresses(member: &Member) -> Vec<HostPort> {
    let ports = |host: &str, port| HostPort { host: host.to_owned(), port };
    let of_peers = member.addresses.iter();
    let peers = of_peers.flat_map(|at| [ports(&at.host, at.quorum_port), ports(&at.host, at.election_port)]);
    // A client address that says "any" is told apart by the host of the member's own.
    let client = member.client.iter().map(|client| match member.addresses.first() {
        Some(at) if client.host == "0.0.0.0" => ports(&at.host, client.port),
        _ => client.clone(),
    });
    peers.chain(client).collect()
}
