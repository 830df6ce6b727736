//! The client's handle: cheap to clone, and all it does is put requests into the session's queue.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use crate::jute::Encode;
use crate::wire::{OpCode, Zxid, path};

use super::call::{Call, Completion, Finish, Meta};
use super::chroot::Chroot;
use super::error::Cause;
use super::event::EventQueue;
use super::hosts;
use super::request::{Command, Request, Special, WatchId, WatchKind, WatchRequest};
use super::status::Published;
use super::trace::Trace;
use super::watch::Registration;
use super::{ClientBuilder, Error, SessionCredentials, State, StateWatch};

/// What the session's task receives.
pub(super) type Inbox = Command<Completion, Arc<EventQueue>>;
/// The way into the session's task. It has no bound: whoever awaits calls bounds it, and so does whoever counts them.
pub(super) type CommandSender = mpsc::UnboundedSender<Inbox>;

/// A session with an ensemble.
///
/// Clones share the session, and so do the handles made by [`Client::chroot`]. Dropping the last of them closes the session in
/// the background; [`Client::close`] does it and waits. A session needs the tokio runtime it was made in: when the runtime ends first,
/// the ensemble keeps the session until it times out.
///
/// Every operation is a plain function that queues its request when it is *called*, so the order of calls is the order on the wire,
/// and the ensemble executes a session's requests in that order. Requests wait while there is no connection. When the connection is lost,
/// those already sent fail with [`Error::is_connection_loss`], because nobody knows what became of them; those still queued are sent to the
/// next server.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) handle: Arc<Handle>,
    pub(super) chroot: Chroot,
}

/// What all clones of a client share; its end is the end of the session.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) shared: Arc<Shared>,
    pub(super) commands: CommandSender,
    pub(super) max_request_bytes: usize,
    /// Where the session's task runs.
    runtime: tokio::runtime::Handle,
    extensions: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
    watch_serial: AtomicU64,
}

/// What the session's task tells its handles.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) state: watch::Sender<State>,
    pub(super) published: Mutex<Published>,
}

impl Client {
    /// Opens a session with the servers of a connect string, such as `h1:2181,h2:2181/chroot`, and waits for it. For anything else than
    /// the defaults, see [`Client::builder`].
    ///
    /// # Errors
    /// A connect string that cannot be read; [`Error::is_timeout`] when no server gave a session in time.
    pub async fn connect(connect_string: impl AsRef<str>) -> Result<Client, Error> {
        Client::builder().hosts(connect_string).connect().await
    }

    /// Resumes a session whose [`Client::session`] was kept, in this process or another one, and waits for it; see
    /// [`ClientBuilder::resume`]. Its ephemeral znodes are still there; its watches have to be set anew.
    ///
    /// # Errors
    /// Those of [`Client::connect`]; [`Error::is_session_expired`] when the session is no more.
    pub async fn resume(connect_string: impl AsRef<str>, session: SessionCredentials) -> Result<Client, Error> {
        Client::builder().hosts(connect_string).resume(session).connect().await
    }

