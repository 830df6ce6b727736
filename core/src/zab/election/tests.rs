//! One test for each rule of fast leader election.

use super::*;
use crate::wire::ensemble::Ensemble;
use crate::zab::members::Members;

const VOTERS: &str = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2:observer\n";

struct Looking {
    election: Election,
    out: VecDeque<Output>,
}

/// Server `me`, with 3:5 as its last transaction, at time 0 in round 1.
fn looking(me: ServerId) -> Looking {
    looking_in(me, VOTERS)
}

fn looking_in(me: ServerId, members: &str) -> Looking {
    let config = Config::new(me, members.parse::<Ensemble>().unwrap_or_default());
    let members = Members::new(me, config.ensemble.clone());
    let mut looking = Looking { election: Election::new(&config, &members), out: VecDeque::new() };
    looking.election.begin(0, 0, Zxid::new(3, 5), 3, &mut looking.out);
    looking
}

fn says(state: ServerState, leader: ServerId, round: i64, counter: u32) -> Notification {
    Notification {
        state,
        leader,
        zxid: Zxid::new(3, counter),
        round,
        peer_epoch: 3,
        version: Notification::VERSION,
        config: Bytes::new(),
    }
}

impl Looking {
    fn hears(&mut self, at_ms: u64, from: ServerId, said: &Notification) -> Vec<(ServerId, ServerId)> {
        self.said();
        self.election.notification(at_ms, ServerState::Looking, from, said, &mut self.out);
        self.said()
    }

    /// To whom it has spoken, and for whom.
    fn said(&mut self) -> Vec<(ServerId, ServerId)> {
        let said = self.out.drain(..).filter_map(|output| match output {
            Output::Notify { to, notification } => Some((to, notification.leader)),
            _ => None,
        });
        said.collect()
    }

    fn winner(&self, at_ms: u64) -> Option<ServerId> {
        self.election.decision(at_ms).map(|vote| vote.leader)
    }
}

use ServerState::{Following, Leading, Looking as L, Observing};

#[test]
fn everybody_begins_with_a_vote_for_itself() {
    assert_eq!(looking(1).said(), [(2, 1), (3, 1)]);
    assert_eq!(looking(4).said(), [(1, NOBODY), (2, NOBODY), (3, NOBODY)], "an observer votes for nobody");
}

#[test]
fn a_better_vote_is_adopted_and_passed_on() {
    let mut two = looking(2);
    assert_eq!(two.hears(1, 1, &says(L, 1, 1, 5)), [], "a lower id with the same log is not better");
    assert_eq!(two.hears(1, 1, &says(L, 1, 1, 6)), [(1, 1), (3, 1)], "a longer log is");
    let epoch = Notification { peer_epoch: 4, ..says(L, 3, 1, 1) };
    assert_eq!(two.hears(2, 3, &epoch), [(1, 3), (3, 3)], "a later epoch beats any log");
}

#[test]
fn the_election_ends_at_once_when_all_agree() {
    let mut three = looking(3);
    three.hears(5, 1, &says(L, 3, 1, 5));
    assert_eq!(three.winner(5), None, "a quorum waits for a better vote");
    assert_eq!(three.election.due_ms(), 200);
    three.hears(6, 2, &says(L, 3, 1, 5));
    assert_eq!(three.winner(6), Some(3));
}

#[test]
fn a_quorum_waits_for_a_better_vote_and_no_longer_than_that() {
    let mut two = looking(2);
    two.hears(5, 1, &says(L, 2, 1, 5));
    assert_eq!((two.winner(204), two.winner(205)), (None, Some(2)));
    two.hears(100, 3, &says(L, 3, 1, 9));
    assert_eq!(two.winner(205), None, "it has a better vote now, and no quorum for it");
    two.hears(101, 1, &says(L, 3, 1, 9));
    assert_eq!(two.winner(101), Some(3));
}

#[test]
fn the_vote_of_a_server_that_is_known_to_be_gone_is_not_waited_for() {
    let mut two = looking(2);
    two.hears(5, 1, &says(L, 2, 1, 5));
    two.election.link_down(6, 3);
    assert_eq!(two.winner(6), Some(2));
    two.election.link_up(7, L, 3, &mut two.out);
    assert_eq!(two.winner(7), None);
    assert_eq!(two.said().last(), Some(&(3, 2)), "it may have missed what was said");
}

#[test]
fn votes_of_those_who_do_not_vote_are_not_counted() {
    let mut two = looking(2);
    for stranger in [4, 9] {
        assert_eq!(two.hears(1, stranger, &says(L, 2, 1, 5)), [(stranger, 2)], "they are answered");
    }
    two.hears(1, 1, &says(L, 9, 1, 9));
    two.hears(1, 1, &says(L, NOBODY, 1, 9));
    assert_eq!((two.winner(500), two.election.vote.leader), (None, 2), "nor votes for them");
    two.hears(1, 1, &Notification { zxid: Zxid(-1), ..says(L, 2, 1, 5) });
    assert_eq!(two.winner(500), None);
}

