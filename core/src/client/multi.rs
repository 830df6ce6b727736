//! Several operations in one request: writes that are applied together or not at all, and reads that share a round trip
//! (protocol §2.8).

use bytes::Bytes;

use crate::wire::proto::{MultiOp, MultiRequest, MultiResponse, MultiResult, PathRequest, PathVersion, SetDataRequest};
use crate::wire::{ErrorCode, OpCode, Stat, path};

use super::call::{Call, Meta};
use super::error::Cause;
use super::reads::own_data;
use super::request::Answer;
use super::writes::CreateRecord;
use super::{Client, CreateOptions, Error, Version};

/// Writes to be made as one transaction; see [`Client::multi`].
#[derive(Debug)]
#[must_use = "nothing is sent before `commit`"]
pub struct Multi {
    client: Client,
    operations: Operations,
}

/// Reads to be made in one round trip; see [`Client::multi_read`].
#[derive(Debug)]
#[must_use = "nothing is sent before `commit`"]
pub struct MultiRead {
    client: Client,
    operations: Operations,
}

/// The operations so far, or the first one that cannot be sent.
type Operations = Result<Vec<MultiOp>, Error>;

/// The outcome of one operation of a [`Multi`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MultiOutcome {
    /// The znode was created.
    Created {
        /// Its path, with the number of a sequential name.
        path: String,
        /// Its Stat; servers before 3.8.2 do not tell it.
        stat: Option<Stat>,
    },
    /// The data were set.
    Set {
        /// The znode's new Stat.
        stat: Stat,
    },
    /// The znode was deleted.
    Deleted,
    /// The version was the expected one.
    Checked,
}

/// The outcome of one operation of a [`MultiRead`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MultiReadOutcome {
    /// A znode's data.
    Data {
        /// The data; null reads as empty.
        data: Bytes,
        /// The znode's Stat.
        stat: Stat,
    },
    /// A znode's children.
    Children {
        /// Their names, in no particular order.
        children: Vec<String>,
    },
}

impl Client {
    /// Starts a transaction: its writes are applied together or not at all, and later ones see the effects of earlier ones.
    pub fn multi(&self) -> Multi {
        Multi { client: self.clone(), operations: Ok(Vec::new()) }
    }

    /// Starts a batch of reads, each of which may fail on its own. Servers since 3.6.
    pub fn multi_read(&self) -> MultiRead {
        MultiRead { client: self.clone(), operations: Ok(Vec::new()) }
    }
}

impl Multi {
    /// Demands that the znode exists and has this version.
    pub fn check(self, path: &str, version: impl Into<Version>) -> Self {
        let version = version.into().code();
        self.with(path, |path| MultiOp::Check(PathVersion { path, version }))
    }

    /// Creates a znode; see [`Client::create`].
    pub fn create(mut self, path: &str, data: impl Into<Bytes>, options: impl Into<CreateOptions>) -> Self {
        let record = self.client.create_record(path, data.into(), options.into());
        self.operations = self.operations.and_then(|mut operations| {
            operations.push(match record? {
                (op, CreateRecord::Plain(record)) => MultiOp::Create(op, record),
                (_, CreateRecord::Ttl(record)) => MultiOp::CreateTtl(record),
            });
            Ok(operations)
        });
        self
    }

    /// Sets a znode's data; see [`Client::set_data`].
    pub fn set_data(self, path: &str, data: impl Into<Bytes>, version: impl Into<Version>) -> Self {
        let (data, version) = (Some(data.into()), version.into().code());
        self.with(path, |path| MultiOp::SetData(SetDataRequest { path, data, version }))
    }

    /// Deletes a znode; see [`Client::delete`].
    pub fn delete(self, path: &str, version: impl Into<Version>) -> Self {
        let version = version.into().code();
        self.with(path, |path| MultiOp::Delete(PathVersion { path, version }))
    }

    /// Queues the transaction. Its outcomes stand in the order of the operations. When one fails, none is applied, and
    /// [`Error::multi_failure`] says which and why, [`Error::multi_codes`] what became of each. A transaction without operations succeeds.
    pub fn commit(self) -> Call<Vec<MultiOutcome>> {
        match self.operations {
            Ok(ops) => self.client.write(OpCode::Multi, "", MultiRequest { ops }, outcomes),
            Err(error) => Call::failed(error),
        }
    }

    fn with(mut self, path: &str, operation: impl FnOnce(String) -> MultiOp) -> Self {
        self.operations = add(&self.client, self.operations, path, operation);
        self
    }
}

impl MultiRead {
    /// Reads a znode's data and Stat.
    pub fn get_data(self, path: &str) -> Self {
        self.with(path, |path| MultiOp::GetData(PathRequest { path, watch: false }))
    }

    /// Reads the names of a znode's children.
    pub fn get_children(self, path: &str) -> Self {
        self.with(path, |path| MultiOp::GetChildren(PathRequest { path, watch: false }))
    }

