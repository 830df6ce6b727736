//! Accepts client connections, opens their sessions, and answers four-letter words (protocol §2.1, §3.1).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::Context;
use super::connection::{Connection, take_word};
use super::event_loop::Event;
use super::four_letter;
use super::registry::{Handle, Outgoing};
use crate::jute::Decode;
use crate::replica::ConnId;
use crate::wire::frame;
use crate::wire::proto::ConnectRequest;

/// Connections per client address.
type PerAddress = Arc<Mutex<BTreeMap<IpAddr, u32>>>;

/// Accepts until the server stops.
pub(super) async fn run(context: Arc<Context>, listener: TcpListener) {
    let per_address = PerAddress::default();
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
                let conn = next;
                next += 1;
                if let Some(slot) = admit(&context, &per_address, remote) {
                    context.tasks.spawn(serve(Arc::clone(&context), conn, stream, remote, slot));
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

/// A place among the connections of one address, given back when it is dropped.
struct Slot {
    per_address: PerAddress,
    address: IpAddr,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.per_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

fn admit(context: &Context, per_address: &PerAddress, remote: SocketAddr) -> Option<Slot> {
    let (most, most_of_one) = (context.config.max_cnxns as usize, context.config.max_client_cnxns);
    if most > 0 && context.registry.len() >= most {
        tracing::warn!(%remote, limit = most, "refusing a connection: maxCnxns is reached");
        return None;
    }
    let mut counts = per_address.lock().unwrap_or_else(PoisonError::into_inner);
    let count = counts.entry(remote.ip()).or_default();
    if most_of_one > 0 && *count >= most_of_one {
        tracing::warn!(%remote, limit = most_of_one, "refusing a connection: maxClientCnxns is reached for its address");
        return None;
    }
    *count += 1;
    Some(Slot { per_address: Arc::clone(per_address), address: remote.ip() })
}

async fn serve(context: Arc<Context>, conn: ConnId, mut stream: TcpStream, remote: SocketAddr, slot: Slot) {
    // Replies are whole when they are written; waiting to fill a segment only adds latency.
    let _ = stream.set_nodelay(true);
    let (sender, mut outgoing) = mpsc::unbounded_channel();
    let handle = Arc::new(Handle::new(remote, sender, context.stop.child_token()));
    context.registry.insert(conn, Arc::clone(&handle));
    if let Some((session, input)) = open(&context, conn, &handle, &mut stream, &mut outgoing).await {
        let connection = Connection::new(Arc::clone(&context), conn, session, handle, input);
        connection.run(&mut stream, &mut outgoing).await;
    }
    context.shared.watches().remove_watcher(conn);
    context.registry.remove(conn);
    // The thread is gone when the server stops; there is nothing to tell it then.
    let _ = context.events.send(Event::Disconnected(conn));
    let _ = stream.shutdown().await;
    drop(slot);
}

/// Everything before a session is open. `None` when none was opened.
async fn open(
    context: &Context,
    conn: ConnId,
    handle: &Handle,
    stream: &mut TcpStream,
    outgoing: &mut mpsc::UnboundedReceiver<Outgoing>,
) -> Option<(i64, BytesMut)> {
    let patience = Duration::from_millis(context.config.sessionless_cnxn_timeout_ms.into());
    let mut input = BytesMut::new();
    let first = tokio::select! {
        first = tokio::time::timeout(patience, first_frame(context, &mut input, stream, handle)) => first.ok()??,
        () = handle.cancel.cancelled() => return None,
    };
    let request = match ConnectRequest::from_bytes(&first) {
        Ok(request) => request,
        Err(error) => {
            tracing::warn!(remote = %handle.remote, %error, "closing a connection that did not start with a connect request");
            return None;
        }
    };
    context.events.send(Event::Connect { conn, request }).ok()?;
    let response = tokio::select! {
        message = outgoing.recv() => {
            let message = message?;
            handle.taken(&message);
            let Outgoing::Connected(response) = message else { return None };
            response
        }
        () = handle.cancel.cancelled() => return None,
    };
    handle.heard_ms.store(context.clock.monotonic_ms(), std::sync::atomic::Ordering::Relaxed);
    handle.session.store(response.session_id, std::sync::atomic::Ordering::Relaxed);
    stream.write_all(&frame::of(&response)).await.ok()?;
    (response.timeout_ms > 0).then_some((response.session_id, input))
}

/// The first frame of a connection, or `None` when the connection ended, was wrong, or was a four-letter word's.
async fn first_frame(
    context: &Context,
    input: &mut BytesMut,
    stream: &mut TcpStream,
    handle: &Handle,
) -> Option<Bytes> {
    loop {
        if let Some(word) = take_word(input) {
            let answer = four_letter::answer(context, word)?;
            stream.write_all(answer.as_bytes()).await.ok()?;
            return None;
        }
        match frame::take(input, context.config.jute_maxbuffer) {
            Ok(Some(frame)) => return Some(frame),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(remote = %handle.remote, %error, "closing a connection that sent a bad frame");
                return None;
            }
        }
        if stream.read_buf(input).await.ok()? == 0 {
            return None;
        }
    }
}
