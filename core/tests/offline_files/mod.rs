//! Logs and snapshots of the reference server as it wrote them, and damaged in every way that the offline tools tell apart. It
//! knows where records stand from the files themselves.

#![allow(dead_code, clippy::unwrap_used, clippy::disallowed_methods, reason = "tests; each file uses its part")]

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Where the reference's own files are.
pub(crate) fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/storage_vectors")
}

/// A directory with one folder for each kind of damage:
///
/// | folder | what is in it |
/// | --- | --- |
/// | `whole` | the files as they are |
/// | `torn` | the last log ends within a record |
/// | `flipped` | `log.1` with one byte of data changed |
/// | `broken` | `log.1` with the length of a record changed |
/// | `gap` | without `log.28` |
/// | `empty` | with a `log.4f` that holds zeros |
/// | `snapshot` | `snapshot.26` with one byte changed, `snapshot.4b` cut short |
/// | `strange` | a snapshot that is called a log, and the reverse; and a compressed snapshot |
pub(crate) fn prepare() -> TempDir {
    let home = tempfile::Builder::new().prefix("menagerie-offline-").tempdir().unwrap();
    let folder = |name: &str| {
        let folder = home.path().join(name);
        fs::create_dir(&folder).unwrap();
        for entry in fs::read_dir(vectors()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with("log.") || name.starts_with("snapshot.") {
                fs::copy(&path, folder.join(name)).unwrap();
            }
        }
        folder
    };
    folder("whole");
    change(&folder("torn").join("log.4d"), |bytes| {
        let last = *records(bytes).last().unwrap();
        bytes.truncate(last + 40);
    });
    change(&folder("flipped").join("log.1"), |bytes| {
        let at = find(bytes, b"longer than before");
        bytes[at] = b'L';
    });
    change(&folder("broken").join("log.1"), |bytes| {
        let record = records(bytes)[9];
        bytes[record + 8..record + 12].copy_from_slice(&i32::MAX.to_be_bytes());
    });
    fs::remove_file(folder("gap").join("log.28")).unwrap();
    fs::write(folder("empty").join("log.4f"), [0; 64]).unwrap();
    let snapshots = folder("snapshot");
    change(&snapshots.join("snapshot.26"), |bytes| {
        let at = find(bytes, b"longer than before");
        bytes[at] = b'L';
    });
    change(&snapshots.join("snapshot.4b"), |bytes| bytes.truncate(2000));
    let strange = folder("strange");
    fs::copy(strange.join("snapshot.26"), strange.join("log.1")).unwrap();
    fs::copy(strange.join("log.28"), strange.join("snapshot.26")).unwrap();
    fs::write(strange.join("snapshot.4b.gz"), b"\x1f\x8b and so on").unwrap();
    home
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Where the records of a log begin (protocol §6.2).
pub(crate) fn records(log: &[u8]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = 16;
    while let Some(head) = log.get(at..at + 12) {
        let length = i32::from_be_bytes(head[8..].try_into().unwrap());
        if length == 0 {
            break;
        }
        starts.push(at);
        at += 13 + usize::try_from(length).unwrap();
    }
    starts
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).unwrap()
}
