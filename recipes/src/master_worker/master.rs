//! The master: elected through one znode, it sees to it that every task has a worker. It never knows what tasks do.

use std::convert::Infallible;
use std::future::poll_fn;

use menagerie_core::client::{Client, Multi, Version};
use tracing::{debug, info, warn};

use crate::Error;
use crate::error::is_session_over;
use crate::loss::LossPolicy;
use crate::parents::Parents;
use crate::retry::{Backoff, until_answered};
use crate::sole::{Claim, Won};

use super::event::{Listener, MasterEvent};
use super::host_name;
use super::layout::{self, Layout};
use super::plan::{Transition, plan};
use super::record::check_word;
use super::strategy::{RoundRobin, Strategy};
use super::view::View;

/// Runs for master of a cluster, and while it is: assigns tasks to workers, and gives the tasks of workers that died to others.
///
/// Run as many as you like; one is the master, the others wait for its znode to go.
///
/// * **Guarantee.** Only the master assigns: each of its writes checks, in the same transaction, that `/master` exists and that the version
///   of `/assign`, which rises with every master, is still its own. One that was replaced without noticing changes nothing.
/// * **Failure.** All that a master knows is in the tree; the next one goes on where it was.
///
/// ```no_run
/// # async fn example() -> Result<(), menagerie_recipes::Error> {
/// use menagerie_recipes::master_worker::{LeastLoaded, Master};
/// Master::new().name("master1.example.com").strategy(LeastLoaded).run().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a master does nothing until it runs"]
pub struct Master {
    client: Option<Client>,
    root: String,
    name: String,
    strategy: Box<dyn Strategy>,
    listener: Listener<MasterEvent>,
}

impl Master {
    /// A master of the cluster at the tree's root, through the [ambient client](crate::ambient).
    pub fn new() -> Self {
        Master {
            client: None,
            root: "/".to_owned(),
            name: host_name(),
            strategy: Box::new(RoundRobin::default()),
            listener: Listener::default(),
        }
    }

    /// As [`Master::new`], through `client`.
    pub fn on(client: &Client) -> Self {
        Master { client: Some(client.clone()), ..Master::new() }
    }

    /// Where the cluster is in the tree; `/` by default.
    pub fn root(mut self, root: impl Into<String>) -> Self {
        self.root = root.into();
        self
    }

    /// What people read in `/master`; the host's name by default.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Which worker gets a task; [`RoundRobin`] by default.
    pub fn strategy(mut self, strategy: impl Strategy) -> Self {
        self.strategy = Box::new(strategy);
        self
    }

    /// Told of all that happens, in the master's own task: it must not block.
    pub fn on_event(mut self, listener: impl Fn(MasterEvent) + Send + Sync + 'static) -> Self {
        self.listener = Listener::new(listener);
        self
    }

    /// Waits to be master, and is it as long as it can; when it is deposed, runs again. When the session is over it returns: make a new
    /// client, and a new master, if you want to go on. Dropping the future resigns, and leaves neither znode nor watch.
    ///
    /// A task or a worker that it may not read is left out. Directories that somebody removes are made again.
    ///
    /// # Errors
    /// What ends the session; and what keeps it from knowing who has which task, such as a letter box that it may not read.
    pub async fn run(mut self) -> Result<Infallible, Error> {
        check_word("master", &self.name)?;
        let (client, layout) = layout::resolve(self.client.take(), &self.root).await?;
        let claim = Claim {
            client: client.clone(),
            path: layout.master(),
            payload: self.name.clone().into(),
            parents: Parents::Require,
            stamp: Some(layout.assign()),
        };
        let mut backoff = Backoff::new();
        loop {
            match self.term(&claim, &layout).await {
                // Somebody has removed a directory of the cluster. It is made again.
                Err(Error::Client(error)) if error.is_no_node() => {
                    warn!(name = self.name, %error, "the cluster's directories are gone; running again");
                    backoff.pause().await;
                }
                outcome => {
                    outcome?;
                    backoff = Backoff::new();
                }
            }
        }
    }

    /// From running for master to the end of the term.
    async fn term(&mut self, claim: &Claim, layout: &Layout) -> Result<(), Error> {
        layout.ensure(&claim.client).await?;
        let won = claim.win(LossPolicy::Expired).await?;
        let end = self.govern(&claim.client, layout, &won).await;
        // Not before the old znode is gone can it run again; whoever else waits is told by its deletion.
        match won.held.release().await {
            Err(error) if error.is_session_over() => Err(error),
            _ => end,
        }
    }

