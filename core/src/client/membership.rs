//! The ensemble's members, as its servers keep them in `/zookeeper/config`, and changes of them (protocol §4.3, §4.4). That znode is the
//! same for every chroot.

use crate::wire::ensemble::{Ensemble, Member};
use crate::wire::proto::{GetDataResponse, PathRequest, ReconfigRequest};
use crate::wire::{OpCode, Stat};

use super::call::{Call, Meta};
use super::error::Cause;
use super::request::{Answer, WatchKind};
use super::{Client, Error, OneshotWatch};

/// Where the servers keep their configuration.
const CONFIG: &str = "/zookeeper/config";

/// A change of the ensemble's members; see [`Client::reconfigure`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "nothing is sent before `Client::reconfigure`"]
pub struct Reconfig {
    change: Change,
    version: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Incremental { joining: Vec<(i64, Member)>, leaving: Vec<i64> },
    Whole(Ensemble),
}

impl Reconfig {
    /// No change yet: name with [`Reconfig::join`] and [`Reconfig::leave`] what is to change, and the other members stay.
    pub fn incremental() -> Self {
        Reconfig { change: Change::Incremental { joining: Vec::new(), leaving: Vec::new() }, version: None }
    }

    /// Exactly these members from now on, with their groups and weights. Their version is not sent.
    pub fn whole(members: Ensemble) -> Self {
        Reconfig { change: Change::Whole(members), version: None }
    }

    /// A server joins, or takes the place of the one with this id. It must name where its clients connect. Means nothing for a
    /// [`Reconfig::whole`] change but one more member.
    pub fn join(mut self, id: i64, member: Member) -> Self {
        match &mut self.change {
            Change::Incremental { joining, .. } => joining.push((id, member)),
            Change::Whole(members) => {
                members.members.insert(id, member);
            }
        }
        self
    }

    /// A server leaves.
    pub fn leave(mut self, id: i64) -> Self {
        match &mut self.change {
            Change::Incremental { leaving, .. } => leaving.push(id),
            Change::Whole(members) => {
                members.members.remove(&id);
            }
        }
        self
    }

    /// Only if the configuration still has this [`Ensemble::version`]; else the change fails with BADVERSION. Any will do by default.
    pub fn expect_version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }

    fn record(&self) -> ReconfigRequest {
        let mut record = ReconfigRequest { config_version: self.version.unwrap_or(-1), ..ReconfigRequest::default() };
        // An empty list is no list: the servers would take it for one without members.
        let list = |items: Vec<String>| (!items.is_empty()).then(|| items.join(","));
        match &self.change {
            Change::Incremental { joining, leaving } => {
                record.joining = list(joining.iter().map(|(id, member)| format!("server.{id}={member}")).collect());
                record.leaving = list(leaving.iter().map(ToString::to_string).collect());
            }
            Change::Whole(members) => {
                let text = members.to_string();
                record.new_members =
                    list(text.lines().filter(|line| !line.starts_with("version=")).map(str::to_owned).collect());
            }
        }
        record
    }
}

impl Client {
    /// The ensemble's members, and the Stat of the znode that says so. There are none on a standalone server whose configuration names none.
    /// Any chroot is left aside. Servers since 3.5.
    pub fn config(&self) -> Call<(Ensemble, Stat)> {
        self.read(OpCode::GetData, CONFIG, config_request(false), configuration)
    }

    /// As [`Client::config`], and a watch for the next change.
    pub fn config_and_watch(&self) -> Call<(Ensemble, Stat, OneshotWatch)> {
        self.whole_tree().watching(OpCode::GetData, WatchKind::Data, CONFIG, config_request(true), |meta, answer| {
            let (members, stat) = configuration(meta, answer)?;
            Ok((members, stat, OneshotWatch::new(meta.take_registration()?)))
        })
    }

    /// Changes the ensemble's members, and returns the new configuration and its znode's Stat.
    ///
    /// Fails with RECONFIGDISABLED where `reconfigEnabled` is not set, UNIMPLEMENTED on a standalone server, NOAUTH without the permission to
    /// write `/zookeeper/config`, BADVERSION, BADARGUMENTS (a change that leaves too few participants, or a member that names no client
    /// address), NEWCONFIGNOQUORUM while too few of the new members are in touch with the leader, RECONFIGINPROGRESS.
    pub fn reconfigure(&self, change: &Reconfig) -> Call<(Ensemble, Stat)> {
        self.write(OpCode::Reconfig, CONFIG, change.record(), configuration)
    }
}

fn config_request(watch: bool) -> PathRequest {
    PathRequest { path: CONFIG.to_owned(), watch }
}

fn configuration(meta: &mut Meta, answer: Answer) -> Result<(Ensemble, Stat), Error> {
    let GetDataResponse { data, stat } = meta.decode(answer)?;
    let unreadable = |expected: String| meta.error(Cause::Text { expected: expected.into(), write: meta.write });
    let data = data.unwrap_or_default();
    let text = std::str::from_utf8(&data).map_err(|error| unreadable(error.to_string()))?;
    Ok((text.parse().map_err(unreadable)?, stat))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn member(host: &str) -> Member {
        format!("{host}:2888:3888;2181").parse().unwrap()
    }

    #[test]
    fn a_change_is_sent_as_text_and_empty_lists_not_at_all() {
        let record = Reconfig::incremental().join(4, member("d")).join(5, member("e")).leave(1).leave(2);
        let record = record.expect_version(0x1f).record();
        let joining = "server.4=d:2888:3888:participant;0.0.0.0:2181,server.5=e:2888:3888:participant;0.0.0.0:2181";
        assert_eq!((record.joining.as_deref(), record.leaving.as_deref()), (Some(joining), Some("1,2")));
        assert_eq!((record.new_members, record.config_version), (None, 0x1f));
        let record = Reconfig::incremental().leave(1).record();
        assert_eq!((record.joining, record.config_version), (None, -1));
    }

    #[test]
    fn a_whole_membership_leaves_its_version_behind() {
        let members: Ensemble = "server.1=a:1:2;3\nserver.9=x:1:2;3\ngroup.1=1:2\nversion=5".parse().unwrap();
        let record = Reconfig::whole(members).leave(9).join(2, member("b")).record();
        let text = "server.1=a:1:2:participant;0.0.0.0:3,server.2=b:2888:3888:participant;0.0.0.0:2181,group.1=1:2";
        assert_eq!(record.new_members.as_deref(), Some(text));
        assert_eq!((record.joining, record.leaving), (None, None));
    }
}
