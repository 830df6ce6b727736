//! An ensemble of processes, of ours, of the reference or of both: started on free ports and directories of its own, and
//! then killed, paused, wiped and replaced, one member at a time.
//!
//! Everything ends with the value: the processes are killed by their ids, and the directories are removed, unless
//! `MENAGERIE_KEEP` is set or the test has failed by a panic; then their place is printed.
//!
//! ```no_run
//! # use menagerie_integration::{ensemble::Plan, software::Software};
//! let ours = Software::menagerie()?;
//! let mut ensemble = Plan::of(&[ours.clone(), ours.clone(), ours])?.set("snapCount", "1000").start()?;
//! let leader = ensemble.wait_for_leader()?;
//! ensemble.member_mut(leader).kill9()?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! | module | what it is |
//! | --- | --- |
//! | [`plan`] | what it shall be |
//! | [`place`] | ports, addresses, roles |
//! | [`member`] | one member and its process |
//! | [`failover`] | the leader is killed under load |
//! | [`network`] | members in network namespaces, and who may talk to whom |
//! | [`crowd`], [`chaos`] | many clients who write everything down, and one fault after the other |

pub mod chaos;
pub mod crowd;
pub mod failover;
pub mod member;
pub mod network;
pub mod place;
pub mod plan;

use std::collections::BTreeMap;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use menagerie_core::wire::Zxid;
use tempfile::TempDir;

pub use member::{Health, Member};
pub use place::{Place, Role};
pub use plan::Plan;

use crate::software::Software;

/// How long anything may take that must come at last. Generous: several JVMs start side by side on a loaded machine.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// Lines of each member's log in a message.
const LOG_LINES: usize = 25;
/// Members are asked this often while something is waited for.
const PAUSE: Duration = Duration::from_millis(10);

/// An ensemble of processes.
#[derive(Debug)]
pub struct Ensemble {
    plan: Plan,
    /// Taken out when it is kept.
    home: Option<TempDir>,
    members: Vec<Member>,
}

impl Ensemble {
    /// All members, in the order of their numbers.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Their numbers.
    pub fn ids(&self) -> Vec<i64> {
        self.members.iter().map(|member| member.place().id).collect()
    }

    /// Member `id`.
    ///
    /// # Panics
    /// When there is none.
    #[expect(clippy::expect_used, reason = "a number that was never given is a mistake of the test")]
    pub fn member(&self, id: i64) -> &Member {
        self.members.iter().find(|member| member.place().id == id).expect("a member of this number")
    }

    /// The same, to start, stop and wipe it.
    ///
    /// # Panics
    /// When there is none.
    #[expect(clippy::expect_used, reason = "a number that was never given is a mistake of the test")]
    pub fn member_mut(&mut self, id: i64) -> &mut Member {
        self.members.iter_mut().find(|member| member.place().id == id).expect("a member of this number")
    }

    /// The client addresses of all members.
    pub fn connect_string(&self) -> String {
        self.connect_string_of(&self.ids())
    }

    /// The client addresses of some members.
    pub fn connect_string_of(&self, ids: &[i64]) -> String {
        ids.iter().map(|id| self.member(*id).connect_string()).collect::<Vec<_>>().join(",")
    }

    /// Starts the members that do not run, and waits for nothing.
    pub fn start_all(&mut self) -> io::Result<()> {
        self.members.iter_mut().try_for_each(Member::start)
    }

    /// Adds a member that is not started; its configuration lists all the members that there are now, and itself. It is of the
    /// ensemble only when `reconfig` has said so.
    pub fn add(&mut self, software: Software, role: Role) -> io::Result<i64> {
        let id = self.ids().into_iter().max().unwrap_or(0) + 1;
        let place = Place { role, ..Place::on_loopback(id)? };
        let mut all: Vec<Place> = self.members.iter().map(|member| member.place().clone()).collect();
        all.push(place.clone());
        let home = self.home.as_ref().map_or_else(std::env::temp_dir, |home| home.path().to_owned());
        self.members.push(self.plan.member(&home, software, place, &all)?);
        Ok(id)
    }

    /// Who leads, if one does. Members are asked one after the other.
    pub fn leader(&self) -> Option<i64> {
        let leads = |member: &&Member| member.health().is_some_and(|health| health.mode == "leader");
        self.members.iter().find(leads).map(|member| member.place().id)
    }

    /// Waits until one leads, and returns it.
    pub fn wait_for_leader(&mut self) -> io::Result<i64> {
        self.wait("no member leads", Ensemble::leader)
    }

    /// Waits until every member that runs serves, and one of them leads. Returns it. A member that ends meanwhile is an error.
    pub fn wait_until_all_serve(&mut self) -> io::Result<i64> {
        self.wait("not all members serve", |ensemble| {
            let running = ensemble.members.iter().filter(|member| member.pid().is_some());
            let mut leader = None;
            for member in running {
                if member.health()?.mode == "leader" {
                    leader = Some(member.place().id);
                }
            }
            leader
        })
    }

