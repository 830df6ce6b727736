//! Four-letter words: the operator's questions on the client port.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may be silent. A slow machine needs the room.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends `word` to 127.0.0.1:`port` and returns the whole answer. Gives up on a silent server after half a minute.
pub fn ask(port: u16, word: &str) -> io::Result<String> {
    ask_at((Ipv4Addr::LOCALHOST, port).into(), word, PATIENCE)
}

/// Sends `word` to `address` and returns the whole answer. Gives up when nothing comes for `patience`: a stopped process
/// accepts and never answers.
pub fn ask_at(address: SocketAddr, word: &str, patience: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(word.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
