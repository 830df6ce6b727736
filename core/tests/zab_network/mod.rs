//! Members joined by a network without latency, under a clock that stands still: whatever is done without waiting is done.
//!
//! What is on its way between two members keeps its order; which of two ways is quicker is drawn from a seed.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use menagerie_core::wire::Zxid;
use menagerie_core::wire::ensemble::Ensemble;
use menagerie_core::zab::{Config, Epochs, Input, LinkId, Output, Peer, RecentLog, Recovered, Role, ServerId};

/// One direction of something that keeps its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Disk(ServerId),
    Votes(ServerId, ServerId),
    Dial(ServerId, ServerId),
    Link(LinkId, ServerId),
}

/// What comes out at its end.
#[derive(Debug)]
enum Cargo {
    Input(Input),
    Dialled,
}

pub(crate) struct Member {
    pub(crate) peer: Peer,
    pub(crate) role: Role,
    pub(crate) committed: Vec<Zxid>,
}

pub(crate) struct Net {
    pub(crate) now_ms: u64,
    pub(crate) members: BTreeMap<ServerId, Member>,
    ways: BTreeMap<Way, VecDeque<Cargo>>,
    /// The ends of each link: who dialled, and who was dialled.
    links: BTreeMap<LinkId, [ServerId; 2]>,
    rng: u64,
}

impl Net {
    /// So many voters, all started, with nothing in their logs.
    pub(crate) fn of(voters: i64, seed: u64) -> Net {
        let lines: Vec<String> = (1..=voters).map(|id| format!("server.{id}=host{id}:1:2")).collect();
        let ensemble: Ensemble = lines.join("\n").parse().unwrap();
        let start = |id| {
            let log = RecentLog::new(Zxid::ZERO, Vec::new(), 99, usize::MAX);
            let recovered = Recovered { epochs: Epochs::default(), log };
            let peer = Peer::new(Config::new(id, ensemble.clone()), recovered, 0).unwrap();
            (id, Member { peer, role: Role::Looking, committed: Vec::new() })
        };
        let members: BTreeMap<ServerId, Member> = (1..=voters).map(start).collect();
        let rng = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut net = Net { now_ms: 0, members, ways: BTreeMap::new(), links: BTreeMap::new(), rng };
        net.ids().into_iter().for_each(|id| net.carry_out(id));
        net
    }

    pub(crate) fn ids(&self) -> Vec<ServerId> {
        self.members.keys().copied().collect()
    }

    /// The one that leads, when all others follow it.
    pub(crate) fn leader(&self) -> Option<ServerId> {
        let leads = |member: &Member| matches!(member.role, Role::Leading { .. });
        let (leader, _) = self.members.iter().find(|(_, member)| leads(member))?;
        let follows = |member: &Member| matches!(member.role, Role::Following { leader: whom, .. } if whom == *leader);
        self.members.iter().all(|(id, member)| id == leader || follows(member)).then_some(*leader)
    }

    pub(crate) fn give(&mut self, id: ServerId, input: Input) {
        if let Some(member) = self.members.get_mut(&id) {
            member.peer.handle(self.now_ms, input);
            self.carry_out(id);
        }
    }

    pub(crate) fn propose(&mut self, id: ServerId, payload: &'static [u8]) -> bool {
        let now_ms = self.now_ms;
        let proposed = self.members.get_mut(&id).unwrap().peer.propose(now_ms, &Bytes::from_static(payload));
        self.carry_out(id);
        proposed.is_ok()
    }

    /// Lets everything happen that does not wait for the clock.
    pub(crate) fn settle(&mut self) {
        while self.step() {}
    }

    /// Lets one thing happen, if there is one.
    pub(crate) fn step(&mut self) -> bool {
        self.ways.retain(|_, cargo| !cargo.is_empty());
        if self.ways.is_empty() {
            return false;
        }
        let at = self.draw(self.ways.len());
        let Some((way, cargo)) = self.ways.iter_mut().nth(at).map(|(way, on_it)| (*way, on_it.pop_front().unwrap()))
        else {
            return false;
        };
        match (way, cargo) {
            (Way::Dial(from, to), _) => self.dialled(from, to),
            (Way::Disk(to) | Way::Votes(_, to), Cargo::Input(input)) => self.give(to, input),
            (Way::Link(link, from), Cargo::Input(input)) => {
                let to = self.links.get(&link).and_then(|ends| ends.iter().find(|end| **end != from));
                if let Some(to) = to.copied() {
                    self.give(to, input);
                }
            }
            _ => {}
        }
        true
    }

    /// A process dies: what it has sent arrives, and then the kernels of the others tell them.
    pub(crate) fn kill(&mut self, id: ServerId) {
        self.members.remove(&id);
        for peer in self.ids() {
            self.put(Way::Votes(id, peer), Cargo::Input(Input::ElectionLinkDown { peer: id }));
        }
        let its = |ends: &[ServerId; 2]| ends.contains(&id);
        let links: Vec<LinkId> = self.links.iter().filter(|(_, ends)| its(ends)).map(|(link, _)| *link).collect();
        for link in links {
            self.put(Way::Link(link, id), Cargo::Input(Input::LinkClosed { link }));
        }
    }

    pub(crate) fn draw(&mut self, below: usize) -> usize {
        self.rng ^= self.rng << 13;
        self.rng ^= self.rng >> 7;
        self.rng ^= self.rng << 17;
        (self.rng % below as u64) as usize
    }

    fn put(&mut self, way: Way, cargo: Cargo) {
        self.ways.entry(way).or_default().push_back(cargo);
    }

    fn dialled(&mut self, from: ServerId, to: ServerId) {
        if !self.members.contains_key(&to) {
            return self.give(from, Input::ConnectFailed { leader: to });
        }
        let link = self.links.len() as LinkId + 1;
        self.links.insert(link, [from, to]);
        self.give(to, Input::Accepted { link });
        self.give(from, Input::Connected { link, leader: to });
    }

    fn carry_out(&mut self, id: ServerId) {
        while let Some(output) = self.members.get_mut(&id).and_then(|member| member.peer.poll_output()) {
            self.output(id, output);
        }
    }

    fn output(&mut self, id: ServerId, output: Output) {
        let member = self.members.get_mut(&id).unwrap();
        match output {
            Output::Persist { ticket, .. } => {
                self.put(Way::Disk(id), Cargo::Input(Input::Persisted { through: ticket }));
            }
            Output::Notify { to, notification } => {
                self.put(Way::Votes(id, to), Cargo::Input(Input::Notification { from: id, notification }));
            }
            Output::Connect { leader } => self.put(Way::Dial(id, leader), Cargo::Dialled),
            Output::Send { link, packet } => {
                self.put(Way::Link(link, id), Cargo::Input(Input::Packet { link, packet }));
            }
            Output::Disconnect { link } => self.put(Way::Link(link, id), Cargo::Input(Input::LinkClosed { link })),
            Output::Committed { zxid, .. } => member.committed.push(zxid),
            Output::RoleChanged(role) => member.role = role,
            Output::Resigned => self.kill(id),
            _ => {}
        }
    }
}
