//! A survey, what stands in the way and the plan as one JSON object, for programs.

use serde_json::{Value, json};

use super::obstacles::{Obstacle, Weight, block};
use super::plan::Plan;
use super::survey::{Member, Survey};
use super::words::State;
use crate::wire::ensemble::Role;

/// All of it.
pub(super) fn report(survey: &Survey, obstacles: &[Obstacle], plan: &Plan) -> Value {
    let members: Vec<_> = survey.members.iter().map(|(id, it)| member(*id, it, survey)).collect();
    let steps: Vec<_> = plan
        .steps
        .iter()
        .map(|step| {
            json!({
                "member": step.id, "part": step.part, "address": step.address.as_ref().map(ToString::to_string),
                "config": step.config, "stop": step.stop, "start": step.start, "back": step.back,
                "keepsQuorum": step.keeps_quorum,
            })
        })
        .collect();
    json!({
        "members": members, "obstacles": self::obstacles(obstacles), "blocked": block(obstacles),
        "goal": plan.goal.to_string(), "done": plan.done, "steps": steps,
    })
}

/// The obstacles alone.
pub(super) fn obstacles(obstacles: &[Obstacle]) -> Vec<Value> {
    let one = |obstacle: &Obstacle| {
        let weight = match obstacle.weight {
            Weight::Blocks => "blocks",
            Weight::Warns => "warns",
            Weight::Notes => "notes",
        };
        json!({ "weight": weight, "member": obstacle.member, "what": obstacle.what, "remedy": obstacle.remedy })
    };
    obstacles.iter().map(one).collect()
}

fn member(id: i64, member: &Member, survey: &Survey) -> Value {
    let (address, here) = (member.address.as_ref().map(ToString::to_string), survey.local.contains_key(&id));
    let mut value = json!({
        "id": id, "votes": member.role == Role::Participant, "address": address, "thisHost": here,
    });
    let state = match &member.state {
        State::Serving(answer) => json!({
            "software": answer.kind.to_string(), "version": answer.version, "mode": answer.mode,
            "zxid": answer.zxid.to_string(), "outstanding": answer.outstanding,
            "digests": answer.digests.as_ref().map(std::collections::BTreeMap::len),
        }),
        State::NotServing(why) | State::Silent(why) => json!({ "fails": why }),
    };
    if let (Some(object), Value::Object(state)) = (value.as_object_mut(), state) {
        object.extend(state);
    }
    value
}
