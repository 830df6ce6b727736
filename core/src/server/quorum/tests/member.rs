//! A whole member over real sockets, with a disk that is memory: a thread of its own, as the event loop's is.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Instant;

use bytes::Bytes;

use super::*;
use crate::zab::{Config, Entry, Epochs, Input, Output, Peer, RecentLog, Recovered, Role};

enum Event {
    Arrival(Arrival),
    Propose(Bytes),
    Stop,
}

/// What a test may look at.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) role: Role,
    pub(super) committed: Vec<(Zxid, Bytes)>,
}

pub(super) struct Member {
    events: mpsc::Sender<Event>,
    view: Arc<Mutex<View>>,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    pub(super) async fn start(server_id: ServerId, members: &Ensemble) -> Self {
        let (events, receiver) = mpsc::channel();
        let put = Mutex::new(events.clone());
        let inputs: Inputs = Arc::new(move |arrival| drop(put.lock().unwrap().send(Event::Arrival(arrival))));
        let quorum = Quorum::start(settings(server_id, members), inputs, Arc::new(Images::default())).await.unwrap();
        let view = Arc::new(Mutex::new(View { role: Role::Looking, committed: Vec::new() }));
        let config = Config { tick_ms: 500, init_limit: 60, sync_limit: 40, ..Config::new(server_id, members.clone()) };
        let log = RecentLog::new(Zxid::ZERO, Vec::<Entry>::new(), usize::MAX, usize::MAX);
        let peer = Peer::new(config, Recovered { epochs: Epochs::default(), log }, 0).unwrap();
        let shell = Shell { peer, quorum, begun: Instant::now(), view: Arc::clone(&view), local: VecDeque::new() };
        let thread = std::thread::Builder::new().spawn(move || shell.run(&receiver)).unwrap();
        Member { events, view, thread: Some(thread) }
    }

    pub(super) fn view(&self) -> View {
        self.view.lock().unwrap().clone()
    }

    pub(super) fn propose(&self, payload: Bytes) {
        self.events.send(Event::Propose(payload)).unwrap();
    }
}

/// Ends the thread, and with it the sockets, as a crash would.
impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.events.send(Event::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Shell {
    peer: Peer,
    quorum: Quorum,
    begun: Instant,
    view: Arc<Mutex<View>>,
    local: VecDeque<Input>,
}

impl Shell {
    fn run(mut self, events: &mpsc::Receiver<Event>) {
        loop {
            self.carry_out();
            let wait = self.peer.poll_timeout().saturating_sub(self.now_ms());
            match events.recv_timeout(Duration::from_millis(wait)) {
                Ok(Event::Arrival(arrival)) => self.input(arrival.input),
                Ok(Event::Propose(payload)) => drop(self.peer.propose(self.now_ms(), &payload)),
                Err(mpsc::RecvTimeoutError::Timeout) => self.input(Input::Tick),
                Ok(Event::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn now_ms(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64
    }

    fn input(&mut self, input: Input) {
        self.local.push_back(input);
        while let Some(input) = self.local.pop_front() {
            self.peer.handle(self.now_ms(), input);
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.peer.poll_output() {
            match output {
                Output::Persist { ticket, .. } => self.local.push_back(Input::Persisted { through: ticket }),
                Output::Notify { to, notification } => self.quorum.notify(to, &notification),
                Output::Connect { leader } => self.quorum.connect(leader),
                Output::Send { link, packet } => self.quorum.send(link, &packet),
                // Every member keeps its whole history in the window.
                Output::SendSnapshot { link, .. } | Output::Disconnect { link } => self.quorum.disconnect(link),
                Output::Committed { zxid, payload } => self.view.lock().unwrap().committed.push((zxid, payload)),
                Output::RoleChanged(role) => self.view.lock().unwrap().role = role,
                _ => {}
            }
            while let Some(input) = self.local.pop_front() {
                self.peer.handle(self.now_ms(), input);
            }
        }
    }
}
