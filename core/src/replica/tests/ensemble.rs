//! Three members that talk to each other at once, each with a disk that keeps everything.

use super::*;
use crate::wire::quorum::{ForwardedRequest, Packet};
use crate::zab::{Epochs, RecentLog, Write};

pub(super) struct Ensemble {
    pub(super) members: BTreeMap<i64, Member>,
    /// Who is at the two ends of a link.
    links: BTreeMap<LinkId, (i64, i64)>,
    pub(super) answers: Vec<(i64, Output)>,
    /// Whether nobody hears what is committed.
    commits_are_lost: bool,
    /// Whether servers that are gone vote for whomever they hear of.
    pub(super) echo_votes: bool,
    pub(super) now: Time,
}

impl Ensemble {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    /// Members whose configuration is changed first.
    pub(super) fn with(change: impl Fn(&mut Config)) -> Self {
        let text = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2";
        let now = Time { monotonic_ms: 0, wall_ms: 1_000 };
        let member = |id: i64| {
            let told = Told::default();
            let shared = Arc::new(Shared::new(DataTree::new(), BTreeMap::new(), Box::new(told.clone())));
            let mut config = config(u8::try_from(id).unwrap());
            change(&mut config);
            let read_members: fn(&Bytes) -> _ = members_in;
            let read_members = config.reconfig_enabled.then_some(read_members);
            let zab_config = zab::Config { read_members, ..zab::Config::new(id, text.parse().unwrap()) };
            let log = RecentLog::new(Zxid::ZERO, Vec::new(), 500, 1 << 20);
            let recovered = Recovered { epochs: Epochs::default(), log };
            let replica = Replica::member(config, zab_config, recovered, Arc::clone(&shared), now);
            (id, Member { replica: replica.unwrap(), shared, told, now, xid: 0 })
        };
        let members = [1, 2, 3].map(member).into();
        let mut ensemble = Ensemble {
            members,
            links: BTreeMap::new(),
            answers: Vec::new(),
            commits_are_lost: false,
            echo_votes: false,
            now,
        };
        for id in [1, 2, 3] {
            for peer in [1, 2, 3].into_iter().filter(|peer| *peer != id) {
                ensemble.give(id, zab::Input::ElectionLinkUp { peer });
            }
        }
        ensemble.settle();
        for _ in 0..50 {
            ensemble.pass(100);
        }
        ensemble
    }

    pub(super) fn input(&mut self, id: i64, input: Input) {
        let now = self.now;
        if let Some(member) = self.members.get_mut(&id) {
            member.now = now;
            member.replica.handle(now, input);
        }
    }

    pub(super) fn give(&mut self, id: i64, input: zab::Input) {
        self.input(id, Input::Zab(input));
    }

