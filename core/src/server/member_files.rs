//! The files that say who the members are, beside `zoo.cfg`: written when members change while the ensemble runs, so that a later
//! start, of this server or of the reference, begins with them (protocol §4.3). It never knows why they change.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::disk_writer::disk;
use super::properties;
use crate::wire::ensemble::Ensemble;

/// Keys of `zoo.cfg` that the list of servers takes over.
const TAKEN_OVER: [&str; 2] = ["dynamicConfigFile", "peerType"];
/// Keys that it takes over when it says where this server's clients connect.
const CLIENTS: [&str; 2] = ["clientPort", "clientPortAddress"];

/// The files of one member.
#[derive(Debug)]
pub(super) struct MemberFiles {
    config_file: PathBuf,
    server_id: i64,
}

impl MemberFiles {
    pub(super) fn new(config_file: PathBuf, server_id: i64) -> Self {
        MemberFiles { config_file, server_id }
    }

    /// These members are proposed: `<zoo.cfg>.dynamic.next`, with their version.
    pub(super) fn propose(&self, members: &Ensemble) -> io::Result<()> {
        write(&self.beside(".dynamic.next"), members.to_string().as_bytes())
    }

    /// These members are in force: `<zoo.cfg>.dynamic.<version>`, and `zoo.cfg` names it. What `zoo.cfg` was stays as
    /// `<zoo.cfg>.bak`.
    pub(super) fn activate(&self, members: &Ensemble) -> io::Result<()> {
        let dynamic = self.beside(&format!(".dynamic.{:x}", members.version));
        let text = members.to_string();
        let lines = text.lines().filter(|line| !line.starts_with("version="));
        write(&dynamic, (lines.collect::<Vec<_>>().join("\n") + "\n").as_bytes())?;
        let old = read(&self.config_file)?;
        let names_clients = members.members.get(&self.server_id).is_some_and(|own| own.client.is_some());
        let dynamic = absolute(&dynamic)?;
        let (new, earlier) = rewrite(&old, &dynamic, names_clients)?;
        write(&self.beside(".bak"), &old)?;
        write(&self.config_file, &new)?;
        for superseded in earlier.into_iter().chain([self.beside(".dynamic.next")]) {
            // A file that is gone already is as good as removed; one that stays does no harm.
            if superseded != dynamic {
                let _ = disk().remove(&superseded);
            }
        }
        Ok(())
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = OsString::from(&self.config_file);
        name.push(suffix);
        PathBuf::from(name)
    }
}

/// The new text of `zoo.cfg`, and the dynamic file that it named before. Comments and the order of the keys stay.
fn rewrite(old: &[u8], dynamic: &Path, names_clients: bool) -> io::Result<(Vec<u8>, Option<PathBuf>)> {
    let properties = properties::parse(old).map_err(io::Error::other)?;
    let goes = |key: &str| {
        ["server.", "group", "weight"].iter().any(|prefix| key.starts_with(prefix))
            || TAKEN_OVER.contains(&key)
            || (names_clients && CLIENTS.contains(&key))
    };
    let gone: BTreeSet<usize> = properties.iter().filter(|p| goes(&p.key)).map(|p| p.line).collect();
    let earlier = properties.iter().rfind(|p| p.key == "dynamicConfigFile").map(|p| PathBuf::from(&p.value));
    let (mut new, mut continues) = (Vec::with_capacity(old.len()), false);
    for (index, line) in old.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if continues || gone.contains(&(index + 1)) {
            continues = ends_in_continuation(line);
        } else {
            new.extend_from_slice(line);
        }
    }
    if new.last().is_some_and(|byte| *byte != b'\n') {
        new.push(b'\n');
    }
    let name = dynamic.to_str().filter(|name| !name.contains(['\\', '\n', '\r'])).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "the path of zoo.cfg has characters that zoo.cfg cannot hold")
    })?;
    new.extend_from_slice(format!("dynamicConfigFile={name}\n").as_bytes());
    Ok((new, earlier))
}

/// An odd number of backslashes before the line's end.
fn ends_in_continuation(line: &[u8]) -> bool {
    let text = line.trim_ascii_end();
    text.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut disk().read_from(path, 0)?, &mut bytes)?;
    Ok(bytes)
}

/// Replaces a file as a whole, durably.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = OsString::from(path);
    temporary.push(".tmp");
    let (temporary, disk) = (PathBuf::from(temporary), disk());
    let mut file = disk.create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    drop(file);
    disk.rename(&temporary, path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    disk.sync_dir(parent)
}

fn absolute(path: &Path) -> io::Result<PathBuf> {
    std::path::absolute(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::server::zoo_cfg;

    const CFG: &str = "# ours\ntickTime=2000\ninitLimit=10\nsyncLimit=5\nreconfigEnabled=true\nclientPort=2181\n\
                       server.1=a:1:2\nserver.2=b:1:2\\\n  :participant\nserver.3=c:1:2\n";

    #[test]
    fn what_is_written_is_what_the_next_start_reads() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("zoo.cfg");
        std::fs::write(directory.path().join("myid"), "1").unwrap();
        std::fs::write(&config, format!("{CFG}dataDir={}\n", directory.path().display())).unwrap();
        let files = MemberFiles::new(config.clone(), 1);
        for (version, text) in
            [(0x1_0000_0000, "server.1=a:1:2;127.0.0.1:2185"), (0x1_0000_0007, "server.1=a:1:9;2186")]
        {
            let list = format!("{text}\nserver.4=d:1:2\nserver.5=e:1:2");
            let members = Ensemble { version, ..list.parse().unwrap() };
            files.propose(&members).unwrap();
            files.activate(&members).unwrap();
            let read = zoo_cfg::load(&config).unwrap();
            assert_eq!(read.ensemble, Some(members));
            assert_eq!(read.client_address.unwrap().port(), if version == 0x1_0000_0000 { 2185 } else { 2186 });
            assert!(std::fs::read_to_string(&config).unwrap().starts_with("# ours\n"), "comments stay");
        }
        let mut names: Vec<_> =
            std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["myid", "zoo.cfg", "zoo.cfg.bak", "zoo.cfg.dynamic.100000007"]);
    }
}
