//! Our member: one thread that feeds the machine and carries out what it wants.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use menagerie_core::jute::Encode;
use menagerie_core::wire::Zxid;
use menagerie_core::zab::{Config, Epochs, Input, LinkId, Output, Peer, RecentLog, Recovered, Role};

use super::links::{self, LinkNumbers};
use super::{INIT_LIMIT, Ports, SYNC_LIMIT, TICK_MS, answers, ensemble, voices};

/// What the threads of the sockets tell the member's.
#[derive(Debug)]
pub enum Event {
    /// For the machine.
    Input(Input),
    /// A connection of the election port is open.
    Voice(i64, TcpStream),
    /// It ended, or could not be opened.
    VoiceEnded(i64),
    /// Somebody with a lower id wants to be dialled.
    DialBack(i64),
    /// A connection of the quorum port is open.
    Link(LinkId, TcpStream),
    /// A snapshot has come.
    Snapshot(Bytes),
    /// The test is over.
    Stop,
}

/// What tests may look at.
#[derive(Debug)]
pub struct View {
    /// What the member may do.
    pub role: Role,
    /// The snapshot that it began with.
    pub snapshot: Bytes,
    /// What was committed since, in order.
    pub committed: Vec<(Zxid, Bytes)>,
}

/// Our member. It stops when it is dropped.
#[derive(Debug)]
pub struct Member {
    events: Sender<Event>,
    view: Arc<Mutex<View>>,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    /// Starts the last of `members`, which has the highest id, with nothing on its disk.
    pub fn start(members: &[Ports]) -> io::Result<Self> {
        let me = *members.last().ok_or_else(|| io::Error::other("an ensemble has members"))?;
        let config = Config {
            tick_ms: TICK_MS,
            init_limit: INIT_LIMIT,
            sync_limit: SYNC_LIMIT,
            ..Config::new(me.id, ensemble(members)?)
        };
        let log = RecentLog::new(Zxid::ZERO, Vec::new(), usize::MAX, usize::MAX);
        let peer = Peer::new(config, Recovered { epochs: Epochs::default(), log }, 0).map_err(io::Error::other)?;
        let view = Arc::new(Mutex::new(View { role: Role::Looking, snapshot: Bytes::new(), committed: Vec::new() }));
        let (sender, events) = mpsc::channel();
        let numbers = LinkNumbers::default();
        voices::listen(TcpListener::bind((Ipv4Addr::LOCALHOST, me.election))?, sender.clone());
        links::listen(TcpListener::bind((Ipv4Addr::LOCALHOST, me.quorum))?, Arc::clone(&numbers), sender.clone());
        let shell = Shell {
            peer,
            me,
            members: members.iter().map(|member| (member.id, *member)).collect(),
            sender: sender.clone(),
            numbers,
            begun: Instant::now(),
            voices: BTreeMap::new(),
            said: BTreeMap::new(),
            links: BTreeMap::new(),
            view: Arc::clone(&view),
        };
        let thread = thread::spawn(move || shell.run(&events));
        Ok(Member { events: sender, view, thread: Some(thread) })
    }

    /// What it does and has seen.
    pub fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `holds` is true of it.
    pub fn wait_until(&self, what: &str, holds: impl Fn(&View) -> bool) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_mins(2);
        while !holds(&self.view()) {
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("waited in vain: {what}; it is {:?}", self.view().role)));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Either fails only when the thread is gone already.
        let _ = self.events.send(Event::Stop);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Shell {
    peer: Peer,
    me: Ports,
    members: BTreeMap<i64, Ports>,
    sender: Sender<Event>,
    numbers: LinkNumbers,
    begun: Instant,
    /// `None` while it is being dialled.
    voices: BTreeMap<i64, Option<TcpStream>>,
    said: BTreeMap<i64, Bytes>,
    links: BTreeMap<LinkId, TcpStream>,
    view: Arc<Mutex<View>>,
}

impl Shell {
    fn run(mut self, events: &Receiver<Event>) {
        loop {
            self.carry_out();
            let wait = self.peer.poll_timeout().saturating_sub(self.now_ms());
            match events.recv_timeout(Duration::from_millis(wait)) {
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(event) => self.happen(event),
                Err(RecvTimeoutError::Timeout) => self.input(Input::Tick),
            }
        }
        for stream in self.links.values().chain(self.voices.values().flatten()) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn now_ms(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64
    }

    fn input(&mut self, input: Input) {
        let now_ms = self.now_ms();
        self.peer.handle(now_ms, input);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Input(input) => self.input(input),
            Event::Voice(peer, mut stream) => {
                if let Some(said) = self.said.get(&peer) {
                    // A connection that is broken already is reported by its reader.
                    let _ = stream.write_all(said);
                }
                self.voices.insert(peer, Some(stream));
                self.input(Input::ElectionLinkUp { peer });
            }
            Event::VoiceEnded(peer) => {
                self.voices.remove(&peer);
                self.input(Input::ElectionLinkDown { peer });
            }
            Event::DialBack(peer) => self.voice(peer),
            Event::Link(link, stream) => {
                self.links.insert(link, stream);
            }
            Event::Snapshot(snapshot) => self.view_mut().snapshot = snapshot,
            Event::Stop => {}
        }
    }

    fn voice(&mut self, peer: i64) {
        if let (Some(ports), false) = (self.members.get(&peer), self.voices.contains_key(&peer)) {
            self.voices.insert(peer, None);
            voices::dial(self.me, *ports, self.sender.clone());
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.peer.poll_output() {
            match output {
                // The disk is memory: it is there at once.
                Output::Persist { ticket, .. } => self.input(Input::Persisted { through: ticket }),
                Output::Notify { to, notification } => {
                    let bytes = voices::encoded(&notification);
                    if let Some(Some(stream)) = self.voices.get_mut(&to) {
                        let _ = stream.write_all(&bytes);
                    }
                    self.said.insert(to, bytes);
                    self.voice(to);
                }
                Output::Connect { leader } => {
                    if let Some(ports) = self.members.get(&leader) {
                        links::dial(*ports, &self.numbers, self.sender.clone());
                    }
                }
                Output::Send { link, packet } => {
                    if let Some(stream) = self.links.get_mut(&link) {
                        let _ = stream.write_all(&packet.to_bytes());
                    }
                }
                // The window has everything, so nobody needs a snapshot or the log on disk.
                Output::SendSnapshot { link, .. } | Output::ReadHistory { link, .. } | Output::Disconnect { link } => {
                    if let Some(stream) = self.links.remove(&link) {
                        let _ = stream.shutdown(Shutdown::Both);
                    }
                }
                Output::Committed { zxid, payload } => self.view_mut().committed.push((zxid, payload)),
                Output::RoleChanged(role) => self.view_mut().role = role,
                Output::ForwardedRequest { link, request } => match answers::payload(&request, self.peer.next_zxid()) {
                    None => self.input(Input::AnswerSync { link }),
                    Some(payload) => {
                        let now_ms = self.now_ms();
                        // When it has stopped leading meanwhile, the follower finds out by itself.
                        let _ = self.peer.propose(now_ms, &payload);
                    }
                },
                Output::RevalidateSession { link, session, .. } => {
                    self.input(Input::SessionRevalidated { link, session, valid: true });
                }
                // These members never change.
                Output::MembersProposed(_)
                | Output::Activated(_)
                | Output::SessionsTouched(_)
                | Output::SessionRevalidated { .. }
                | Output::Synced
                | Output::Resigned => {}
            }
        }
    }

    fn view_mut(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
