//! One connection of the election port: what is said last goes out, what is heard comes in (protocol §5.1, §5.2). It never
//! knows who dials whom.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::arrival::{Inbox, Inputs};
use crate::jute::Decode;
use crate::wire::frame;
use crate::wire::quorum::{Greeting, MAX_NOTIFICATION, Notification};
use crate::zab::{Input, ServerId};

/// Bytes of notifications that may wait for the event loop, from one connection.
const WAITING_BYTES: u32 = 2 * MAX_NOTIFICATION as u32;

/// Reads who dials. What has come behind the greeting stays in the second value.
pub(super) async fn greeting(stream: &mut TcpStream) -> io::Result<(Greeting, BytesMut)> {
    let mut input = BytesMut::new();
    loop {
        if stream.read_buf(&mut input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(greeting) = Greeting::take(&mut input).map_err(io::Error::other)? {
            return Ok((greeting, input));
        }
    }
}

/// Speaks with `peer` until the connection ends. What was said last before is said at once; the newest is all that matters.
pub(super) async fn converse(
    peer: ServerId,
    stream: TcpStream,
    input: BytesMut,
    said: watch::Receiver<Bytes>,
    inputs: &Inputs,
) -> io::Result<()> {
    let (reader, writer) = stream.into_split();
    tokio::select! {
        ended = listen(peer, reader, input, inputs) => ended,
        ended = speak(writer, said) => ended,
    }
}

async fn speak(mut writer: OwnedWriteHalf, mut said: watch::Receiver<Bytes>) -> io::Result<()> {
    said.mark_changed();
    loop {
        // The sender lives as long as the peer is known.
        said.changed().await.map_err(io::Error::other)?;
        let newest = said.borrow_and_update().clone();
        writer.write_all(&newest).await?;
    }
}

async fn listen(peer: ServerId, mut reader: OwnedReadHalf, mut input: BytesMut, inputs: &Inputs) -> io::Result<()> {
    let inbox = Inbox::new(inputs, WAITING_BYTES);
    loop {
        while let Some(body) = frame::take(&mut input, MAX_NOTIFICATION).map_err(io::Error::other)? {
            if body.is_empty() {
                return Err(io::Error::other("a notification of no bytes"));
            }
            match Notification::from_bytes(&body) {
                Ok(notification) => inbox.put(Input::Notification { from: peer, notification }, body.len()).await,
                Err(error) => tracing::info!(peer, %error, "ignoring what is no notification"),
            }
        }
        if reader.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}
