//! Asks servers their four-letter words. It decides nothing.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::answers::{Answer, Conf, Gauges, digests};
use crate::wire::HostPort;

/// How long a server may take to answer one word. One that is slower cannot be said to be well.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes: `mntr` has some tens of kilobytes.
const MOST: u64 = 4 << 20;

/// What came of asking a server how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It serves.
    Serving(Box<Answer>),
    /// It answers, and does not serve; this is what it says.
    NotServing(String),
    /// It does not answer; this is why.
    Silent(String),
}

/// Asks one server all that the plan needs. Never longer than a few times [`PATIENCE`].
pub(super) async fn ask_all(address: &HostPort) -> State {
    let srvr = match ask(address, "srvr").await {
        Ok(text) => text,
        Err(why) => return State::Silent(why),
    };
    let Some(mut answer) = Answer::of_srvr(&srvr) else {
        return State::NotServing(srvr.lines().next().unwrap_or("it closed the connection").to_owned());
    };
    let text = async |word| ask(address, word).await.unwrap_or_default();
    answer.gauges = Gauges::of_mntr(&text("mntr").await);
    answer.conf = Conf::of_conf(&text("conf").await);
    // An empty answer is one: no digest was recorded yet.
    answer.digests = ask(address, "hash").await.ok().and_then(|text| digests(&text));
    State::Serving(Box::new(answer))
}

/// Whether somebody listens there.
pub(super) async fn listens(address: &HostPort) -> bool {
    let dial = TcpStream::connect((address.host.as_str(), address.port));
    tokio::time::timeout(PATIENCE, dial).await.is_ok_and(|dialed| dialed.is_ok())
}

async fn ask(address: &HostPort, word: &str) -> Result<String, String> {
    let asked = async {
        let mut stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
        stream.write_all(word.as_bytes()).await?;
        let mut answer = String::new();
        stream.take(MOST).read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer to `{word}` within {} s", PATIENCE.as_secs())),
    }
}
