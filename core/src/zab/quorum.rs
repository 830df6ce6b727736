//! Which sets of members decide: majorities, weighted groups, and both of two configurations while one replaces the other
//! (protocol §4.3). Any two quorums of one configuration share a member; all of consensus rests on that.

use std::collections::{BTreeMap, BTreeSet};

use super::ServerId;
use crate::wire::ensemble::{Ensemble, Role};

/// The quorums of one configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    voters: BTreeSet<ServerId>,
    /// For each group, the weights of its voters. `None`: a majority of the voters decides.
    groups: Option<Vec<BTreeMap<ServerId, i64>>>,
}

impl Quorum {
    /// A majority of `voters`.
    pub fn majority(voters: BTreeSet<ServerId>) -> Self {
        Quorum { voters, groups: None }
    }

    /// As the configuration has it. A voter that is in no group has no weight; weights below 0 count as 0.
    pub fn of(ensemble: &Ensemble) -> Self {
        let participants = ensemble.members.iter().filter(|(_, member)| member.role == Role::Participant);
        let voters: BTreeSet<ServerId> = participants.map(|(id, _)| *id).collect();
        let groups = ensemble.hierarchy.as_ref().map(|hierarchy| {
            let weight = |id: &ServerId| (*id, hierarchy.weights.get(id).copied().unwrap_or(1).max(0));
            hierarchy
                .groups
                .values()
                .map(|ids| ids.iter().filter(|id| voters.contains(id)).map(weight).collect())
                .collect()
        });
        Quorum { voters, groups }
    }

    /// Those who vote, also those without weight.
    pub fn voters(&self) -> &BTreeSet<ServerId> {
        &self.voters
    }

    /// Whether the member may lead: it votes, and its vote weighs something.
    pub fn may_lead(&self, id: ServerId) -> bool {
        let weighs = |group: &BTreeMap<ServerId, i64>| group.get(&id).is_some_and(|weight| *weight > 0);
        self.voters.contains(&id) && self.groups.as_ref().is_none_or(|groups| groups.iter().any(weighs))
    }

    /// Whether those for whom `has` is true are a quorum.
    pub fn is_met(&self, has: impl Fn(ServerId) -> bool) -> bool {
        match &self.groups {
            None => self.voters.iter().filter(|id| has(**id)).count() > self.voters.len() / 2,
            Some(groups) => {
                // Two of the largest weights are more than fits into one.
                let total = |group: &BTreeMap<ServerId, i64>| group.values().copied().map(i128::from).sum::<i128>();
                let won = |group: &&BTreeMap<ServerId, i64>| {
                    let having = group.iter().filter(|(id, _)| has(**id));
                    let weight: i128 = having.map(|(_, weight)| i128::from(*weight)).sum();
                    weight > total(group) / 2
                };
                let counting = groups.iter().filter(|group| total(group) > 0).count();
                groups.iter().filter(won).count() > counting / 2
            }
        }
    }
}

/// The quorums that a decision needs: the configuration's, and while a new one is being agreed upon, that one's as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorums {
    current: Quorum,
    next: Option<Quorum>,
}

impl Quorums {
    /// One configuration.
    pub fn one(current: Quorum) -> Self {
        Quorums { current, next: None }
    }

    /// Two configurations: a decision needs a quorum of each.
    pub fn both(current: Quorum, next: Quorum) -> Self {
        Quorums { current, next: Some(next) }
    }

    /// Whether those for whom `has` is true are a quorum of every configuration.
    pub fn are_met(&self, has: impl Fn(ServerId) -> bool) -> bool {
        self.each().all(|quorum| quorum.is_met(&has))
    }

    /// Whether those for whom `has` is true are a quorum of the configuration in force, whatever the next one is.
    pub fn are_met_now(&self, has: impl Fn(ServerId) -> bool) -> bool {
        self.current.is_met(has)
    }

    /// Whether the member votes in any configuration.
    pub fn is_voter(&self, id: ServerId) -> bool {
        self.each().any(|quorum| quorum.voters.contains(&id))
    }

