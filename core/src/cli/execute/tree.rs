//! `tree`: a drawing of a subtree.

use super::super::contents::denied_path;
use super::super::json::ZnodeJson;
use super::super::shell::Output;
use super::look::print_json;
use super::{Session, Stop, pick};
use crate::client::Visited;
use crate::wire::path;

impl Session<'_> {
    pub(super) async fn tree(
        &self,
        root: &str,
        depth: Option<usize>,
        with_stat: bool,
        out: Output<'_>,
    ) -> Result<(), Stop> {
        let mut walk = self.client.walk(root).max_depth(depth.unwrap_or(usize::MAX));
        let mut drawing = Drawing::default();
        let mut denied: u64 = 0;
        while let Some(node) = walk.next().await {
            let node = match node {
                Ok(node) => node,
                Err(error) => {
                    denied_path(error)?;
                    denied += 1;
                    continue;
                }
            };
            if self.view.json {
                print_json(ZnodeJson { path: &node.path, ..ZnodeJson::default() }, with_stat, &node.stat, out)?;
                continue;
            }
            let branch = drawing.branch(&node);
            let name = if node.depth == 0 { node.path.as_str() } else { path::name(&node.path) };
            let mut name = name.to_owned();
            if node.stat.ephemeral_owner != 0 {
                name = self.view.style.ephemeral(&name);
            } else if node.stat.num_children > 0 {
                name = self.view.style.inner(&name);
            }
            let is_cut = depth == Some(node.depth) && node.stat.num_children > 0;
            let below = if is_cut { format!("  [{} below]", node.stat.num_children) } else { String::new() };
            let details = if with_stat { format!("  ({})", pick::details(&node.stat)) } else { String::new() };
            writeln!(
                out,
                "{}{name}{}",
                self.view.style.dim(&branch),
                self.view.style.dim(&format!("{details}{below}"))
            )?;
        }
        match denied {
            0 => Ok(()),
            _ => Err(Stop::Refused(format!("{denied} znode(s) may not be read, and are not shown"))),
        }
    }
}

/// The lines to the left of a name.
#[derive(Default)]
struct Drawing {
    /// For each level above, whether its znode was the last of its siblings.
    last: Vec<bool>,
}

impl Drawing {
    fn branch(&mut self, node: &Visited) -> String {
        self.last.truncate(node.depth);
        let bars = self.last.iter().skip(1).map(|&last| if last { "    " } else { "│   " });
        let mut branch: String = bars.collect();
        if node.depth > 0 {
            branch.push_str(if node.is_last { "└── " } else { "├── " });
        }
        self.last.push(node.is_last);
        branch
    }
}
