//! The rolling plan: one member at a time, those who do not vote first, the leader last. Pure.

use std::path::PathBuf;

use super::answers::Kind;
use super::commands::Commands;
use super::survey::Survey;
use crate::wire::HostPort;
use crate::wire::ensemble::Role;

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// What all members shall be.
    pub(super) goal: Kind,
    /// One for each member that is not yet.
    pub(super) steps: Vec<Step>,
    /// Members that are already.
    pub(super) done: Vec<i64>,
}

/// The replacement of one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The member.
    pub(super) id: i64,
    /// What it is now, such as `a follower`.
    pub(super) part: &'static str,
    /// Where it serves clients.
    pub(super) address: Option<HostPort>,
    /// Its configuration file, if it is of this host.
    pub(super) config: Option<PathBuf>,
    /// The directories of its files, if they are known.
    pub(super) directories: Vec<PathBuf>,
    /// What stops it now.
    pub(super) stop: String,
    /// What starts the other software in its place.
    pub(super) start: String,
    /// What takes the step back.
    pub(super) back: [String; 2],
    /// Whether those who stay are a quorum while it is away.
    pub(super) keeps_quorum: bool,
}

/// Makes the plan. Members whose software is not known are taken for not yet replaced.
pub(super) fn plan(survey: &Survey, goal: Kind, commands: &Commands) -> Plan {
    let mut order: Vec<_> = survey.members.iter().collect();
    order.sort_by_key(|(id, member)| {
        let leads = member.part() == "the leader";
        (leads, member.role == Role::Participant, **id)
    });
    let (done, todo): (Vec<_>, Vec<_>) = order.into_iter().partition(|(_, member)| member.kind() == Some(goal));
    let steps = todo.into_iter().map(|(&id, member)| {
        let local = survey.local.get(&id);
        let config = local.map(|local| local.file.clone());
        let mut directories: Vec<PathBuf> = local
            .map(|local| [&local.config.data_dir, &local.config.data_log_dir].map(|dir| dir.join("version-2")).to_vec())
            .unwrap_or_default();
        directories.dedup();
        let file = config.as_deref();
        Step {
            id,
            part: member.part(),
            address: member.address.clone(),
            directories,
            stop: commands.stop(goal.other(), id, file),
            start: commands.start(goal, id, file),
            back: [commands.stop(goal, id, file), commands.start(goal.other(), id, file)],
            keeps_quorum: survey.has_quorum_without(Some(id)),
            config,
        }
    });
    Plan { goal, steps: steps.collect(), done: done.into_iter().map(|(id, _)| *id).collect() }
}