    /// Settings of a session to be opened.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    pub(super) fn new(
        shared: Arc<Shared>,
        commands: CommandSender,
        chroot: Chroot,
        max_request_bytes: usize,
        runtime: tokio::runtime::Handle,
    ) -> Self {
        let handle = Handle {
            shared,
            commands,
            max_request_bytes,
            runtime,
            extensions: Mutex::default(),
            watch_serial: AtomicU64::new(0),
        };
        Client { handle: Arc::new(handle), chroot }
    }

    /// A handle on the same session that sees only what is below `path`, as if it were the whole tree. Chroots nest. The znode at
    /// `path` need not exist, but creating below it needs it.
    ///
    /// # Errors
    /// `path` is not a valid path.
    pub fn chroot(&self, path: &str) -> Result<Client, Error> {
        Ok(Client { handle: Arc::clone(&self.handle), chroot: self.chroot.below(path)? })
    }

    /// A handle on the same session that sees the whole tree, whatever this one's chroot: for what is kept at the root for everybody, the
    /// ensemble's configuration and quotas.
    pub fn whole_tree(&self) -> Client {
        Client { handle: Arc::clone(&self.handle), chroot: Chroot::root() }
    }

    /// The complete path of a path that this handle names: as it is without a chroot.
    ///
    /// ```
    /// # use menagerie_core::client::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), menagerie_core::client::Error> {
    /// let client = Client::builder().hosts("127.0.0.1:2181/app").connect_lazily()?;
    /// assert_eq!(client.complete_path("/config"), "/app/config");
    /// assert_eq!(client.whole_tree().complete_path("/config"), "/config");
    /// # Ok(()) }
    /// ```
    pub fn complete_path(&self, path: &str) -> String {
        self.chroot.outward(path).into_owned()
    }

    /// Where the session stands.
    pub fn state(&self) -> State {
        *self.handle.shared.state.borrow()
    }

    /// Follows where the session stands.
    pub fn states(&self) -> StateWatch {
        StateWatch::new(self.handle.shared.state.subscribe())
    }

    /// What it takes to resume the session elsewhere; `None` before there is one.
    pub fn session(&self) -> Option<SessionCredentials> {
        self.published().session.credentials
    }

    /// The session's id, 0 before there is one. The owner in the [`Stat`](crate::wire::Stat) of the session's ephemeral znodes.
    pub fn session_id(&self) -> i64 {
        self.session().map_or(0, |session| session.id)
    }

    /// The session timeout that the servers agreed to; the one asked for before there is a session.
    pub fn negotiated_timeout(&self) -> Duration {
        self.published().session.timeout
    }

    /// The highest zxid a reply has carried.
    pub fn last_zxid(&self) -> Zxid {
        self.published().session.last_zxid
    }

    /// Until when the session is kept, as far as the server knows that serves it: the time at which the last request was sent that
    /// a server has acknowledged, plus the negotiated timeout. After that moment the session may be expired, and what its ephemeral znodes
    /// protect may be another's, even while [`Client::state`] is still [`State::Suspended`]. `None` before there is a session and once it
    /// has ended.
    ///
    /// A standalone server keeps the session until then. An ensemble may expire it earlier in one case: a server that is cut off from the
    /// others goes on answering its clients' pings until it notices, which takes up to `syncLimit` × `tickTime` of its configuration, and
    /// meanwhile the leader hears nothing of the session. Whoever must not act as an owner too long takes that time off, or lets what is
    /// protected refuse writers whose fencing token (a czxid, for example) is older than one it has seen.
    pub fn valid_until(&self) -> Option<Instant> {
        self.published().valid_until
    }

    /// Closes the session and waits for the server's answer; its ephemeral znodes are gone then. Calls made before are answered first,
    /// calls made later fail with [`Error::is_closed`]. Closing a closed client does nothing. Dropping the future does not stop the closing,
    /// and dropping the last clone of a client closes it in the same way.
    ///
    /// # Errors
    /// [`Error::is_connection_loss`] when no server could be told, after one round of all hosts and after the session timeout at the latest.
    /// The client is closed in any case. While its runtime lives, it goes on trying to tell a server, until the session timeout has passed and
    /// the ensemble expires the session by itself.
    pub async fn close(&self) -> Result<(), Error> {
        let (completion, receiver) = Completion::channel(Trace::begin(self, OpCode::CloseSession, ""));
        if self.handle.commands.send(Command::Close(Some(completion))).is_err() {
            return Ok(());
        }
        match receiver.await {
            Ok(Ok(_)) | Err(_) => Ok(()),
            Ok(Err(cause)) => Err(Error::of_call(cause, OpCode::CloseSession, "")),
        }
    }

    /// Ends this client but not its session, and returns what it takes to resume that elsewhere, with [`Client::resume`]: its ephemeral znodes
    /// stay for the session timeout. Calls that are not answered yet fail, and calls made later too; watches end. Whoever only
    /// copies [`Client::session`] and resumes it leaves two clients that take the session from each other. Dropping the future does not
    /// stop the end.
    ///
    /// # Errors
    /// [`Error::is_closed`] or [`Error::is_session_expired`] when the session has ended, is being closed, or there never was one.
    pub async fn detach(&self) -> Result<SessionCredentials, Error> {
        let (completion, receiver) = Completion::channel(Trace::begin(self, OpCode::CloseSession, ""));
        if self.handle.commands.send(Command::Detach(Some(completion))).is_err() {
            return Err(Error::new(self.end()));
        }
        match receiver.await {
            Ok(Ok(_)) => self.session().ok_or_else(|| Error::new(self.end())),
            Ok(Err(cause)) => Err(Error::new(cause)),
            Err(_) => Err(Error::new(self.end())),
        }
    }

    /// Looks for servers among these from now on, given as for [`Client::connect`] but without a chroot: after an ensemble has grown, shrunk
    /// or moved. When all clients are told the same, they end up spread evenly, and no more of them move than that takes. A
    /// client that moves first waits for the answers under way, so that no call fails, and is [`State::Suspended`] for a moment.
    ///
    /// # Errors
    /// A list that cannot be read or has a chroot; nothing changes then. The end of the session.
    pub fn set_hosts(&self, hosts: impl AsRef<str>) -> Result<(), Error> {
        let (hosts, chroot) = hosts::parse(hosts.as_ref())?;
        if chroot != Chroot::root() {
            return Err(Error::invalid("a list of servers for a session that exists cannot have a chroot"));
        }
        if self.state().is_final() || self.handle.commands.send(Command::SetHosts(hosts)).is_err() {
            return Err(Error::new(self.end()));
        }
        Ok(())
    }

    /// A handle that does not keep the session open.
    pub fn downgrade(&self) -> WeakClient {
        WeakClient { handle: Arc::downgrade(&self.handle), chroot: self.chroot.clone() }
    }

    /// The session's one value of type `T`, made by `init` when there is none yet. All clones and chroots share it, and it is dropped with
    /// the last of them: hold a [`WeakClient`] in it, since a [`Client`] would keep the session open for ever. `init` must not call
    /// `extension` itself.
    pub fn extension<T: Send + Sync + 'static>(&self, init: impl FnOnce() -> T) -> Arc<T> {
        let mut extensions = self.handle.extensions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = extensions.get(&TypeId::of::<T>()).cloned().and_then(|value| value.downcast().ok()) {
            return value;
        }
        let value = Arc::new(init());
        extensions.insert(TypeId::of::<T>(), Arc::clone(&value) as Arc<dyn Any + Send + Sync>);
        value
    }

    /// Runs `work` in the runtime that the session's own task runs in, from wherever this is called. For what belongs to the session, and must
    /// not end with the runtime of whoever happens to call. Once that runtime has ended, `work` is dropped.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle.runtime.spawn(work));
    }

    pub(super) fn published(&self) -> Published {
        *self.handle.shared.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request about to be queued.
pub(super) struct Outgoing<'a, R> {
    pub(super) op: OpCode,
    pub(super) write: bool,
    pub(super) special: Option<Special>,
    /// The path as the application named it.
    pub(super) path: &'a str,
    pub(super) record: R,
    pub(super) watch: Option<WatchKind>,
}

