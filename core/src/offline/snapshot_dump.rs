//! `menagerie snapshot dump`: the lines of the reference's `SnapshotFormatter`, which tools read.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use super::options::SnapshotDump;
use super::source::Snapshot;
use super::{Outcome, Tool, render, source};
use crate::storage::snapshot::{Item, SnapshotReader};
use crate::storage::{Disk, Error};
use crate::tree::NodeKind;
use crate::wire::{Acl, StatPersisted, Zxid};

/// What the first reading counts.
#[derive(Default)]
struct Totals {
    nodes: u64,
    /// The latest transaction that a znode shows: later than the file's name says where the snapshot was still being written.
    last: Zxid,
    /// Timeout in milliseconds and ephemeral znodes, by session.
    sessions: BTreeMap<i64, (i32, u64)>,
}

/// Prints the snapshot. Returns whether it is whole.
pub(super) fn run(tool: &mut Tool<'_>, options: &SnapshotDump) -> Outcome {
    let snapshot = source::snapshot(tool.disk.as_ref(), &options.file)?;
    if io::stdout().is_terminal() {
        tool.progress.silence();
    }
    tool.begin(&snapshot.file.path);
    let mut totals = Totals::default();
    let damage = count(tool.disk.as_ref(), &snapshot, options, &mut totals).err();
    let damage = match damage {
        Some(error) if !(options.partial && error.is_corruption()) => return Err(error.into()),
        damage => damage,
    };
    // The root has two names in the reference server, and is counted twice.
    writeln!(tool.out, "ZNode Details (count={}):", totals.nodes + 1)?;
    tool.begin(&snapshot.file.path);
    print_nodes(tool, &snapshot, options, totals.nodes)?;
    writeln!(tool.out, "----\nSession Details (sid, timeout, ephemeralCount):")?;
    for (id, (timeout_ms, ephemerals)) in &totals.sessions {
        writeln!(tool.out, "0x{id:x}, {timeout_ms}, {ephemerals}")?;
    }
    if snapshot.is_named {
        writeln!(tool.out, "----\nLast zxid: {}", totals.last.max(snapshot.file.zxid))?;
    } else {
        writeln!(tool.out, "----\nLast zxid: {} or later, as the file's name does not say it", totals.last)?;
    }
    match damage {
        None => Ok(true),
        Some(error) => Err(error.into()),
    }
}

fn count(disk: &dyn Disk, snapshot: &Snapshot, options: &SnapshotDump, totals: &mut Totals) -> Result<(), Error> {
    let mut reader = SnapshotReader::open(disk, &snapshot.file, options.limits.max_buffer)?;
    while let Some(item) = reader.next_item()? {
        match item {
            Item::Session { id, timeout_ms } => {
                totals.sessions.insert(id, (timeout_ms, 0));
            }
            Item::Acl { .. } => {}
            Item::Node { stat, .. } => {
                totals.nodes += 1;
                totals.last = totals.last.max(stat.mzxid).max(stat.pzxid);
                if let NodeKind::Ephemeral(owner) = NodeKind::of_owner(stat.ephemeral_owner)
                    && let Some((_, ephemerals)) = totals.sessions.get_mut(&owner)
                {
                    *ephemerals += 1;
                }
            }
        }
    }
    Ok(())
}

/// Prints the first `nodes` znodes, which are known to be readable.
fn print_nodes(tool: &mut Tool<'_>, snapshot: &Snapshot, options: &SnapshotDump, nodes: u64) -> Outcome {
    let disk = Arc::clone(&tool.disk);
    let mut reader = SnapshotReader::open(disk.as_ref(), &snapshot.file, options.limits.max_buffer)?;
    let mut acls = BTreeMap::from([(-1, Acl::open())]);
    let mut left = nodes;
    while left > 0
        && let Some(item) = reader.next_item()?
    {
        match item {
            Item::Session { .. } => {}
            Item::Acl { key, acl } => {
                acls.insert(key, acl);
            }
            Item::Node { path, acl_key, stat } => {
                left -= 1;
                let path = if path.is_empty() { "/" } else { &path };
                writeln!(tool.out, "----\n{path}")?;
                print_stat(tool.out, &stat)?;
                print_data(tool.out, reader.data(), options.data)?;
                if options.acl {
                    let acl = acls.get(&acl_key).map_or_else(|| "unknown".to_owned(), |acl| render::acl(acl));
                    writeln!(tool.out, "  acl = {acl}")?;
                }
            }
        }
    }
    Ok(true)
}

fn print_stat(out: &mut dyn Write, stat: &StatPersisted) -> io::Result<()> {
    writeln!(out, "  cZxid = {:#016x}", stat.czxid.0)?;
    writeln!(out, "  ctime = {}", render::java_time(stat.ctime))?;
    writeln!(out, "  mZxid = {:#016x}", stat.mzxid.0)?;
    writeln!(out, "  mtime = {}", render::java_time(stat.mtime))?;
    writeln!(out, "  pZxid = {:#016x}", stat.pzxid.0)?;
    writeln!(out, "  cversion = {}", stat.cversion)?;
    writeln!(out, "  dataVersion = {}", stat.version)?;
    writeln!(out, "  aclVersion = {}", stat.aversion)?;
    writeln!(out, "  ephemeralOwner = {:#016x}", stat.ephemeral_owner)
}

fn print_data(out: &mut dyn Write, data: Option<&[u8]>, is_wanted: bool) -> io::Result<()> {
    if is_wanted {
        writeln!(out, "  data = {}", render::base64(data).unwrap_or_default())
    } else {
        writeln!(out, "  dataLength = {}", data.map_or(0, <[u8]>::len))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::fuzzy;
    use super::super::options::Limits;
    use super::*;

    /// The name says where a snapshot was begun. What came while it was written shows in it too, and the reference tells
    /// the later of the two.
    #[test]
    fn the_last_transaction_is_the_latest_that_the_snapshot_shows() {
        let limits = Limits { max_buffer: 1 << 20 };
        let options = SnapshotDump { file: fuzzy::DIR.into(), data: false, acl: false, partial: false, limits };
        let mut out = Vec::new();
        assert!(run(&mut fuzzy::tool(&mut out), &options).unwrap());
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with("----\nLast zxid: 0x6\n"), "{text}");
    }
}