    pub(super) fn pass(&mut self, ms: u64) {
        self.now.monotonic_ms += ms;
        let due: Vec<i64> = self
            .members
            .iter()
            .filter(|(_, member)| member.replica.poll_timeout() <= self.now.monotonic_ms)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.input(id, Input::Tick);
        }
        self.settle();
    }

    /// Carries out what the members want done until nobody wants anything.
    pub(super) fn settle(&mut self) {
        let mut quiet = 0;
        while quiet < 3 {
            quiet = 0;
            for id in [1, 2, 3] {
                match self.members.get_mut(&id).and_then(|member| member.replica.poll_output()) {
                    Some(output) => self.carry_out(id, output),
                    None => quiet += 1,
                }
            }
        }
    }

    fn carry_out(&mut self, id: i64, output: Output) {
        let other = |links: &BTreeMap<LinkId, (i64, i64)>, link: LinkId| {
            links.get(&link).map(|(dialler, leader)| if id == *dialler { *leader } else { *dialler })
        };
        match output {
            Output::Persist { ticket, write } => {
                let plain = !matches!(write, Write::Truncate { .. } | Write::InstallSnapshot { .. });
                assert!(plain, "all begin empty and none falls behind");
                self.input(id, Input::Persisted { through: ticket });
            }
            Output::Zab(zab::Output::Notify { to, notification })
                if self.echo_votes && !self.members.contains_key(&to) =>
            {
                self.give(id, zab::Input::Notification { from: to, notification });
            }
            Output::Zab(zab::Output::Notify { to, notification }) => {
                self.give(to, zab::Input::Notification { from: id, notification });
            }
            Output::Zab(zab::Output::Connect { leader }) if self.members.contains_key(&leader) => {
                let link = self.links.len() as LinkId + 1;
                self.links.insert(link, (id, leader));
                self.give(leader, zab::Input::Accepted { link });
                self.give(id, zab::Input::Connected { link, leader });
            }
            Output::Zab(zab::Output::Connect { leader }) => self.give(id, zab::Input::ConnectFailed { leader }),
            Output::Zab(zab::Output::Send { packet: Packet::Commit { .. }, .. }) if self.commits_are_lost => {}
            Output::Zab(zab::Output::Send { link, packet }) => {
                if let Some(to) = other(&self.links, link) {
                    self.give(to, zab::Input::Packet { link, packet });
                }
            }
            Output::Zab(zab::Output::Disconnect { link }) => {
                if let Some(to) = other(&self.links, link) {
                    self.give(to, zab::Input::LinkClosed { link });
                }
            }
            other => self.answers.push((id, other)),
        }
    }

    /// A member is gone, and the others are told.
    pub(super) fn kill(&mut self, gone: i64) {
        self.members.remove(&gone);
        for (link, _) in self.links.clone() {
            for id in [1, 2, 3] {
                self.give(id, zab::Input::LinkClosed { link });
            }
        }
        for id in [1, 2, 3] {
            self.give(id, zab::Input::ElectionLinkDown { peer: gone });
        }
        self.settle();
    }

    /// Long enough for an election, and shorter than the sessions' timeouts.
    pub(super) fn elect(&mut self) {
        for _ in 0..20 {
            self.pass(100);
        }
    }

    pub(super) fn member(&mut self, id: i64) -> &mut Member {
        self.members.get_mut(&id).unwrap()
    }

    pub(super) fn leader(&self) -> i64 {
        *self.members.iter().find(|(_, member)| member.replica.leads()).unwrap().0
    }

    pub(super) fn follower(&self) -> i64 {
        let follows = |member: &Member| matches!(member.replica.role(), Role::Following { .. });
        *self.members.iter().find(|(_, member)| follows(member)).unwrap().0
    }

    pub(super) fn connect(&mut self, id: i64, conn: ConnId, session_id: i64) -> Option<ConnectResponse> {
        self.connect_as(id, conn, session_id, None)
    }

    pub(super) fn connect_as(
        &mut self,
        id: i64,
        conn: ConnId,
        session_id: i64,
        read_only: Option<bool>,
    ) -> Option<ConnectResponse> {
        let password = Some(Bytes::copy_from_slice(&crate::session::password(session_id)));
        let request =
            ConnectRequest { timeout_ms: 4_000, session_id, password, read_only, ..ConnectRequest::default() };
        self.input(id, Input::Connect { conn, request });
        self.settle();
        self.answers.iter().rev().find_map(|(of, output)| match output {
            Output::Connected { conn: to, response } if (*of, *to) == (id, conn) => Some(response.clone()),
            _ => None,
        })
    }

    /// The errors with which what was sent at `id` since the last time was answered.
    pub(super) fn codes(&self, id: i64) -> Vec<i32> {
        self.members[&id].replies().iter().map(|reply| split(&reply.frame).0.err).collect()
    }

    pub(super) fn assert_equal(&self) {
        let digests: BTreeSet<u64> = self.members.values().map(|member| member.shared.tree().digest()).collect();
        assert_eq!(digests.len(), 1, "the members' trees differ");
    }

    pub(super) fn was_closed(&self, id: i64, conn: ConnId) -> bool {
        self.answers.contains(&(id, Output::Close { conn }))
    }
}

#[test]
fn a_write_through_a_follower_is_applied_everywhere_and_answered_once_in_order() {
    let mut ensemble = Ensemble::new();
    let follower = ensemble.follower();
    let session = ensemble.connect(follower, CONN, 0).unwrap().session_id;
    let member = ensemble.member(follower);
    member.send(CONN, session, OpCode::Create, &create("/a", 0));
    member.send(CONN, session, OpCode::Create, &create("/a", 0));
    member.send(CONN, session, OpCode::Sync, &PathOnly { path: "/a".into() });
    member.send(CONN, session, OpCode::Create, &create("/b", 1));
    ensemble.settle();
    assert_eq!(ensemble.codes(follower), [0, ErrorCode::NodeExists.code(), 0, 0]);
    assert!(ensemble.members.values().all(|member| member.shared.tree().node("/b").is_some()));
    ensemble.assert_equal();
}

