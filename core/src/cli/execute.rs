//! Runs the commands that need a server: calls of the client, and what they print.

use std::collections::VecDeque;
use std::io;

use super::command::{Command, DataForm};
use super::failure::Failure;
use super::shell::Output;
use super::watches::{Looks, Watches};
use super::{acl, format};
use crate::client::{Call, Client, CreateOptions, Error};
use crate::wire::Stat;

/// What a command works on.
pub(super) struct Session<'a> {
    pub(super) client: &'a Client,
    pub(super) watches: &'a mut Watches,
    /// Whether output goes to a terminal, which must be kept from control characters.
    pub(super) for_terminal: bool,
}

/// Why a command stopped.
enum Stop {
    Call(Error),
    /// The znode that the command is about is not there, and no call failed.
    Missing,
    Output(io::Error),
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
            _ => self.other(command, out).await,
        };
        done.map_err(|stop| match stop {
            Stop::Call(error) => Failure::of_call(command, error),
            Stop::Missing => Failure::missing(command),
            Stop::Output(error) => error.into(),
        })
    }

    async fn look(&mut self, command: &Command, out: Output<'_>) -> Result<(), Stop> {
        match command {
            Command::Ls { path, recursive: true, watch, .. } => {
                if *watch {
                    self.children(path, true).await?;
                }
                self.list_all(path, out).await?;
            }
            Command::Ls { path, stat, watch, .. } => {
                let (names, node) = self.children(path, *watch).await?;
                out.write_all(format::names(names).as_bytes())?;
                print_stat(*stat, &node, out)?;
            }
            Command::Get { path, stat, watch, form } => {
                let (data, node) = self.data(path, *watch).await?;
                out.write_all(&self.show(&data, *form))?;
                print_stat(*stat, &node, out)?;
            }
            Command::Stat { path, watch } => self.stat(path, *watch, out).await?,
            Command::GetAcl { path, stat } => {
                let (acl, node) = self.client.get_acl(path).await?;
                out.write_all(acl::print(&acl).as_bytes())?;
                print_stat(*stat, &node, out)?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn children(&mut self, path: &str, watch: bool) -> Result<(Vec<String>, Stat), Error> {
        if !watch {
            return self.client.get_children_with_stat(path).await;
        }
        let (names, stat, watch) = self.client.get_children_and_watch(path).await?;
        self.watches.add(path, Looks::Children, watch);
        Ok((names, stat))
    }

    async fn data(&mut self, path: &str, watch: bool) -> Result<(bytes::Bytes, Stat), Error> {
        if !watch {
            return self.client.get_data(path).await;
        }
        let (data, stat, watch) = self.client.get_data_and_watch(path).await?;
        self.watches.add(path, Looks::Data, watch);
        Ok((data, stat))
    }

    /// A znode that is missing is a failure here, as in the reference, although the watch for its creation is set.
    async fn stat(&mut self, path: &str, watch: bool, out: Output<'_>) -> Result<(), Stop> {
        let stat = if watch {
            let (stat, watch) = self.client.exists_and_watch(path).await?;
            self.watches.add(path, Looks::Data, watch);
            stat
        } else {
            self.client.exists(path).await?
        };
        match stat {
            Some(stat) => print_stat(true, &stat, out),
            None => Err(Stop::Missing),
        }
    }

    fn show(&self, data: &[u8], form: DataForm) -> Vec<u8> {
        use base64::Engine;
        match form {
            DataForm::Text => format::text(data, self.for_terminal),
            DataForm::Base64 => (base64::engine::general_purpose::STANDARD.encode(data) + "\n").into_bytes(),
            DataForm::HexDump => format::hex_dump(data).into_bytes(),
        }
    }

    async fn list_all(&self, path: &str, out: Output<'_>) -> Result<(), Stop> {
        let mut walk = self.client.walk(path);
        while let Some(node) = walk.next().await.transpose()? {
            writeln!(out, "{}", node.path)?;
        }
        Ok(())
    }

    async fn write(&self, command: &Command, out: Output<'_>) -> Result<(), Stop> {
        match command {
            Command::Set { path, data, stat, version } => {
                let node = self.client.set_data(path, data.clone(), *version).await?;
                print_stat(*stat, &node, out)?;
            }
            Command::Create { path, data, mode, ttl, acl } => {
                let mut options = CreateOptions::new(*mode);
                if let Some(ttl) = ttl {
                    options = options.ttl(*ttl);
                }
                if let Some(acl) = acl {
                    options = options.acl(acl.clone());
                }
                let created = self.client.create(path, data.clone(), options).await?;
                writeln!(out, "Created {}", created.path)?;
            }
            Command::SetAcl { path, recursive: true, acl, version, .. } => {
                let mut walk = self.client.walk(path);
                while let Some(node) = walk.next().await.transpose()? {
                    self.client.set_acl(&node.path, acl.clone(), *version).await?;
                }
            }
            Command::SetAcl { path, acl, stat, version, .. } => {
                let node = self.client.set_acl(path, acl.clone(), *version).await?;
                print_stat(*stat, &node, out)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Deletes bottom up. The session's requests are executed in order, so a parent need not wait for its children's replies.
    async fn delete_all(&self, root: &str, batch: usize) -> Result<(), Stop> {
        let mut paths = Vec::new();
        let mut walk = self.client.walk(root);
        while let Some(node) = walk.next().await.transpose()? {
            paths.push(node.path);
        }
        let mut under_way: VecDeque<Call<()>> = VecDeque::new();
        for path in paths.iter().rev() {
            if under_way.len() >= batch {
                finish_delete(under_way.pop_front()).await?;
            }
            under_way.push_back(self.client.delete(path, -1));
        }
        while !under_way.is_empty() {
            finish_delete(under_way.pop_front()).await?;
        }
        Ok(())
    }

    async fn other(&mut self, command: &Command, out: Output<'_>) -> Result<(), Stop> {
        match command {
            Command::Sync { path } => {
                self.client.sync(path).await?;
                writeln!(out, "Sync is OK")?;
            }
            Command::AddAuth { scheme, auth } => self.client.add_auth(scheme, auth.clone()).await?,
            Command::GetEphemerals { prefix } => {
                let paths = self.client.get_ephemerals(prefix).await?;
                out.write_all(format::names(paths).as_bytes())?;
            }
            Command::GetAllChildrenNumber { path } => {
                let number = self.client.get_all_children_number(path).await?;
                writeln!(out, "{number}")?;
            }
            Command::WhoAmI => {
                writeln!(out, "Auth scheme: User")?;
                for identity in self.client.who_am_i().await? {
                    writeln!(out, "{}: {}", identity.auth_scheme, identity.user)?;
                }
            }
            Command::AddWatch { path, mode } => {
                let watch = self.client.watch(path, *mode).await?;
                self.watches.add_persistent(path, watch);
            }
            _ => {}
        }
        Ok(())
    }
}

/// What somebody else has deleted meanwhile is deleted as well.
async fn finish_delete(call: Option<Call<()>>) -> Result<(), Error> {
    match call {
        Some(call) => call.await.or_else(|error| if error.is_no_node() { Ok(()) } else { Err(error) }),
        None => Ok(()),
    }
}

fn print_stat(wanted: bool, stat: &Stat, out: Output<'_>) -> Result<(), Stop> {
    if wanted {
        out.write_all(format::stat(stat).as_bytes())?;
    }
    Ok(())
}
