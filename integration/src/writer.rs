//! A client that writes without pause and remembers what it was told of each write, so that a server that was killed
//! meanwhile can be held to it: what was acknowledged is there once, what was refused is not, and what was left open is
//! there once or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::pulse::Pulse;
use menagerie_core::client::{Client, Error, Version};
use menagerie_core::wire::CreateMode;

/// Creates in flight at once, beside one set.
const DEPTH: usize = 8;

/// What became of one write, as its caller knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// Done, and this is the path it made.
    Acknowledged(String),
    /// The connection was lost before the reply.
    Unknown,
    /// It was never sent.
    NotSent,
}

/// One writing session.
#[derive(Debug)]
pub struct Writer {
    client: Client,
    /// The folder all its nodes are in.
    home: String,
    /// The folder of this round.
    folder: String,
    payloads_used: u64,
    created: BTreeMap<String, Outcome>,
    counter: Counter,
    pulse: Arc<Pulse>,
}

/// A node that only this writer sets, without naming a version: its version counts how often it was set.
#[derive(Debug, Default)]
struct Counter {
    /// The version when nothing was open.
    settled: i32,
    acknowledged: i32,
    unknown: i32,
}

impl Writer {
    /// Connects and makes the writer's nodes: the folder `/NAME`, and the ephemeral node `/NAME/alive`.
    pub async fn connect(hosts: &str, name: &str) -> Result<Self, Error> {
        let client = Client::builder().hosts(hosts).session_timeout(crate::LONG_SESSION).connect().await?;
        let home = format!("/{name}");
        client.create(&home, "", CreateMode::Persistent).await?;
        client.create(&format!("{home}/alive"), "", CreateMode::Ephemeral).await?;
        client.create(&format!("{home}/counter"), "", CreateMode::Persistent).await?;
        let folder = home.clone();
        let (created, counter, pulse) = (BTreeMap::new(), Counter::default(), Arc::default());
        Ok(Self { client, home, folder, payloads_used: 0, created, counter, pulse })
    }

    /// Tells `pulse` of every acknowledgement from now on.
    pub fn tell(&mut self, pulse: &Arc<Pulse>) {
        self.pulse = Arc::clone(pulse);
    }

    /// Its session.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Begins a new folder, so that a check reads this round's nodes only.
    pub async fn begin_round(&mut self, round: usize) -> Result<(), Error> {
        self.folder = format!("{}/round-{round}", self.home);
        self.created.clear();
        self.client.create(&self.folder, "", CreateMode::Persistent).await?;
        Ok(())
    }

    /// Writes until `stop` is set, then waits for every open outcome. Only a lost connection is no error.
    pub async fn write_until(&mut self, stop: &AtomicBool) -> Result<(), Error> {
        while !stop.load(Ordering::Relaxed) {
            let node = format!("{}/n-", self.folder);
            let beat = self.pulse.now();
            let creates: Vec<_> = (0..DEPTH)
                .map(|_| {
                    self.payloads_used += 1;
                    let payload = format!("{}#{}", self.home, self.payloads_used);
                    let call = self.client.create(&node, payload.clone(), CreateMode::PersistentSequential);
                    (payload, call)
                })
                .collect();
            let set = self.client.set_data(&format!("{}/counter", self.home), "", Version::Any);
            for (payload, call) in creates {
                let outcome = match call.await {
                    Ok(node) => {
                        self.pulse.acknowledged(beat);
                        Outcome::Acknowledged(node.path)
                    }
                    Err(error) => unless_fatal(error)?,
                };
                self.created.insert(payload, outcome);
            }
            match set.await.map_err(unless_fatal) {
                Ok(_) => self.counter.acknowledged += 1,
                Err(Ok(Outcome::Unknown)) => self.counter.unknown += 1,
                Err(outcome) => {
                    outcome?;
                }
            }
        }
        Ok(())
    }

    /// How many writes of this round were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.created.values().filter(|outcome| matches!(outcome, Outcome::Acknowledged(_))).count()
    }

    /// Compares the server's nodes with what this writer was told in this round, and returns each breach as a line.
    pub async fn check(&mut self, reader: &Client) -> Result<Vec<String>, Error> {
        let mut breaches = Vec::new();
        let found = payloads(reader, &self.folder).await?;
        for (payload, outcome) in &self.created {
            let paths: &[String] = found.get(payload).map_or(&[], Vec::as_slice);
            let right = match outcome {
                Outcome::Acknowledged(path) => paths == std::slice::from_ref(path),
                Outcome::Unknown => paths.len() <= 1,
                Outcome::NotSent => paths.is_empty(),
            };
            if !right {
                breaches.push(format!("{payload} was {outcome:?}, and is at {paths:?}"));
            }
        }
        let known: BTreeSet<&String> = self.created.keys().collect();
        breaches.extend(found.keys().filter(|payload| !known.contains(payload)).map(|it| format!("nobody wrote {it}")));
        breaches.extend(self.check_counter(reader).await?);
        breaches.extend(self.check_ephemeral(reader).await?);
        Ok(breaches)
    }

    async fn check_counter(&mut self, reader: &Client) -> Result<Option<String>, Error> {
        let (_, stat) = reader.get_data(&format!("{}/counter", self.home)).await?;
        let least = self.counter.settled + self.counter.acknowledged;
        let most = least + self.counter.unknown;
        let breach = (stat.version < least || stat.version > most)
            .then(|| format!("{}/counter has version {}, not {least}..={most}", self.home, stat.version));
        self.counter = Counter { settled: stat.version, ..Counter::default() };
        Ok(breach)
    }

    async fn check_ephemeral(&self, reader: &Client) -> Result<Option<String>, Error> {
        let stat = reader.exists(&format!("{}/alive", self.home)).await?;
        let owner = self.client.session_id();
        let right = stat.as_ref().is_some_and(|stat| stat.ephemeral_owner == owner && stat.version == 0);
        Ok((!right).then(|| format!("{}/alive must belong to the living session {owner:#x}: {stat:?}", self.home)))
    }
}

/// The paths below `folder` by the payload they carry.
async fn payloads(reader: &Client, folder: &str) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let mut reads = Vec::new();
    for name in reader.get_children(folder).await? {
        let path = format!("{folder}/{name}");
        let read = reader.get_data(&path);
        reads.push((path, read));
    }
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, read) in reads {
        let (data, _) = read.await?;
        found.entry(String::from_utf8_lossy(&data).into_owned()).or_default().push(path);
    }
    Ok(found)
}

/// A lost connection leaves a write open or unsent; anything else the server said is a failure of the test.
fn unless_fatal(error: Error) -> Result<Outcome, Error> {
    match error {
        error if error.may_have_applied() => Ok(Outcome::Unknown),
        error if error.is_connection_loss() => Ok(Outcome::NotSent),
        error => Err(error),
    }
}