    /// Queues the reads. Their outcomes stand in the order of the operations.
    pub fn commit(self) -> Call<Vec<Result<MultiReadOutcome, Error>>> {
        match self.operations {
            Ok(ops) => self.client.read(OpCode::MultiRead, "", MultiRequest { ops }, read_outcomes),
            Err(error) => Call::failed(error),
        }
    }

    fn with(mut self, path: &str, operation: impl FnOnce(String) -> MultiOp) -> Self {
        self.operations = add(&self.client, self.operations, path, operation);
        self
    }
}

fn add(client: &Client, so_far: Operations, path: &str, operation: impl FnOnce(String) -> MultiOp) -> Operations {
    let mut operations = so_far?;
    path::validate(path)
        .map_err(|error| Error::invalid(format_args!("operation {}, {path:?}: {error}", operations.len())))?;
    operations.push(operation(client.chroot.outward(path).into_owned()));
    Ok(operations)
}

fn outcomes(meta: &mut Meta, answer: Answer) -> Result<Vec<MultiOutcome>, Error> {
    let results = meta.decode::<MultiResponse>(answer)?.results;
    // Every result of a failed multi is an error; the culprit is the one that is neither "not reached" nor "was fine".
    let code = |result: &MultiResult| match result {
        MultiResult::Error { err } => ErrorCode::from_i32(*err),
        _ => ErrorCode::Ok,
    };
    let culprit = results
        .iter()
        .map(code)
        .enumerate()
        .find(|(_, code)| !matches!(code, ErrorCode::Ok | ErrorCode::RuntimeInconsistency));
    if let Some((index, culprit)) = culprit {
        let codes = results.iter().map(code).collect();
        return Err(meta.error(Cause::Multi { index, code: culprit, codes }));
    }
    results
        .into_iter()
        .map(|result| match result {
            MultiResult::Created { path, stat } => Ok(MultiOutcome::Created { path: meta.chroot.inward(path), stat }),
            MultiResult::DataSet { stat } => Ok(MultiOutcome::Set { stat }),
            MultiResult::Deleted => Ok(MultiOutcome::Deleted),
            MultiResult::Checked => Ok(MultiOutcome::Checked),
            MultiResult::Error { .. } | MultiResult::Data { .. } | MultiResult::Children { .. } => {
                Err(meta.error(Cause::Code { code: ErrorCode::RuntimeInconsistency, write: true }))
            }
        })
        .collect()
}

fn read_outcomes(meta: &mut Meta, answer: Answer) -> Result<Vec<Result<MultiReadOutcome, Error>>, Error> {
    let results = meta.decode::<MultiResponse>(answer)?.results;
    let outcome = |result| {
        let code = match result {
            MultiResult::Data { data, stat } => return Ok(MultiReadOutcome::Data { data: own_data(data), stat }),
            MultiResult::Children { children } => return Ok(MultiReadOutcome::Children { children }),
            MultiResult::Error { err } => ErrorCode::from_i32(err),
            _ => ErrorCode::RuntimeInconsistency,
        };
        Err(meta.error(Cause::Code { code, write: false }))
    };
    Ok(results.into_iter().map(outcome).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::client::chroot::Chroot;
    use crate::jute::Encode;

    fn meta() -> Meta {
        let chroot = Chroot::root().below("/app").unwrap();
        Meta { op: OpCode::Multi, path: "".into(), write: true, chroot, registration: None }
    }

    fn reply(results: Vec<MultiResult>) -> Bytes {
        MultiResponse { results }.to_bytes()
    }

    #[test]
    fn a_failed_multi_names_the_operation_that_failed() {
        let errors = [0, -103, -2].map(|err| MultiResult::Error { err }).to_vec();
        let error = outcomes(&mut meta(), Ok(reply(errors))).unwrap_err();
        assert_eq!(error.multi_failure(), Some((1, ErrorCode::BadVersion)));
        let codes = [ErrorCode::Ok, ErrorCode::BadVersion, ErrorCode::RuntimeInconsistency];
        assert_eq!(error.multi_codes(), Some(&codes[..]));
        assert!(!error.may_have_applied());
    }

    #[test]
    fn outcomes_keep_their_order_and_lose_the_chroot() {
        let results = vec![
            MultiResult::Created { path: "/app/a".into(), stat: None },
            MultiResult::Checked,
            MultiResult::DataSet { stat: Stat::default() },
            MultiResult::Deleted,
        ];
        let expected = vec![
            MultiOutcome::Created { path: "/a".into(), stat: None },
            MultiOutcome::Checked,
            MultiOutcome::Set { stat: Stat::default() },
            MultiOutcome::Deleted,
        ];
        assert_eq!(outcomes(&mut meta(), Ok(reply(results))).unwrap(), expected);
    }

    #[test]
    fn reads_fail_one_by_one() {
        let results = vec![MultiResult::Error { err: -101 }, MultiResult::Children { children: vec!["x".into()] }];
        let outcomes = read_outcomes(&mut meta(), Ok(reply(results))).unwrap();
        assert!(outcomes[0].as_ref().unwrap_err().is_no_node());
        assert_eq!(outcomes[1].as_ref().unwrap(), &MultiReadOutcome::Children { children: vec!["x".into()] });
    }
}
