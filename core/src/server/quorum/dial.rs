//! Dialling a server that may have several addresses. It never knows what is said then.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::wire::HostPort;

/// Dials all addresses at once; the first connection is the one.
pub(super) async fn first(addresses: Vec<HostPort>, patience: Duration) -> io::Result<TcpStream> {
    let mut dials = JoinSet::new();
    for HostPort { host, port } in addresses {
        dials.spawn(async move {
            let stream = tokio::time::timeout(patience, TcpStream::connect((host.as_str(), port))).await??;
            // What is written is whole; waiting to fill a segment only adds latency.
            stream.set_nodelay(true)?;
            Ok(stream)
        });
    }
    let mut failure = io::Error::new(io::ErrorKind::AddrNotAvailable, "no address of it is known");
    while let Some(dialled) = dials.join_next().await {
        match dialled.map_err(io::Error::other).and_then(|dialled| dialled) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
