//! Accepts client connections, and opens their sessions or answers their four-letter words (protocol §2.1, §3.1).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::Context;
use super::admission::{Admission, Slot};
use super::connection::{Connection, Ended, take_word};
use super::connection_stats::{Answered, SESSION};
use super::event_loop::Event;
use super::four_letter::{self, SET_TRACE_MASK};
use super::registry::{Handle, Outgoing};
use super::throttle::Weight;
use crate::jute::Decode;
use crate::replica::ConnId;
use crate::wire::frame;
use crate::wire::proto::{ConnectRequest, ConnectResponse};

/// Accepts until the server stops.
pub(super) async fn run(context: Arc<Context>, listener: TcpListener) {
    let admission = Admission::new(context.config.max_cnxns, context.config.max_client_cnxns);
    let mut next: ConnId = 1;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = context.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, remote)) => {
                // A listener of both families sees IPv4 clients under mapped addresses, which no ACL names.
                let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
                match admission.admit(remote.ip()) {
                    Ok(slot) => {
                        context.tasks.spawn(serve(Arc::clone(&context), next, stream, remote, slot));
                        next += 1;
                    }
                    Err(reason) => {
                        context.metrics.connections_rejected.add(1);
                        tracing::warn!(%remote, "refusing a connection: {reason}");
                    }
                }
            }
            Err(error) => {
                // Out of file descriptors, most likely: those in use go on, and new ones wait.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Serves one connection to its end, and leaves nothing of it behind but its session.
async fn serve(context: Arc<Context>, conn: ConnId, mut stream: TcpStream, remote: SocketAddr, slot: Slot) {
    // Replies are whole when they are written; waiting to fill a segment only adds latency.
    let _ = stream.set_nodelay(true);
    let (sender, mut outgoing) = mpsc::unbounded_channel();
    let (cancel, metrics) = (context.stop.child_token(), Arc::clone(&context.metrics));
    let handle = Arc::new(Handle::new(remote, sender, cancel, context.clock, metrics));
    context.registry.insert(conn, Arc::clone(&handle));
    let mut opening = Opening { context: &context, conn, handle: &handle, stream: &mut stream, input: BytesMut::new() };
    let ended = match opening.open(&mut outgoing).await {
        Ok(session) => {
            let input = opening.input;
            let connection = Connection::new(Arc::clone(&context), conn, session, handle, input);
            connection.run(&mut stream, &mut outgoing).await
        }
        Err(ended) => ended,
    };
    if ended == Ended::ByClient {
        context.metrics.connections_dropped.add(1);
    }
    context.shared.watches().remove_watcher(conn);
    context.registry.remove(conn);
    // The thread is gone when the server stops; there is nothing to tell it then.
    let _ = context.events.send(Event::Disconnected(conn));
    let _ = stream.shutdown().await;
    drop(slot);
}

/// A connection that has no session yet.
struct Opening<'a> {
    context: &'a Context,
    conn: ConnId,
    handle: &'a Handle,
    stream: &'a mut TcpStream,
    input: BytesMut,
}

/// The first thing on a connection.
enum First {
    /// A frame, which should be a connect request.
    Frame(Bytes),
    /// A four-letter word, with what followed `stmk`.
    Word([u8; 4], i64),
}

