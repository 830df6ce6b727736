//! The leader is killed under load, again and again: how long until the next write is acknowledged, and whether anything that was
//! acknowledged is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use menagerie_core::client::Client;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{Ensemble, PATIENCE, Plan};
use crate::pulse::Pulse;
use crate::software::Software;
use crate::writer::Writer;
use crate::{LONG_SESSION, TestResult};

const WRITERS: usize = 4;

/// Three members of one software, and writers who remember.
#[derive(Debug)]
pub struct Failover {
    ensemble: Ensemble,
    writers: Vec<Writer>,
    reader: Client,
    pulse: Arc<Pulse>,
    round: usize,
}

/// What one round has shown.
#[derive(Clone, Debug)]
pub struct Round {
    /// Who was killed.
    pub leader: i64,
    /// Who leads then.
    pub successor: i64,
    /// From the kill to the first acknowledged write that was asked for after it.
    pub pause: Duration,
    /// How many writes were acknowledged in this round.
    pub acknowledged: usize,
}

impl Failover {
    /// Starts three members with `tickTime=2000`, `initLimit=10` and `syncLimit=5`, and the writers.
    pub async fn start(software: &Software) -> TestResult<Self> {
        let plan = Plan::of(&[software.clone(), software.clone(), software.clone()])?;
        let plan = plan.set("tickTime", "2000").set("initLimit", "10").set("syncLimit", "5");
        let ensemble = tokio::task::block_in_place(|| plan.start())?;
        let hosts = ensemble.connect_string();
        let pulse = Arc::new(Pulse::default());
        let mut writers = Vec::new();
        for number in 0..WRITERS {
            let mut writer = Writer::connect(&hosts, &format!("writer-{number}")).await?;
            writer.tell(&pulse);
            writers.push(writer);
        }
        let reader = Client::builder().hosts(&hosts).session_timeout(LONG_SESSION).connect().await?;
        Ok(Failover { ensemble, writers, reader, pulse, round: 0 })
    }

    /// The members.
    pub fn ensemble(&mut self) -> &mut Ensemble {
        &mut self.ensemble
    }

    /// Which software it is.
    pub fn name(&self) -> &'static str {
        self.ensemble.members()[0].software().name()
    }

    /// Kills the leader `after` the writers have begun to write, lets them write on without it, holds the ensemble to what they
    /// were told, and takes the killed member back.
    ///
    /// # Errors
    /// Each write that was acknowledged and is not there, or not once; and an ensemble that does not go on.
    pub async fn round(&mut self, after: Duration) -> TestResult<Round> {
        self.round += 1;
        for writer in &mut self.writers {
            writer.begin_round(self.round).await?;
        }
        self.pulse.begin();
        let stop = Arc::new(AtomicBool::new(false));
        let mut writing = JoinSet::new();
        for mut writer in self.writers.drain(..) {
            let stop = Arc::clone(&stop);
            writing.spawn(async move { writer.write_until(&stop).await.map(|()| writer) });
        }
        let killed = self.kill_under_load(after).await;
        stop.store(true, Ordering::Relaxed);
        while let Some(written) = writing.join_next().await {
            self.writers.push(written??);
        }
        let (leader, pause) = killed?;
        self.hold_to_account().await?;
        let acknowledged = self.writers.iter().map(Writer::acknowledged).sum();
        let successor = tokio::task::block_in_place(|| {
            let successor = self.ensemble.wait_for_leader()?;
            self.ensemble.member_mut(leader).start()?;
            self.ensemble.wait_until_it_serves(leader)?;
            self.ensemble.wait_until_all_serve()?;
            std::io::Result::Ok(successor)
        })?;
        Ok(Round { leader, successor, pause, acknowledged })
    }

    /// Kills whoever leads once there is load, and waits until writes go on.
    async fn kill_under_load(&mut self, after: Duration) -> TestResult<(i64, Duration)> {
        let deadline = Instant::now() + PATIENCE;
        let before = self.pulse.count();
        while self.pulse.count() < before + 100 {
            if Instant::now() > deadline {
                return Err(format!("no load\n{}", self.ensemble.log_ends()).into());
            }
            sleep(Duration::from_millis(5)).await;
        }
        sleep(after).await;
        let leader = self.ensemble.wait_for_leader()?;
        self.pulse.blow();
        self.ensemble.member_mut(leader).kill9()?;
        let pause = loop {
            if let Some(pause) = self.pulse.recovered_after() {
                break pause;
            }
            if Instant::now() > deadline {
                return Err(format!("no write after the leader {leader} died\n{}", self.ensemble.log_ends()).into());
            }
            sleep(Duration::from_millis(5)).await;
        };
        // What the new leader acknowledges is held to account as well.
        sleep(Duration::from_millis(200)).await;
        Ok((leader, pause))
    }

    async fn hold_to_account(&mut self) -> TestResult {
        // What the reader's server has not learned yet is no loss.
        self.reader.sync("/").await?;
        let mut breaches = Vec::new();
        for writer in &mut self.writers {
            breaches.extend(writer.check(&self.reader).await?);
        }
        if breaches.is_empty() {
            return Ok(());
        }
        let some = breaches[..breaches.len().min(20)].join("\n");
        let (count, round) = (breaches.len(), self.round);
        Err(format!("{} breaks {count} promises in round {round}:\n{some}\n{}", self.name(), self.ensemble.log_ends())
            .into())
    }
}
