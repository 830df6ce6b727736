//! Which op fires which event on which kind of watch, what setting watches again catches up, and what removing one answers: the
//! same requests to the reference and to ours. Where a later version than 3.8.0 differs we follow it, and the book's compatibility
//! page says so: kinds of watches that stand side by side, and what `checkWatches` makes of them, are not asked here.

use menagerie_core::wire::proto::{
    AddWatchRequest, MultiOp, MultiRequest, PathRequest, PathVersion, SetAclRequest, SetWatches, SetWatches2,
    WatchesRequest,
};
use menagerie_core::wire::{Acl, OpCode, Zxid};
use menagerie_integration::TestResult;
use menagerie_integration::probe::{Script, change, compare, creation};

fn read(steps: &mut Script, op: OpCode, path: &str) -> TestResult {
    steps.ask(&format!("{op:?} {path}"), op, &PathRequest { path: path.into(), watch: true })
}

fn add_watch(steps: &mut Script, path: &str, mode: i32) -> TestResult {
    steps.ask(&format!("addWatch {mode} {path}"), OpCode::AddWatch, &AddWatchRequest { path: path.into(), mode })
}

/// Every write there is, at a path, below it and two below it; after each the events.
fn write_everything(steps: &mut Script, path: &str) -> TestResult {
    let (child, grandchild) = (format!("{path}/child"), format!("{path}/child/grandchild"));
    steps.set(path, "1")?;
    steps.note_events()?;
    steps.set(path, "2")?;
    steps.note_events()?;
    let list = SetAclRequest { path: path.into(), acl: Acl::open(), version: -1 };
    steps.ask("setACL", OpCode::SetAcl, &list)?;
    steps.note_events()?;
    for made in [&child, &grandchild] {
        steps.create(made, "")?;
        steps.note_events()?;
        steps.set(made, "3")?;
        steps.note_events()?;
    }
    for gone in [grandchild.as_str(), &child, path] {
        steps.delete(gone)?;
        steps.note_events()?;
    }
    steps.create(path, "again")?;
    steps.note_events()
}

