//! Which fault happens next, and what it does.

use std::collections::VecDeque;

use super::Violation;
use super::world::{Event, World};
use crate::sim::network::MemberIndex;

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
    /// A member's links to other members end.
    BreakLinks(MemberIndex),
    /// A member's clients lose their connections.
    BreakClients(MemberIndex),
    /// A member's disk takes so long for a sync, in milliseconds.
    Disk(MemberIndex, u64),
    /// A member stands still for so long, in milliseconds.
    Pause(MemberIndex, u64),
    /// A member's wall clock jumps to so many milliseconds from the right time.
    Clock(MemberIndex, i64),
    /// So many in a hundred notifications are lost from now on.
    Lose(u8),
}

/// Draws the next fault among `members`, and after how many milliseconds it happens. A disk that fails ends its member, which is a
/// crash.
pub fn next(rng: &mut fastrand::Rng, members: usize) -> (u64, Fault) {
    let one = rng.usize(..members);
    let other = (one + 1 + rng.usize(..members.max(2) - 1)) % members;
    let fault = match rng.u8(..100) {
        0..14 => Fault::Crash(one),
        14..18 => Fault::Resign(one),
        18..21 => Fault::CrashAll,
        21..40 => Fault::Start(one),
        40..50 => Fault::StartAll,
        50..57 => Fault::CutOneWay(one, other),
        57..62 => Fault::Isolate(one),
        62..65 => Fault::Split(one),
        65..78 => Fault::Heal,
        78..82 => Fault::BreakLinks(one),
        82..86 => Fault::BreakClients(one),
        86..91 => Fault::Disk(one, [2, 10, 60, 300][rng.usize(..4)]),
        91..95 => Fault::Pause(one, [50, 200, 700][rng.usize(..3)]),
        95..97 => Fault::Clock(one, rng.i64(-5_000_000..5_000_000)),
        _ => Fault::Lose([0, 5, 30][rng.usize(..3)]),
    };
    let pause = if rng.u8(..3) == 0 { rng.u64(1..60) } else { rng.u64(50..1_200) };
    (pause, fault)
}

impl World {
    /// Does it.
    pub fn fault(&mut self, fault: Fault) -> Result<(), Violation> {
        let all = 0..self.members.len();
        match fault {
            Fault::Crash(at) => self.crash(at),
            Fault::Resign(at) => self.zab_input(at, menagerie_core::zab::Input::Resign)?,
            Fault::CrashAll => all.for_each(|at| self.crash(at)),
            Fault::Start(at) => self.start(at)?,
            Fault::StartAll => {
                for at in all {
                    self.start(at)?;
                }
            }
            Fault::CutOneWay(from, to) => self.network.cut(from, to),
            Fault::Isolate(one) => self.split(|at| at == one),
            Fault::Split(place) => self.split(|at| at < place),
            Fault::Heal => self.network.heal(),
            Fault::BreakLinks(at) => {
                for link in self.network.links_of(at) {
                    self.disconnect(at, link);
                    self.zab_input(at, menagerie_core::zab::Input::LinkClosed { link })?;
                }
            }
            Fault::BreakClients(at) => self.break_clients(at),
            Fault::Disk(at, sync_ms) => self.members[at].sync_ms = sync_ms,
            Fault::Pause(at, ms) if self.members[at].running.is_some() && self.members[at].paused.is_none() => {
                self.members[at].paused = Some(VecDeque::new());
                let life = self.members[at].life;
                self.schedule(ms, Event::Resume(at, life));
            }
            Fault::Pause(..) => {}
            Fault::Clock(at, off_ms) => self.members[at].wall_off_ms = off_ms,
            Fault::Lose(loss) => self.loss = loss,
        }
        Ok(())
    }

    fn split(&mut self, on_this_side: impl Fn(MemberIndex) -> bool) {
        let members = self.members.len();
        for one in 0..members {
            for other in (0..members).filter(|other| on_this_side(one) != on_this_side(*other)) {
                self.network.cut(one, other);
            }
        }
    }

    pub(super) fn crash(&mut self, at: MemberIndex) {
        if self.members[at].running.is_none() {
            return;
        }
        let kept = self.rng.usize(..=self.members[at].disk.waiting());
        // Sometimes the others are told by their kernels, sometimes only by silence.
        let told = self.rng.bool();
        for link in self.network.links_of(at) {
            if told {
                self.disconnect(at, link);
            }
            self.network.close(link, at);
        }
        self.break_clients(at);
        self.members[at].crash(kept);
        for other in (0..self.members.len()).filter(|other| told && *other != at) {
            let delay = self.delay();
            self.schedule(delay, Event::PeerGone(other, at));
        }
        self.network.tidy();
    }

    pub(super) fn start(&mut self, at: MemberIndex) -> Result<(), Violation> {
        if self.members[at].running.is_some() {
            return Ok(());
        }
        let at_ms = self.now_ms;
        let started = self.members[at].start(at_ms, self.options.sabotage);
        started.map_err(|what| Violation { at_ms, promise: "starts again", what })?;
        for other in (0..self.members.len()).filter(|other| *other != at) {
            let delay = self.delay();
            self.schedule(delay, Event::PeerBack(other, at));
        }
        self.carry_out(at)
    }
}
