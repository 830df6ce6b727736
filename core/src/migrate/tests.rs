//! Ensembles as they answer, judged and planned for. `golden/` holds what an operator reads.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::answers::{Answer, Conf, Gauges, Kind, digests};
use super::commands::Commands;
use super::obstacles::{self, Obstacle, Weight};
use super::survey::{DiskUse, Local, Member, Survey};
use super::words::State;
use super::{json, plan, text};
use crate::server::ServerConfig;
use crate::wire::ensemble::Ensemble;
use crate::wire::{HostPort, Zxid};

const MEMBERS: &str = "server.1=zk1:2888:3888:participant;2181\nserver.2=zk2:2888:3888:participant;2181\n\
    server.3=zk3:2888:3888:participant;2181\nserver.4=zk4:2888:3888:observer;2181\nversion=0";

fn commands() -> Commands {
    Commands {
        stop_apache: "systemctl stop zookeeper".to_owned(),
        start_apache: "systemctl start zookeeper".to_owned(),
        stop_menagerie: "systemctl stop menagerie@{id}".to_owned(),
        start_menagerie: "systemctl start menagerie@{id}".to_owned(),
    }
}

fn answer(id: i64, version: &str, mode: &str, zxid: u64) -> Answer {
    let srvr = format!(
        "Zookeeper version: {version}, built on x\nLatency min/avg/max: 0/0.0/0\nOutstanding: 0\nZxid: 0x{zxid:x}\nMode: {mode}\n"
    );
    let leads = if mode == "leader" { "zk_synced_followers\t2\n" } else { "" };
    let mut answer = Answer::of_srvr(&srvr).unwrap();
    answer.gauges = Gauges::of_mntr(&format!("zk_version\t{version}\nzk_digest_mismatches_count\t0\n{leads}"));
    answer.conf = Conf::of_conf(&format!("serverId={id}\nmembership: \n{MEMBERS}"));
    answer.digests = digests("100000080: 17\n100000100: 18\n");
    answer
}

/// Three members of Apache's that vote, of whom server.2 leads, and one that observes. server.1 is of this host.
fn healthy() -> Survey {
    let ensemble: Ensemble = MEMBERS.parse().unwrap();
    let modes = BTreeMap::from([(1, "follower"), (2, "leader"), (3, "follower"), (4, "observer")]);
    let member = |(id, member): (&i64, &crate::wire::ensemble::Member)| {
        let address = HostPort { host: format!("zk{id}"), port: 2181 };
        let state = State::Serving(Box::new(answer(*id, "3.8.0-5a02a05", modes[id], 0x1_0000_0123)));
        (*id, Member { role: member.role, address: Some(address), state })
    };
    let members = ensemble.members.iter().map(member).collect();
    let config = ServerConfig {
        data_dir: PathBuf::from("/var/lib/zookeeper"),
        data_log_dir: PathBuf::from("/var/lib/zookeeper"),
        ensemble: Some(ensemble.clone()),
        ..ServerConfig::default()
    };
    let disk = DiskUse { free_bytes: Some(1 << 40), ..DiskUse::default() };
    let local = Local { file: PathBuf::from("/etc/zookeeper/zoo.cfg"), config, keys: Vec::new(), disk };
    let local = BTreeMap::from([(1, local)]);
    Survey { ensemble, members, strangers: Vec::new(), local, refused: Vec::new() }
}

fn answer_of(survey: &mut Survey, id: i64) -> &mut Answer {
    match &mut survey.members.get_mut(&id).unwrap().state {
        State::Serving(answer) => answer,
        other => panic!("server.{id} is {other:?}"),
    }
}

fn whole(survey: &Survey, goal: Kind) -> String {
    let plan = plan::plan(survey, goal, &commands());
    [text::survey(survey), text::obstacles(&obstacles::find(survey, goal)), text::plan(&plan, survey)].join("\n")
}

