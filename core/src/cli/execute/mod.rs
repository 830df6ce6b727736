//! Runs the commands that need a server: calls of the client, and what they print.

mod diff;
mod ensemble;
mod export;
mod find;
mod import;
mod look;
mod pick;
mod quota;
mod tree;
mod write;

use std::io;

use super::command::Command;
use super::contents::is_denied;
use super::failure::Failure;
use super::options::Options;
use super::shell::Output;
use super::view::View;
use super::watches::Watches;
use crate::client::{Client, CreateOptions, Error};

/// What a command works on.
pub(super) struct Session<'a> {
    pub(super) client: &'a Client,
    pub(super) watches: &'a mut Watches,
    pub(super) options: &'a Options,
    pub(super) view: View,
}

/// Why a command stopped.
enum Stop {
    Call(Error),
    /// The znode that the command is about is not there, and no call failed.
    Missing,
    Output(io::Error),
    /// It was understood, and is not to be done.
    Refused(String),
    Other(Failure),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Call(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl Session<'_> {
    /// Runs a command. Those that need no server do nothing here.
    pub(super) async fn run(&mut self, command: &Command, out: Output<'_>) -> Result<(), Failure> {
        let done = match command {
            Command::Ls { .. } | Command::Get { .. } | Command::Stat { .. } | Command::GetAcl { .. } => {
                self.look(command, out).await
            }
            Command::Set { .. } | Command::SetAcl { .. } | Command::Create { .. } => self.write(command, out).await,
            Command::Delete { path, version } => self.client.delete(path, *version).await.map_err(Stop::from),
            Command::DeleteAll { path, batch } => self.delete_all(path, *batch).await,
            Command::Tree { path, depth, stat } => self.tree(path, *depth, *stat, out).await,
            Command::Find { path, wanted, stat } => self.find(path, wanted, *stat, out).await,
            Command::Diff(diff) => self.diff(diff, out).await,
            Command::Export(export) => self.export(export, out).await,
            Command::Import(import) => self.import(import, out).await,
            Command::ListQuota { path } => self.list_quota(path, out).await,
            Command::SetQuota { path, limits } => self.set_quota(path, limits).await,
            Command::DelQuota { path, only } => self.delete_quota(path, only).await,
            Command::Config { client, watch, stat } => self.config(*client, *watch, *stat, out).await,
            Command::Reconfig(reconfig) => self.reconfig(reconfig, out).await,
            _ => self.other(command, out).await,
        };
        done.map_err(|stop| match stop {
            Stop::Call(error) => Failure::of_call(command, error),
            Stop::Missing => Failure::missing(command),
            Stop::Output(error) => error.into(),
            Stop::Refused(why) => Failure::refused(why),
            Stop::Other(failure) => failure,
        })
    }

    async fn other(&mut self, command: &Command, out: Output<'_>) -> Result<(), Stop> {
        match command {
            Command::Sync { path } => {
                self.client.sync(path).await?;
                writeln!(out, "Sync is OK")?;
            }
            Command::AddAuth { scheme, auth } => self.client.add_auth(scheme, auth.clone()).await?,
            Command::AddWatch { path, mode } => {
                let watch = self.client.watch(path, *mode).await?;
                self.watches.add_persistent(path, watch);
            }
            _ => self.ask(command, out).await?,
        }
        Ok(())
    }
}

/// Creates a persistent znode without data where it is missing. It may be there below a closed znode: a server asks for the permission to
/// create before it looks.
async fn create_missing(client: &Client, path: &str) -> Result<(), Error> {
    match client.create(path, "", CreateOptions::default()).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_node_exists() => Ok(()),
        Err(error) if is_denied(&error) => client.exists(path).await?.map(|_| ()).ok_or(error),
        Err(error) => Err(error),
    }
}
