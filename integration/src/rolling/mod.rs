//! A rolling migration under load: the members of an ensemble become those of another software, one by one, the leader last, while
//! clients write and take locks. What they were told holds.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`holders`] | those who take a lock again and again, and one who keeps a lock for good |

pub mod holders;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use menagerie_core::client::{Client, Version};
use menagerie_core::wire::CreateMode;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::{Instant, sleep};

use crate::ensemble::{Ensemble, PATIENCE, Plan};
use crate::pulse::Pulse;
use crate::software::Software;
use crate::writer::Writer;
use crate::{LONG_SESSION, TestResult};
use holders::Holders;

const WRITERS: usize = 3;

/// An ensemble under load.
#[derive(Debug)]
pub struct Rolling {
    ensemble: Ensemble,
    writers: Vec<(Writer, Arc<Pulse>, i64)>,
    holders: Holders,
    reader: Client,
    round: usize,
}

/// The replacement of one member, as clients saw it.
#[derive(Clone, Debug)]
pub struct Step {
    /// Who was replaced.
    pub id: i64,
    /// What it was, such as `leader`.
    pub was: String,
    /// By which software.
    pub by: &'static str,
    /// The longest time that a client waited between two acknowledgements, of all clients.
    pub longest_pause: Duration,
    /// From the stop until the new member served.
    pub away: Duration,
    /// Acknowledged writes in this step, all of them found once.
    pub acknowledged: usize,
    /// How often the lock was taken so far.
    pub locks: usize,
}

impl Rolling {
    /// Starts three members of `software` and the clients.
    pub async fn start(software: &Software) -> TestResult<Self> {
        let plan = Plan::of(&[software.clone(), software.clone(), software.clone()])?;
        let ensemble = block_in_place(|| plan.start())?;
        Self::load(ensemble).await
    }

    /// Puts an ensemble that serves under load.
    pub async fn load(ensemble: Ensemble) -> TestResult<Self> {
        let hosts = ensemble.connect_string();
        let mut writers = Vec::new();
        for number in 0..WRITERS {
            let mut writer = Writer::connect(&hosts, &format!("writer-{number}")).await?;
            let pulse = Arc::new(Pulse::default());
            writer.tell(&pulse);
            let session = writer.client().session_id();
            writers.push((writer, pulse, session));
        }
        let holders = Holders::start(&hosts).await?;
        let reader = Client::builder().hosts(&hosts).session_timeout(LONG_SESSION).connect().await?;
        Ok(Rolling { ensemble, writers, holders, reader, round: 0 })
    }

    /// The members.
    pub fn ensemble(&mut self) -> &mut Ensemble {
        &mut self.ensemble
    }

    /// Those who lead come last.
    pub fn order(&mut self) -> io::Result<Vec<i64>> {
        let leader = self.ensemble.wait_for_leader()?;
        let mut ids = self.ensemble.ids();
        ids.sort_by_key(|id| (*id == leader, *id));
        Ok(ids)
    }

    /// Makes every member one of `software`.
    ///
    /// # Errors
    /// Whatever clients were told and was not kept; a member that does not come back.
    pub async fn become_all(&mut self, software: &Software) -> TestResult<Vec<Step>> {
        let mut steps = Vec::new();
        for id in self.order()? {
            if self.ensemble.member(id).software().name() != software.name() {
                let step = self.under_load(async |rolling: &mut Self| rolling.replace(id, software)).await?;
                println!("{step}");
                steps.push(step);
            }
        }
        Ok(steps)
    }

    fn replace(&mut self, id: i64, software: &Software) -> io::Result<(i64, String, &'static str, Duration)> {
        let was = self.ensemble.wait_until_it_serves(id)?.mode;
        let begin = Instant::now();
        let member = self.ensemble.member_mut(id);
        member.terminate()?;
        member.become_of(software.clone());
        member.start()?;
        self.ensemble.wait_until_it_serves(id)?;
        self.ensemble.wait_until_all_serve()?;
        Ok((id, was, software.name(), begin.elapsed()))
    }

