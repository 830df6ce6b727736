//! A proxy in front of a server that changes what the server says: to show that who listens notices. What clients send
//! passes as it is.
//!
//! Connections end with their client or server; the threads that carry them end with them.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use bytes::{Bytes, BytesMut};
use menagerie_core::wire::frame;

/// What is said in the place of a frame: the contents of one, none or several.
pub type Lie = dyn Fn(Vec<u8>) -> Vec<Vec<u8>> + Send + Sync;

/// The longest frame that passes, in bytes.
const MOST: usize = 64 << 20;

/// Stands in front of the server on 127.0.0.1:`port`, and returns its own port. Each frame from the server is given to
/// `lie`, which says what the client hears in its place. What does not begin with a frame, like the answer to a
/// four-letter word, passes as it is.
pub fn in_front_of(port: u16, lie: Arc<Lie>) -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let own = listener.local_addr()?.port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { continue };
            // A connection that cannot be carried is closed, which its client notices.
            let _ = carry(client, port, &lie);
        }
    });
    Ok(own)
}

fn carry(client: TcpStream, port: u16, lie: &Arc<Lie>) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let lie = Arc::clone(lie);
    thread::spawn(move || {
        let _ = pass_on(server, &client, lie.as_ref());
        let _ = client.shutdown(Shutdown::Both);
    });
    Ok(())
}

fn pass_on(mut server: TcpStream, mut client: &TcpStream, lie: &Lie) -> io::Result<()> {
    let (mut input, mut chunk) = (BytesMut::new(), [0; 16 * 1024]);
    loop {
        let read = server.read(&mut chunk)?;
        if read == 0 {
            return client.write_all(&input);
        }
        input.extend_from_slice(&chunk[..read]);
        while let Some(content) = next(&mut input) {
            let mut out = BytesMut::new();
            for said in lie(content.to_vec()) {
                frame::put(&mut out, |out| out.extend_from_slice(&said));
            }
            client.write_all(&out)?;
        }
    }
}

/// The next whole frame. Text is no frame: read as a length it is far too long.
fn next(input: &mut BytesMut) -> Option<Bytes> {
    frame::take(input, MOST).ok().flatten()
}
