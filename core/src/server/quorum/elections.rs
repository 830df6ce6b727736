//! The election port: at most one connection to each peer, dialled by the one with the larger id (protocol §5.1). It never
//! counts votes.
//!
//! One task owns the table of peers and takes commands; it never waits for a socket. Unlike the reference, which dials again
//! only when it has something to say, a lost connection is dialled again until it is there: at most once a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Shared, dial, voice};
use crate::jute::Encode;
use crate::wire::quorum::{Greeting, Notification};
use crate::wire::{HostPort, frame};
use crate::zab::{Input, ServerId};

/// The pause before a failed dial is repeated: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// How long a larger peer is given to dial back; knocking sooner would make it drop the connection it has just opened.
const DIAL_BACK: Duration = Duration::from_secs(1);
/// Connections that may be open without having said who they are.
const GREETING_AT_MOST: usize = 128;
/// Peers that are no members: joiners, and whoever else dials.
const STRANGERS_AT_MOST: usize = 32;
/// The id of an observer that has none, from old servers. Each such is given a negative one of its own.
const NO_ID: ServerId = ServerId::MAX;

/// What happens around the table of peers.
enum Command {
    Notify {
        to: ServerId,
        frame: Bytes,
    },
    Greeted {
        greeting: Greeting,
        input: BytesMut,
        stream: TcpStream,
    },
    /// A smaller peer was dialled: the connection is kept.
    Dialled {
        peer: ServerId,
        stream: TcpStream,
    },
    /// A larger peer was dialled, has read who we are, and will dial back.
    Knocked {
        peer: ServerId,
    },
    DialFailed {
        peer: ServerId,
    },
    Ended {
        peer: ServerId,
        voice: u64,
    },
    Retry {
        peer: ServerId,
    },
    MembersChanged,
}

/// The handle of the task.
#[derive(Clone)]
pub(super) struct Elections {
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Command>,
    greeting: Arc<Semaphore>,
}

impl Elections {
    pub(super) fn start(shared: &Arc<Shared>) -> Self {
        let (commands, mut receiver) = mpsc::unbounded_channel();
        let mut table = Table {
            shared: Arc::clone(shared),
            commands: commands.clone(),
            peers: BTreeMap::new(),
            voices: 0,
            without_id: -1,
        };
        shared.spawn(async move {
            while let Some(command) = receiver.recv().await {
                table.take(command);
            }
        });
        Elections { shared: Arc::clone(shared), commands, greeting: Arc::new(Semaphore::new(GREETING_AT_MOST)) }
    }

    pub(super) fn notify(&self, to: ServerId, notification: &Notification) {
        let frame = frame::of(notification);
        self.command(Command::Notify { to, frame });
    }

    pub(super) fn members_changed(&self) {
        self.command(Command::MembersChanged);
    }

    /// Somebody has dialled.
    pub(super) fn accepted(&self, mut stream: TcpStream) {
        let Ok(place) = Arc::clone(&self.greeting).try_acquire_owned() else {
            tracing::warn!("too many connections of the election port have not said who they are; closing another");
            return;
        };
        let elections = self.clone();
        self.shared.spawn(async move {
            let _place = place;
            let patience = elections.shared.settings.greeting_timeout;
            match tokio::time::timeout(patience, voice::greeting(&mut stream)).await {
                Ok(Ok((greeting, input))) => elections.command(Command::Greeted { greeting, input, stream }),
                Ok(Err(error)) => tracing::warn!(%error, "closing a connection of the election port"),
                Err(_) => tracing::warn!("closing a connection of the election port that did not say who it is"),
            }
        });
    }

    fn command(&self, command: Command) {
        // After the end nobody takes it, and nothing is to be done.
        let _ = self.commands.send(command);
    }
}

/// All peers; the task's own.
struct Table {
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Command>,
    peers: BTreeMap<ServerId, Peer>,
    /// Numbers connections, so that the end of an old one is not taken for that of the one in its place.
    voices: u64,
    without_id: ServerId,
}

struct Peer {
    /// What was said last, as a frame; empty before anything was.
    said: watch::Sender<Bytes>,
    voice: Option<(u64, DropGuard)>,
    /// A dial is under way.
    dialling: bool,
    /// One will be, after a pause.
    retry: Option<DropGuard>,
    pause: Duration,
    /// What the event loop was told last.
    up: Option<bool>,
    /// Where it said that it can be dialled, for when the members' list does not know or is out of date.
    greeted: Vec<HostPort>,
}

impl Default for Peer {
    fn default() -> Self {
        let said = watch::Sender::new(Bytes::new());
        Peer { said, voice: None, dialling: false, retry: None, pause: PAUSES.0, up: None, greeted: Vec::new() }
    }
}

impl Table {
    fn take(&mut self, command: Command) {
        match command {
            Command::Notify { to, frame } => {
                let state = self.peers.entry(to).or_default();
                state.said.send_replace(frame);
                if state.retry.is_none() {
                    self.dial(to);
                }
            }
            Command::Greeted { greeting, input, stream } => self.greeted(greeting, input, stream),
            Command::Dialled { peer, stream } => {
                self.idle(peer);
                self.open(peer, stream, BytesMut::new());
            }
            Command::Knocked { peer } => {
                self.idle(peer);
                self.retry(peer, DIAL_BACK);
            }
            Command::DialFailed { peer } => {
                self.idle(peer);
                self.tell(peer, false);
                if self.shared.book.knows(peer) {
                    let pause = self.peers.get_mut(&peer).map_or(PAUSES.1, |state| {
                        let pause = state.pause;
                        state.pause = (pause * 2).min(PAUSES.1);
                        pause
                    });
                    self.retry(peer, pause);
                } else {
                    self.peers.remove(&peer);
                }
            }
            Command::Ended { peer, voice } => self.ended(peer, voice),
            Command::Retry { peer } => self.dial(peer),
            Command::MembersChanged => {
                let Table { shared, peers, .. } = self;
                peers.retain(|peer, state| shared.book.knows(*peer) || state.voice.is_some());
            }
        }
    }

