//! The second reading of an import: the znodes and their data.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::super::failure::Failure;
use super::super::super::progress::Progress;
use super::super::super::record::Record;
use super::{Job, Stop};
use crate::client::{Call, CreateOptions, Created, Error};

/// Requests under way at once.
const AHEAD: usize = 64;
/// Bytes of data under way at once, unless a single znode has more.
const AHEAD_BYTES: usize = 4 * 1024 * 1024;

/// A znode that is being created.
struct UnderWay {
    path: String,
    data: Vec<u8>,
    call: Step,
}

enum Step {
    Create(Call<Created>),
    /// Of a dry run: whether it is there.
    Look,
}

impl Job<'_> {
    pub(super) async fn create_all(&mut self) -> Result<(), Stop> {
        if !self.options.ephemerals {
            self.totals.skipped = self.file.ephemerals;
        }
        let mut reader = self.file.open()?;
        let mut progress = Progress::new("importing");
        let mut under_way: VecDeque<UnderWay> = VecDeque::new();
        let mut bytes = 0;
        while let Some((record, path)) = self.next_of(&mut reader)? {
            while under_way.len() >= AHEAD || (bytes > AHEAD_BYTES && !under_way.is_empty()) {
                bytes -= self.settle(&mut under_way).await?;
            }
            let data = record.data().map_err(Failure::refused)?;
            bytes += data.len();
            let call = if self.options.dry_run { Step::Look } else { self.create(&record, &path, &data)? };
            under_way.push_back(UnderWay { path, data, call });
            progress.tell(self.totals.created, self.totals.bytes);
        }
        while !under_way.is_empty() {
            self.settle(&mut under_way).await?;
        }
        Ok(())
    }

    fn create(&self, record: &Record, path: &str, data: &[u8]) -> Result<Step, Failure> {
        let acl = record.acl().map_err(Failure::refused)?;
        let mut options = CreateOptions::new(record.mode());
        if let Some(ttl) = record.ttl {
            options = options.ttl(Duration::from_millis(ttl));
        }
        if acl != crate::wire::Acl::open() {
            options = options.acl(self.interim.clone().unwrap_or(acl));
        }
        Ok(Step::Create(self.client.create(path, data.to_vec(), options)))
    }

    /// Waits for the oldest of those under way; how many bytes it had.
    async fn settle(&mut self, under_way: &mut VecDeque<UnderWay>) -> Result<usize, Stop> {
        let Some(UnderWay { path, data, call }) = under_way.pop_front() else { return Ok(0) };
        let length = data.len();
        let outcome = match call {
            Step::Create(call) => call.await.map(|_| ()),
            Step::Look => match self.client.exists(&path).await? {
                Some(_) => return self.compare(&path, data).await.map(|()| length),
                None => Ok(()),
            },
        };
        match outcome {
            Ok(()) => {
                self.totals.created += 1;
                self.totals.bytes += length as u64;
            }
            Err(error) if error.is_node_exists() => self.compare(&path, data).await?,
            Err(error) => self.fail(error)?,
        }
        Ok(length)
    }

    /// A znode is there already: is it the same?
    async fn compare(&mut self, path: &str, data: Vec<u8>) -> Result<(), Stop> {
        match self.overwrite(path, data).await {
            Ok(Existing::Same) => self.totals.unchanged += 1,
            Ok(Existing::Overwritten) => self.totals.updated += 1,
            Ok(Existing::Different) => self.conflict(path, "data"),
            Err(error) => self.fail(error)?,
        }
        Ok(())
    }

    async fn overwrite(&self, path: &str, data: Vec<u8>) -> Result<Existing, Error> {
        let (present, stat) = self.client.get_data(path).await?;
        if present == data {
            return Ok(Existing::Same);
        }
        if !self.options.overwrite {
            return Ok(Existing::Different);
        }
        if !self.options.dry_run {
            self.client.set_data(path, data, stat.version).await?;
        }
        Ok(Existing::Overwritten)
    }
}

enum Existing {
    Same,
    Different,
    Overwritten,
}
