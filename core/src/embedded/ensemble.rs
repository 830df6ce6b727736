//! An ensemble in this process: members with real sockets and real files, which a test can kill, restart, pause, and cut off
//! from each other. Between any two members, and between clients and each member, stands a door that can be shut.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;

use super::door::{Door, Passage};
use super::{Builder, EmbeddedError};
use crate::server::{self, Role, ServerConfig, ServerId};
use crate::wire::ensemble::{self, Member as Listed, PeerAddress, Role as ListedRole};

/// `initLimit` and `syncLimit` of its members, in ticks.
const LIMIT_TICKS: u32 = 10;
/// Between two looks at who leads.
const GLANCE: Duration = Duration::from_millis(5);

/// A running ensemble. Dropping it stops all members; their temporary directories go with it.
///
/// Members are numbered from 1. Their lists of servers name doors rather than each other, so members of such an ensemble
/// cannot be changed by `reconfig`.
///
/// ```
/// # #[tokio::main(flavor = "multi_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use menagerie_core::embedded::Ensemble;
/// let mut ensemble = Ensemble::start(3).await?;
/// let leader = ensemble.leader().await;
/// ensemble.kill(leader).await;
/// assert_ne!(ensemble.leader().await, leader);
/// ensemble.restart(leader).await?;
/// ensemble.stop().await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Ensemble {
    members: BTreeMap<ServerId, Member>,
    /// From whom, to whom: the quorum port and the election port.
    doors: Doors,
    _directory: TempDir,
}

#[derive(Debug)]
struct Member {
    config: ServerConfig,
    /// Where its clients come in.
    door: Door,
    running: Option<server::Server>,
    hold: Option<server::Hold>,
}

/// Choices for an embedded ensemble.
#[derive(Debug, Clone)]
pub struct EnsembleBuilder {
    voters: usize,
    observers: usize,
    each: Builder,
}

impl Ensemble {
    /// An ensemble of `voters` members that vote, in temporary directories, when all of them serve.
    ///
    /// # Errors
    /// As [`EnsembleBuilder::start`].
    pub async fn start(voters: usize) -> Result<Ensemble, EmbeddedError> {
        Ensemble::builder(voters).start().await
    }

    /// An ensemble of `voters` members that vote, with choices.
    pub fn builder(voters: usize) -> EnsembleBuilder {
        EnsembleBuilder { voters, observers: 0, each: Builder::new() }
    }

    /// The members' numbers.
    pub fn ids(&self) -> Vec<ServerId> {
        self.members.keys().copied().collect()
    }

    /// All members, as clients take it.
    pub fn connect_string(&self) -> String {
        let addresses: Vec<String> = self.members.values().map(|member| member.door.address().to_string()).collect();
        addresses.join(",")
    }

    /// Where one member is reached by clients; `None` for a number that no member has.
    pub fn address(&self, id: ServerId) -> Option<SocketAddr> {
        self.members.get(&id).map(|member| member.door.address())
    }

    /// What a member does; `None` when it does not run.
    pub fn role(&self, id: ServerId) -> Option<Role> {
        self.members.get(&id)?.running.as_ref().map(server::Server::role)
    }