#[test]
fn a_later_round_begins_everything_anew() {
    let mut two = looking(2);
    two.hears(1, 1, &says(L, 2, 1, 5));
    assert_eq!(two.hears(2, 3, &says(L, 1, 7, 1)), [(1, 2), (3, 2)], "its own vote is better, and is for round 7 now");
    assert_eq!((two.election.round, two.winner(900)), (7, None), "the vote of round 1 is forgotten");
}

#[test]
fn an_earlier_round_is_answered_and_not_counted() {
    let mut two = looking(2);
    two.hears(1, 3, &says(L, 2, 7, 5));
    assert_eq!(two.hears(2, 1, &says(L, 2, 1, 5)), [(1, 2)]);
    assert!(!two.election.received.contains_key(&1));
}

#[test]
fn an_established_ensemble_is_joined_whatever_its_round() {
    let mut one = looking(1);
    one.hears(1, 2, &says(Following, 3, 9, 1));
    assert_eq!(one.winner(900), None, "one of three");
    one.hears(2, 3, &says(Leading, 3, 9, 1));
    assert_eq!(one.winner(2), Some(3), "although its log is behind");
    assert_eq!(one.election.decision(2).map(|vote| vote.round), Some(9));
}

#[test]
fn nobody_is_joined_who_does_not_say_that_it_leads() {
    let mut one = looking(1);
    one.hears(1, 2, &says(Following, 3, 9, 1));
    one.hears(2, 3, &says(Following, 3, 9, 1));
    assert_eq!(one.winner(900), None);
}

#[test]
fn followers_of_different_epochs_are_no_quorum() {
    let mut one = looking(1);
    one.hears(1, 2, &Notification { peer_epoch: 2, ..says(Following, 3, 9, 1) });
    one.hears(2, 3, &says(Leading, 3, 9, 1));
    assert_eq!(one.winner(900), None);
    one.hears(3, 2, &Notification { peer_epoch: 0, version: 0, ..says(Following, 3, 9, 1) });
    assert_eq!(one.winner(3), Some(3), "a server of 3.4 does not tell the epoch");
}

#[test]
fn an_observer_joins_and_is_not_counted() {
    let mut four = looking(4);
    four.hears(1, 1, &says(L, 3, 1, 5));
    assert_eq!(four.winner(900), None);
    four.hears(2, 3, &says(L, 3, 1, 5));
    assert_eq!(four.winner(900), Some(3), "two of three voters");
    let mut three = looking(3);
    three.hears(1, 4, &says(Observing, 3, 1, 5));
    assert_eq!(three.winner(900), None);
}

#[test]
fn a_server_that_is_not_looking_answers_those_who_are() {
    let mut three = looking(3);
    let vote = Vote { leader: 3, zxid: Zxid::new(3, 5), round: 4, peer_epoch: 3 };
    three.election.settle(vote);
    three.election.established(5);
    three.said();
    three.election.notification(9, Leading, 1, &says(L, 1, 1, 5), &mut three.out);
    three.election.notification(9, Leading, 2, &says(Following, 3, 4, 5), &mut three.out);
    let answers: Vec<Output> = three.out.drain(..).collect();
    let [Output::Notify { to: 1, notification }] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!((notification.state, notification.round, notification.peer_epoch), (Leading, 4, 5));
}

#[test]
fn what_was_said_is_said_again_in_growing_pauses() {
    let mut one = looking(1);
    let mut times = Vec::new();
    for at_ms in 0..7000 {
        one.said();
        one.election.tick(at_ms, &mut one.out);
        if !one.said().is_empty() {
            times.push(at_ms);
        }
    }
    assert_eq!(times, [200, 600, 1400, 3000, 6200]);
}

#[test]
fn a_server_without_weight_is_never_elected() {
    let grouped = VOTERS.to_owned() + "group.1=1:2:3\nweight.3=0";
    let mut three = looking_in(3, &grouped);
    assert_eq!(three.hears(1, 1, &says(L, 1, 1, 1)), [(1, 1), (2, 1)], "not even by itself");
}

#[test]
fn an_ensemble_of_one_has_its_leader_at_once() {
    assert_eq!(looking_in(1, "server.1=a:1:2").winner(0), Some(1));
}

/// Two servers that do not take each other for voters once answered each other's answers without end: one of them had newer
/// members in its log than the other. An answer is no question: only who looks is answered.
#[test]
fn the_answer_of_a_stranger_is_not_answered() {
    let mut one = looking(1);
    assert_eq!(one.hears(1, 9, &says(L, 9, 1, 5)), [(9, 1)], "a stranger that looks is told");
    for state in [Following, Leading, Observing] {
        assert_eq!(one.hears(2, 9, &says(state, 2, 1, 5)), [], "{state:?}");
    }
    // And while this server does not look itself.
    one.election.notification(3, Following, 9, &says(Leading, 9, 1, 5), &mut one.out);
    assert_eq!(one.said(), []);
}
