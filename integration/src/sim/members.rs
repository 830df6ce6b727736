//! Changes of members: how a payload says one, and which one a client asks for next.

use bytes::Bytes;
use menagerie_core::wire::Zxid;
use menagerie_core::wire::ensemble::{Ensemble, Role};

use super::disk::Txn;

const MARK: &[u8] = b"members ";
/// Fewer voters than this are not asked for.
const FEWEST_VOTERS: usize = 2;

/// The payload that changes the members.
pub fn payload(members: &Ensemble) -> Bytes {
    let mut payload = MARK.to_vec();
    payload.extend(members.to_string().into_bytes());
    payload.into()
}

/// The members that a payload brings in.
pub fn read(payload: &Bytes) -> Option<Ensemble> {
    std::str::from_utf8(payload.strip_prefix(MARK)?).ok()?.parse().ok()
}

/// The members that a state shows: those of its last change.
pub fn shown_by(state: &[Txn]) -> Option<Ensemble> {
    state.iter().rev().find_map(|(zxid, payload)| brought_in_by(*zxid, payload))
}

/// The members that a transaction brings in.
pub fn brought_in_by(zxid: Zxid, payload: &Bytes) -> Option<Ensemble> {
    Some(Ensemble { version: zxid.0, ..read(payload)? })
}

/// One server of `everybody` more, one less, one in another role, or one for another.
pub fn draw(rng: &mut fastrand::Rng, now: &Ensemble, everybody: &Ensemble) -> Option<Ensemble> {
    let mut members = now.clone();
    let ids: Vec<i64> = everybody.members.keys().copied().collect();
    for _ in 0..rng.usize(1..=2) {
        let id = ids[rng.usize(..ids.len())];
        match members.members.get_mut(&id) {
            None => {
                let mut member = everybody.members.get(&id)?.clone();
                member.role = if rng.u8(..4) == 0 { Role::Observer } else { Role::Participant };
                members.members.insert(id, member);
            }
            Some(_) if rng.bool() => {
                members.members.remove(&id);
            }
            Some(member) => {
                member.role = if member.role == Role::Observer { Role::Participant } else { Role::Observer };
            }
        }
    }
    (members.participant_count() >= FEWEST_VOTERS && members != *now).then_some(members)
}
