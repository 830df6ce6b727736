//! Which files an argument names: a file is itself, a directory is the logs or snapshots in it, or in its `version-2`.

use std::io;
use std::path::{Path, PathBuf};

use super::{Failure, Tool};
use crate::storage::{self, Disk, SnapshotFile};
use crate::wire::Zxid;

/// Where servers keep their files below `dataDir` and `dataLogDir`.
const VERSION_DIR: &str = "version-2";

/// The log files that the arguments name, those of a directory in the order of their transactions.
pub(super) fn logs(disk: &dyn Disk, arguments: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for argument in arguments {
        match directory(disk, argument)? {
            None => files.push(argument.clone()),
            Some(dir) => {
                let found = storage::log_files(disk, &dir)?;
                if found.is_empty() {
                    return Err(nothing_in(&dir, "log.<zxid>"));
                }
                files.extend(found.into_iter().map(|(_, path)| path));
            }
        }
    }
    Ok(files)
}

/// The snapshots that the argument names: the file, or all of the directory, oldest first.
pub(super) fn snapshots(disk: &dyn Disk, argument: &Path) -> Result<Vec<Snapshot>, Failure> {
    let Some(dir) = directory(disk, argument)? else {
        return Ok(vec![Snapshot::of_path(argument)]);
    };
    let found = storage::snapshot_files(disk, &dir)?;
    if found.is_empty() {
        return Err(nothing_in(&dir, "snapshot.<zxid>"));
    }
    Ok(found.into_iter().map(|file| Snapshot { file, is_named: true }).collect())
}

/// The snapshot that the argument names: the file, or the newest of the directory.
pub(super) fn snapshot(disk: &dyn Disk, argument: &Path) -> Result<Snapshot, Failure> {
    snapshots(disk, argument)?.pop().ok_or_else(|| nothing_in(argument, "snapshot.<zxid>"))
}

/// The directory that the argument names, or the `version-2` in it; `None` when it is a file.
///
/// # Errors
/// When there is nothing of this name, or it cannot be looked at.
pub(super) fn directory(disk: &dyn Disk, argument: &Path) -> Result<Option<PathBuf>, Failure> {
    match disk.list(argument) {
        Ok(_) => {
            let inner = argument.join(VERSION_DIR);
            Ok(Some(if disk.list(&inner).is_ok() { inner } else { argument.to_owned() }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
        Err(source) => Err(storage::Error::Io { action: "read", path: argument.to_owned(), source }.into()),
    }
}

/// As [`directory`], where a file will not do.
pub(super) fn data_directory(disk: &dyn Disk, argument: &Path) -> Result<PathBuf, Failure> {
    directory(disk, argument)?
        .ok_or_else(|| Failure::Usage(format!("{} is a file; a data directory is wanted", argument.display())))
}

/// The directory that a file is in. One that is named without it is in the present one.
pub(super) fn home(file: &Path) -> &Path {
    file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A snapshot file, and whether its name says which transaction is its last.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) file: SnapshotFile,
    pub(super) is_named: bool,
}

impl Snapshot {
    fn of_path(path: &Path) -> Self {
        let file = SnapshotFile::of_path(path);
        let is_named = file.is_some();
        let unnamed = || SnapshotFile { zxid: Zxid::ZERO, path: path.to_owned(), compression: None };
        Snapshot { file: file.unwrap_or_else(unnamed), is_named }
    }

    /// Its file name.
    pub(super) fn name(&self) -> String {
        name(&self.file.path)
    }
}

/// The last part of a path, for people.
pub(super) fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

impl Tool<'_> {
    /// Tells the progress what is read next.
    pub(super) fn begin(&self, path: &Path) {
        self.progress.begin(&name(path), self.disk.len(path).unwrap_or(0));
    }
}

fn nothing_in(dir: &Path, what: &str) -> Failure {
    Failure::Refused(format!("there is no {what} in {}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The logs beside a snapshot that was named without a directory were looked for in no directory, and none was found.
    #[test]
    fn a_bare_name_is_in_the_present_directory() {
        let homes = ["snapshot.5", "./snapshot.5", "a/snapshot.5"].map(|file| home(Path::new(file)).to_owned());
        assert_eq!(homes, [".", ".", "a"].map(PathBuf::from));
    }
}