    /// Waits until a member leads, and says which. While the ensemble is divided an old leader may think that it still leads.
    ///
    /// Cancel safe.
    pub async fn leader(&self) -> ServerId {
        loop {
            let leads = |id: &ServerId| matches!(self.role(*id), Some(Role::Leading { .. }));
            if let Some(id) = self.ids().into_iter().find(|id| !self.is_paused(*id) && leads(id)) {
                return id;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Waits until every member that runs has a leader or leads.
    ///
    /// Cancel safe.
    pub async fn ready(&self) {
        while self.ids().into_iter().any(|id| self.role(id) == Some(Role::Looking)) {
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Ends a member at once, without a word to anybody, as a crash would. What it acknowledged stays on disk. Returns when
    /// nothing of it runs any more; the member ends also when the call is cancelled.
    pub async fn kill(&mut self, id: ServerId) {
        if let Some(server) = self.take(id) {
            server.abort().await;
        }
    }

    /// Stops a member in an orderly way: one that leads hands over.
    pub async fn stop_member(&mut self, id: ServerId) {
        if let Some(server) = self.take(id) {
            server.stop().await;
        }
    }

    /// Starts a member again that was killed or stopped, with what it had on disk. Does nothing to one that runs.
    ///
    /// # Errors
    /// As [`server::Server::start`].
    pub async fn restart(&mut self, id: ServerId) -> Result<(), EmbeddedError> {
        if let Some(member) = self.members.get_mut(&id).filter(|member| member.running.is_none()) {
            member.running = Some(server::Server::start(member.config.clone()).await?);
        }
        Ok(())
    }

    /// Halts a member as a long pause of its process or its machine would: it does nothing and says nothing, and does not know.
    pub fn pause(&mut self, id: ServerId) {
        self.pass(|from, to| from == id || to == id, Passage::SHUT);
        if let Some(member) = self.members.get_mut(&id) {
            member.door.set(Passage::SHUT);
            member.hold = member.running.as_ref().map(server::Server::hold);
        }
    }

    /// Lets a paused member go on, where it was.
    pub fn resume(&mut self, id: ServerId) {
        if let Some(member) = self.members.get_mut(&id) {
            member.hold = None;
            member.door.set(Passage::OPEN);
        }
        self.pass(|from, to| from == id || to == id, Passage::OPEN);
    }

    /// Cuts these members off from all others, both ways. Nobody is told: connections stay open and nothing comes through.
    /// Clients reach every member.
    pub fn partition(&self, side: &[ServerId]) {
        self.pass(|from, to| side.contains(&from) != side.contains(&to), Passage::SHUT);
    }

    /// Nothing that `from` says reaches `to`; what `to` says still reaches `from`.
    pub fn mute(&self, from: ServerId, to: ServerId) {
        self.pass(|dials, dialled| (dials, dialled) == (from, to), Passage { there: false, back: true });
        self.pass(|dials, dialled| (dials, dialled) == (to, from), Passage { there: true, back: false });
    }

    /// Ends every division of the members. Who is paused stays so.
    pub fn heal(&self) {
        self.pass(|from, to| !self.is_paused(from) && !self.is_paused(to), Passage::OPEN);
    }

    /// Cuts the clients of a member off from it, or lets them through again. Nobody is told.
    pub fn set_reachable(&self, id: ServerId, reachable: bool) {
        if let Some(member) = self.members.get(&id) {
            member.door.set(if reachable { Passage::OPEN } else { Passage::SHUT });
        }
    }

    /// Stops all members, observers and followers first.
    pub async fn stop(mut self) {
        let mut ids = self.ids();
        ids.sort_by_key(|id| matches!(self.role(*id), Some(Role::Leading { .. })));
        for id in ids {
            self.resume(id);
            self.stop_member(id).await;
        }
    }

    fn take(&mut self, id: ServerId) -> Option<server::Server> {
        let member = self.members.get_mut(&id)?;
        member.hold = None;
        member.running.take()
    }

    fn is_paused(&self, id: ServerId) -> bool {
        self.members.get(&id).is_some_and(|member| member.hold.is_some())
    }

    fn pass(&self, which: impl Fn(ServerId, ServerId) -> bool, passage: Passage) {
        for (_, doors) in self.doors.iter().filter(|((from, to), _)| which(*from, *to)) {
            for door in doors {
                door.set(passage);
            }
        }
    }
}

impl EnsembleBuilder {
    /// Adds members that do not vote.
    pub fn observers(mut self, observers: usize) -> Self {
        self.observers = observers;
        self
    }

    /// The tick of all members, 2 s by default. See [`Builder::tick_time`].
    pub fn tick_time(mut self, tick: Duration) -> Self {
        self.each = self.each.tick_time(tick);
        self
    }

    /// See [`Builder::min_session_timeout`].
    pub fn min_session_timeout(mut self, timeout: Duration) -> Self {
        self.each = self.each.min_session_timeout(timeout);
        self
    }

    /// See [`Builder::max_session_timeout`].
    pub fn max_session_timeout(mut self, timeout: Duration) -> Self {
        self.each = self.each.max_session_timeout(timeout);
        self
    }

    /// Transactions between two snapshots of a member.
    pub fn snap_count(mut self, transactions: u32) -> Self {
        self.each = self.each.snap_count(transactions);
        self
    }

    /// Whether members that come back are always sent a snapshot, however little they lack. Not by default.
    pub fn force_snapshots(mut self, force: bool) -> Self {
        self.each = self.each.force_snapshots(force);
        self
    }

    /// Starts all members on the current tokio runtime, and waits until all serve.
    ///
    /// # Errors
    /// [`EmbeddedError`] when a directory cannot be made or a port cannot be had.
    pub async fn start(self) -> Result<Ensemble, EmbeddedError> {
        let directory = tempfile::Builder::new().prefix("menagerie-ensemble-").tempdir()?;
        let mut places = BTreeMap::new();
        for id in (1..).take(self.voters + self.observers) {
            places.insert(id, Place::reserve(usize::try_from(id).is_ok_and(|id| id > self.voters)).await?);
        }
        let doors = between(&places).await?;
        let mut members = BTreeMap::new();
        for (id, place) in &places {
            let path = directory.path().join(id.to_string());
            let mut config = self.each.clone().configure(&path, place.ports[0]);
            config.ensemble = Some(seen_by(*id, &places, &doors));
            config.server_id = Some(*id);
            config.standalone_enabled = false;
            (config.init_limit_ticks, config.sync_limit_ticks) = (Some(LIMIT_TICKS), Some(LIMIT_TICKS));
            let door = Door::open(local(place.ports[0])).await?;
            members.insert(*id, Member { config, door, running: None, hold: None });
        }
        // From here on nothing but chance keeps others from these ports.
        drop(places);
        let mut ensemble = Ensemble { members, doors, _directory: directory };
        for id in ensemble.ids() {
            ensemble.restart(id).await?;
        }
        ensemble.ready().await;
        Ok(ensemble)
    }
}

/// Where a member will listen.
struct Place {
    /// For clients, for learners, for votes.
    ports: [u16; 3],
    observes: bool,
    /// Nobody else gets the ports while these are here.
    _reserved: Vec<TcpListener>,
}

impl Place {
    async fn reserve(observes: bool) -> std::io::Result<Place> {
        let (mut ports, mut reserved) = ([0; 3], Vec::new());
        for port in &mut ports {
            let listener = TcpListener::bind(local(0)).await?;
            *port = listener.local_addr()?.port();
            reserved.push(listener);
        }
        Ok(Place { ports, observes, _reserved: reserved })
    }
}

type Doors = BTreeMap<(ServerId, ServerId), [Door; 2]>;

/// The doors from each member to each other one.
async fn between(places: &BTreeMap<ServerId, Place>) -> std::io::Result<Doors> {
    let mut doors = BTreeMap::new();
    for from in places.keys() {
        for (to, Place { ports: [_, quorum, election], .. }) in places.iter().filter(|(to, _)| *to != from) {
            doors.insert((*from, *to), [Door::open(local(*quorum)).await?, Door::open(local(*election)).await?]);
        }
    }
    Ok(doors)
}

/// The list of servers of one member: itself where it listens, and the doors to all others.
fn seen_by(id: ServerId, places: &BTreeMap<ServerId, Place>, doors: &Doors) -> ensemble::Ensemble {
    let listed = |(to, place): (&ServerId, &Place)| {
        let [_, quorum, election] = place.ports;
        let (quorum_port, election_port) = match doors.get(&(id, *to)) {
            Some([quorum, election]) => (quorum.address().port(), election.address().port()),
            None => (quorum, election),
        };
        let address = PeerAddress { host: Ipv4Addr::LOCALHOST.to_string(), quorum_port, election_port };
        let role = if place.observes { ListedRole::Observer } else { ListedRole::Participant };
        (*to, Listed { addresses: vec![address], role, client: None, secure_client: None })
    };
    ensemble::Ensemble { members: places.iter().map(listed).collect(), ..ensemble::Ensemble::default() }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
