//! Reads `zoo.cfg`, the reference's configuration file, into a [`ServerConfig`] (protocol §4).
//!
//! The file's syntax is [`super::properties`], its vocabulary is `keys`, and what the values mean together is
//! `finish`. This file alone touches the disk. It starts nothing and creates nothing.

mod ensemble;
mod finish;
mod keys;
mod members;
mod throttle_keys;
mod values;

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::config::{ConfigError, ServerConfig, Warning};
use super::properties::{self, Property};
use crate::auth::DigestAlgorithm;
use crate::wire::ensemble::Role;
use values::{Bad, Value};

/// Reads the file, the dynamic file it may name, and `myid` in its `dataDir`. Resolves `clientPortAddress`; blocks.
///
/// # Errors
/// Every [`ConfigError`] about a file: not `Usage`, `NoClientPort` and `Senseless`.
pub fn load(file: &Path) -> Result<ServerConfig, ConfigError> {
    let draft = Draft::parse(&file.display().to_string(), &read(file)?)?;
    let dynamic = match &draft.dynamic_config_file {
        Some(file) => Some(members::read_dynamic(file, &read(file)?)?),
        None => None,
    };
    let server_id = read_my_id(&draft.config.data_dir)?;
    let config = draft.finish(dynamic, server_id)?;
    Ok(ServerConfig { config_file: Some(file.to_owned()), ..config })
}

/// Reads `<clientPort> <dataDir> [tickTime] [maxClientCnxns]`, the reference's other way to start a standalone server.
/// Like the reference it listens on all addresses.
///
/// # Errors
/// [`ConfigError::BadValue`] naming the argument; [`ConfigError::Usage`] for another number of arguments.
pub fn from_positional(args: &[String]) -> Result<ServerConfig, ConfigError> {
    if !(2..=4).contains(&args.len()) {
        return Err(ConfigError::Usage(args.len()));
    }
    let int = |index: usize, key: &str, min: u32, max: u32| -> Result<Option<u32>, ConfigError> {
        let Some(text) = args.get(index) else { return Ok(None) };
        let value = Value(text).int(min, max);
        value.map(Some).map_err(|bad| bad.at(&format!("argument {}", index + 1), key, text))
    };
    let port = int(0, "clientPort", 0, u32::from(u16::MAX))?.unwrap_or_default();
    let mut config = ServerConfig {
        client_address: Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port as u16)),
        data_dir: PathBuf::from(&args[1]),
        data_log_dir: PathBuf::from(&args[1]),
        ..ServerConfig::default()
    };
    if let Some(tick_time_ms) = int(2, "tickTime", 1, values::MAX_TICK_MS)? {
        config = config.with_tick_time_ms(tick_time_ms);
    }
    if let Some(limit) = int(3, "maxClientCnxns", 0, values::MAX_INT)? {
        config.max_client_cnxns = limit;
    }
    config.server_id = read_my_id(&config.data_dir)?;
    Ok(config)
}

/// A configuration while its keys are being read: those that can only be judged together are kept as they came.
struct Draft {
    /// The file's name, for messages.
    file: String,
    config: ServerConfig,
    data_log_dir: Option<PathBuf>,
    client_port: Option<u16>,
    client_port_address: Option<String>,
    min_session_timeout_ms: Option<u32>,
    max_session_timeout_ms: Option<u32>,
    /// `peerType`, which the list of servers overrides.
    peer_type: Option<Role>,
    digest_enabled: bool,
    digest_algorithm: DigestAlgorithm,
    enforce_auth: bool,
    dynamic_config_file: Option<PathBuf>,
    /// The `server.N`, `group.N` and `weight.N` of the file itself.
    members: Vec<Property>,
}

impl Draft {
    fn parse(file: &str, bytes: &[u8]) -> Result<Self, ConfigError> {
        let blank = ServerConfig { client_address: None, data_dir: PathBuf::new(), ..ServerConfig::default() };
        let mut draft = Self {
            file: file.to_owned(),
            config: blank,
            data_log_dir: None,
            client_port: None,
            client_port_address: None,
            min_session_timeout_ms: None,
            max_session_timeout_ms: None,
            peer_type: None,
            digest_enabled: true,
            digest_algorithm: DigestAlgorithm::default(),
            enforce_auth: false,
            dynamic_config_file: None,
            members: Vec::new(),
        };
        let properties = parse_properties(file, bytes)?;
        for property in draft.without_duplicates(properties) {
            draft.apply(property)?;
        }
        Ok(draft)
    }

    /// Of two lines with the same key the later one counts, and the operator hears of it.
    fn without_duplicates(&mut self, properties: Vec<Property>) -> Vec<Property> {
        // Of servers, which `members` looks at, a second one is an error.
        let single = properties.iter().filter(|p| !members::is_member_key(&p.key));
        let last: HashMap<String, usize> = single.map(|p| (p.key.clone(), p.line)).collect();
        let mut kept = Vec::with_capacity(last.len());
        for property in properties {
            match last.get(&property.key) {
                Some(&line) if line != property.line => {
                    self.warn(&property, format!("given again in line {line}, which is the one that counts"));
                }
                _ => kept.push(property),
            }
        }
        kept
    }

    fn apply(&mut self, property: Property) -> Result<(), ConfigError> {
        if members::is_member_key(&property.key) {
            self.members.push(property);
            return Ok(());
        }
        let origin = self.origin(property.line);
        let verdict = keys::apply(self, &property.key, Value(&property.value));
        match verdict.map_err(|bad: Bad| bad.at(&origin, &property.key, &property.value))? {
            keys::Verdict::Taken => {}
            keys::Verdict::Noted(message) => self.warn(&property, message),
        }
        Ok(())
    }

    fn origin(&self, line: usize) -> String {
        format!("{}:{line}", self.file)
    }

    fn warn(&mut self, property: &Property, message: String) {
        let (origin, key) = (self.origin(property.line), property.key.clone());
        self.config.warnings.push(Warning { origin, key, message });
    }
}

fn parse_properties(file: &str, bytes: &[u8]) -> Result<Vec<Property>, ConfigError> {
    properties::parse(bytes)
        .map_err(|error| ConfigError::Syntax { origin: format!("{file}:{}", error.line), what: error.what })
}

#[allow(clippy::disallowed_methods, reason = "configuration is read before the server, and its disk, exist")]
fn read(file: &Path) -> Result<Vec<u8>, ConfigError> {
    fs::read(file).map_err(|source| ConfigError::Read { file: file.to_owned(), source })
}

/// The first line of `dataDir/myid`. A missing file is no error here: only a member of an ensemble needs one.
#[allow(clippy::disallowed_methods, reason = "configuration is read before the server, and its disk, exist")]
fn read_my_id(data_dir: &Path) -> Result<Option<i64>, ConfigError> {
    let file = data_dir.join("myid");
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ConfigError::Read { file, source }),
    };
    let line = text.lines().next().unwrap_or_default().trim();
    match line.parse() {
        Ok(id) => Ok(Some(id)),
        Err(_) => Err(Bad::new("a number alone in the first line, such as 1").at(
            &format!("{}:1", file.display()),
            "myid",
            line,
        )),
    }
}

#[cfg(test)]
mod tests;