    /// Waits until member `id` serves as a member of an ensemble.
    pub fn wait_until_it_serves(&mut self, id: i64) -> io::Result<Health> {
        let serves = |mode: &str| matches!(mode, "leader" | "follower" | "observer");
        self.wait(&format!("member {id} does not serve"), |ensemble| {
            ensemble.member(id).health().filter(|health| serves(&health.mode))
        })
    }

    /// Waits until all members that run have the same last transaction and as many znodes, and then compares their digests: at every
    /// zxid for which two members tell one, it is the same. Needs clients at rest. Returns the last transaction.
    pub fn wait_until_they_agree(&mut self) -> io::Result<Zxid> {
        let zxid = self.wait_for_one_state()?;
        self.compare_digests()?;
        Ok(zxid)
    }

    /// As [`Ensemble::wait_until_they_agree`], but of the digests the last that all tell is compared, and mismatches are not counted: for
    /// members that were sent a snapshot while clients wrote. Such a snapshot is ahead of its zxid, and what follows meets it there.
    pub fn wait_until_they_agree_in_the_end(&mut self) -> io::Result<Zxid> {
        let zxid = self.wait_for_one_state()?;
        let running = self.members.iter().filter(|member| member.pid().is_some());
        let told = running.map(Member::digests).collect::<io::Result<Vec<_>>>()?;
        let mut first = told.first().into_iter().flatten().rev();
        let at = |zxid: &String| {
            told.iter().map(|digests| digests.iter().find(|(at, _)| at == zxid)).collect::<Option<Vec<_>>>()
        };
        let last = first.find_map(|(zxid, _)| at(zxid));
        let last = last.ok_or_else(|| io::Error::other("there is no zxid of which all tell a digest"))?;
        if last.iter().any(|digest| Some(digest) != last.first()) {
            return Err(io::Error::other(format!("digests differ: {last:?}\n{}", self.log_ends())));
        }
        Ok(zxid)
    }

    /// Waits until each member that runs remembers the digest of a transaction that is yet to come. Needs clients that write.
    pub fn wait_until_all_remember_a_digest(&mut self) -> io::Result<()> {
        let since = self.members.iter().filter_map(|member| Some(member.health()?.zxid)).max().unwrap_or(Zxid::ZERO);
        self.wait("not all members remember a digest", |ensemble| {
            let mut running = ensemble.members.iter().filter(|member| member.pid().is_some());
            let last =
                |member: &Member| member.digests().ok()?.pop().and_then(|(at, _)| i64::from_str_radix(&at, 16).ok());
            running.all(|member| last(member).is_some_and(|last| last > since.0)).then_some(())
        })
    }

    /// Waits until all members that run have the same last transaction and as many znodes. Returns the transaction.
    pub fn wait_for_one_state(&mut self) -> io::Result<Zxid> {
        self.wait("the members do not come to the same state", |ensemble| {
            let running = ensemble.members.iter().filter(|member| member.pid().is_some());
            let states: Option<Vec<(Zxid, u64)>> =
                running.map(|member| member.health().map(|health| (health.zxid, health.znodes))).collect();
            let states = states?;
            let first = states.first()?;
            states.iter().all(|state| state == first).then_some(first.0)
        })
    }

    fn compare_digests(&self) -> io::Result<()> {
        let mut known: BTreeMap<String, (i64, String)> = BTreeMap::new();
        for member in self.members.iter().filter(|member| member.pid().is_some()) {
            let id = member.place().id;
            for (zxid, digest) in member.digests()? {
                let (first, at_first) = known.entry(zxid.clone()).or_insert_with(|| (id, digest.clone()));
                if *at_first != digest {
                    let why = format!("after {zxid} member {first} has {at_first}, and member {id} {digest}");
                    return Err(io::Error::other(format!("digests differ: {why}\n{}", self.log_ends())));
                }
            }
            let mismatches = member.metric("digest_mismatches_count")?;
            if mismatches.as_deref() != Some("0") {
                return Err(io::Error::other(format!("member {id} counts {mismatches:?} digest mismatches")));
            }
        }
        Ok(())
    }

    /// Asks until there is an answer. A member that ends meanwhile is an error, and so is no answer for too long.
    pub fn wait<T>(&mut self, what: &str, answer: impl Fn(&Ensemble) -> Option<T>) -> io::Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = answer(self) {
                return Ok(found);
            }
            for member in &mut self.members {
                if let Some(status) = member.ended()? {
                    let id = member.place().id;
                    let why = format!("{what}: member {id} has ended with {status}\n{}", self.log_ends());
                    return Err(io::Error::other(why));
                }
            }
            if Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{what}\n{}", self.log_ends())));
            }
            thread::sleep(PAUSE);
        }
    }

    /// The ends of all members' logs, for the message of a failed test.
    pub fn log_ends(&self) -> String {
        let end = |member: &Member| {
            let (id, state) = (member.place().id, if member.pid().is_some() { "runs" } else { "is stopped" });
            format!("-- member {id} ({}), which {state}:\n{}", member.software().name(), member.log_end(LOG_LINES))
        };
        self.members.iter().map(end).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        if (thread::panicking() || std::env::var_os("MENAGERIE_KEEP").is_some())
            && let Some(home) = self.home.take()
        {
            println!("kept: {}\n{}", home.keep().display(), self.log_ends());
        }
    }
}
