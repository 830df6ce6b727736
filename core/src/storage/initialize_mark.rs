//! The file `initialize`: whoever set up a new server says with it that the server may begin with an empty tree, where
//! `db.autocreate` is off (protocol §6.1). The reference looks for it in `dataLogDir` and its script makes it in `dataDir`:
//! either will do. It never knows what is in the tree.

use std::io;
use std::path::Path;

use super::{Disk, Error, disk};

const NAME: &str = "initialize";

/// Whether one of the directories holds the mark.
///
/// # Errors
/// [`Error::Io`].
pub fn has_initialize_mark(disk: &dyn Disk, directories: &[&Path]) -> Result<bool, Error> {
    for directory in directories {
        let path = directory.join(NAME);
        match disk.len(&path) {
            Ok(_) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("read", &path)(error)),
        }
    }
    Ok(false)
}

/// Removes the mark, so that it does not speak for another start. Do this when the tree is on disk, not before: a crash in
/// between must not leave a server that is new and may not say so.
///
/// # Errors
/// [`Error::Io`].
pub fn remove_initialize_mark(disk: &dyn Disk, directories: &[&Path]) -> Result<(), Error> {
    for directory in directories {
        let path = directory.join(NAME);
        match disk.remove(&path) {
            Ok(()) => disk::sync_parent(disk, &path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("remove", &path)(error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::storage::MemDisk;

    #[test]
    fn the_mark_in_either_directory_speaks_once() {
        let directories = [Path::new("/data"), Path::new("/logs")];
        for marked in directories {
            let disk = MemDisk::new();
            assert!(!has_initialize_mark(&disk, &directories).unwrap());
            disk.plant(&marked.join("initialize"), b"");
            assert!(has_initialize_mark(&disk, &directories).unwrap());
            remove_initialize_mark(&disk, &directories).unwrap();
            assert!(!has_initialize_mark(&disk, &directories).unwrap());
        }
    }
}
