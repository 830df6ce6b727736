//! `menagerie snapshot compare`: what is in one snapshot and not in the other, znode by znode, or in sums over subtrees as the
//! reference's `SnapshotComparer` prints them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde_json::json;

use super::options::SnapshotCompare;
use super::snapshot_map::{Node, SnapshotMap, Sum, depth};
use super::{Outcome, Tool, render, source, txn_json};

/// Prints the differences. Returns whether there are none.
pub(super) fn run(tool: &mut Tool<'_>, options: &SnapshotCompare) -> Outcome {
    let left = source::snapshot(tool.disk.as_ref(), &options.left)?;
    let right = source::snapshot(tool.disk.as_ref(), &options.right)?;
    let maps = [&left, &right].map(|side| SnapshotMap::load(tool, &side.file, options.limits.max_buffer));
    let [left_map, right_map] = maps;
    let (left_map, right_map) = (left_map?, right_map?);
    if options.bytes.is_some() || options.nodes.is_some() {
        let limits = (options.bytes.unwrap_or(u64::MAX), options.nodes.unwrap_or(u64::MAX));
        return Ok(print_sums(tool.out, &left_map.sums(), &right_map.sums(), limits)?);
    }
    let mut differences = Differences { out: tool.out, json: options.json, count: 0 };
    differences.nodes(&left_map, &right_map)?;
    differences.sessions(&left_map, &right_map)?;
    let count = differences.count;
    if !options.json {
        let (left, right) = (left.name(), right.name());
        let nodes = |map: &SnapshotMap| render::count(map.nodes.len() as u64, "znode");
        let count = render::count(count, "difference");
        writeln!(tool.out, "{left} ({}) and {right} ({}): {count}", nodes(&left_map), nodes(&right_map))?;
    }
    Ok(count == 0)
}

struct Differences<'a> {
    out: &'a mut dyn Write,
    json: bool,
    count: u64,
}

