//! The service under test, and what can be seen of it from outside.

use std::time::Duration;

use menagerie_core::client::{Client, Error, SessionCredentials, Version};
use menagerie_core::embedded::Server;
use menagerie_core::wire::{Acl, CreateMode, Perms};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{LONG_SESSION, TestResult};

/// A service, and a directory of the test's own in it.
pub struct Service {
    hosts: String,
    root: String,
    /// `None` when the service is somebody else's.
    server: Option<Server>,
}

impl Service {
    /// An embedded server, or the one that `MENAGERIE_TEST_CONNECT` names.
    pub async fn start() -> TestResult<Self> {
        let root = format!("/test-{}", uuid::Uuid::new_v4());
        if let Ok(hosts) = std::env::var("MENAGERIE_TEST_CONNECT") {
            return Ok(Service { hosts, root, server: None });
        }
        let server =
            Server::builder().tick_time(Duration::from_millis(200)).max_session_timeout(LONG_SESSION).start().await?;
        Ok(Service { hosts: server.connect_string(), root, server: Some(server) })
    }

    /// Where it listens.
    pub fn hosts(&self) -> &str {
        &self.hosts
    }

    /// A path of this test's own.
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.root)
    }

    /// A session on it, long enough for a slow machine.
    pub async fn client(&self) -> Result<Client, Error> {
        Client::builder().hosts(&self.hosts).session_timeout(LONG_SESSION).connect().await
    }

    /// Ends a session as its timeout does: its ephemeral znodes go, and its client is told of it when it comes back. Nobody has to wait, and no
    /// session is so short that a slow machine could lose it too early.
    pub async fn expire(&self, session: Option<SessionCredentials>) -> TestResult {
        let session = session.ok_or("there is no session to expire")?;
        let usurper = Client::builder().hosts(&self.hosts).session_timeout(LONG_SESSION).resume(session);
        Ok(usurper.connect().await?.close().await?)
    }

    /// Makes a persistent znode, and the test's directory above it.
    pub async fn make(&self, path: &str) -> TestResult {
        let client = self.client().await?;
        for path in [&self.root, path] {
            match client.create(path, "", CreateMode::Persistent).await {
                Err(error) if !error.is_node_exists() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(client.close().await?)
    }

    /// Lets everybody do only this with the znode: some of the letters `cdrwa`.
    pub async fn permit(&self, path: &str, letters: &str) -> TestResult {
        let perms = Perms::parse(letters).ok_or("not permissions")?;
        let client = self.client().await?;
        client.set_acl(path, vec![Acl::new(perms, "world", "anyone")], Version::Any).await?;
        Ok(client.close().await?)
    }

    /// The names of a znode's children, sorted; none when there is no such znode. From a session of its own, so that it sees what others see.
    pub async fn children(&self, path: &str) -> TestResult<Vec<String>> {
        let client = self.client().await?;
        client.sync(path).await?;
        let mut names = match client.get_children(path).await {
            Err(error) if error.is_no_node() => Vec::new(),
            names => names?,
        };
        names.sort_unstable();
        client.close().await?;
        Ok(names)
    }

    /// How many watches there are: all of them on a server of the test's own, else those on paths below the test's own.
    pub async fn watches(&self) -> TestResult<usize> {
        if self.server.is_none() {
            let paths = self.four_letter_word("wchp").await?;
            // Each path stands on a line of its own, and the sessions that watch it below it.
            let mut is_ours = false;
            return Ok(paths
                .lines()
                .filter(|line| {
                    let is_session = line.starts_with('\t');
                    is_ours = if is_session { is_ours } else { line.starts_with(&self.root) };
                    is_session && is_ours
                })
                .count());
        }
        let metrics = self.four_letter_word("mntr").await?;
        let count = metrics.lines().find_map(|line| line.strip_prefix("zk_watch_count\t"));
        Ok(count.ok_or("mntr does not tell zk_watch_count")?.trim().parse()?)
    }

    async fn four_letter_word(&self, word: &str) -> TestResult<String> {
        let mut socket = TcpStream::connect(&self.hosts).await?;
        socket.write_all(word.as_bytes()).await?;
        let mut text = String::new();
        socket.read_to_string(&mut text).await?;
        Ok(text)
    }
}
