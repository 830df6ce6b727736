//! Real processes are killed, stopped, paused and cut off, one step after the other, while a crowd of clients goes on. At the end, what
//! the clients saw is held to what the service promises, by the transactions in the members' logs.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use menagerie_core::storage::{Disk, LogIterator, RealDisk};
use menagerie_core::wire::Zxid;
use menagerie_core::wire::txn::TxnRecord;

use super::crowd::Crowd;
use super::{Ensemble, Member, Plan, network};
use crate::TestResult;
use crate::check::{self, ClientLog, History, Summary};
use crate::software::Software;

/// Members.
pub const MEMBERS: u8 = 3;
/// The longest transaction read from a log, in bytes.
const MOST_READ: usize = 16 << 20;

/// What is done to one member.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// kill -9.
    Kill,
    /// SIGTERM.
    Terminate,
    /// SIGSTOP.
    Pause,
    /// It and the others do not hear of each other any more.
    CutOff,
    /// It does not hear of the others any more, and they hear of it.
    Deaf,
    /// The others do not hear of it any more.
    Mute,
}

const FAULTS: [Fault; 6] = [Fault::Kill, Fault::Terminate, Fault::Pause, Fault::CutOff, Fault::Deaf, Fault::Mute];

/// Runs `steps` steps from a seed, inside of the hub of a network whose namespaces begin with `prefix`.
///
/// # Errors
/// An ensemble that does not heal, and the first promise that is found broken.
pub fn run(software: &Software, prefix: &str, clients: usize, steps: usize, seed: u64) -> TestResult<Summary> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut ensemble = plan(software, prefix)?.start()?;
    let servers = ensemble.members().iter().map(|member| member.place().client_address()).collect();
    let crowd = Crowd::start(clients, servers, seed);
    let mut logs = Logs::default();
    for step in 1..=steps {
        thread::sleep(Duration::from_millis(rng.u64(300..1_000)));
        let leader = ensemble.wait_for_leader()?;
        let target = if rng.bool() { leader } else { rng.i64(1..=i64::from(MEMBERS)) };
        // Each kind of fault comes before any comes again.
        let mut kinds = FAULTS;
        fastrand::Rng::with_seed(seed.wrapping_add((step as u64 - 1) / 6)).shuffle(&mut kinds);
        let fault = kinds[(step - 1) % kinds.len()];
        let before = crowd.answered();
        strike(&mut ensemble, target, fault)?;
        thread::sleep(Duration::from_millis(rng.u64(1_000..4_000)));
        let during = crowd.answered() - before;
        heal(&mut ensemble, target)?;
        let next = ensemble.wait_until_all_serve()?;
        let healed = crowd.answered();
        ensemble.wait("no write is answered any more", |_| (crowd.answered() > healed + 30).then_some(()))?;
        println!(
            "step {step:>2}: {fault:?} member {target} while {leader} leads: {during} writes answered; then {next} leads"
        );
        logs.read_on(&ensemble)?;
    }
    // A member forgets its digests when it ends: there must be one that all remember.
    ensemble.wait_until_all_remember_a_digest()?;
    let clients = crowd.stop()?;
    ensemble.wait_until_they_agree_in_the_end()?;
    let snapshots = ensemble.members().iter().filter(|member| member.log().contains("plan=Snap")).count();
    println!("{snapshots} members have sent a snapshot to another");
    let committed = logs.finish(&mut ensemble)?;
    judge(clients, committed)
}

fn plan(software: &Software, prefix: &str) -> TestResult<Plan> {
    let mut plan = Plan::of(&vec![software.clone(); usize::from(MEMBERS)])?;
    for member in 1..=MEMBERS {
        let namespace = network::namespace(prefix, member);
        plan = plan.place(i64::from(member), |place| {
            place.host = network::address(member);
            place.namespace = Some(namespace);
        });
    }
    Ok(plan.set("syncLimit", "4").set("initLimit", "20"))
}

fn strike(ensemble: &mut Ensemble, target: i64, fault: Fault) -> io::Result<()> {
    let one = u8::try_from(target).map_err(io::Error::other)?;
    let others = (1..=MEMBERS).filter(|other| *other != one);
    match fault {
        Fault::Kill => ensemble.member_mut(target).kill9(),
        Fault::Terminate => ensemble.member_mut(target).terminate().map(drop),
        Fault::Pause => ensemble.member(target).pause(),
        Fault::Deaf => others.into_iter().try_for_each(|other| network::cut(other, one)),
        Fault::Mute => others.into_iter().try_for_each(|other| network::cut(one, other)),
        Fault::CutOff => others.into_iter().try_for_each(|other| {
            network::cut(one, other)?;
            network::cut(other, one)
        }),
    }
}

fn heal(ensemble: &mut Ensemble, target: i64) -> io::Result<()> {
    network::heal()?;
    ensemble.member(target).resume()?;
    ensemble.start_all()
}

/// The transactions of all members' logs, each with the member in whose log it was found first.
#[derive(Debug, Default)]
struct Logs(BTreeMap<Zxid, (i64, TxnRecord)>);

impl Logs {
    /// Reads what a member has logged from `from` to `to`. Two members that disagree are an error.
    fn read(&mut self, member: &Member, from: Zxid, to: Zxid) -> TestResult {
        let (id, disk): (i64, Arc<dyn Disk>) = (member.place().id, Arc::new(RealDisk));
        let mut entries = LogIterator::from_zxid(&disk, &member.version_dir(), from, MOST_READ)?;
        while let Some(entry) = entries.next_entry()? {
            let record = entry.decode()?;
            let zxid = record.header.zxid;
            if zxid <= to {
                let (first, known) = self.0.entry(zxid).or_insert_with(|| (id, record.clone()));
                if *known != record {
                    return Err(format!("{zxid} is {known:?} in the log of {first}, {record:?} in that of {id}").into());
                }
            }
            // What comes then may be half written.
            if zxid >= to {
                break;
            }
        }
        Ok(())
    }

    /// Reads what is new and applied, that is, committed. Later it may be gone: a member that receives a snapshot drops its logs.
    fn read_on(&mut self, ensemble: &Ensemble) -> TestResult {
        let from = self.0.keys().next_back().copied().unwrap_or(Zxid::ZERO);
        for member in ensemble.members() {
            if let Some(health) = member.health() {
                self.read(member, from, health.zxid)?;
            }
        }
        Ok(())
    }

    /// Stops all members, reads everything that they have, and returns all transactions. A gap is an error.
    fn finish(mut self, ensemble: &mut Ensemble) -> TestResult<Vec<TxnRecord>> {
        for id in ensemble.ids() {
            ensemble.member_mut(id).terminate()?;
            self.read(ensemble.member(id), Zxid::ZERO, Zxid(i64::MAX))?;
        }
        let mut before = Zxid::ZERO;
        for zxid in self.0.keys() {
            let follows = if zxid.epoch() == before.epoch() { zxid.0 == before.0 + 1 } else { zxid.counter() == 1 };
            if !follows {
                return Err(format!("no log has what is between {before} and {zxid}").into());
            }
            before = *zxid;
        }
        Ok(self.0.into_values().map(|(_, record)| record).collect())
    }
}

fn judge(clients: Vec<ClientLog>, committed: Vec<TxnRecord>) -> TestResult<Summary> {
    let history = History { clients, committed };
    let summary = check::check(&history)?;
    println!("{} transactions, {summary:?}: no promise is broken", history.committed.len());
    if summary.writes < 100 || summary.reads < 100 {
        return Err(format!("that was no load: {summary:?}").into());
    }
    Ok(summary)
}
