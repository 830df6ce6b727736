//! The master–worker flow: clients hand in tasks, one elected master assigns them, workers do them. It never knows what tasks are about.
//!
//! ```text
//! /master                           ephemeral: who is in charge
//! /workers/<name>                   ephemeral: who is there
//! /tasks/task-0000000000            persistent, sequential: what is to be done
//! /tasks/task-0000000000/status     ... and how it ended
//! /assign/<worker>/task-0000000000  who does what
//! ```
//!
//! * **Guarantee.** Each task gets exactly one result, whoever dies when, and a worker that comes back late cannot overwrite it. Work may be
//!   *begun* more than once: it has to be, when a worker dies over it.
//! * **How.** Every step is one transaction that checks what it relies on:
//!
//! | step | by | checks | changes |
//! | --- | --- | --- | --- |
//! | hand in | client | a GUID in the data, when the reply was lost | creates the task |
//! | assign | master | `/master`, the version of `/assign` (rises with each master), task, worker | creates the assignment |
//! | finish | worker | its assignment | creates the status, deletes the assignment |
//! | reassign | master | as for assign | deletes the old assignment, creates the new one |
//! | collect | client | – | deletes status and task |
//!
//! ```
//! use bytes::Bytes;
//! use menagerie_recipes::codec::Text;
//! use menagerie_recipes::master_worker::{Handler, Master, Task, TaskClient, TaskFailure, Worker};
//! # use menagerie_core::{client::Client, embedded::Server};
//!
//! struct Square;
//!
//! #[async_trait::async_trait]
//! impl Handler for Square {
//!     async fn handle(&self, task: &Task) -> Result<Bytes, TaskFailure> {
//!         let number: i64 = task.decode(&Text)?.parse()?;
//!         Ok((number * number).to_string().into())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = Server::start().await?;
//! # let client = Client::connect(server.connect_string()).await?;
//! // In three programs, really.
//! let master = tokio::spawn(Master::on(&client).run());
//! let worker = tokio::spawn(Worker::on(&client).name("worker1").handler("square", Square).run());
//!
//! let task = TaskClient::on(&client).submit("square", "12").await?;
//! assert_eq!(task.await?.output, "144");
//! # master.abort();
//! # worker.abort();
//! # Ok(())
//! # }
//! ```

mod client;
mod event;
mod execution;
mod handle;
mod handler;
mod layout;
mod master;
mod plan;
mod record;
mod status;
mod strategy;
mod view;
mod worker;

pub use client::TaskClient;
pub use event::{MasterEvent, WorkerEvent};
pub use handle::{Completed, TaskHandle};
pub use handler::{Handler, Task, TaskFailure};
pub use master::Master;
pub use status::TaskStatus;
pub use strategy::{Candidate, LeastLoaded, RoundRobin, Strategy};
pub use worker::Worker;

/// This host's name, which is what masters and workers call themselves unless told otherwise.
fn host_name() -> String {
    #[expect(clippy::disallowed_methods, reason = "the kernel's answer, not a file of anybody's data")]
    let named = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = named.or_else(|| std::env::var("HOSTNAME").ok()).or_else(|| std::env::var("COMPUTERNAME").ok());
    named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned())
}