    /// Whether the member may lead by any configuration.
    pub fn may_lead(&self, id: ServerId) -> bool {
        self.each().any(|quorum| quorum.may_lead(id))
    }

    /// The voters of all configurations.
    pub fn voters(&self) -> BTreeSet<ServerId> {
        self.each().flat_map(|quorum| quorum.voters.iter().copied()).collect()
    }

    fn each(&self) -> impl Iterator<Item = &Quorum> {
        std::iter::once(&self.current).chain(&self.next)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    fn met(quorum: &Quorum, ids: &[ServerId]) -> bool {
        quorum.is_met(|id| ids.contains(&id))
    }

    fn ensemble(text: &str) -> Ensemble {
        text.parse().unwrap()
    }

    #[test]
    fn a_majority_is_more_than_half_of_the_voters() {
        let text = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2\nserver.5=e:1:2:observer";
        let four = Quorum::of(&ensemble(text));
        assert!(!met(&four, &[1, 2]), "two of four are not more than half");
        assert!(met(&four, &[1, 2, 4]));
        assert!(!met(&four, &[1, 2, 5, 9]), "an observer and a stranger do not count");
        assert!(!met(&Quorum::majority(BTreeSet::new()), &[]), "nobody decides nothing");
    }

    #[test]
    fn weighted_groups_need_most_groups_and_in_each_most_weight() {
        let servers: Vec<String> = (1..=9).map(|id| format!("server.{id}=h:1:2")).collect();
        let text = servers.join("\n") + "\ngroup.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9\nweight.4=3\nweight.9=0";
        let quorum = Quorum::of(&ensemble(&text));
        assert!(met(&quorum, &[1, 2, 7, 8]));
        assert!(met(&quorum, &[1, 2, 4]), "4 weighs more than 5 and 6 together");
        assert!(!met(&quorum, &[1, 2, 5, 6]), "and without it the group is not won");
        assert!(!met(&quorum, &[1, 2, 3, 7, 9]), "1 of 2 is half, and 9 weighs nothing");
        assert!(quorum.may_lead(7) && !quorum.may_lead(9), "without weight one follows and never leads");
    }

    #[test]
    fn the_largest_weights_are_summed_without_overflow() {
        let max = i64::MAX;
        let text =
            format!("server.1=h:1:2\nserver.2=h:1:2\nserver.3=h:1:2\ngroup.1=1:2:3\nweight.1={max}\nweight.2={max}");
        let quorum = Quorum::of(&ensemble(&text));
        assert!(met(&quorum, &[1, 2]) && met(&quorum, &[1, 3]) && !met(&quorum, &[1]) && !met(&quorum, &[3]));
    }

    #[test]
    fn while_members_change_a_decision_needs_both_quorums() {
        let old = Quorum::majority(BTreeSet::from([1, 2, 3]));
        let both = Quorums::both(old, Quorum::majority(BTreeSet::from([3, 4, 5])));
        assert!(!both.are_met(|id| id <= 3));
        assert!(!both.are_met(|id| id >= 3));
        assert!(both.are_met(|id| id >= 2 && id != 5));
        assert_eq!(both.voters(), BTreeSet::from([1, 2, 3, 4, 5]));
    }

    proptest! {
        #[test]
        fn any_two_quorums_share_a_member(
            groups in prop::collection::vec(prop::collection::vec(0i64..4, 1..4), 1..4),
            hierarchical: bool, one: u16, two: u16,
        ) {
            let weights: Vec<(usize, i64)> = groups.iter().enumerate().flat_map(|(g, w)| w.iter().map(move |w| (g, *w))).collect();
            let mut quorum = Quorum::majority((0..weights.len() as i64).collect());
            if hierarchical {
                let mut of_group = vec![BTreeMap::new(); groups.len()];
                for (id, (group, weight)) in weights.iter().enumerate() {
                    of_group[*group].insert(id as i64, *weight);
                }
                quorum.groups = Some(of_group);
            }
            let sets = [one, two].map(|bits| move |id: ServerId| bits >> id & 1 == 1);
            if quorum.is_met(sets[0]) && quorum.is_met(sets[1]) {
                prop_assert!(one & two != 0);
            }
        }
    }
}