    async fn govern(&mut self, client: &Client, layout: &Layout, won: &Won) -> Result<(), Error> {
        let Some(epoch) = stamped_version(client, layout, won).await? else { return Ok(()) };
        info!(name = self.name, epoch, "elected");
        self.listener.tell(MasterEvent::Elected { epoch });
        let office = Office { client, layout, name: &self.name, epoch };
        let lost = won.held.lost();
        let end = tokio::select! {
            biased;
            loss = lost => Err(Error::Lost(loss)),
            end = office.serve(self.strategy.as_mut(), &self.listener) => end,
        };
        self.listener.tell(MasterEvent::Deposed);
        match end {
            Err(Error::Lost(loss)) if !Error::Lost(loss).is_session_over() => {
                info!(name = self.name, epoch, %loss, "deposed");
                Ok(())
            }
            Err(error) => Err(error),
            Ok(Deposed) => {
                info!(name = self.name, epoch, "deposed by another master");
                Ok(())
            }
        }
    }
}

impl Default for Master {
    fn default() -> Self {
        Master::new()
    }
}

/// The version of `/assign` that this election has made; `None` when another has come after it.
async fn stamped_version(client: &Client, layout: &Layout, won: &Won) -> Result<Option<i32>, Error> {
    let (data, stat) = until_answered(|| client.get_data(&layout.assign())).await?;
    Ok((data == won.data).then_some(stat.version))
}

/// What a master in office needs for its writes.
struct Office<'a> {
    client: &'a Client,
    layout: &'a Layout,
    name: &'a str,
    epoch: i32,
}

/// Another master has written since.
struct Deposed;

/// The operations of [`Office::fenced`]: when one of these fails, the office is lost.
const FENCE: usize = 2;

impl Office<'_> {
    async fn serve(&self, strategy: &mut dyn Strategy, listener: &Listener<MasterEvent>) -> Result<Deposed, Error> {
        let mut view = View::new(self.client.clone(), self.layout.clone());
        let mut present = std::collections::BTreeSet::new();
        let mut backoff = Backoff::new();
        loop {
            view.refresh().await?;
            let workers = view.workers();
            for worker in workers.difference(&present) {
                listener.tell(MasterEvent::WorkerJoined { worker: worker.clone() });
            }
            for worker in present.difference(&workers) {
                listener.tell(MasterEvent::WorkerLeft { worker: worker.clone(), orphans: view.load(worker) });
            }
            present = workers;
            let mut transitions = view.leftovers();
            transitions.extend(plan(view.waiting(), &mut view.desks(), strategy));
            // All are sent before the first answer is awaited. They touch different tasks, so one that fails does not concern the others.
            let calls: Vec<_> =
                transitions.into_iter().map(|transition| (self.multi(&transition).commit(), transition)).collect();
            let mut refused = false;
            let mut unknown = false;
            for (call, transition) in calls {
                match call.await {
                    Ok(_) => {
                        view.applied(&transition);
                        announce(transition, listener);
                    }
                    Err(error) if error.multi_failure().is_some_and(|(index, _)| index < FENCE) => return Ok(Deposed),
                    Err(error) if is_session_over(&error) => return Err(error.into()),
                    Err(error) => {
                        debug!(?transition, %error, "not applied as planned; looking again");
                        view.doubt(&transition);
                        refused = true;
                        unknown |= error.may_have_applied();
                    }
                }
            }
            if unknown {
                view.doubt_all();
                // The server that we look at next may not have heard yet of what another has done for us.
                until_answered(|| self.client.sync(&self.layout.assign())).await?;
            }
            if refused {
                backoff.pause().await;
            } else {
                backoff = Backoff::new();
                poll_fn(|context| view.poll_changed(context)).await;
            }
        }
    }

    /// The start of every write: it is still this master's to make.
    fn fenced(&self) -> Multi {
        self.client.multi().check(&self.layout.master(), Version::Any).check(&self.layout.assign(), self.epoch)
    }

    /// One transaction that checks all that it relies on.
    fn multi(&self, transition: &Transition) -> Multi {
        let layout = self.layout;
        match transition {
            Transition::Assign { task, to } => self.fenced().give(layout, task, to, self.name),
            Transition::Reassign { task, from, to } => {
                let old = layout.assignment(from, task);
                self.fenced().delete(&old, Version::Any).give(layout, task, to, self.name)
            }
            Transition::Forget { task, from } => self.fenced().delete(&layout.assignment(from, task), Version::Any),
            Transition::Clear { worker } => self.fenced().delete(&layout.letter_box(worker), Version::Any),
        }
    }
}

/// The part that giving a task to a worker has in common, whether another had it or not.
trait Give {
    fn give(self, layout: &Layout, task: &str, to: &str, master: &str) -> Self;
}

impl Give for Multi {
    fn give(self, layout: &Layout, task: &str, to: &str, master: &str) -> Self {
        self.check(&layout.task(task), Version::Any).check(&layout.worker(to), Version::Any).create(
            &layout.assignment(to, task),
            master.to_owned(),
            menagerie_core::wire::CreateMode::Persistent,
        )
    }
}

fn announce(transition: Transition, listener: &Listener<MasterEvent>) {
    match transition {
        Transition::Assign { task, to } => listener.tell(MasterEvent::Assigned { task, worker: to }),
        Transition::Reassign { task, from, to } => listener.tell(MasterEvent::Reassigned { task, from, to }),
        Transition::Forget { .. } | Transition::Clear { .. } => {}
    }
}
