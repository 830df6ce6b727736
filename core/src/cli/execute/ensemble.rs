//! The ensemble's configuration: looking at it and changing it.

use serde_json::json;

use super::super::command::Reconfig;
use super::super::failure::Failure;
use super::super::json::StatJson;
use super::super::shell::Output;
use super::super::view::View;
use super::super::watches::Looks;
use super::{Session, Stop};
use crate::wire::Stat;
use crate::wire::ensemble::Ensemble;

/// Where servers keep the configuration, whatever a session's chroot.
const CONFIG: &str = "/zookeeper/config";
/// The longest file of members that is read, in bytes.
const LONGEST_FILE: u64 = 1024 * 1024;

impl Session<'_> {
    pub(super) async fn config(&mut self, client: bool, watch: bool, stat: bool, out: Output<'_>) -> Result<(), Stop> {
        let tree = self.client.whole_tree();
        let (data, node) = if watch {
            let (data, node, watch) = tree.get_data_and_watch(CONFIG).await?;
            self.watches.add(CONFIG, Looks::Data, watch);
            (data, node)
        } else {
            tree.get_data(CONFIG).await?
        };
        let text = String::from_utf8_lossy(&data);
        if self.view.json {
            return config_json(&text, stat, &node, out);
        }
        if client {
            writeln!(out, "{}", for_clients(&text)?)?;
        } else {
            writeln!(out, "{text}")?;
        }
        self.print_stat(stat, &node, out)
    }

    pub(super) async fn reconfig(&mut self, how: &Reconfig, out: Output<'_>) -> Result<(), Stop> {
        let members = match &how.file {
            Some(file) => Some(members_of(file)?),
            None => how.members.clone(),
        };
        let (joining, leaving) = (how.joining.as_deref(), how.leaving.as_deref());
        let (data, node) = self.client.reconfig(joining, leaving, members.as_deref(), how.version).await?;
        let text = String::from_utf8_lossy(&data);
        if self.view.json {
            return config_json(&text, how.stat, &node, out);
        }
        writeln!(out, "Committed new configuration:\n{text}")?;
        self.print_stat(how.stat, &node, out)
    }
}

fn config_json(text: &str, stat: bool, node: &Stat, out: Output<'_>) -> Result<(), Stop> {
    let ensemble = parse(text)?;
    let members = ensemble.members.iter().map(|(id, member)| (id.to_string(), member.to_string().into()));
    let members: serde_json::Map<_, _> = members.collect();
    let version = format!("{:x}", ensemble.version);
    let mut config = json!({ "version": version, "servers": members, "clientHosts": client_hosts(&ensemble) });
    if stat {
        config["stat"] = json!(StatJson::from(node));
    }
    Ok(View::json(out, &config)?)
}

fn parse(text: &str) -> Result<Ensemble, Stop> {
    text.parse().map_err(|error| Stop::Refused(format!("the configuration cannot be read: expected {error}")))
}

/// The version, and where clients are served, in the reference's form: both are empty where the servers are none of an ensemble.
fn for_clients(text: &str) -> Result<String, Stop> {
    let ensemble = parse(text)?;
    let version = if text.is_empty() { String::new() } else { format!("{:x}", ensemble.version) };
    Ok(format!("{version} {}", client_hosts(&ensemble).join(",")))
}

fn client_hosts(ensemble: &Ensemble) -> Vec<String> {
    ensemble.members.values().filter_map(|member| member.client.as_ref()).map(ToString::to_string).collect()
}

/// The members that a configuration file lists, as the servers want them.
#[expect(clippy::disallowed_methods, reason = "the file is one of the person at the shell, not a server's")]
fn members_of(file: &str) -> Result<String, Failure> {
    use std::io::Read;
    let failed = |why: &dyn std::fmt::Display| Failure::usage(format_args!("Error processing {file}: {why}"));
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(|error| failed(&error))?;
    opened.take(LONGEST_FILE).read_to_string(&mut text).map_err(|error| failed(&error))?;
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| is_membership(line)).collect();
    if !lines.iter().any(|line| line.starts_with("server.")) {
        return Err(failed(&"it has no server.N line"));
    }
    Ok(lines.join("\n"))
}

fn is_membership(line: &str) -> bool {
    ["server.", "group.", "weight."].iter().any(|begin| line.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "server.1=127.0.0.1:2001:3001:participant;127.0.0.1:2181\nserver.2=h2:2001:3001:observer;2182\nserver.3=h3:1:2\nversion=100000000";

    #[test]
    fn clients_are_told_where_they_are_served() {
        let hosts = |text: &str| for_clients(text).unwrap_or_else(|_| "unreadable".to_owned());
        assert_eq!(hosts(TEXT), "100000000 127.0.0.1:2181,0.0.0.0:2182");
        assert_eq!(hosts(""), " ");
        assert_eq!(hosts("server.x=1"), "unreadable");
    }

    #[test]
    #[expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests")]
    fn members_are_taken_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        std::fs::write(path, "tickTime=2000\n server.1=a:1:2;3\ngroup.1=1:2\n").unwrap();
        assert_eq!(members_of(path).unwrap(), "server.1=a:1:2;3\ngroup.1=1:2");
        std::fs::write(path, "tickTime=2000\n").unwrap();
        assert!(members_of(path).unwrap_err().to_string().contains("no server.N line"));
        assert!(members_of("/nowhere/x").unwrap_err().to_string().contains("Error processing /nowhere/x"));
    }
}
