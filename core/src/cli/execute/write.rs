//! Commands that change znodes.

use std::collections::VecDeque;

use super::super::command::Command;
use super::super::json::{StatJson, ZnodeJson};
use super::super::shell::Output;
use super::super::view::View;
use super::look::print_json;
use super::{Session, Stop};
use crate::client::{Call, CreateOptions, Error, Version};
use crate::wire::{Acl, Stat};

impl Session<'_> {
    pub(super) async fn write(&self, command: &Command, out: Output<'_>) -> Result<(), Stop> {
        match command {
            Command::Set { path, data, stat, version } => {
                let node = self.client.set_data(path, data.clone(), *version).await?;
                self.print_written(path, *stat, &node, out)
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
                if self.view.json {
                    let stat = Some(StatJson::from(&created.stat));
                    return Ok(View::json(out, &ZnodeJson { path: &created.path, stat, ..ZnodeJson::default() })?);
                }
                Ok(writeln!(out, "Created {}", created.path)?)
            }
            Command::SetAcl { path, recursive: true, acl, version, .. } => self.set_acls(path, acl, *version).await,
            Command::SetAcl { path, acl, stat, version, .. } => {
                let node = self.client.set_acl(path, acl.clone(), *version).await?;
                self.print_written(path, *stat, &node, out)
            }
            _ => Ok(()),
        }
    }

    /// With `--json` the new Stat is the answer; else it is printed if it was asked for.
    fn print_written(&self, path: &str, wanted: bool, stat: &Stat, out: Output<'_>) -> Result<(), Stop> {
        if self.view.json {
            return print_json(ZnodeJson { path, ..ZnodeJson::default() }, true, stat, out);
        }
        self.print_stat(wanted, stat, out)
    }

    async fn set_acls(&self, path: &str, acl: &[Acl], version: Version) -> Result<(), Stop> {
        let mut walk = self.client.walk(path);
        while let Some(node) = walk.next().await.transpose()? {
            self.client.set_acl(&node.path, acl.to_vec(), version).await?;
        }
        Ok(())
    }

    /// Deletes bottom up. The session's requests are executed in order, so a parent need not wait for its children's replies.
    pub(super) async fn delete_all(&self, root: &str, batch: usize) -> Result<(), Stop> {
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
}

/// What somebody else has deleted meanwhile is deleted as well.
async fn finish_delete(call: Option<Call<()>>) -> Result<(), Error> {
    match call {
        Some(call) => call.await.or_else(|error| if error.is_no_node() { Ok(()) } else { Err(error) }),
        None => Ok(()),
    }
}
