//! Rules of Zab as scripts: one member is told what happens, and what it wants done is compared with what the script says.
//!
//! A script is a file in `tests/zab`. Lines that begin with `>` are inputs, with the time in milliseconds first; lines that begin with
//! `<` are the outputs that must follow, all of them. Written anew by `MENAGERIE_BLESS=1 cargo test -p menagerie-core --features
//! replica --test zab_scenarios`; read what has changed before keeping it.
#![cfg(feature = "replica")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and reads its scripts")]

mod zab_script;

/// One test for each script; its name is the rule.
macro_rules! scenarios {
    ($($name:ident)*) => {
        $(#[test] fn $name() { zab_script::play(stringify!($name)); })*

        #[test]
        fn every_script_is_played() {
            let mut files: Vec<String> = std::fs::read_dir(zab_script::folder()).unwrap()
                .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
                .collect();
            files.sort();
            let mut played = vec![$(stringify!($name).to_owned()),*];
            played.sort();
            assert_eq!(files, played);
        }
    };
}

scenarios! {
    a_commit_out_of_turn_ends_following
    a_cut_spares_what_the_leader_sends_again
    a_cut_that_would_lose_what_is_committed_is_refused
    a_deserter_that_comes_back_counts_again
    a_follower_acknowledges_only_what_is_on_disk
    a_follower_cuts_off_what_is_not_the_leaders
    a_follower_follows_whom_new_members_designate
    a_follower_gives_up_a_silent_leader
    a_follower_takes_over_a_snapshot
    a_forced_snapshot_takes_nothing_that_may_have_been_acknowledged
    a_gap_in_the_proposals_ends_following
    a_higher_promise_ends_a_reign
    a_leader_begins_when_a_quorum_has_its_history
    a_leader_commits_in_order_what_a_quorum_has
    a_leader_quits_without_a_quorum
    a_leader_serves_its_learners
    a_leader_that_does_not_know_it_yet_is_dialled_again
    a_leader_that_is_no_member_any_more_hands_over
    a_leader_that_resigns_commits_what_it_has_proposed
    a_leader_that_resigns_waits_half_a_tick_at_most
    a_leader_that_too_many_desert_before_its_reign_looks_again
    a_leader_whose_ports_are_both_silent_is_given_up_soon
    a_lower_epoch_is_not_followed
    a_more_recent_history_is_not_led
    a_promise_counts_once
    a_second_change_brings_the_first_into_force
    a_snapshot_with_next_members_is_for_who_knows_those_in_force
    a_voter_that_becomes_an_observer_follows_anew
    a_voter_to_come_is_heard_and_counted_before_it_knows
    a_snapshot_is_forced_on_who_lacks_little
    acknowledgements_of_another_reign_are_not_counted
    an_ensemble_of_one_leads_itself
    an_epoch_out_of_reach_is_not_believed
    an_observer_is_told_of_commits
    an_observer_that_becomes_a_voter_follows_anew
    an_unreachable_leader_is_dialled_again_in_milliseconds
    learners_may_dial_before_the_leader_knows
    members_that_are_cut_off_count_no_more
    more_observers_than_may_be_at_once_are_sent_away_and_voters_never
    new_members_need_quorums_of_both
    new_members_that_do_not_follow_are_refused
    newer_members_are_adopted_in_an_election
    next_members_that_cannot_be_in_force_need_not_promise
    what_a_returning_follower_acknowledged_is_not_cut_off
    who_cannot_be_sent_the_log_on_disk_is_sent_a_snapshot
    who_comes_during_a_change_is_told_the_members_in_force
    who_did_not_look_is_told_again_when_it_looks
    who_is_far_behind_is_sent_the_log_on_disk_until_the_window_is_met
    who_is_sent_the_log_on_disk_counts_among_those_brought_up_to_date
    who_looked_first_is_heard_by_who_looks_next
    who_resigns_without_leading_is_done_at_once
}
