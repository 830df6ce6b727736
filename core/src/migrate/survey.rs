//! What was seen of an ensemble: its members, how each is, and what this host's files say. A value; `look` makes it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::answers::{Answer, Kind};
use super::words::State;
use crate::server::ServerConfig;
use crate::wire::ensemble::{self, Ensemble, Role};
use crate::wire::{HostPort, Zxid};
use crate::zab::Quorum;

/// An ensemble as it was at one moment.
#[derive(Clone, Debug)]
pub(super) struct Survey {
    /// Who belongs to it, as its members say, or else as `zoo.cfg` does.
    pub(super) ensemble: Ensemble,
    /// Each of them.
    pub(super) members: BTreeMap<i64, Member>,
    /// What was asked and belongs to no member that is known by its number, with what it said.
    pub(super) strangers: Vec<(HostPort, State)>,
    /// The configuration files of this host, by their member's number.
    pub(super) local: BTreeMap<i64, Local>,
    /// Configuration files that cannot be used, with why.
    pub(super) refused: Vec<(PathBuf, String)>,
}

/// A member as it was seen.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Whether it votes.
    pub(super) role: Role,
    /// Where its clients connect; `None` when that is not known.
    pub(super) address: Option<HostPort>,
    /// How it is.
    pub(super) state: State,
}

/// A member of this host: its configuration file, and what its directories are like.
#[derive(Clone, Debug)]
pub(super) struct Local {
    /// The file.
    pub(super) file: PathBuf,
    /// What it says.
    pub(super) config: ServerConfig,
    /// Every key and value of it.
    pub(super) keys: Vec<(String, String)>,
    /// What was found of its directories.
    pub(super) disk: DiskUse,
}

/// What was found of a member's directories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DiskUse {
    /// Files that this process cannot read, or directories it cannot list, with why.
    pub(super) unreadable: Vec<(PathBuf, String)>,
    /// The largest snapshot, in bytes.
    pub(super) snapshot_bytes: u64,
    /// Bytes free where snapshots are, and where logs are. `None`: the system does not say.
    pub(super) free_bytes: Option<u64>,
}

impl Member {
    /// What it said, if it serves.
    pub(super) fn answer(&self) -> Option<&Answer> {
        match &self.state {
            State::Serving(answer) => Some(answer),
            State::NotServing(_) | State::Silent(_) => None,
        }
    }

    /// Whether it serves as a member.
    pub(super) fn is_well(&self) -> bool {
        self.answer().is_some_and(Answer::takes_part)
    }

    /// Whose software it is, when it says so.
    pub(super) fn kind(&self) -> Option<Kind> {
        self.answer().map(|answer| answer.kind)
    }

    /// `the leader`, `a follower`, and so on.
    pub(super) fn part(&self) -> &'static str {
        match (self.answer().map(|answer| answer.mode.as_str()), self.role) {
            (Some("leader"), _) => "the leader",
            (Some("follower"), _) => "a follower",
            (Some("observer"), _) | (None, Role::Observer) => "an observer",
            _ => "a member",
        }
    }
}

impl Survey {
    /// Who says that it leads.
    pub(super) fn leaders(&self) -> Vec<i64> {
        let leads = |member: &Member| member.answer().is_some_and(Answer::leads);
        self.members.iter().filter(|(_, member)| leads(member)).map(|(id, _)| *id).collect()
    }

    /// What the one leader said; `None` when there is none, or more than one says so.
    pub(super) fn leader(&self) -> Option<(i64, &Answer)> {
        match self.leaders().as_slice() {
            [id] => Some((*id, self.members.get(id)?.answer()?)),
            _ => None,
        }
    }

    /// Whether those who serve are a quorum without `absent`.
    pub(super) fn has_quorum_without(&self, absent: Option<i64>) -> bool {
        let serves = |id: i64| self.members.get(&id).is_some_and(Member::is_well);
        Quorum::of(&self.ensemble).is_met(|id| Some(id) != absent && serves(id))
    }

    /// Whether a list names the members that run, where they run, with the roles that they have. Where clients connect does not
    /// count: Apache's members each know their own port only, unless the list says it.
    pub(super) fn lists(&self, other: &Ensemble) -> bool {
        same_members(&self.ensemble, other)
    }

    /// The last transaction that any of them has. A leader begins to count before there is a transaction of its reign: that is none.
    pub(super) fn last_transaction(&self) -> Zxid {
        let zxids = self.members.values().filter_map(|member| Some(member.answer()?.zxid));
        zxids.filter(|zxid| zxid.counter() > 0).max().unwrap_or_default()
    }

    /// Voting members that serve and do not lead.
    pub(super) fn followers(&self) -> usize {
        let follows = |member: &Member| {
            member.role == Role::Participant && member.answer().is_some_and(|answer| answer.mode == "follower")
        };
        self.members.values().filter(|member| follows(member)).count()
    }
}

fn same_members(one: &Ensemble, other: &Ensemble) -> bool {
    let same = |id: &i64, member: &ensemble::Member| {
        let found = other.members.get(id);
        found.is_some_and(|found| found.role == member.role && found.addresses == member.addresses)
    };
    one.members.len() == other.members.len() && one.members.iter().all(|(id, member)| same(id, member))
}