/// Simulation, first seed: what a client was told of its creates in a multi depended on whether its server led.
#[test]
fn a_multi_is_answered_alike_by_leader_and_follower() {
    let mut ensemble = Ensemble::new();
    let results = [(ensemble.leader(), "/a"), (ensemble.follower(), "/b")].map(|(id, path)| {
        let session = ensemble.connect(id, CONN, 0).unwrap().session_id;
        let ops = vec![
            MultiOp::Create(OpCode::Create2, create(path, 0)),
            MultiOp::Create(OpCode::Create, create(&format!("{path}/c"), 0)),
        ];
        ensemble.member(id).send(CONN, session, OpCode::Multi, &MultiRequest { ops });
        ensemble.settle();
        let (_, body) = split(&ensemble.members[&id].replies().first().unwrap().frame);
        let results = MultiResponse::from_bytes(&body).unwrap().results;
        results.iter().map(|it| matches!(it, MultiResult::Created { stat: Some(_), .. })).collect::<Vec<_>>()
    });
    assert_eq!(results, [[true, false], [true, false]]);
}

#[test]
fn a_session_resumed_at_another_member_is_lost_to_the_first() {
    let mut ensemble = Ensemble::new();
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    let session = ensemble.connect(leader, CONN, 0).unwrap().session_id;
    assert_eq!(ensemble.connect(follower, CONN, session).unwrap().session_id, session);
    assert!(ensemble.was_closed(leader, CONN));
    assert_eq!(ensemble.connect(leader, 8, session).unwrap().session_id, session);
    ensemble.member(follower).send(CONN, session, OpCode::Create, &create("/a", 0));
    ensemble.settle();
    assert!(ensemble.was_closed(follower, CONN), "the session has moved");
    assert!(ensemble.codes(follower).is_empty());
    assert!(ensemble.members[&leader].shared.tree().node("/a").is_none());
    ensemble.assert_equal();
}

#[test]
fn the_leader_ends_a_followers_session_that_is_not_heard_of() {
    let mut ensemble = Ensemble::new();
    let follower = ensemble.follower();
    let session = ensemble.connect(follower, CONN, 0).unwrap().session_id;
    ensemble.member(follower).send(CONN, session, OpCode::Create, &create("/e", 1));
    ensemble.settle();
    for _ in 0..40 {
        let at_ms = ensemble.now.monotonic_ms;
        ensemble.input(follower, Input::Touched(vec![(session, at_ms)]));
        ensemble.pass(500);
    }
    assert!(!ensemble.was_closed(follower, CONN), "it is heard of");
    for _ in 0..40 {
        ensemble.pass(500);
    }
    assert!(ensemble.was_closed(follower, CONN));
    assert!(ensemble.members.values().all(|member| member.shared.tree().node("/e").is_none()));
    ensemble.assert_equal();
}

#[test]
fn without_its_leader_a_member_closes_its_connections_and_sessions_survive() {
    let mut ensemble = Ensemble::new();
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    let session = ensemble.connect(follower, CONN, 0).unwrap().session_id;
    ensemble.member(follower).send(CONN, session, OpCode::Create, &create("/e", 1));
    ensemble.settle();
    ensemble.kill(leader);
    assert!(ensemble.was_closed(follower, CONN));
    ensemble.elect();
    let next = ensemble.leader();
    assert_eq!(ensemble.connect(next, 9, session).unwrap().session_id, session);
    assert!(ensemble.members[&next].shared.tree().node("/e").is_some());
    ensemble.assert_equal();
}

/// Simulation, seed 6: every transaction of a leader that began with something to commit named a digest that no tree had.
#[test]
fn a_leader_foresees_digests_after_what_it_commits_as_it_begins() {
    let mut ensemble = Ensemble::new();
    let leader = ensemble.leader();
    let session = ensemble.connect(leader, CONN, 0).unwrap().session_id;
    ensemble.commits_are_lost = true;
    ensemble.member(leader).send(CONN, session, OpCode::Create, &create("/a", 0));
    ensemble.settle();
    ensemble.kill(leader);
    ensemble.commits_are_lost = false;
    ensemble.elect();
    let next = ensemble.leader();
    assert!(ensemble.members[&next].shared.tree().node("/a").is_some());
    let session = ensemble.connect(next, 9, 0).unwrap().session_id;
    ensemble.member(next).send(9, session, OpCode::Create, &create("/b", 0));
    ensemble.settle();
    assert_eq!(ensemble.codes(next), [0]);
    for member in ensemble.members.values() {
        assert_eq!(member.shared.tallies().digest_mismatches(), 0);
    }
}

