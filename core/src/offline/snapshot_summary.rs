//! `menagerie snapshot summary`: how many znodes and bytes are below each znode.

use serde_json::json;

use super::options::SnapshotSummary;
use super::snapshot_map::{SnapshotMap, depth};
use super::{Failure, Outcome, Tool, render, source, txn_text};

/// Prints the sums.
pub(super) fn run(tool: &mut Tool<'_>, options: &SnapshotSummary) -> Outcome {
    let file = source::snapshot(tool.disk.as_ref(), &options.file)?.file;
    let map = SnapshotMap::load(tool, &file, options.limits.max_buffer)?;
    let top = options.path.as_str();
    if !map.nodes.contains_key(top) {
        return Err(Failure::Refused(format!("there is no znode {} in {}", render::path(top), file.path.display())));
    }
    let deepest = depth(top).saturating_add(options.depth);
    for (path, sum) in map.sums() {
        if !txn_text::is_at_or_below(path, top) || depth(path) > deepest {
            continue;
        }
        if options.json {
            let object = json!({ "path": path, "descendants": sum.descendants, "bytes": sum.bytes });
            writeln!(tool.out, "{object}")?;
        } else {
            let (below, bytes) = (sum.descendants, sum.bytes);
            writeln!(tool.out, "{bytes:>12} bytes {below:>9} znodes below  {}", render::path(path))?;
        }
    }
    Ok(true)
}