    /// Does something while the writers write, then holds the ensemble to what they and the holders were told.
    async fn under_load(
        &mut self,
        act: impl AsyncFnOnce(&mut Self) -> io::Result<(i64, String, &'static str, Duration)>,
    ) -> TestResult<Step> {
        self.round += 1;
        let stop = Arc::new(AtomicBool::new(false));
        let mut writing = JoinSet::new();
        let mut pulses = Vec::new();
        for (mut writer, pulse, session) in self.writers.drain(..) {
            writer.begin_round(self.round).await?;
            pulse.begin();
            pulses.push(Arc::clone(&pulse));
            let stop = Arc::clone(&stop);
            writing.spawn(async move { writer.write_until(&stop).await.map(|()| (writer, pulse, session)) });
        }
        let loaded = each_writes(&pulses).await;
        let done = match loaded {
            Ok(()) => act(self).await.map_err(Into::into),
            Err(error) => Err(error),
        };
        // All must go on afterwards, too: a client that waits is waited for.
        let written = match done {
            Ok(done) => each_writes(&pulses).await.map(|()| done),
            Err(error) => Err(error),
        };
        stop.store(true, Ordering::Relaxed);
        while let Some(outcome) = writing.join_next().await {
            self.writers.push(outcome??);
        }
        let (id, was, by, away) = written.map_err(|error| format!("{error}\n{}", self.ensemble.log_ends()))?;
        self.hold_to_account().await?;
        let longest_pause = pulses.iter().map(|pulse| pulse.longest_pause()).max().unwrap_or_default();
        let acknowledged = self.writers.iter().map(|(writer, ..)| writer.acknowledged()).sum();
        Ok(Step { id, was, by, longest_pause, away, acknowledged, locks: self.holders.taken() })
    }

    async fn hold_to_account(&mut self) -> TestResult {
        // What the reader's server has not learned yet is no loss.
        self.reader.sync("/").await?;
        let mut breaches = self.holders.breaches();
        for (writer, _, session) in &mut self.writers {
            breaches.extend(writer.check(&self.reader).await?);
            if writer.client().session_id() != *session {
                breaches.push(format!("session {session:#x} has become {:#x}", writer.client().session_id()));
            }
        }
        if breaches.is_empty() {
            return Ok(());
        }
        let some = breaches[..breaches.len().min(20)].join("\n");
        Err(format!("{} promises broken:\n{some}\n{}", breaches.len(), self.ensemble.log_ends()).into())
    }

    /// Ends the load, and returns when all members have the same state and equal digests.
    ///
    /// # Errors
    /// Members that do not agree, and holders of locks that failed.
    pub async fn finish(mut self) -> TestResult {
        self.holders.stop().await?;
        self.hold_to_account().await?;
        // Every 128th zxid is remembered with its digest: there is one among these for all members to agree on.
        self.reader.create("/calm", "", CreateMode::Persistent).await?;
        for _ in 0..130 {
            self.reader.set_data("/calm", "", Version::Any).await?;
        }
        for (writer, ..) in self.writers {
            writer.client().clone().close().await?;
        }
        self.reader.close().await?;
        let zxid = block_in_place(|| self.ensemble.wait_until_they_agree_in_the_end())?;
        println!("all members agree at {zxid}");
        Ok(())
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Step { id, was, by, longest_pause, away, acknowledged, locks } = self;
        write!(
            f,
            "member {id}, {was:<8}, is {by:<9}: longest pause {:>6.1} ms; back after {:>5.1} s; {acknowledged} acknowledged writes, all \
             there once; {locks} locks so far",
            longest_pause.as_secs_f64() * 1000.0,
            away.as_secs_f64()
        )
    }
}

/// Waits until every writer has been answered some times more.
async fn each_writes(pulses: &[Arc<Pulse>]) -> TestResult {
    let deadline = Instant::now() + PATIENCE;
    let goals: Vec<u64> = pulses.iter().map(|pulse| pulse.count() + 50).collect();
    while pulses.iter().zip(&goals).any(|(pulse, goal)| pulse.count() < *goal) {
        if Instant::now() > deadline {
            return Err("a writer is not answered".into());
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