#[test]
fn every_write_fires_what_it_fires_at_the_reference() -> TestResult {
    let lines = compare(&[], |steps| {
        for path in ["/data", "/exists", "/children", "/children2", "/persistent", "/recursive", "/both"] {
            steps.create(path, "")?;
        }
        read(steps, OpCode::GetData, "/data")?;
        read(steps, OpCode::Exists, "/exists")?;
        read(steps, OpCode::Exists, "/missing")?;
        read(steps, OpCode::GetChildren, "/children")?;
        read(steps, OpCode::GetChildren2, "/children2")?;
        read(steps, OpCode::GetData, "/both")?;
        read(steps, OpCode::GetChildren, "/both")?;
        add_watch(steps, "/persistent", 0)?;
        add_watch(steps, "/recursive", 1)?;
        add_watch(steps, "/to/come", 1)?;
        // What cannot be read is not watched, and what is no mode is no watch.
        read(steps, OpCode::GetData, "/nothing")?;
        read(steps, OpCode::GetChildren, "/nothing")?;
        add_watch(steps, "/data", 2)?;
        add_watch(steps, "/data", -1)?;
        for path in ["/missing", "/nothing", "/to", "/to/come"] {
            steps.create(path, "")?;
            steps.note_events()?;
        }
        for path in ["/data", "/exists", "/missing", "/children", "/children2", "/persistent", "/recursive"] {
            write_everything(steps, path)?;
        }
        steps.delete("/both")?;
        steps.note_events()
    })?;
    let count = |event: &str| lines.iter().filter(|line| line.starts_with("events: ") && line.contains(event)).count();
    assert!(count("NodeDataChanged") > 3 && count("NodeChildrenChanged") > 3 && count("NodeDeleted") > 3, "{lines:#?}");
    // A znode that is watched in two ways is deleted once.
    assert_eq!(lines.last().map(String::as_str), Some(r#"events: ["NodeDeleted /both"]"#));
    Ok(())
}

#[test]
fn a_multi_fires_for_each_operation_in_order_and_a_failed_one_not_at_all() -> TestResult {
    let lines = compare(&[], |steps| {
        add_watch(steps, "/", 1)?;
        let gone = |path: &str| MultiOp::Delete(PathVersion { path: path.into(), version: -1 });
        let made = |path: &str| MultiOp::Create(OpCode::Create, creation(path, ""));
        let set = |path: &str| MultiOp::SetData(change(path, "x"));
        let stale = MultiOp::Check(PathVersion { path: "/m".into(), version: 9 });
        for ops in [
            vec![made("/m"), set("/m"), made("/m/x"), gone("/m/x"), gone("/m")],
            vec![made("/m"), set("/m"), stale],
            vec![made("/m"), gone("/m"), made("/m")],
        ] {
            steps.ask("multi", OpCode::Multi, &MultiRequest { ops })?;
            steps.note_events()?;
        }
        Ok(())
    })?;
    assert!(lines[2].contains(r#""NodeCreated /m", "NodeDataChanged /m", "NodeCreated /m/x""#), "{lines:#?}");
    assert_eq!(lines[4], "events: []");
    Ok(())
}

/// A client that was away since `zxid` sets its watches again.
#[test]
fn watches_set_again_tell_what_was_missed() -> TestResult {
    let paths = |list: &[&str]| list.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
    compare(&[], |steps| {
        for path in ["/d", "/e", "/c"] {
            steps.create(path, "")?;
        }
        steps.set("/d", "changed")?;
        for zxid in [0, 3, 1 << 40] {
            let watches = SetWatches {
                relative_zxid: Zxid(zxid),
                data: paths(&["/d", "/e", "/gone"]),
                exist: paths(&["/e", "/gone"]),
                child: paths(&["/c", "/d", "/gone"]),
            };
            steps.ask("setWatches", OpCode::SetWatches, &watches)?;
            steps.note_events()?;
            steps.set("/d", "again")?;
            steps.create(&format!("/c/{zxid}"), "")?;
            steps.create("/gone", "")?;
            steps.delete("/gone")?;
            steps.note_events()?;
        }
        let watches = SetWatches2 {
            persistent: paths(&["/d", "/p"]),
            persistent_recursive: paths(&["/c", "/r"]),
            ..SetWatches2::default()
        };
        steps.ask("setWatches2", OpCode::SetWatches2, &watches)?;
        steps.note_events()?;
        for path in ["/p", "/p/x", "/r", "/r/x", "/c/x"] {
            steps.create(path, "")?;
            steps.note_events()?;
        }
        steps.set("/d", "and again")?;
        steps.note_events()?;
        steps.ask("setWatches2 in the old form", OpCode::SetWatches2, &SetWatches::default())
    })?;
    Ok(())
}

#[test]
fn watches_are_found_and_removed_by_kind() -> TestResult {
    compare(&[], |steps| {
        for path in ["/d", "/c", "/p"] {
            steps.create(path, "")?;
        }
        read(steps, OpCode::GetData, "/d")?;
        read(steps, OpCode::GetChildren, "/c")?;
        add_watch(steps, "/p", 0)?;
        let kinds = |path: &str| if path == "/p" { &[3, 0, 6, -1][..] } else { &[1, 2, 3, 0, 6, -1] };
        for op in [OpCode::CheckWatches, OpCode::RemoveWatches, OpCode::CheckWatches] {
            for path in ["/d", "/c", "/p", "/none", ""] {
                for kind in kinds(path) {
                    let request = WatchesRequest { path: path.into(), kind: *kind };
                    steps.ask(&format!("{op:?} {kind} {path}"), op, &request)?;
                }
            }
        }
        for path in ["/d", "/c", "/p"] {
            steps.set(path, "nobody hears")?;
            steps.create(&format!("{path}/x"), "")?;
        }
        steps.note_events()
    })?;
    Ok(())
}
