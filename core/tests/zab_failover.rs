//! How long a lost leader is missed: only as long as packets and disks take. The clock stands still in these tests, so nothing
//! that waits for it would ever happen.
#![cfg(feature = "replica")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod zab_network;

use menagerie_core::wire::Zxid;
use menagerie_core::zab::{Input, ServerId};
use zab_network::Net;

const SEEDS: u64 = 300;

/// Members under a leader, with one transaction committed everywhere.
fn reign(voters: i64, seed: u64) -> (Net, ServerId) {
    let mut net = Net::of(voters, seed);
    net.settle();
    let leader = net.leader().unwrap();
    assert!(net.propose(leader, b"first"));
    net.settle();
    (net, leader)
}

#[test]
fn a_lost_leader_is_replaced_without_waiting() {
    for seed in 0..SEEDS {
        let voters = if seed % 3 == 0 { 5 } else { 3 };
        let (mut net, leader) = reign(voters, seed);
        // Some of it gets to some of the others.
        for _ in 0..3 {
            net.propose(leader, b"more");
        }
        for _ in 0..net.draw(12) {
            net.step();
        }
        net.kill(leader);
        net.settle();
        let next = net.leader();
        assert!(next.is_some_and(|next| next != leader), "seed {seed}: {next:?} leads after {leader}");
        assert!(net.propose(next.unwrap(), b"again"));
        net.settle();
        let agreed = &net.members[&next.unwrap()].committed;
        assert!(net.members.values().all(|member| member.committed == *agreed), "seed {seed}");
        assert_eq!(agreed.last(), Some(&Zxid::new(2, 1)), "seed {seed}: the first write of the next reign");
    }
}

#[test]
fn a_leader_that_is_told_to_stop_hands_over_without_waiting() {
    for seed in 0..SEEDS {
        let voters = if seed % 3 == 0 { 5 } else { 3 };
        let (mut net, leader) = reign(voters, seed);
        for _ in 0..3 {
            assert!(net.propose(leader, b"more"));
        }
        for _ in 0..net.draw(12) {
            net.step();
        }
        net.give(leader, Input::Resign);
        assert!(!net.members.contains_key(&leader) || !net.propose(leader, b"late"), "seed {seed}");
        net.settle();
        let next = net.leader();
        assert!(next.is_some_and(|next| next != leader), "seed {seed}: {next:?} leads after {leader}");
        let committed = [1, 2, 3, 4].map(|counter| Zxid::new(1, counter));
        assert!(net.members.values().all(|member| member.committed == committed), "seed {seed}: all that was proposed");
        // Those who were told to stop are not missed, and do not come back.
        assert!(!net.members.contains_key(&leader), "seed {seed}");
    }
}