/// A sync that cannot be read was answered before the writes that its client had sent before it.
#[test]
fn a_sync_that_cannot_be_read_waits_for_the_writes_before_it() {
    let mut ensemble = Ensemble::new();
    let follower = ensemble.follower();
    let session = ensemble.connect(follower, CONN, 0).unwrap().session_id;
    let member = ensemble.member(follower);
    member.send(CONN, session, OpCode::Create, &create("/a", 0));
    member.send(CONN, session, OpCode::Sync, &7);
    member.send(CONN, session, OpCode::Create, &create("/b", 0));
    ensemble.settle();
    assert_eq!(ensemble.codes(follower), [0, ErrorCode::MarshallingError.code(), 0]);
}

/// A write that a client had sent before it moved took effect after its later ones, if it had lost the later connection too.
#[test]
fn what_was_sent_before_a_session_moved_is_refused_after_its_last_connection_is_lost() {
    let mut ensemble = Ensemble::new();
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    let session = ensemble.connect(follower, CONN, 0).unwrap().session_id;
    assert_eq!(ensemble.connect(leader, 8, session).unwrap().session_id, session);
    ensemble.input(leader, Input::Disconnected { conn: 8 });
    ensemble.member(follower).send(CONN, session, OpCode::Create, &create("/a", 0));
    ensemble.settle();
    assert!(ensemble.was_closed(follower, CONN), "the session has moved");
    assert!(ensemble.members[&leader].shared.tree().node("/a").is_none());
    assert_eq!(ensemble.connect(follower, 9, session).unwrap().session_id, session);
    ensemble.member(follower).send(9, session, OpCode::Create, &create("/a", 0));
    ensemble.settle();
    assert!(ensemble.members[&leader].shared.tree().node("/a").is_some());
}

#[test]
fn a_member_that_cannot_apply_what_is_agreed_upon_says_so_and_does_nothing_more() {
    let mut ensemble = Ensemble::new();
    let leader = ensemble.leader();
    let session = ensemble.connect(leader, CONN, 0).unwrap().session_id;
    ensemble.member(leader).send(CONN, session, OpCode::Create, &create("/a", 0));
    let member = ensemble.member(leader);
    member.replica.peer.propose(member.now.monotonic_ms, &Bytes::from_static(b"nonsense")).unwrap();
    member.replica.advance();
    ensemble.member(leader).send(CONN, session, OpCode::Create, &create("/b", 0));
    ensemble.settle();
    ensemble.pass(10_000);
    let says =
        |(of, output): &&(i64, Output)| *of == leader && matches!(output, Output::Fatal(Fatal::Unreadable { .. }));
    assert_eq!(ensemble.answers.iter().filter(says).count(), 1);
    assert_eq!(ensemble.codes(leader), [0], "what came before it is answered, nothing after it");
    let tree = ensemble.members[&leader].shared.tree();
    assert!(tree.node("/a").is_some() && tree.node("/b").is_none());
}

#[test]
fn no_learner_deletes_a_container_by_the_leaders_own_means() {
    let mut ensemble = Ensemble::new();
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    let session = ensemble.connect(follower, CONN, 0).unwrap().session_id;
    ensemble.member(follower).send(CONN, session, OpCode::CreateContainer, &create("/c", 4));
    ensemble.settle();
    let (op, body) = (OpCode::DeleteContainer.code(), PathOnly { path: "/c".into() }.to_bytes());
    let request = ForwardedRequest { session, cxid: 9, op, body, ids: Some(Vec::new()) };
    ensemble.give(follower, zab::Input::Forward(request));
    ensemble.settle();
    assert!(ensemble.members[&leader].shared.tree().node("/c").is_some());
    ensemble.assert_equal();
}

#[test]
fn a_new_leader_removes_the_ephemerals_of_sessions_that_are_gone() {
    let mut ensemble = Ensemble::new();
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    let session = ensemble.connect(follower, CONN, 0).unwrap().session_id;
    ensemble.member(follower).send(CONN, session, OpCode::Create, &create("/e", 1));
    ensemble.settle();
    // As a snapshot does that was written while the session ended.
    for member in ensemble.members.values() {
        member.shared.session_table().clear();
    }
    ensemble.kill(leader);
    ensemble.elect();
    assert!(ensemble.members.values().all(|member| member.shared.tree().node("/e").is_none()));
    ensemble.assert_equal();
}

