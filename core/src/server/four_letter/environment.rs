//! `conf`, `envi` and `dirs`: how the server is configured, where it runs, and what it keeps on disk.

use std::fs;
use std::path::Path;

use super::super::{Context, VERSION};
use crate::wire::ensemble::Role;

pub(super) fn conf(context: &Context) -> String {
    let config = &context.config;
    let mut text = format!(
        "clientPort={}\nsecureClientPort=-1\ndataDir={}\ndataDirSize={}\ndataLogDir={}\ndataLogSize={}\ntickTime={}\n\
         maxClientCnxns={}\nminSessionTimeout={}\nmaxSessionTimeout={}\nclientPortListenBacklog={}\nserverId={}\n",
        context.address.port(),
        context.snapshot_dir.display(),
        directory_size(&context.snapshot_dir),
        context.log_dir.display(),
        directory_size(&context.log_dir),
        config.tick_time_ms,
        config.max_client_cnxns,
        config.min_session_timeout_ms,
        config.max_session_timeout_ms,
        config.client_port_listen_backlog.map_or(-1, i64::from),
        config.server_id.unwrap_or(0),
    );
    if config.is_distributed() {
        text += &membership(context);
    }
    text
}

/// What the ensemble adds.
fn membership(context: &Context) -> String {
    let config = &context.config;
    let members = context.members();
    let own = config.server_id.and_then(|id| members.members.get(&id));
    let ports = own.and_then(|own| own.addresses.first());
    format!(
        "initLimit={}\nsyncLimit={}\nelectionAlg=3\nelectionPort={}\nquorumPort={}\npeerType={}\nmembership: \n{members}",
        config.init_limit_ticks.unwrap_or(0),
        config.sync_limit_ticks.unwrap_or(0),
        ports.map_or(0, |ports| ports.election_port),
        ports.map_or(0, |ports| ports.quorum_port),
        u8::from(own.is_some_and(|own| own.role == Role::Observer)),
    )
}

pub(super) fn dirs(context: &Context) -> String {
    let (data, log) = (directory_size(&context.snapshot_dir), directory_size(&context.log_dir));
    format!("datadir_size: {data}\nlogdir_size: {log}\n")
}

/// The reference's keys, but those of the Java runtime. What the system does not tell is left out.
pub(super) fn envi() -> String {
    let kernel = |name: &str| {
        fs::read_to_string(Path::new("/proc/sys/kernel").join(name)).ok().map(|value| value.trim().to_owned())
    };
    let user = User::of_this_process();
    let lines = [
        ("zookeeper.version", Some(VERSION.to_owned())),
        ("host.name", kernel("hostname")),
        ("os.name", kernel("ostype")),
        ("os.arch", Some(architecture().to_owned())),
        ("os.version", kernel("osrelease")),
        ("user.name", user.as_ref().map(|user| user.name.clone())),
        ("user.home", user.map(|user| user.home)),
        ("user.dir", std::env::current_dir().ok().map(|folder| folder.display().to_string())),
    ];
    let known = lines.into_iter().filter_map(|(key, value)| Some(format!("{key}={}\n", value?)));
    known.fold(String::from("Environment:\n"), |text, line| text + &line)
}

/// As Java names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        other => other,
    }
}

/// Whom this process runs as.
struct User {
    name: String,
    home: String,
}

impl User {
    fn of_this_process() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let id = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next())?;
        let users = fs::read_to_string("/etc/passwd").ok()?;
        users.lines().find_map(|line| Self::of_line(line, id))
    }

    /// From a line of the system's list of users, if it is the one with this number.
    fn of_line(line: &str, id: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let home = (fields.nth(1)? == id).then(|| fields.nth(2))??.to_owned();
        Some(User { name, home })
    }
}

fn directory_size(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|metadata| metadata.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_number() {
        let line = "daemon:x:1:7:daemon,,:/usr/sbin:/bin/sh";
        let user = User::of_line(line, "1").map(|user| (user.name, user.home));
        assert_eq!(user, Some(("daemon".to_owned(), "/usr/sbin".to_owned())));
        assert!(User::of_line(line, "7").is_none() && User::of_line("daemon:x", "1").is_none());
    }
}
