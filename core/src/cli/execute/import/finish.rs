//! The third reading of an import: access lists, and where sequential names go on.

use std::collections::VecDeque;

use super::super::super::failure::Failure;
use super::super::super::record::{Record, counter};
use super::super::diff::is_same_acl;
use super::{Job, Stop, counting_znode};
use crate::client::{Call, CreateOptions, Error, Version};
use crate::wire::{Acl, Stat};

/// Requests under way at once.
const AHEAD: usize = 64;
/// How many children are created and deleted in one transaction to count on.
const BATCH: u32 = 100;
/// How far a counter is moved at most.
const MOST: u32 = 1_000_000;

struct UnderWay {
    record: Record,
    path: String,
    call: Call<(Vec<Acl>, Stat)>,
}

impl Job<'_> {
    pub(super) async fn finish_all(&mut self) -> Result<(), Stop> {
        let mut reader = self.file.open()?;
        let mut under_way: VecDeque<UnderWay> = VecDeque::new();
        while let Some((record, path)) = self.next_of(&mut reader)? {
            if under_way.len() >= AHEAD {
                self.finish_one(under_way.pop_front()).await?;
            }
            let call = self.client.get_acl(&path);
            under_way.push_back(UnderWay { record, path, call });
        }
        while !under_way.is_empty() {
            self.finish_one(under_way.pop_front()).await?;
        }
        Ok(())
    }

    async fn finish_one(&mut self, next: Option<UnderWay>) -> Result<(), Stop> {
        let Some(UnderWay { record, path, call }) = next else { return Ok(()) };
        let (present, stat) = match call.await {
            Ok(answer) => answer,
            // It failed before, or would be created.
            Err(error) if error.is_no_node() => return Ok(()),
            Err(error) => return self.fail(error),
        };
        let target = if self.options.counters { record.counter } else { 0 };
        if let Err(error) = self.count_on(&path, &stat, target).await {
            self.fail(error)?;
        }
        let wanted = record.acl().map_err(Failure::refused)?;
        if is_same_acl(&present, &wanted) {
            return Ok(());
        }
        let is_interim = self.interim.as_deref().is_some_and(|interim| is_same_acl(interim, &present));
        if !is_interim && !self.options.overwrite {
            self.conflict(&path, "access list");
            return Ok(());
        }
        if self.options.dry_run {
            return Ok(());
        }
        match self.client.set_acl(&path, wanted, stat.aversion).await {
            Ok(_) => Ok(()),
            Err(error) => self.fail(error),
        }
    }

    /// Creates and deletes children until the next sequential name has the number it would have had.
    async fn count_on(&self, path: &str, stat: &Stat, target: u32) -> Result<(), Error> {
        let mut left = target.saturating_sub(counter(stat.cversion, stat.num_children));
        if left > MOST {
            eprintln!("warning: the counter of {path} is {left} behind, and is left as it is");
            return Ok(());
        }
        let name = counting_znode(path);
        while left > 0 && !self.options.dry_run {
            let batch = left.min(BATCH);
            let mut multi = self.client.multi();
            for _ in 0..batch {
                multi = multi.create(&name, "", CreateOptions::default()).delete(&name, Version::Any);
            }
            multi.commit().await?;
            left -= batch;
        }
        Ok(())
    }
}
