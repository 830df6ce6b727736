//! Commands that look at one znode, or ask one question.

use serde_json::json;

use super::super::acl;
use super::super::command::{Command, DataForm};
use super::super::format;
use super::super::json::{self, DataJson, StatJson, ZnodeJson};
use super::super::shell::Output;
use super::super::view::View;
use super::super::watches::Looks;
use super::{Session, Stop};
use crate::client::Error;
use crate::wire::Stat;

impl Session<'_> {
    pub(super) async fn look(&mut self, command: &Command, out: Output<'_>) -> Result<(), Stop> {
        match command {
            Command::Ls { path, recursive: true, watch, .. } => {
                if *watch {
                    self.children(path, true).await?;
                }
                self.list_all(path, out).await
            }
            Command::Ls { path, stat, watch, .. } => {
                let (mut names, node) = self.children(path, *watch).await?;
                if self.view.json {
                    names.sort_unstable();
                    let children = Some(names);
                    return print_json(ZnodeJson { path, children, ..ZnodeJson::default() }, *stat, &node, out);
                }
                out.write_all(format::names(names).as_bytes())?;
                self.print_stat(*stat, &node, out)
            }
            Command::Get { path, stat, watch, form } => {
                let (data, node) = self.data(path, *watch).await?;
                if self.view.json {
                    let data = if *form == DataForm::Text { DataJson::of(&data) } else { DataJson::base64(&data) };
                    let data = Some(data);
                    return print_json(ZnodeJson { path, data, ..ZnodeJson::default() }, *stat, &node, out);
                }
                out.write_all(&self.show(&data, *form))?;
                self.print_stat(*stat, &node, out)
            }
            Command::Stat { path, watch } => self.stat(path, *watch, out).await,
            Command::GetAcl { path, stat } => {
                let (acl, node) = self.client.get_acl(path).await?;
                if self.view.json {
                    let acl = Some(json::acl(&acl));
                    return print_json(ZnodeJson { path, acl, ..ZnodeJson::default() }, *stat, &node, out);
                }
                out.write_all(acl::print(&acl).as_bytes())?;
                self.print_stat(*stat, &node, out)
            }
            _ => Ok(()),
        }
    }

    /// Questions whose answer is a list or a number.
    pub(super) async fn ask(&mut self, command: &Command, out: Output<'_>) -> Result<(), Stop> {
        match command {
            Command::GetEphemerals { prefix } => {
                let mut paths = self.client.get_ephemerals(prefix).await?;
                if self.view.json {
                    paths.sort_unstable();
                    View::json(out, &json!({ "ephemerals": paths }))?;
                } else {
                    out.write_all(format::names(paths).as_bytes())?;
                }
            }
            Command::GetAllChildrenNumber { path } => {
                let number = self.client.get_all_children_number(path).await?;
                if self.view.json {
                    View::json(out, &json!({ "path": path, "number": number }))?;
                } else {
                    writeln!(out, "{number}")?;
                }
            }
            Command::WhoAmI => {
                let identities = self.client.who_am_i().await?;
                if self.view.json {
                    let identity =
                        |id: &crate::wire::proto::ClientInfo| json!({ "scheme": id.auth_scheme, "user": id.user });
                    let identities: Vec<_> = identities.iter().map(identity).collect();
                    View::json(out, &json!({ "identities": identities }))?;
                    return Ok(());
                }
                writeln!(out, "Auth scheme: User")?;
                for identity in identities {
                    writeln!(out, "{}: {}", identity.auth_scheme, identity.user)?;
                }
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
            Some(stat) if self.view.json => print_json(ZnodeJson { path, ..ZnodeJson::default() }, true, &stat, out),
            Some(stat) => self.print_stat(true, &stat, out),
            None => Err(Stop::Missing),
        }
    }

    fn show(&self, data: &[u8], form: DataForm) -> Vec<u8> {
        use base64::Engine;
        match form {
            DataForm::Text => format::text(data, self.view.for_terminal),
            DataForm::Base64 => (base64::engine::general_purpose::STANDARD.encode(data) + "\n").into_bytes(),
            DataForm::HexDump => format::hex_dump(data).into_bytes(),
        }
    }

    async fn list_all(&self, path: &str, out: Output<'_>) -> Result<(), Stop> {
        let mut walk = self.client.walk(path);
        while let Some(node) = walk.next().await.transpose()? {
            if self.view.json {
                View::json(out, &ZnodeJson { path: &node.path, ..ZnodeJson::default() })?;
            } else {
                writeln!(out, "{}", node.path)?;
            }
        }
        Ok(())
    }

    /// Prints a Stat if it was asked for.
    pub(super) fn print_stat(&self, wanted: bool, stat: &Stat, out: Output<'_>) -> Result<(), Stop> {
        if wanted && self.view.for_terminal {
            let now = jiff::Timestamp::now().as_millisecond();
            let table = format::stat_table(stat, self.view.style, now, self.client.session_id());
            out.write_all(table.as_bytes())?;
        } else if wanted {
            out.write_all(format::stat(stat).as_bytes())?;
        }
        Ok(())
    }
}

/// Prints a znode as JSON, with its Stat if that was asked for.
pub(super) fn print_json(mut znode: ZnodeJson<'_>, with_stat: bool, stat: &Stat, out: Output<'_>) -> Result<(), Stop> {
    znode.stat = with_stat.then(|| StatJson::from(stat));
    Ok(View::json(out, &znode)?)
}
