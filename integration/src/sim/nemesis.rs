//! Which fault happens next. It only draws; [`super::world`] carries it out.

use super::network::MemberIndex;

/// A fault, or the end of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A member stops without a word.
    Crash(MemberIndex),
    /// A member is told to stop.
    Resign(MemberIndex),
    /// All members stop.
    CrashAll,
    /// A member starts again.
    Start(MemberIndex),
    /// All members that are down start again.
    StartAll,
    /// Nothing gets from the one to the other.
    CutOneWay(MemberIndex, MemberIndex),
    /// One member is cut off from all others.
    Isolate(MemberIndex),
    /// Those before the place are cut off from the others.
    Split(MemberIndex),
    /// All cuts end.
    Heal,
    /// A member's connections end.
    BreakLinks(MemberIndex),
    /// A member's disk takes so long for a sync, in milliseconds.
    Disk(MemberIndex, u64),
    /// So many in a hundred notifications are lost from now on.
    Lose(u8),
}

/// Draws the next fault of a storm: members stop and start all the time.
pub fn next_of_storm(rng: &mut fastrand::Rng, members: usize) -> (u64, Fault) {
    let one = rng.usize(..members);
    let fault = match rng.u8(..100) {
        0..35 => Fault::Crash(one),
        35..45 => Fault::CrashAll,
        45..75 => Fault::Start(one),
        75..88 => Fault::StartAll,
        88..94 => Fault::Disk(one, [2, 20, 60, 400][rng.usize(..4)]),
        94..97 => Fault::Isolate(one),
        _ => Fault::Heal,
    };
    (rng.u64(1..120), fault)
}

/// Draws the next fault among `members`, and after how many milliseconds it happens.
pub fn next(rng: &mut fastrand::Rng, members: usize) -> (u64, Fault) {
    let one = rng.usize(..members);
    let other = (one + 1 + rng.usize(..members.max(2) - 1)) % members;
    let fault = match rng.u8(..100) {
        0..20 => Fault::Crash(one),
        20..24 => Fault::Resign(one),
        24..28 => Fault::CrashAll,
        28..48 => Fault::Start(one),
        48..56 => Fault::StartAll,
        56..64 => Fault::CutOneWay(one, other),
        64..69 => Fault::Isolate(one),
        69..72 => Fault::Split(one),
        72..84 => Fault::Heal,
        84..91 => Fault::BreakLinks(one),
        91..97 => Fault::Disk(one, [2, 10, 60, 400][rng.usize(..4)]),
        _ => Fault::Lose([0, 5, 30][rng.usize(..3)]),
    };
    let pause = if rng.u8(..3) == 0 { rng.u64(1..60) } else { rng.u64(50..900) };
    (pause, fault)
}
