//! `server.N`, `group.N` and `weight.N`, from `zoo.cfg` itself or from the dynamic file it names (protocol §4.3).

use std::path::Path;

use super::parse_properties;
use super::values::{Bad, Value};
use crate::server::config::ConfigError;
use crate::server::ensemble::{Ensemble, Hierarchy, Member};
use crate::server::properties::Property;

/// Whether a key belongs to the list of servers rather than to this server.
pub(super) fn is_member_key(key: &str) -> bool {
    ["server.", "group", "weight"].iter().any(|prefix| key.starts_with(prefix))
}

/// Reads a dynamic file, whose version is the hexadecimal end of its name.
pub(super) fn read_dynamic(file: &Path, bytes: &[u8]) -> Result<Ensemble, ConfigError> {
    let name = file.display().to_string();
    let properties = parse_properties(&name, bytes)?;
    if let Some(stranger) = properties.iter().find(|property| !is_member_key(&property.key)) {
        return Err(ConfigError::Syntax {
            origin: format!("{name}:{}", stranger.line),
            what: format!(
                "`{}` does not belong in a dynamic configuration: only server.N, group.N, weight.N",
                stranger.key
            ),
        });
    }
    let version = name.rsplit_once('.').and_then(|(_, suffix)| i64::from_str_radix(suffix, 16).ok());
    build(&name, &properties, version.unwrap_or(0))
}

/// Puts the keys together. Whether the whole makes sense is `finish`'s business.
pub(super) fn build(file: &str, properties: &[Property], version: i64) -> Result<Ensemble, ConfigError> {
    let mut ensemble = Ensemble { version, ..Ensemble::default() };
    for property in properties {
        let added = add(&mut ensemble, property);
        added.map_err(|bad| bad.at(&format!("{file}:{}", property.line), &property.key, &property.value))?;
    }
    Ok(ensemble)
}

fn add(ensemble: &mut Ensemble, property: &Property) -> Result<(), Bad> {
    let (what, id) = property.key.split_once('.').unwrap_or((&property.key, ""));
    let id = id.parse::<i64>().map_err(|_| Bad::new(format!("a number after `{what}.`, such as {what}.1")))?;
    match what {
        "server" => {
            ensemble.members.insert(id, property.value.parse::<Member>().map_err(Bad::new)?);
        }
        "group" => {
            let ids = property.value.split(':').map(|id| id.trim().parse());
            let ids = ids
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| Bad::new("ids of servers between colons, such as 1:2:3"))?;
            hierarchy(ensemble).groups.insert(id, ids);
        }
        "weight" => {
            let weight = Value(&property.value).int(0, i64::MAX)?;
            hierarchy(ensemble).weights.insert(id, weight);
        }
        _ => return Err(Bad::new("group.N or weight.N as the key")),
    }
    Ok(())
}

fn hierarchy(ensemble: &mut Ensemble) -> &mut Hierarchy {
    ensemble.hierarchy.get_or_insert_default()
}
