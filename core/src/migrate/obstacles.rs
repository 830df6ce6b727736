//! What stands in the way of a rolling migration, each with what to do about it. Pure: it looks at a [`Survey`].

use super::answers::{Answer, Kind};
use super::digests;
use super::features;
use super::survey::{Local, Survey};
use super::words::State;

/// How grave something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Nothing may be migrated before it is mended.
    Blocks,
    /// It goes, and something is lost or not seen.
    Warns,
    /// To be known.
    Notes,
}

/// Something that stands in the way, or that the operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    /// How grave it is.
    pub(super) weight: Weight,
    /// The member that it is about; `None`: all of them.
    pub(super) member: Option<i64>,
    /// What it is.
    pub(super) what: String,
    /// What to do.
    pub(super) remedy: String,
}

/// Requests that wait on one member, above which a better hour is advised.
const MANY_OUTSTANDING: u64 = 100;

/// Transactions a member may lag behind the leader without being called late: the two were not asked at the same moment.
const FAR_BEHIND: i64 = 10_000;

/// What a log file takes ahead of its first record, with room for another, in bytes.
const LOG_ROOM: u64 = 2 * (64 << 20);

const WORDS: &str = "4lw.commands.whitelist=srvr,mntr,conf,hash";

/// Everything that stands in the way of making all members `goal`, the gravest first.
pub(super) fn find(survey: &Survey, goal: Kind) -> Vec<Obstacle> {
    let mut list = List(Vec::new());
    list.files(survey);
    list.ensemble(survey);
    if survey.members.len() > 1 {
        list.members(survey, goal);
        list.leader(survey);
        list.trees(survey);
    }
    for (id, local) in &survey.local {
        list.local(*id, local, goal);
    }
    if goal == Kind::Menagerie && survey.members.len() > 1 {
        list.not_seen(survey);
    }
    list.0.sort_by_key(|obstacle| (obstacle.weight, obstacle.member));
    list.0
}

/// Whether any of them forbids to go on.
pub(super) fn block(obstacles: &[Obstacle]) -> bool {
    obstacles.iter().any(|obstacle| obstacle.weight == Weight::Blocks)
}

struct List(Vec<Obstacle>);