/// With `MENAGERIE_UPDATE=1` the file is written anew.
fn golden(name: &str, actual: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/migrate/golden").join(name);
    if std::env::var_os("MENAGERIE_UPDATE").is_some() {
        std::fs::write(&file, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(actual, expected, "{} is not true", file.display());
}

fn blocking(survey: &Survey) -> Vec<Obstacle> {
    let mut found = obstacles::find(survey, Kind::Menagerie);
    found.retain(|obstacle| obstacle.weight == Weight::Blocks);
    found
}

#[test]
fn a_healthy_ensemble_is_replaced_observers_first_and_the_leader_last() {
    golden("plan.txt", &whole(&healthy(), Kind::Menagerie));
}

#[test]
fn a_plan_that_was_begun_goes_on_where_it_was() {
    let mut survey = healthy();
    *answer_of(&mut survey, 4) = answer(4, "3.9.5-menagerie-0.1.0", "observer", 0x1_0000_0123);
    *answer_of(&mut survey, 1) = answer(1, "3.9.5-menagerie-0.1.0", "follower", 0x1_0000_0123);
    golden("plan_halfway.txt", &whole(&survey, Kind::Menagerie));
    golden("plan_back.txt", &whole(&survey, Kind::Apache));
}

#[test]
fn an_unwell_ensemble_is_not_touched() {
    let mut survey = healthy();
    survey.members.get_mut(&3).unwrap().state = State::Silent("Connection refused (os error 111)".to_owned());
    answer_of(&mut survey, 1).gauges.as_mut().unwrap().digest_mismatches = Some(3);
    answer_of(&mut survey, 2).digests = digests("100000080: 99\n");
    answer_of(&mut survey, 4).digests = None;
    survey.local.get_mut(&1).unwrap().keys = vec![("sslQuorum".to_owned(), "true".to_owned())];
    survey.local.get_mut(&1).unwrap().disk.free_bytes = Some(1 << 20);
    golden("in_the_way.txt", &whole(&survey, Kind::Menagerie));
}

#[test]
fn each_of_these_alone_blocks() {
    type Spoil = fn(&mut Survey);
    let table: [(&str, Spoil); 9] = [
        ("no member leads", |survey| answer_of(survey, 2).mode = "follower".to_owned()),
        ("more than one member says that it leads", |survey| answer_of(survey, 1).mode = "leader".to_owned()),
        ("1 of 2 followers have all that it has", |survey| {
            answer_of(survey, 2).gauges.as_mut().unwrap().synced_followers = Some(1);
        }),
        ("it is at 0x100000001 and the leader at 0x100100000", |survey| {
            answer_of(survey, 2).zxid.0 = 0x1_0010_0000;
            for id in [1, 4] {
                answer_of(survey, id).zxid.0 = 0x1_0010_0000;
            }
            answer_of(survey, 3).zxid.0 = 0x1_0000_0001;
        }),
        ("it has another list of members than the newest one", |survey| {
            answer_of(survey, 3).conf.as_mut().unwrap().ensemble.as_mut().unwrap().members.remove(&4);
        }),
        ("/etc/zookeeper/zoo.cfg lists other members than run", |survey| {
            survey.local.get_mut(&1).unwrap().config.ensemble.as_mut().unwrap().members.remove(&4);
        }),
        ("it is Apache 3.4.14", |survey| answer_of(survey, 3).version = "3.4.14".to_owned()),
        ("its mode is standalone: it is in no ensemble", |survey| answer_of(survey, 3).mode = "standalone".to_owned()),
        ("/d/version-2/log.1 cannot be read: no", |survey| {
            let disk = &mut survey.local.get_mut(&1).unwrap().disk;
            disk.unreadable.push((PathBuf::from("/d/version-2/log.1"), "no".to_owned()));
        }),
    ];
    assert_eq!(blocking(&healthy()), []);
    for (what, spoil) in table {
        let mut survey = healthy();
        spoil(&mut survey);
        let found: Vec<_> = blocking(&survey).into_iter().map(|obstacle| obstacle.what).collect();
        assert_eq!(found, [what]);
    }
}

#[test]
fn a_step_that_would_cost_the_quorum_says_so() {
    let mut survey = healthy();
    assert!(plan::plan(&survey, Kind::Menagerie, &commands()).steps.iter().all(|step| step.keeps_quorum));
    survey.members.get_mut(&3).unwrap().state = State::Silent("gone".to_owned());
    let plan = plan::plan(&survey, Kind::Menagerie, &commands());
    let keeps: Vec<_> = plan.steps.iter().map(|step| (step.id, step.keeps_quorum)).collect();
    assert_eq!(keeps, [(4, true), (1, false), (3, true), (2, false)], "an observer is nobody's quorum");
}

/// Apache's leader says the first zxid of its reign before it is anybody's.
#[test]
fn a_reign_without_transactions_is_nothing_to_catch_up_with() {
    let mut survey = healthy();
    answer_of(&mut survey, 2).zxid = Zxid::new(2, 0);
    assert_eq!(survey.last_transaction(), Zxid(0x1_0000_0123));
    answer_of(&mut survey, 2).zxid = Zxid::new(2, 1);
    assert_eq!(survey.last_transaction(), Zxid::new(2, 1));
}

#[test]
fn programs_are_told_the_same() {
    let survey = healthy();
    let (found, plan) = (obstacles::find(&survey, Kind::Menagerie), plan::plan(&survey, Kind::Menagerie, &commands()));
    let value = json::report(&survey, &found, &plan);
    assert_eq!(value["blocked"], false);
    assert_eq!(value["members"].as_array().unwrap().len(), 4);
    assert_eq!(value["steps"][1]["start"], "systemctl start menagerie@1");
    assert_eq!(value["steps"][3]["part"], "the leader");
}