#[test]
fn a_leader_that_does_not_serve_sends_clients_away_and_carries_out_what_learners_forward() {
    let mut ensemble = Ensemble::with(|config| config.leader_serves = false);
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    assert_eq!(ensemble.connect(leader, CONN, 0), None);
    assert!(ensemble.was_closed(leader, CONN));
    let session = ensemble.connect(follower, CONN, 0).unwrap().session_id;
    ensemble.member(follower).send(CONN, session, OpCode::Create, &create("/a", 0));
    ensemble.settle();
    assert!(ensemble.members[&leader].shared.tree().node("/a").is_some());
}

/// Simulation, seed 201041: a leader that hands over takes no writes any more, but answered the syncs behind them.
#[test]
fn nothing_is_answered_behind_a_write_that_was_not_proposed() {
    let mut ensemble = Ensemble::new();
    let leader = ensemble.leader();
    let session = ensemble.connect(leader, CONN, 0).unwrap().session_id;
    let member = ensemble.member(leader);
    member.send(CONN, session, OpCode::Create, &create("/a", 0));
    member.replica.handle(member.now, Input::Zab(zab::Input::Resign));
    member.send(CONN, session, OpCode::Create, &create("/b", 0));
    member.send(CONN, session, OpCode::Sync, &PathOnly { path: "/b".into() });
    ensemble.settle();
    assert_eq!(ensemble.codes(leader), [0]);
    assert!(ensemble.was_closed(leader, CONN));
}

#[test]
fn a_snapshot_is_taken_before_anything_later_is_applied() {
    let mut ensemble = Ensemble::new();
    let leader = ensemble.leader();
    let session = ensemble.connect(leader, CONN, 0).unwrap().session_id;
    let member = ensemble.member(leader);
    member.send(CONN, session, OpCode::Create, &create("/a", 0));
    let zxid = member.replica.last_proposed();
    let Some(proposal) = member.replica.proposals.back() else { panic!("nothing is proposed") };
    let payload = proposal.record.to_bytes();
    let before = member.shared.tree().last_zxid();
    member.replica.held.push_back(zab::Output::SendSnapshot { link: 1, zxid: before });
    member.replica.held.push_back(zab::Output::Committed { zxid, payload });
    member.replica.handle(member.now, Input::Touched(Vec::new()));
    loop {
        let output = member.replica.poll_output().unwrap();
        assert_eq!(member.shared.tree().last_zxid(), before);
        if matches!(output, Output::Zab(zab::Output::SendSnapshot { .. })) {
            break;
        }
    }
    member.replica.poll_output();
    assert_eq!(member.shared.tree().last_zxid(), zxid, "it is applied when the snapshot has been taken");
}

#[test]
fn a_learner_is_told_of_a_session_after_everything_proposed_before() {
    let mut ensemble = Ensemble::new();
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    let session = ensemble.connect(follower, CONN, 0).unwrap().session_id;
    let own = ensemble.connect(leader, 2, 0).unwrap().session_id;
    let link = *ensemble.links.iter().find(|(_, ends)| **ends == (follower, leader)).unwrap().0;
    let member = ensemble.member(leader);
    member.send(2, own, OpCode::Create, &create("/a", 0));
    member.replica.revalidate_session(link, session, 4_000);
    assert_eq!(member.replica.verdicts.len(), 1, "it waits");
    ensemble.settle();
    assert!(ensemble.members[&leader].replica.verdicts.is_empty());
}

/// Simulation of the service, seed 601356: behind the refusal of a write a read was answered too, for a session that had ended.
#[test]
fn a_connection_whose_session_has_ended_is_answered_no_more() {
    let mut ensemble = Ensemble::new();
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    let session = ensemble.connect(follower, CONN, 0).unwrap().session_id;
    let ends_ms = ensemble.members[&leader].replica.session_buckets()[0].0;
    while ensemble.now.monotonic_ms + 100 < ends_ms {
        ensemble.pass(100);
    }
    ensemble.now.monotonic_ms = ends_ms;
    let now = ensemble.now;
    // The leader proposes the session's end. The follower does not know yet, and asks for more.
    ensemble.input(leader, Input::Tick);
    let member = ensemble.member(follower);
    member.now = now;
    member.send(CONN, session, OpCode::Create, &create("/late", 0));
    ensemble.settle();
    assert!(ensemble.was_closed(follower, CONN));
    assert_eq!(ensemble.codes(follower), [0; 0], "nothing is told but that it is closed");
    ensemble.assert_equal();
}