impl Opening<'_> {
    /// Opens a session or answers a word. Without a session: who ended the connection.
    async fn open(&mut self, outgoing: &mut mpsc::UnboundedReceiver<Outgoing>) -> Result<i64, Ended> {
        let patience = Duration::from_millis(self.context.config.sessionless_cnxn_timeout_ms.into());
        let cancel = self.handle.cancel.clone();
        let begun = tokio::select! {
            begun = tokio::time::timeout(patience, self.begin()) => begun,
            () = cancel.cancelled() => return Err(Ended::ByServer),
        };
        let Ok(first) = begun else {
            self.context.metrics.sessionless_expired.add(1);
            tracing::info!(remote = %self.handle.remote, ?patience, "closing a connection that opened no session");
            return Err(Ended::ByServer);
        };
        let Some(frame) = first? else { return Err(Ended::ByServer) };
        let since_ms = self.context.clock.monotonic_ms();
        let request = match ConnectRequest::from_bytes(&frame) {
            Ok(request) => request,
            Err(error) => {
                tracing::warn!(remote = %self.handle.remote, %error, "closing a connection that did not start with a connect request");
                return Err(Ended::ByServer);
            }
        };
        self.admit(&request)?;
        let (conn, events) = (self.conn, &self.context.events);
        events.send(Event::Connect { conn, request }).map_err(|_| Ended::ByServer)?;
        let message = tokio::select! {
            message = outgoing.recv() => message,
            () = cancel.cancelled() => None,
        };
        let message = message.ok_or(Ended::ByServer)?;
        self.handle.taken(&message);
        let Outgoing::Connected(response) = message else { return Err(Ended::ByServer) };
        self.answer(&response, since_ms).await
    }

    /// Whether a session may be opened now.
    fn admit(&self, request: &ConnectRequest) -> Result<(), Ended> {
        let context = self.context;
        context.metrics.connection_requests.add(1);
        let weight = if request.session_id == 0 { Weight::Open } else { Weight::Renew };
        let admitted = context.new_sessions.admit(weight, context.clock.monotonic_ms(), fastrand::f64());
        context.metrics.token_deficit.add(context.new_sessions.deficit());
        if admitted {
            return Ok(());
        }
        context.metrics.connections_rejected.add(1);
        tracing::warn!(remote = %self.handle.remote, "refusing a session: connection_throttle_tokens are used up");
        Err(Ended::ByServer)
    }

    /// Tells the client of its session, or that it is refused.
    async fn answer(&mut self, response: &ConnectResponse, since_ms: u64) -> Result<i64, Ended> {
        let handle = self.handle;
        let now_ms = self.context.clock.monotonic_ms();
        handle.heard_ms.store(now_ms, Ordering::Relaxed);
        handle.timeout_ms.store(u64::try_from(response.timeout_ms).unwrap_or(0), Ordering::Relaxed);
        handle.session.store(response.session_id, Ordering::Relaxed);
        let latency_ms = now_ms.saturating_sub(since_ms);
        self.context.metrics.latency.add(latency_ms);
        self.context.metrics.update_latency.add(latency_ms);
        self.context.metrics.packets_sent.add(1);
        let zxid = self.context.shared.tree().last_zxid();
        {
            let mut stats = handle.stats();
            stats.sent += 1;
            stats.answered(Answered { op: SESSION, xid: 0, zxid, since_ms, now_ms });
        }
        self.stream.write_all(&frame::of(response)).await.map_err(|_| Ended::ByClient)?;
        if response.timeout_ms > 0 { Ok(response.session_id) } else { Err(Ended::ByServer) }
    }

    /// Reads the first frame. `None` when it was a four-letter word, which is answered.
    async fn begin(&mut self) -> Result<Option<Bytes>, Ended> {
        let metrics = &self.context.metrics;
        let first = self.first().await?;
        metrics.packets_received.add(1);
        self.handle.stats().received += 1;
        match first {
            First::Frame(frame) => {
                metrics.bytes_received.add(4 + frame.len() as u64);
                Ok(Some(frame))
            }
            First::Word(word, trace_mask) => {
                metrics.bytes_received.add(word.len() as u64);
                let answer = four_letter::answer(self.context, self.handle, word, trace_mask).await;
                let answer = answer.ok_or(Ended::ByServer)?;
                self.stream.write_all(answer.as_bytes()).await.map_err(|_| Ended::ByServer)?;
                metrics.packets_sent.add(1);
                Ok(None)
            }
        }
    }

    async fn first(&mut self) -> Result<First, Ended> {
        loop {
            if let Some(word) = take_word(&mut self.input) {
                if !four_letter::is_known(word) {
                    return Err(Ended::ByServer);
                }
                let trace_mask = if word == SET_TRACE_MASK { self.long().await? } else { 0 };
                return Ok(First::Word(word, trace_mask));
            }
            match frame::take(&mut self.input, self.context.config.jute_maxbuffer) {
                Ok(Some(frame)) => return Ok(First::Frame(frame)),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(remote = %self.handle.remote, %error, "closing a connection that sent a bad frame");
                    return Err(Ended::ByServer);
                }
            }
            self.read_more().await?;
        }
    }

    async fn long(&mut self) -> Result<i64, Ended> {
        while self.input.len() < size_of::<i64>() {
            self.read_more().await?;
        }
        Ok(self.input.get_i64())
    }

    async fn read_more(&mut self) -> Result<(), Ended> {
        match self.stream.read_buf(&mut self.input).await {
            Ok(0) | Err(_) => Err(Ended::ByClient),
            Ok(_) => Ok(()),
        }
    }
}