impl Differences<'_> {
    fn nodes(&mut self, left: &SnapshotMap, right: &SnapshotMap) -> io::Result<()> {
        let paths: BTreeSet<&String> = left.nodes.keys().chain(right.nodes.keys()).collect();
        for path in paths {
            match (left.nodes.get(path), right.nodes.get(path)) {
                (Some(_), None) => self.tell('-', path, &[])?,
                (None, Some(_)) => self.tell('+', path, &[])?,
                (Some(left), Some(right)) if left != right => {
                    let changes = changes(left, right, self.json);
                    self.tell('~', path, &changes)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn sessions(&mut self, left: &SnapshotMap, right: &SnapshotMap) -> io::Result<()> {
        let ids: BTreeSet<i64> = left.sessions.keys().chain(right.sessions.keys()).copied().collect();
        for id in ids {
            let sign = match (left.sessions.get(&id), right.sessions.get(&id)) {
                (Some(left), Some(right)) if left == right => continue,
                (Some(_), Some(_)) => '~',
                (Some(_), None) => '-',
                (None, _) => '+',
            };
            self.count += 1;
            let id = txn_json::hex(id);
            if self.json {
                writeln!(self.out, "{}", json!({ "session": id, "difference": word(sign) }))?;
            } else {
                writeln!(self.out, "{sign} session {id}")?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, sign: char, path: &str, changes: &[(&str, String, String)]) -> io::Result<()> {
        self.count += 1;
        if self.json {
            let changes: serde_json::Map<_, _> = changes
                .iter()
                .map(|(field, left, right)| ((*field).to_owned(), json!({ "left": left, "right": right })))
                .collect();
            return writeln!(self.out, "{}", json!({ "path": path, "difference": word(sign), "changes": changes }));
        }
        write!(self.out, "{sign} {}", render::path(path))?;
        for (index, (field, left, right)) in changes.iter().enumerate() {
            write!(self.out, "{} {field} {left} -> {right}", if index == 0 { ":" } else { "," })?;
        }
        writeln!(self.out)
    }
}

fn word(sign: char) -> &'static str {
    match sign {
        '-' => "only left",
        '+' => "only right",
        _ => "changed",
    }
}

/// The fields that differ, left and right. For JSON the data are whole, and base64.
fn changes(left: &Node, right: &Node, json: bool) -> Vec<(&'static str, String, String)> {
    let data = |node: &Node| match render::base64(node.data.as_deref()) {
        Some(base64) if json => base64,
        _ => render::data(node.data.as_deref(), render::DATA_SHOWN),
    };
    let (a, b) = (&left.stat, &right.stat);
    let fields = [
        ("data", data(left), data(right), left.data != right.data),
        ("acl", render::acl(&left.acl), render::acl(&right.acl), left.acl != right.acl),
        ("czxid", a.czxid.to_string(), b.czxid.to_string(), a.czxid != b.czxid),
        ("mzxid", a.mzxid.to_string(), b.mzxid.to_string(), a.mzxid != b.mzxid),
        ("pzxid", a.pzxid.to_string(), b.pzxid.to_string(), a.pzxid != b.pzxid),
        ("ctime", render::time(a.ctime), render::time(b.ctime), a.ctime != b.ctime),
        ("mtime", render::time(a.mtime), render::time(b.mtime), a.mtime != b.mtime),
        ("version", a.version.to_string(), b.version.to_string(), a.version != b.version),
        ("cversion", a.cversion.to_string(), b.cversion.to_string(), a.cversion != b.cversion),
        ("aversion", a.aversion.to_string(), b.aversion.to_string(), a.aversion != b.aversion),
        (
            "owner",
            txn_json::hex(a.ephemeral_owner),
            txn_json::hex(b.ephemeral_owner),
            a.ephemeral_owner != b.ephemeral_owner,
        ),
    ];
    let changed = fields.into_iter().filter(|(.., differs)| *differs);
    changed.map(|(field, left, right, _)| (field, left, right)).collect()
}

/// Prints, level by level, the subtrees that differ by more than `limits`: bytes, znodes. Returns whether none does.
fn print_sums(
    out: &mut dyn Write,
    left: &BTreeMap<&str, Sum>,
    right: &BTreeMap<&str, Sum>,
    limits: (u64, u64),
) -> io::Result<bool> {
    let mut paths: Vec<_> = left.keys().chain(right.keys()).copied().collect::<BTreeSet<_>>().into_iter().collect();
    paths.sort_by_key(|path| depth(path));
    let is_large = |bytes: u64, nodes: u64| bytes > limits.0 || nodes > limits.1;
    let mut level = None;
    let mut are_equal = true;
    for path in paths {
        if level.replace(depth(path)) != Some(depth(path)) {
            writeln!(out, "Analysis for depth {}", depth(path))?;
        }
        let line = match (left.get(path), right.get(path)) {
            (Some(left), Some(right)) => {
                let (bytes, nodes) = (left.bytes.abs_diff(right.bytes), left.descendants.abs_diff(right.descendants));
                let delta = |left: u64, right: u64| i128::from(right) - i128::from(left);
                is_large(bytes, nodes).then(|| {
                    format!(
                        "found in both trees. Delta: {} bytes, {} descendants",
                        delta(left.bytes, right.bytes),
                        delta(left.descendants, right.descendants)
                    )
                })
            }
            (Some(sum), None) => is_large(sum.bytes, sum.descendants).then(|| only("left", *sum)),
            (None, sum) => sum.filter(|sum| is_large(sum.bytes, sum.descendants)).map(|sum| only("right", *sum)),
        };
        if let Some(line) = line {
            are_equal = false;
            writeln!(out, "Node {} {line}", render::path(path))?;
        }
    }
    Ok(are_equal)
}

fn only(side: &str, sum: Sum) -> String {
    let Sum { bytes, descendants } = sum;
    format!("found only in {side} tree. Descendant size: {bytes}. Descendant count: {descendants}")
}
