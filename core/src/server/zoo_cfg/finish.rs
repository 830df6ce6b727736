//! What the values of `zoo.cfg` mean together: defaults that depend on others, and contradictions (protocol §4.1, §4.3).

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

use super::Draft;
use super::values::Bad;
use crate::server::config::{ConfigError, ServerConfig, Warning};
use crate::wire::ensemble::Ensemble;

/// Below this the reference keeps three, so that one damaged snapshot is never the last.
const MIN_SNAP_RETAIN_COUNT: u32 = 3;
/// Below this the reference takes as many.
const MIN_COMMIT_LOG_COUNT: u32 = 500;
/// Below this the reference takes two.
const MIN_SNAP_COUNT: u32 = 2;

impl Draft {
    /// Checks the whole and gives the configuration. `dynamic` is what `dynamicConfigFile` held, `server_id` what `myid` held.
    pub(super) fn finish(
        mut self,
        dynamic: Option<Ensemble>,
        server_id: Option<i64>,
    ) -> Result<ServerConfig, ConfigError> {
        if self.config.data_dir.as_os_str().is_empty() {
            return Err(self.contradiction(
                "dataDir is missing: give the directory of the snapshots, such as dataDir=/var/lib/zookeeper",
            ));
        }
        self.config.data_log_dir = self.data_log_dir.take().unwrap_or_else(|| self.config.data_dir.clone());
        self.config.server_id = server_id;
        self.session_timeouts()?;
        self.raise_minimums();
        self.authentication()?;
        self.config.ensemble = self.take_ensemble(dynamic)?;
        self.check_ensemble()?;
        self.config.client_address = self.client_address()?;
        self.check_client_port()?;
        self.warn_of_ensemble();
        Ok(self.config)
    }

    fn session_timeouts(&mut self) -> Result<(), ConfigError> {
        let tick = self.config.tick_time_ms;
        let min = self.min_session_timeout_ms.unwrap_or(2 * tick);
        let max = self.max_session_timeout_ms.unwrap_or(20 * tick);
        if min > max {
            return Err(self.contradiction(format!(
                "minSessionTimeout is {min} ms and maxSessionTimeout {max} ms: the minimum must not exceed the maximum \
                 (where not given they are 2 and 20 ticks of {tick} ms)"
            )));
        }
        self.config.min_session_timeout_ms = min;
        self.config.max_session_timeout_ms = max;
        Ok(())
    }

    fn raise_minimums(&mut self) {
        let config = &mut self.config;
        let raised = [
            ("autopurge.snapRetainCount", &mut config.autopurge_snap_retain_count, MIN_SNAP_RETAIN_COUNT),
            ("snapCount", &mut config.snap_count, MIN_SNAP_COUNT),
            ("commitLogCount", &mut config.quorum.commit_log_count, MIN_COMMIT_LOG_COUNT),
        ];
        for (key, value, min) in raised {
            if *value < min {
                let message = format!("{value} is below the minimum: {min} is used");
                config.warnings.push(Warning { origin: self.file.clone(), key: key.to_owned(), message });
                *value = min;
            }
        }
    }

    /// Schemes are enforced only when that is switched on, and only such as there are: nobody could ever connect otherwise.
    fn authentication(&mut self) -> Result<(), ConfigError> {
        self.config.auth.digest = self.digest_enabled.then_some(self.digest_algorithm);
        if !self.enforce_auth {
            self.config.auth.enforced_schemes.clear();
            return Ok(());
        }
        let auth = &self.config.auth;
        if auth.enforced_schemes.is_empty() {
            return Err(self.contradiction(
                "enforce.auth.enabled=true and enforce.auth.schemes names no scheme: give those of which a client must \
                 prove one, such as enforce.auth.schemes=digest",
            ));
        }
        match auth.enforced_schemes.iter().find(|scheme| !auth.has_scheme(scheme)) {
            Some(scheme) => Err(self.contradiction(format!(
                "enforce.auth.schemes names `{scheme}`, which no client can prove here: digest and ip can be"
            ))),
            None => Ok(()),
        }
    }

    /// `clientPort`, or what this server's own `server.N` says; both only when they agree.
    fn client_address(&self) -> Result<Option<SocketAddr>, ConfigError> {
        let given = match (self.client_port.filter(|&port| port != 0), &self.client_port_address) {
            (None, None) => None,
            (None, Some(_)) => return Err(self.contradiction("clientPortAddress is given and clientPort is not")),
            (Some(port), None) => Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)),
            (Some(port), Some(host)) => Some(self.resolve("clientPortAddress", host, port)?),
        };
        let members = self.config.ensemble.as_ref().map(|ensemble| &ensemble.members);
        let own = self.config.server_id.zip(members).and_then(|(id, members)| Some((id, members.get(&id)?)));
        let Some((id, client)) = own.and_then(|(id, member)| Some((id, member.client.as_ref()?))) else {
            return Ok(given);
        };
        let listed = self.resolve(&format!("server.{id}"), &client.host, client.port)?;
        match given {
            Some(given) if given != listed => Err(self.contradiction(format!(
                "clientPort and clientPortAddress say {given}, server.{id} says {listed}: they must agree, or one must go"
            ))),
            _ => Ok(Some(listed)),
        }
    }

    fn resolve(&self, key: &str, host: &str, port: u16) -> Result<SocketAddr, ConfigError> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let mut addresses = (bare, port).to_socket_addrs().into_iter().flatten();
        let unresolved = || Bad::new("an address of this machine, or a name that resolves to one");
        addresses.next().ok_or_else(|| unresolved().at(&self.file, key, host))
    }

    pub(super) fn contradiction(&self, what: impl Into<String>) -> ConfigError {
        ConfigError::Contradiction { origin: self.file.clone(), what: what.into() }
    }
}
