//! Makes a [`Survey`]: reads the configuration files of this host and asks all members. Changes nothing.
#![expect(clippy::disallowed_methods, reason = "an operator's tool looks at files; it is no server")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::survey::{DiskUse, Local, Member, Survey};
use super::words::{State, ask_all};
use crate::server::ServerConfig;
use crate::server::config::DEFAULT_CLIENT_PORT;
use crate::server::properties;
use crate::wire::HostPort;
use crate::wire::ensemble::Ensemble;

/// What the operator named.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// Configuration files of this host.
    pub(super) files: Vec<PathBuf>,
    /// Client addresses; none: those that the files lead to.
    pub(super) addresses: Vec<HostPort>,
}

/// Looks at everything once.
pub(super) async fn look(places: &Places) -> Survey {
    let (local, refused) = read_files(&places.files);
    let mut asked = Vec::new();
    for address in &places.addresses {
        asked.push((address.clone(), ask_all(address).await));
    }
    let listed = local.values().find_map(|local| local.config.ensemble.clone()).unwrap_or_default();
    let mut known = addresses(&listed, &local);
    if asked.is_empty() {
        for address in known.values() {
            asked.push((address.clone(), ask_all(address).await));
        }
    }
    let ensemble = running_ensemble(&asked).unwrap_or(listed);
    known.extend(addresses(&ensemble, &local).into_iter().filter(|(id, _)| ensemble.members.contains_key(id)));
    let mut members = BTreeMap::new();
    for (id, member) in &ensemble.members {
        let position = asked.iter().position(|(address, state)| is_of(*id, known.get(id), address, state));
        let (address, state) = match (position, known.get(id)) {
            (Some(at), _) => {
                let (address, state) = asked.swap_remove(at);
                (Some(address), state)
            }
            // It became known only by what others said.
            (None, Some(address)) if places.addresses.is_empty() => (Some(address.clone()), ask_all(address).await),
            (None, _) => (None, State::Silent("its client port is not known".to_owned())),
        };
        members.insert(*id, Member { role: member.role, address, state });
    }
    Survey { ensemble, members, strangers: asked, local, refused }
}

/// A server says who it is in `conf`; one that does not is known by where it is.
fn is_of(id: i64, known: Option<&HostPort>, address: &HostPort, state: &State) -> bool {
    match state {
        State::Serving(answer) if answer.conf.is_some() => answer.conf.as_ref().is_some_and(|conf| conf.id == id),
        _ => known == Some(address),
    }
}

/// The list of the highest version that anybody has.
fn running_ensemble(asked: &[(HostPort, State)]) -> Option<Ensemble> {
    let lists = asked.iter().filter_map(|(_, state)| match state {
        State::Serving(answer) => answer.conf.as_ref()?.ensemble.clone(),
        State::NotServing(_) | State::Silent(_) => None,
    });
    lists.max_by_key(|ensemble| ensemble.version)
}

/// Where the clients of each member connect, as far as the list or the files say: a member without a client address in the
/// list is taken to have the port that the members of this host have.
fn addresses(ensemble: &Ensemble, local: &BTreeMap<i64, Local>) -> BTreeMap<i64, HostPort> {
    let own = local.values().find_map(|local| local.config.client_address);
    let port = own.map_or(DEFAULT_CLIENT_PORT, |address| address.port());
    let of_member = |(id, member): (&i64, &crate::wire::ensemble::Member)| {
        if let Some(address) = local.get(id).and_then(|local| local.config.client_address) {
            let host = if address.ip().is_unspecified() { "127.0.0.1".to_owned() } else { address.ip().to_string() };
            return Some((*id, HostPort { host, port: address.port() }));
        }
        let peer = member.addresses.first()?;
        let client = member.client.clone().unwrap_or(HostPort { host: peer.host.clone(), port });
        let everywhere = ["0.0.0.0", "::", ""].contains(&client.host.as_str());
        let host = if everywhere { peer.host.clone() } else { client.host };
        Some((*id, HostPort { host, port: client.port }))
    };
    ensemble.members.iter().filter_map(of_member).collect()
}

fn read_files(files: &[PathBuf]) -> (BTreeMap<i64, Local>, Vec<(PathBuf, String)>) {
    let (mut local, mut refused) = (BTreeMap::new(), Vec::new());
    for file in files {
        match read_file(file) {
            Ok((id, found)) => {
                local.insert(id, found);
            }
            Err(why) => refused.push((file.clone(), why)),
        }
    }
    (local, refused)
}

fn read_file(file: &Path) -> Result<(i64, Local), String> {
    // The file is named to commands that run elsewhere.
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let config = ServerConfig::from_args(&[file.display().to_string()]).map_err(|error| error.to_string())?;
    let text = fs::read(&file).map_err(|error| error.to_string())?;
    let keys = properties::parse(&text).map_err(|error| error.to_string())?;
    let keys = keys.into_iter().map(|property| (property.key, property.value)).collect();
    let id = config.server_id.unwrap_or(0);
    let disk = disk_use(&config);
    Ok((id, Local { file, config, keys, disk }))
}

fn disk_use(config: &ServerConfig) -> DiskUse {
    let mut found = DiskUse::default();
    let (data, logs) = (config.data_dir.join("version-2"), config.data_log_dir.join("version-2"));
    for directory in if data == logs { vec![&data] } else { vec![&data, &logs] } {
        if let Err(error) = look_into(directory, &mut found) {
            found.unreadable.push((directory.clone(), error.to_string()));
        }
        let free = free_bytes(directory);
        found.free_bytes = found.free_bytes.into_iter().chain(free).min();
    }
    found
}

fn look_into(directory: &Path, found: &mut DiskUse) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        match fs::File::open(&path).and_then(|file| file.metadata()) {
            Ok(metadata) if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snapshot.")) => {
                found.snapshot_bytes = found.snapshot_bytes.max(metadata.len());
            }
            Ok(_) => {}
            // A running server removes files: gone is not unreadable.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => found.unreadable.push((path, error.to_string())),
        }
    }
    Ok(())
}

/// What `df` says. The standard library does not ask the system for it.
fn free_bytes(directory: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(directory).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let kib: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kib << 10)
}
