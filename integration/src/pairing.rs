//! Ensembles of both kinds of members, one for each way to pair them: who leads, and through whom clients speak, who is always of the
//! other kind than the leader.

use std::io;

use crate::ensemble::{Ensemble, Member, Plan};
use crate::software::Software;

/// One way to pair them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// The voting members, in the order of their numbers: `o` is ours, `t` theirs.
    pub voters: &'static str,
    /// Members after them, who only observe.
    pub observers: &'static str,
    /// Whose member leads.
    pub leader: char,
}

/// Those that there are of three who vote, and those where one observes. The member of the highest number is elected, which is why
/// those who shall lead stand last.
pub const PAIRINGS: [Pairing; 6] = [
    Pairing { voters: "tto", observers: "", leader: 'o' },
    Pairing { voters: "ott", observers: "", leader: 't' },
    Pairing { voters: "too", observers: "", leader: 'o' },
    Pairing { voters: "oot", observers: "", leader: 't' },
    Pairing { voters: "ttt", observers: "o", leader: 't' },
    Pairing { voters: "ooo", observers: "t", leader: 'o' },
];

/// Both softwares.
#[derive(Clone, Debug)]
pub struct Both {
    /// `o`
    pub ours: Software,
    /// `t`
    pub theirs: Software,
}

impl Both {
    /// `None` after saying that the test is skipped (see [`crate::requirement`]).
    pub fn find() -> io::Result<Option<Self>> {
        let Some(theirs) = Software::reference()? else { return Ok(None) };
        Ok(Some(Both { ours: Software::menagerie()?, theirs }))
    }

    /// The software that a letter stands for.
    pub fn of(&self, letter: char) -> &Software {
        if letter == 'o' { &self.ours } else { &self.theirs }
    }
}

/// The letter of a member's software.
pub fn letter(member: &Member) -> char {
    match member.software() {
        Software::Menagerie(_) => 'o',
        Software::Reference(_) => 't',
    }
}

impl Pairing {
    /// What it is called in messages.
    pub fn name(&self) -> String {
        let observers = if self.observers.is_empty() { String::new() } else { format!("+{}", self.observers) };
        format!("{}{observers} led by {}", self.voters, self.leader)
    }

    /// The members, not started.
    pub fn plan(&self, both: &Both) -> io::Result<Plan> {
        let letters = self.voters.chars().chain(self.observers.chars());
        let softwares: Vec<Software> = letters.map(|letter| both.of(letter).clone()).collect();
        let mut plan = Plan::of(&softwares)?;
        for id in self.voters.len() + 1..=softwares.len() {
            plan = plan.observer(id as i64);
        }
        Ok(plan)
    }

    /// Starts the members of a plan, and has one of the right kind lead.
    pub fn start(&self, plan: Plan) -> io::Result<Ensemble> {
        let mut ensemble = plan.start()?;
        self.lead(&mut ensemble)?;
        Ok(ensemble)
    }

    /// Has a member of the right kind lead: others who lead are started again until it does.
    pub fn lead(&self, ensemble: &mut Ensemble) -> io::Result<i64> {
        for _ in 0..10 {
            let leader = ensemble.wait_until_all_serve()?;
            if letter(ensemble.member(leader)) == self.leader {
                return Ok(leader);
            }
            ensemble.member_mut(leader).terminate()?;
            ensemble.wait_for_leader()?;
            ensemble.member_mut(leader).start()?;
            ensemble.wait_until_it_serves(leader)?;
        }
        Err(io::Error::other(format!("{}: others are elected each time", self.name())))
    }

    /// A member that does not lead, of the other kind than the leader: an observer if there is one.
    pub fn speaker(&self, ensemble: &Ensemble) -> io::Result<i64> {
        let leader = ensemble.leader();
        let others = ensemble.members().iter().rev().filter(|member| Some(member.place().id) != leader);
        let mut ids = others.filter(|member| letter(member) != self.leader).map(|member| member.place().id);
        ids.next().ok_or_else(|| io::Error::other(format!("{}: nobody of the other kind follows", self.name())))
    }
}
