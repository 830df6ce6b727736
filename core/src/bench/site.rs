//! Where a bench works: one znode of its own, and what is below it. It remembers what it makes, because a list of so many children
//! may be longer than a frame, and before it is made, because nobody knows what becomes of a request that is given up.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::client::{Call, Client, CreateOptions, Error};
use crate::wire::CreateMode;

/// Requests under way while znodes are made and removed, outside of the measurement.
const AHEAD: usize = 512;

/// How many children one of the bench's znodes has at most where the bench may choose.
const WIDTH: u64 = 1000;

/// The znode of one run.
pub(super) struct Site {
    root: String,
    keys: AtomicU64,
    /// Each directory, and how many children it has.
    directories: std::sync::Mutex<Vec<(String, u64)>>,
}

impl Site {
    /// A place that no other run has: no two sessions of an ensemble have the same id. Nothing is there yet.
    pub(super) fn new(client: &Client) -> Self {
        let root = format!("/menagerie-bench-{:016x}", client.session_id());
        Self { root, keys: AtomicU64::new(0), directories: std::sync::Mutex::default() }
    }

    /// Makes its znode.
    pub(super) async fn create(&self, client: &Client) -> Result<(), Error> {
        client.create(&self.root, "", CreateMode::Persistent).await.map(drop)
    }

    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// The path of a key.
    pub(super) fn key(&self, number: u32) -> String {
        format!("{}/k{number}", self.root)
    }

    /// Makes the keys that get and set choose from.
    pub(super) async fn create_keys(&self, client: &Client, keys: u32, data: &bytes::Bytes) -> Result<(), Error> {
        let mut pipe = Pipe::new(AHEAD);
        for number in 0..keys {
            self.keys.store(u64::from(number) + 1, Ordering::Relaxed);
            pipe.push(client.create(&self.key(number), data.clone(), CreateOptions::default())).await?;
        }
        pipe.finish().await
    }

    /// Makes a directory for znodes that are called `n0`, `n1`…
    pub(super) async fn create_directory(&self, client: &Client, name: &str) -> Result<String, Error> {
        let path = format!("{}/{name}", self.root);
        self.note(&path, 0);
        client.create(&path, "", CreateMode::Persistent).await?;
        Ok(path)
    }

    /// Notes that a directory has so many children, `n0` and so on, some of which may be missing.
    pub(super) fn note(&self, directory: &str, children: u64) {
        let mut directories = self.directories.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match directories.iter_mut().find(|(path, _)| path == directory) {
            Some((_, count)) => *count = children,
            None => directories.push((directory.to_owned(), children)),
        }
    }

    /// Makes `znodes` of them, in directories of a thousand; `made` is called now and then with how many there are.
    pub(super) async fn fill(
        &self,
        client: &Client,
        znodes: u64,
        data: &bytes::Bytes,
        mut made: impl FnMut(u64),
    ) -> Result<(), Error> {
        let mut pipe = Pipe::new(AHEAD);
        for first in (0..znodes).step_by(WIDTH as usize) {
            let directory = self.create_directory(client, &format!("d{}", first / WIDTH)).await?;
            let width = WIDTH.min(znodes - first);
            self.note(&directory, width);
            for number in 0..width {
                let path = format!("{directory}/n{number}");
                pipe.push(client.create(&path, data.clone(), CreateOptions::default())).await?;
            }
            made(first + width);
        }
        pipe.finish().await
    }

    /// Deletes everything that is there.
    pub(super) async fn remove(&self, client: &Client) -> Result<(), Error> {
        let directories =
            std::mem::take(&mut *self.directories.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        let mut pipe = Pipe::new(AHEAD);
        for (directory, children) in &directories {
            for number in 0..*children {
                pipe.push(client.delete(&format!("{directory}/n{number}"), -1)).await?;
            }
            pipe.push(client.delete(directory, -1)).await?;
        }
        for number in 0..self.keys.load(Ordering::Relaxed) {
            pipe.push(client.delete(&format!("{}/k{number}", self.root), -1)).await?;
        }
        pipe.push(client.delete(&self.root, -1)).await?;
        pipe.finish().await
    }
}

/// Calls under way, awaited in the order in which they were made. A znode that is gone already is no error: only deletes meet that.
struct Pipe<T> {
    calls: VecDeque<Call<T>>,
    ahead: usize,
}

impl<T> Pipe<T> {
    fn new(ahead: usize) -> Self {
        Self { calls: VecDeque::with_capacity(ahead), ahead }
    }

    async fn push(&mut self, call: Call<T>) -> Result<(), Error> {
        self.calls.push_back(call);
        while self.calls.len() > self.ahead {
            self.finish_one().await?;
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<(), Error> {
        while !self.calls.is_empty() {
            self.finish_one().await?;
        }
        Ok(())
    }

    async fn finish_one(&mut self) -> Result<(), Error> {
        match self.calls.pop_front() {
            Some(call) => call.await.map(drop).or_else(|error| if error.is_no_node() { Ok(()) } else { Err(error) }),
            None => Ok(()),
        }
    }
}