impl List {
    fn add(&mut self, weight: Weight, member: Option<i64>, what: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Obstacle { weight, member, what: what.into(), remedy: remedy.into() });
    }

    fn blocks(&mut self, member: Option<i64>, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(Weight::Blocks, member, what, remedy);
    }

    fn warns(&mut self, member: Option<i64>, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(Weight::Warns, member, what, remedy);
    }

    fn files(&mut self, survey: &Survey) {
        for (file, why) in &survey.refused {
            let what = format!("`menagerie server {}` would not start: {why}", file.display());
            self.blocks(None, what, "change what it says");
        }
        for (address, state) in &survey.strangers {
            let (what, remedy) = match state {
                State::Serving(_) => (
                    format!("{address} does not say which member it is: it does not answer `conf`"),
                    format!("add {WORDS} to its zoo.cfg and restart it, or give its zoo.cfg here on its host"),
                ),
                State::NotServing(says) => (format!("{address} does not serve: {says}"), "see its log".to_owned()),
                State::Silent(why) => {
                    (format!("{address} does not answer: {why}"), "start it, or correct the address".to_owned())
                }
            };
            self.blocks(None, what, remedy);
        }
    }

    fn ensemble(&mut self, survey: &Survey) {
        if survey.members.is_empty() {
            let remedy = "name the zoo.cfg of a member on its host, or give the client addresses of all of them with --connect \
                          (they must answer `conf`)";
            self.blocks(None, "no member of an ensemble was found", remedy);
        } else if survey.members.len() == 1 {
            let what = "this is one server, not an ensemble: nobody serves while it is replaced";
            self.blocks(
                None,
                what,
                "stop it, then start the other software on the same zoo.cfg: it reads the same files",
            );
        }
        for (id, member) in &survey.members {
            let list = member.answer().and_then(|answer| answer.conf.as_ref()?.ensemble.as_ref());
            if list.is_some_and(|list| !survey.lists(list)) {
                let what = "it has another list of members than the newest one";
                let remedy = "make the lists equal, by `reconfig` or in each zoo.cfg, and wait until `conf` agrees";
                self.blocks(Some(*id), what, remedy);
            }
        }
        for (id, local) in &survey.local {
            if local.config.ensemble.as_ref().is_some_and(|list| !survey.lists(list)) {
                let what = format!("{} lists other members than run", local.file.display());
                self.blocks(Some(*id), what, "correct the file: whoever starts from it must find the others");
            }
        }
    }

    fn members(&mut self, survey: &Survey, goal: Kind) {
        for (id, member) in &survey.members {
            let id = Some(*id);
            match (&member.state, &member.address) {
                (State::Serving(answer), _) => self.answer(id, answer, goal),
                (State::NotServing(says), _) => {
                    self.blocks(id, format!("it does not serve: {says}"), "wait until it does; its log says why not");
                }
                (State::Silent(why), Some(address)) => {
                    let what = format!("nobody answers on {address}: {why}");
                    self.blocks(
                        id,
                        what,
                        "start it, or take it out of the list; while it is missing no other one may stop",
                    );
                }
                (State::Silent(_), None) => {
                    let remedy = "give the client addresses of all members with --connect";
                    self.blocks(id, "its client port is not known", remedy);
                }
            }
        }
    }

    fn answer(&mut self, id: Option<i64>, answer: &Answer, goal: Kind) {
        if !answer.takes_part() {
            let what = format!("its mode is {}: it is in no ensemble", answer.mode);
            self.blocks(id, what, "wait until it has found the others; its log says why not");
        }
        if answer.outstanding > MANY_OUTSTANDING {
            let what = format!("{} requests wait on it", answer.outstanding);
            self.warns(id, what, "choose an hour with less to do");
        }
        let words =
            [("mntr", answer.gauges.is_none()), ("conf", answer.conf.is_none()), ("hash", answer.digests.is_none())];
        let missing: Vec<_> =
            words.iter().filter(|(_, missing)| *missing).map(|(word, _)| format!("`{word}`")).collect();
        if !missing.is_empty() {
            let what = format!("it does not answer {}: that much less can be checked", missing.join(", "));
            self.warns(id, what, format!("add {WORDS} to its zoo.cfg; it counts from its next start"));
        }
        if let Some(count) = answer.digest_mismatches().filter(|count| *count > 0) {
            let what =
                format!("{count} times its tree was not what the leader had announced (zk_digest_mismatches_count)");
            let remedy = "look again: a member that caught up by a snapshot while clients wrote counts some and then no more; if the \
                          number grows, stop it, keep its directory aside, and start it empty";
            self.warns(id, what, remedy);
        }
        if answer.kind == Kind::Apache && goal == Kind::Menagerie {
            self.version(id, &answer.version);
        }
    }

    fn version(&mut self, id: Option<i64>, version: &str) {
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
        match (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) {
            (3, 8) => {}
            (3, minor) if minor >= 5 => {
                let what = format!("it is Apache {version}; mixed ensembles are tested with 3.8.0");
                self.warns(id, what, "try it with a copy of the ensemble first");
            }
            _ => self.blocks(id, format!("it is Apache {version}"), "bring the ensemble to 3.8 first"),
        }
    }

    fn leader(&mut self, survey: &Survey) {
        let leaders = survey.leaders();
        let Some((id, leader)) = survey.leader() else {
            let what = if leaders.is_empty() { "no member leads" } else { "more than one member says that it leads" };
            self.blocks(None, what, "wait for the election to end, and look again");
            return;
        };
        let followers = survey.followers() as u64;
        if let Some(synced) = leader.gauges.as_ref().and_then(|gauges| gauges.synced_followers)
            && synced < followers
        {
            let what = format!("{synced} of {followers} followers have all that it has");
            self.blocks(Some(id), what, "wait until they have caught up, and look again");
        }
        for (follower, member) in &survey.members {
            let Some(answer) = member.answer() else { continue };
            if answer.zxid.epoch() == leader.zxid.epoch() && leader.zxid.0 - answer.zxid.0 > FAR_BEHIND {
                let what = format!("it is at {} and the leader at {}", answer.zxid, leader.zxid);
                self.blocks(Some(*follower), what, "wait until it has caught up, and look again");
            }
        }
    }

    fn trees(&mut self, survey: &Survey) {
        for (left, right, zxid) in digests::disagreements(survey) {
            let what = format!("server.{left} and server.{right} had different trees at 0x{zxid:x}");
            let remedy = "find out which of them is alone (`hash` of a third), stop it, keep its directory aside, and start it \
                          empty: the leader sends it all";
            self.blocks(None, what, remedy);
        }
    }

    fn local(&mut self, id: i64, local: &Local, goal: Kind) {
        let disk = &local.disk;
        for (path, why) in &disk.unreadable {
            let what = format!("{} cannot be read: {why}", path.display());
            self.blocks(Some(id), what, "run the new software, and this, as the user that owns the files");
        }
        let needed = disk.snapshot_bytes.saturating_mul(2).saturating_add(LOG_ROOM);
        if let Some(free) = disk.free_bytes.filter(|free| *free < needed) {
            let mib = |bytes: u64| bytes >> 20;
            let what = format!("{} MiB are free in its directories, and {} may be needed", mib(free), mib(needed));
            self.blocks(Some(id), what, "make room: old snapshots and logs can be purged (autopurge.purgeInterval)");
        }
        if goal == Kind::Apache {
            return;
        }
        for (weight, key, what, remedy) in features::in_the_way(&local.keys) {
            self.add(weight, Some(id), format!("{key}: {what}"), remedy);
        }
        for warning in local.config.warnings.iter().filter(|warning| !features::is_known(&warning.key)) {
            self.add(Weight::Notes, Some(id), warning.to_string(), "nothing, if that is fine");
        }
    }

    fn not_seen(&mut self, survey: &Survey) {
        let elsewhere = survey.members.keys().filter(|id| !survey.local.contains_key(id));
        let elsewhere: Vec<_> = elsewhere.map(|id| format!("server.{id}")).collect();
        if !elsewhere.is_empty() {
            let what = format!("the files of {} were not seen from here", elsewhere.join(", "));
            self.add(Weight::Notes, None, what, "run this on each host with its zoo.cfg before you begin");
        }
        let what = "settings that Apache's JVM gets as -Dzookeeper.… (in zookeeper-env.sh, java.env or a unit) are in no zoo.cfg";
        self.add(
            Weight::Notes,
            None,
            what,
            "write those that you need, such as jute.maxbuffer, into zoo.cfg without the prefix",
        );
    }
}
