//! Compressed snapshots go from the reference to ours and back: whoever starts on the other one's directory serves what it served.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use menagerie_integration::TestResult;
use menagerie_integration::probe::Script;
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;

const NODES: usize = 300;

#[test]
fn either_server_starts_on_the_other_ones_compressed_snapshot() -> TestResult {
    let Some(reference) = Software::reference()? else { return Ok(()) };
    let menagerie = Software::menagerie()?;
    for method in ["gz", "snappy"] {
        for (first, second) in [(reference.clone(), menagerie.clone()), (menagerie.clone(), reference.clone())] {
            let settings = [("snapshot.compression.method", method), ("snapCount", "100")];
            let mut server = Server::start_with(first, &settings)?;
            let mut steps = Script::new(&server)?;
            for number in 0..NODES {
                steps.create(&format!("/{number}"), "some data that is worth compressing, some data that is")?;
            }
            let newest = wait_for_snapshot(&server, method)?;
            server.kill()?;
            only_what_it_needs(&server, newest)?;
            let from = format!("{} {method} {newest:x}", server.software().name());
            server.start_again_as(second)?;
            let mut steps = Script::new(&server)?;
            for number in 0..NODES {
                steps.get(&format!("/{number}"))?;
            }
            let served = steps.lines().iter().filter(|line| line.contains("worth compressing")).count();
            assert_eq!(served, NODES, "{from}\n{}", server.log_end());
        }
    }
    Ok(())
}

/// The zxid of a snapshot that holds something, once there is one and it is whole: a server that is killed leaves it half-written.
fn wait_for_snapshot(server: &Server, method: &str) -> TestResult<i64> {
    let deadline = Instant::now() + Duration::from_mins(1);
    let (mut newest, mut length) = (0, 0);
    while Instant::now() < deadline {
        let found = snapshots(server, method)?.into_iter().max().unwrap_or_default();
        // Twice of the same length, some time apart: the reference writes it under its final name.
        if found == (newest, length) && newest > 0 {
            return Ok(newest);
        }
        (newest, length) = found;
        thread::sleep(Duration::from_secs(1));
    }
    Err(format!("there is no snapshot; the log:\n{}", server.log_end()).into())
}

/// Zxids and lengths.
fn snapshots(server: &Server, method: &str) -> TestResult<Vec<(i64, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(server.data_dir().join("version-2"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let zxid = name.strip_prefix("snapshot.").and_then(|rest| rest.strip_suffix(&format!(".{method}")));
        if let Some(zxid) = zxid {
            found.push((i64::from_str_radix(zxid, 16)?, entry.metadata()?.len()));
        }
    }
    Ok(found)
}

/// Removes the snapshots and logs before the newest snapshot, as a purge does: nothing else can stand in for it.
fn only_what_it_needs(server: &Server, newest: i64) -> TestResult {
    let folder = server.data_dir().join("version-2");
    let mut logs = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let hexadecimal = |rest: &str| i64::from_str_radix(rest.split('.').next().unwrap_or_default(), 16);
        if let Some(rest) = name.strip_prefix("snapshot.") {
            if hexadecimal(rest)? != newest {
                fs::remove_file(path)?;
            }
        } else if let Some(rest) = name.strip_prefix("log.") {
            logs.push((hexadecimal(rest)?, path));
        }
    }
    logs.sort();
    // The last log that begins at or before the snapshot may reach beyond it.
    let first_needed = logs.iter().rposition(|(first, _)| *first <= newest).unwrap_or(0);
    for (_, path) in logs.into_iter().take(first_needed) {
        fs::remove_file(path)?;
    }
    Ok(())
}