impl Client {
    /// Queues a read of `path`.
    pub(super) fn read<T>(&self, op: OpCode, path: &str, record: impl Encode, finish: Finish<T>) -> Call<T> {
        self.submit(Outgoing { op, write: false, special: None, path, record, watch: None }, finish)
    }

    /// Queues a write of `path`.
    pub(super) fn write<T>(&self, op: OpCode, path: &str, record: impl Encode, finish: Finish<T>) -> Call<T> {
        self.submit(Outgoing { op, write: true, special: None, path, record, watch: None }, finish)
    }

    /// Queues a request.
    pub(super) fn submit<T, R: Encode>(&self, outgoing: Outgoing<'_, R>, finish: Finish<T>) -> Call<T> {
        let Outgoing { op, write, special, path, record, watch } = outgoing;
        let mut request = Request::new(op, write, special, &record);
        let length = request.frame.len() - 4;
        if length > self.handle.max_request_bytes {
            let limit = self.handle.max_request_bytes;
            return Call::failed(Error::of_call(
                Cause::Invalid(format!("a request of {length} bytes is above the limit of {limit}").into()),
                op,
                path,
            ));
        }
        let (completion, receiver) = Completion::channel(Trace::begin(self, op, path));
        request.ticket = Some(completion);
        let registration = watch.map(|kind| self.register(kind, path));
        request.watch = registration
            .as_ref()
            .map(|registration| WatchRequest { id: registration.id.clone(), watcher: Arc::clone(&registration.queue) });
        let meta = Meta { op, path: path.into(), write, chroot: self.chroot.clone(), registration };
        match self.handle.commands.send(Command::Submit(request)) {
            Ok(()) => Call::waiting(meta, receiver, finish),
            Err(_session_ended) => Call::failed(meta.error(self.end())),
        }
    }

    /// The path on the wire, checked as the server would do it on a write; the call that fails for it otherwise.
    pub(super) fn path<T>(&self, op: OpCode, path: &str) -> Result<String, Call<T>> {
        match path::validate(path) {
            Ok(()) => Ok(self.chroot.outward(path).into_owned()),
            Err(error) => Err(Call::failed(Error::of_call(Cause::Invalid(error.to_string().into()), op, path))),
        }
    }

    fn register(&self, kind: WatchKind, path: &str) -> Registration {
        let one_shot = !matches!(kind, WatchKind::Persistent | WatchKind::PersistentRecursive);
        let serial = self.handle.watch_serial.fetch_add(1, Ordering::Relaxed);
        Registration {
            queue: Arc::new(EventQueue::new(one_shot)),
            id: WatchId { path: self.chroot.outward(path).into(), kind, serial },
            chroot: self.chroot.clone(),
            commands: self.handle.commands.clone(),
        }
    }

    fn end(&self) -> Cause {
        Cause::of_final(self.state())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // The task is gone only when the session has ended already.
        let _session_ended = self.commands.send(Command::Close(None));
    }
}

/// A handle that does not keep the session open.
#[derive(Debug, Clone)]
pub struct WeakClient {
    handle: Weak<Handle>,
    chroot: Chroot,
}

impl WeakClient {
    /// The client again; `None` when its last clone was dropped.
    pub fn upgrade(&self) -> Option<Client> {
        Some(Client { handle: self.handle.upgrade()?, chroot: self.chroot.clone() })
    }
}
