//! The second reading of an import: the znodes and their data.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::super::super::failure::Failure;
use super::super::super::progress::Progress;
use super::super::super::record::Record;
use super::{Job, Stop};
use crate::client::{Call, CreateOptions, Created, Error};
use crate::wire::{ErrorCode, Stat};

/// Requests under way at once.
const AHEAD: usize = 64;
/// Bytes of data under way at once, unless a single znode has more.
const AHEAD_BYTES: usize = 4 * 1024 * 1024;

/// A znode that is being created or looked at.
struct UnderWay {
    path: String,
    data: Vec<u8>,
    step: Step,
}

enum Step {
    Create(Call<Created>),
    /// It may be there already; why it could not be created, if that was tried.
    Compare(Call<(Bytes, Stat)>, Option<Error>),
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
            let step = if self.options.dry_run {
                Step::Compare(self.client.get_data(&path), None)
            } else {
                self.create(&record, &path, &data)?
            };
            under_way.push_back(UnderWay { path, data, step });
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

    /// Waits for the oldest of those under way; how many bytes it had, if it is done.
    async fn settle(&mut self, under_way: &mut VecDeque<UnderWay>) -> Result<usize, Stop> {
        let Some(UnderWay { path, data, step }) = under_way.pop_front() else { return Ok(0) };
        let length = data.len();
        match step {
            Step::Create(call) => match call.await {
                Ok(_) => self.count_created(length),
                // The permission to create in its parent is asked for first: it may be there, and stand below a closed znode.
                Err(error) if error.is_node_exists() || error.code() == Some(ErrorCode::NoAuth) => {
                    let step = Step::Compare(self.client.get_data(&path), Some(error));
                    under_way.push_back(UnderWay { path, data, step });
                    return Ok(0);
                }
                Err(error) => self.fail(error)?,
            },
            Step::Compare(call, why) => match (call.await, why) {
                (Ok((present, stat)), _) => self.compare(&path, data, &present, &stat).await?,
                (Err(error), None) if error.is_no_node() => self.count_created(length),
                (Err(error), Some(why)) if error.is_no_node() => self.fail(why)?,
                (Err(error), _) => self.fail(error)?,
            },
        }
        Ok(length)
    }

    fn count_created(&mut self, length: usize) {
        self.totals.created += 1;
        self.totals.bytes += length as u64;
    }

    /// A znode is there already: is it the same?
    async fn compare(&mut self, path: &str, data: Vec<u8>, present: &Bytes, stat: &Stat) -> Result<(), Stop> {
        if *present == data {
            self.totals.unchanged += 1;
            return Ok(());
        }
        if !self.options.overwrite {
            self.conflict(path, "data");
            return Ok(());
        }
        if !self.options.dry_run
            && let Err(error) = self.client.set_data(path, data, stat.version).await
        {
            return self.fail(error);
        }
        self.totals.updated += 1;
        Ok(())
    }
}
