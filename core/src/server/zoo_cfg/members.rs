//! `server.N`, `group.N` and `weight.N`, from `zoo.cfg` itself or from the dynamic file it names (protocol §4.3).

use std::path::Path;

use super::parse_properties;
use super::values::Bad;
use crate::server::config::ConfigError;
use crate::server::properties::Property;
use crate::wire::ensemble::Ensemble;

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
    let mut seen: Vec<(String, i64, usize)> = Vec::new();
    for property in properties {
        // Also `server.1` and `server.01`: the reference takes the last of them and forgets the others without a word.
        if let Some((what, id)) = property.key.split_once('.')
            && let Ok(id) = id.parse::<i64>()
        {
            if let Some((.., line)) = seen.iter().find(|(other, number, _)| other == what && *number == id) {
                return Err(ConfigError::Contradiction {
                    origin: format!("{file}:{}", property.line),
                    what: format!("{what}.{id} stands in line {line} already: give each server a number of its own"),
                });
            }
            seen.push((what.to_owned(), id, property.line));
        }
        let set = ensemble.set(&property.key, &property.value).map_err(Bad::new);
        set.map_err(|bad| bad.at(&format!("{file}:{}", property.line), &property.key, &property.value))?;
    }
    Ok(ensemble)
}