    /// Who dials is kept when its id is larger, and dialled back when it is smaller.
    fn greeted(&mut self, greeting: Greeting, input: BytesMut, stream: TcpStream) {
        let Greeting { mut server_id, addresses, .. } = greeting;
        let own = self.shared.settings.server_id;
        if server_id == NO_ID {
            server_id = self.without_id;
            self.without_id -= 1;
        }
        if server_id == own {
            tracing::warn!(server_id, "a server with the id of this one has dialled; two members have the same myid");
            return;
        }
        let strangers = || self.peers.keys().filter(|peer| !self.shared.book.knows(**peer)).count();
        let new = !self.shared.book.knows(server_id) && !self.peers.contains_key(&server_id);
        if new && strangers() >= STRANGERS_AT_MOST {
            tracing::warn!(server_id, "too many servers that are no members have dialled; closing another");
            return;
        }
        let state = self.peers.entry(server_id).or_default();
        let wildcard = |address: &HostPort| matches!(address.host.as_str(), "0.0.0.0" | "::");
        state.greeted = addresses.into_iter().filter(|address| !wildcard(address)).collect();
        if server_id > own {
            self.open(server_id, stream, input);
        } else {
            drop(stream);
            state.voice = None;
            self.dial(server_id);
        }
    }

    fn open(&mut self, peer: ServerId, stream: TcpStream, input: BytesMut) {
        self.voices += 1;
        let voice = self.voices;
        let closed = CancellationToken::new();
        let state = self.peers.entry(peer).or_default();
        state.pause = PAUSES.0;
        state.retry = None;
        state.voice = Some((voice, closed.clone().drop_guard()));
        let said = state.said.subscribe();
        self.tell(peer, true);
        let (inputs, commands) = (Arc::clone(&self.shared.inputs), self.commands.clone());
        self.shared.spawn(async move {
            let ended = tokio::select! {
                ended = voice::converse(peer, stream, input, said, &inputs) => ended,
                () = closed.cancelled() => Ok(()),
            };
            if let Err(error) = ended {
                tracing::info!(peer, %error, "a connection of the election port ended");
            }
            let _ = commands.send(Command::Ended { peer, voice });
        });
    }

    fn ended(&mut self, peer: ServerId, voice: u64) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if state.voice.as_ref().is_none_or(|(current, _)| *current != voice) {
            return;
        }
        state.voice = None;
        self.tell(peer, false);
        if !self.shared.book.knows(peer) {
            self.peers.remove(&peer);
        } else if peer < self.shared.settings.server_id {
            self.retry(peer, PAUSES.0);
        } else {
            // The larger one dials. We only knock, when it does not.
            self.retry(peer, DIAL_BACK);
        }
    }

    /// Dials, unless there is a connection or will be.
    fn dial(&mut self, peer: ServerId) {
        let own = self.shared.settings.server_id;
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if peer == own || state.dialling || state.voice.is_some() {
            state.retry = None;
            return;
        }
        state.dialling = true;
        state.retry = None;
        let mut addresses = self.shared.book.election(peer);
        addresses
            .extend(state.greeted.iter().filter(|address| !addresses.contains(address)).cloned().collect::<Vec<_>>());
        let (shared, commands) = (Arc::clone(&self.shared), self.commands.clone());
        self.shared.spawn(async move {
            let command = match greet(&shared, addresses).await {
                Ok(stream) if peer < own => Command::Dialled { peer, stream },
                Ok(_) => Command::Knocked { peer },
                Err(error) => {
                    tracing::debug!(peer, %error, "cannot dial an election port");
                    Command::DialFailed { peer }
                }
            };
            let _ = commands.send(command);
        });
    }

    fn retry(&mut self, peer: ServerId, pause: Duration) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let dropped = CancellationToken::new();
        state.retry = Some(dropped.clone().drop_guard());
        let commands = self.commands.clone();
        self.shared.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(pause) => drop(commands.send(Command::Retry { peer })),
                () = dropped.cancelled() => {}
            }
        });
    }

    fn idle(&mut self, peer: ServerId) {
        if let Some(state) = self.peers.get_mut(&peer) {
            state.dialling = false;
        }
    }

    fn tell(&mut self, peer: ServerId, up: bool) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        // A connection in the place of another is a new one: the event loop says again what it has to say.
        if up || state.up != Some(false) {
            state.up = Some(up);
            let input = if up { Input::ElectionLinkUp { peer } } else { Input::ElectionLinkDown { peer } };
            (self.shared.inputs)(input.into());
        }
    }
}

/// Dials, and says who we are.
async fn greet(shared: &Shared, addresses: Vec<HostPort>) -> std::io::Result<TcpStream> {
    let settings = &shared.settings;
    let mut stream = dial::first(addresses, settings.connect_timeout).await?;
    let (server_id, multi_address) = (settings.server_id, settings.multi_address);
    let greeting = Greeting { server_id, addresses: shared.book.election(server_id), multi_address };
    stream.write_all(&greeting.to_bytes()).await?;
    Ok(stream)
}
