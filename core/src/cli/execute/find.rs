//! `find`: the znodes of a subtree that are as asked.

use super::super::contents::{Content, Contents, denied_path};
use super::super::find::Wanted;
use super::super::format;
use super::super::json::ZnodeJson;
use super::super::shell::Output;
use super::look::print_json;
use super::{Session, Stop, pick};
use crate::wire::Stat;

impl Session<'_> {
    pub(super) async fn find(&self, root: &str, wanted: &Wanted, with_stat: bool, out: Output<'_>) -> Result<(), Stop> {
        let denied = if wanted.contains.is_some() {
            self.find_in_data(root, wanted, with_stat, out).await?
        } else {
            self.find_by_stat(root, wanted, with_stat, out).await?
        };
        match denied {
            0 => Ok(()),
            _ => Err(Stop::Refused(format!("{denied} znode(s) may not be read, and were not looked at"))),
        }
    }

    async fn find_by_stat(&self, root: &str, wanted: &Wanted, full: bool, out: Output<'_>) -> Result<u64, Stop> {
        let mut walk = self.client.walk(root);
        let mut denied = 0;
        while let Some(node) = walk.next().await {
            match node {
                Ok(node) if self.is_like(&node.path, &node.stat, wanted) => {
                    self.print_found(&node.path, &node.stat, full, out)?;
                }
                Ok(_) => {}
                Err(error) => {
                    denied_path(error)?;
                    denied += 1;
                }
            }
        }
        Ok(denied)
    }

    async fn find_in_data(&self, root: &str, wanted: &Wanted, full: bool, out: Output<'_>) -> Result<u64, Stop> {
        let mut contents = Contents::new(self.client, root);
        let mut denied = 0;
        while let Some(content) = contents.next().await? {
            match content {
                Content::Znode(znode) => {
                    if self.is_like(&znode.path, &znode.stat, wanted) && wanted.is_in(&znode.data) {
                        self.print_found(&znode.path, &znode.stat, full, out)?;
                    }
                }
                Content::Denied(_) => denied += 1,
            }
        }
        Ok(denied)
    }

    fn is_like(&self, path: &str, stat: &Stat, wanted: &Wanted) -> bool {
        wanted.is_like(path, stat, self.client.session_id(), jiff::Timestamp::now().as_millisecond())
    }

    fn print_found(&self, path: &str, stat: &Stat, full: bool, out: Output<'_>) -> Result<(), Stop> {
        if self.view.json {
            return print_json(ZnodeJson { path, ..ZnodeJson::default() }, full, stat, out);
        }
        if full {
            let details = format!("{}, {}", pick::details(stat), format::time(stat.mtime));
            return Ok(writeln!(out, "{path}\t{}", self.view.style.dim(&details))?);
        }
        Ok(writeln!(out, "{path}")?)
    }
}
