//! What a server is told before it starts: [`ServerConfig`], its defaults, and the errors of reading one.
//!
//! Knows no file syntax (that is [`super::zoo_cfg`]) and starts nothing.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

pub use super::throttle::{NewSessionsConfig, ThrottleConfig};
use super::zoo_cfg;
use crate::auth::AuthConfig;
use crate::storage::snapshot::Compression;
use crate::wire::ensemble::Ensemble;

/// Everything the server can be told (protocol §4.2). Each field names its key in `zoo.cfg`, and its unit.
///
/// [`Default`] is a development server: 127.0.0.1:2181, data in `./menagerie-data`, everything else as the reference has it.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of zoo.cfg, independent of the others")]
pub struct ServerConfig {
    /// The file that this was read from. Members that change while the ensemble runs are written beside it.
    pub config_file: Option<PathBuf>,
    /// `dataDir`: holds `myid` and `version-2/` with snapshots and epoch files.
    pub data_dir: PathBuf,
    /// `dataLogDir`: holds `version-2/` with the transaction log; the same as `data_dir` unless told otherwise.
    pub data_log_dir: PathBuf,
    /// `clientPort`, `clientPortAddress`: where plain clients connect. `None`: it was not given, and the server does not
    /// start. Port 0: any free port.
    pub client_address: Option<SocketAddr>,
    /// `clientPortListenBacklog`: connections that may wait to be accepted. `None`: 1024.
    pub client_port_listen_backlog: Option<u32>,
    /// `tickTime`, in milliseconds: the unit in which timeouts are expressed.
    pub tick_time_ms: u32,
    /// `minSessionTimeout`, in milliseconds: shorter requests are raised to it. Two ticks unless given.
    pub min_session_timeout_ms: u32,
    /// `maxSessionTimeout`, in milliseconds: longer requests are cut to it. Twenty ticks unless given.
    pub max_session_timeout_ms: u32,
    /// `nio.sessionlessCnxnTimeout`, in milliseconds: how long a connection may stay without a session.
    pub sessionless_cnxn_timeout_ms: u32,
    /// `maxClientCnxns`: connections from one address. 0: no limit.
    pub max_client_cnxns: u32,
    /// `maxCnxns`: connections in all. 0: no limit.
    pub max_cnxns: u32,
    /// `globalOutstandingLimit`: requests in process above which connections are no longer read from.
    pub global_outstanding_limit: u32,
    /// Requests, large requests and new sessions that have to wait or are refused; nothing is, unless given.
    pub throttle: ThrottleConfig,
    /// `jute.maxbuffer`, in bytes: the longest frame a client may send.
    pub jute_maxbuffer: usize,
    /// `preAllocSize`, in KiB: by how much a log file grows ahead of what is written into it.
    pub pre_alloc_kb: u32,
    /// `snapCount`: transactions between two snapshots (each member takes a random share of half of it).
    pub snap_count: u32,
    /// `snapSizeLimitInKb`, in KiB of log between two snapshots. `None`: no limit.
    pub snap_size_limit_kb: Option<u64>,
    /// `txnLogSizeLimitInKb`, in KiB: a log file longer than this is closed, and the next transaction opens another. `None`: no
    /// limit.
    pub txn_log_size_limit_kb: Option<u64>,
    /// `forceSync`: `fdatasync` before a write is acknowledged. Without it a power cut loses acknowledged writes.
    pub force_sync: bool,
    /// `fsync.warningthresholdms`, in milliseconds: a slower sync is reported.
    pub fsync_warning_threshold_ms: u32,
    /// `snapshot.trust.empty`: start from logs although there is no snapshot.
    pub snapshot_trust_empty: bool,
    /// `snapshot.compression.method`: how snapshots are compressed that this server writes. It reads all forms.
    pub snapshot_compression: Option<Compression>,
    /// `datadir.autocreate`: make directories that are missing. Otherwise the server does not start without them.
    pub datadir_autocreate: bool,
    /// `db.autocreate`: begin with an empty tree where there is no data. Otherwise that needs the file `initialize` in one of the
    /// two directories, which is removed at the start: whoever lost their data does not serve nothing in its place.
    pub db_autocreate: bool,
    /// `autopurge.snapRetainCount`: snapshots that a purge keeps; at least 3.
    pub autopurge_snap_retain_count: u32,
    /// `autopurge.purgeInterval`, in milliseconds (hours in the file, or with a unit: `30m`). `None`: never.
    pub autopurge_purge_interval_ms: Option<u64>,
    /// `4lw.commands.whitelist`: the four-letter words that are answered.
    pub four_letter_words: FourLetterWords,
    /// `digest.enabled`: digests of the tree in transactions and snapshots.
    pub digest_enabled: bool,
    /// `DigestAuthenticationProvider.*`, `skipACL`, `enforce.auth.*`: how credentials and access lists are judged.
    pub auth: AuthConfig,
    /// `closeSessionTxn.enabled`: the transaction that ends a session names the ephemeral znodes that go with it.
    pub close_session_txn_enabled: bool,
    /// `serializeLastProcessedZxid.enabled`: end snapshots with the last zxid once more, which servers before 3.9 do not expect.
    pub serialize_last_zxid: bool,
    /// `extendedTypesEnabled`: znodes with a time to live.
    pub extended_types_enabled: bool,
    /// `enforceQuota`: refuse writes that exceed the hard limit of a quota. Otherwise that is only logged.
    pub enforce_quota: bool,
    /// `znode.container.checkIntervalMs`, in milliseconds: how often empty containers and expired TTL nodes are looked for.
    pub container_check_interval_ms: u32,
    /// `znode.container.maxPerMinute`: how many of them are deleted in a minute at most.
    pub container_max_per_minute: u32,
    /// `znode.container.maxNeverUsedIntervalMs`, in milliseconds: how long a container may stay that never had a child. 0: for
    /// ever.
    pub container_max_never_used_ms: u32,
    /// `readonlymode.enabled`: serve reads without a quorum.
    pub read_only_mode_enabled: bool,
    /// `reconfigEnabled`: members may be changed while the ensemble runs.
    pub reconfig_enabled: bool,
    /// `standaloneEnabled`: a single participant runs standalone rather than as an ensemble of one.
    pub standalone_enabled: bool,
    /// `myid`, from the file of that name in `dataDir`. `None`: there is no such file.
    pub server_id: Option<i64>,
    /// `server.N`, `group.N`, `weight.N`, from the file itself or from `dynamicConfigFile`. `None`: none was given.
    pub ensemble: Option<Ensemble>,
    /// `initLimit`, in ticks: how long a learner may take to connect and synchronise. `None`: not given.
    pub init_limit_ticks: Option<u32>,
    /// `syncLimit`, in ticks: how far a learner may fall behind. `None`: not given.
    pub sync_limit_ticks: Option<u32>,
    /// How the members of an ensemble talk to each other.
    pub quorum: QuorumConfig,
    /// What the operator should hear about the file it came from. Log each when the server starts.
    pub warnings: Vec<Warning>,
}

/// The port of the development server, and of every example.
pub const DEFAULT_CLIENT_PORT: u16 = 2181;

/// `tickTime` where none is given, in milliseconds.
pub const DEFAULT_TICK_TIME_MS: u32 = 3000;

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            config_file: None,
            data_dir: PathBuf::from("./menagerie-data"),
            data_log_dir: PathBuf::from("./menagerie-data"),
            client_address: Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_CLIENT_PORT)),
            client_port_listen_backlog: None,
            tick_time_ms: DEFAULT_TICK_TIME_MS,
            min_session_timeout_ms: 2 * DEFAULT_TICK_TIME_MS,
            max_session_timeout_ms: 20 * DEFAULT_TICK_TIME_MS,
            sessionless_cnxn_timeout_ms: 10_000,
            max_client_cnxns: 60,
            max_cnxns: 0,
            global_outstanding_limit: 1000,
            throttle: ThrottleConfig::default(),
            jute_maxbuffer: 0xf_ffff,
            pre_alloc_kb: 65_536,
            snap_count: 100_000,
            snap_size_limit_kb: Some(4_194_304),
            txn_log_size_limit_kb: None,
            force_sync: true,
            fsync_warning_threshold_ms: 1000,
            snapshot_trust_empty: false,
            snapshot_compression: None,
            datadir_autocreate: true,
            db_autocreate: true,
            autopurge_snap_retain_count: 3,
            autopurge_purge_interval_ms: None,
            four_letter_words: FourLetterWords::default(),
            digest_enabled: true,
            auth: AuthConfig::default(),
            close_session_txn_enabled: true,
            serialize_last_zxid: false,
            extended_types_enabled: false,
            enforce_quota: false,
            container_check_interval_ms: 60_000,
            container_max_per_minute: 10_000,
            container_max_never_used_ms: 0,
            read_only_mode_enabled: false,
            reconfig_enabled: false,
            standalone_enabled: true,
            server_id: None,
            ensemble: None,
            init_limit_ticks: None,
            sync_limit_ticks: None,
            quorum: QuorumConfig::default(),
            warnings: Vec::new(),
        }
    }
}

impl ServerConfig {
    /// From the arguments of `menagerie server`, as the reference reads them (protocol §4.1): nothing (the development
    /// server), one configuration file, or `clientPort dataDir [tickTime] [maxClientCnxns]`.
    ///
    /// Reads the files it names and resolves `clientPortAddress`, so it blocks.
    ///
    /// # Errors
    /// See [`ConfigError`]; each is for the operator to read, and ends the process with exit code 2.
    pub fn from_args(args: &[String]) -> Result<Self, ConfigError> {
        match args {
            [] => Ok(Self::default()),
            [file] => zoo_cfg::load(file.as_ref()),
            _ => zoo_cfg::from_positional(args),
        }
    }

    /// Sets `tick_time_ms`, and the bounds of the session timeout to two and to twenty ticks.
    pub fn with_tick_time_ms(mut self, tick_time_ms: u32) -> Self {
        self.tick_time_ms = tick_time_ms;
        self.min_session_timeout_ms = tick_time_ms.saturating_mul(2);
        self.max_session_timeout_ms = tick_time_ms.saturating_mul(20);
        self
    }

    /// Whether this describes a member of an ensemble rather than a standalone server: more than one participant, or
    /// any list of servers with `standaloneEnabled=false` (protocol §4.1).
    pub fn is_distributed(&self) -> bool {
        self.ensemble.as_ref().is_some_and(|ensemble| !self.standalone_enabled || ensemble.participant_count() > 1)
    }

    /// Refuses what contradicts itself. The parser of `zoo.cfg` has looked already; a configuration made in code is looked at
    /// here.
    ///
    /// # Errors
    /// [`ConfigError::Senseless`] says what.
    pub fn require_sense(&self) -> Result<(), ConfigError> {
        let complaint = if self.tick_time_ms == 0 {
            "tickTime is 0"
        } else if self.min_session_timeout_ms > self.max_session_timeout_ms {
            "minSessionTimeout is above maxSessionTimeout"
        } else if self.container_check_interval_ms == 0 {
            "znode.container.checkIntervalMs is 0"
        } else {
            return Ok(());
        };
        Err(ConfigError::Senseless(complaint))
    }

    /// What the ids of this server's sessions begin with: `myid`, or 1 standalone, whatever `myid` says (protocol §2.11).
    pub(super) fn session_server_id(&self) -> u8 {
        let own = self.server_id.filter(|_| self.is_distributed());
        own.and_then(|id| u8::try_from(id).ok()).unwrap_or(1)
    }
}

/// How the members of an ensemble talk to each other (protocol §4.2). A standalone server has no use for it.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of zoo.cfg, independent of the others")]
pub struct QuorumConfig {
    /// `quorumListenOnAllIPs`: listen on all addresses rather than on those of the own `server.N`.
    pub listen_on_all_ips: bool,
    /// `multiAddress.enabled`: members may have several addresses, and tell each other so.
    pub multi_address: bool,
    /// `electionPortBindRetry`: attempts to take a port. 0: for ever.
    pub bind_attempts: u32,
    /// `cnxTimeout`, in milliseconds: how long a dial of an election port may take.
    pub connect_timeout_ms: u32,
    /// `connectToLearnerMasterLimit`, in ticks: how long a dial of the leader may take. `None`: `initLimit`.
    pub leader_connect_limit_ticks: Option<u32>,
    /// `fastleader.minNotificationInterval`, in milliseconds: how long a vote that has a quorum waits for a better one.
    pub min_notification_ms: u32,
    /// `fastleader.maxNotificationInterval`, in milliseconds: the longest pause between two sendings of the same vote.
    pub max_notification_ms: u32,
    /// `leaderServes`: whether clients are served by a member that leads.
    pub leader_serves: bool,
    /// `commitLogCount`: transactions kept in memory for learners that are a little behind.
    pub commit_log_count: u32,
    /// `snapshotSizeFactor`: how much of its log a leader reads for a learner that is further behind, as a share of the size of
    /// the snapshot that it would send otherwise. 0 and less: none.
    pub snapshot_size_factor: f64,
    /// `forceSnapshotSync`: bring learners up to date by a snapshot, however little they lack.
    pub force_snapshot_sync: bool,
    /// `leader.maxConcurrentSnapSyncs`: how many learners may be sent a snapshot at once; observers above it are sent away.
    pub snapshot_syncs_at_most: u32,
    /// `leader.maxConcurrentDiffSyncs`: the same for learners that are sent transactions.
    pub diff_syncs_at_most: u32,
}

impl Default for QuorumConfig {
    fn default() -> Self {
        Self {
            listen_on_all_ips: false,
            multi_address: false,
            bind_attempts: 3,
            connect_timeout_ms: 5000,
            leader_connect_limit_ticks: None,
            min_notification_ms: 200,
            max_notification_ms: 60_000,
            leader_serves: true,
            commit_log_count: 500,
            snapshot_size_factor: 0.33,
            force_snapshot_sync: false,
            snapshot_syncs_at_most: 10,
            diff_syncs_at_most: 100,
        }
    }
}

/// The four-letter words that are answered: `4lw.commands.whitelist` (protocol §3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FourLetterWords {
    listed: Vec<String>,
}

impl Default for FourLetterWords {
    /// `srvr` alone, as in the reference.
    fn default() -> Self {
        Self::parse("srvr")
    }
}

impl FourLetterWords {
    /// Reads the value of `4lw.commands.whitelist`: words between commas, or `*` for all of them.
    pub fn parse(list: &str) -> Self {
        let words = list.split(',').map(str::trim).filter(|word| !word.is_empty());
        Self { listed: words.map(str::to_owned).collect() }
    }

    /// Every word.
    pub fn all() -> Self {
        Self::parse("*")
    }

    /// Whether `word` is answered. `srvr` always is.
    pub fn allows(&self, word: &str) -> bool {
        word == "srvr" || self.listed.iter().any(|listed| listed == "*" || listed == word)
    }
}

/// Something in a configuration that is accepted, and that the operator should know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where it stands, such as `zoo.cfg:12`.
    pub origin: String,
    /// The key that it is about.
    pub key: String,
    /// What the server makes of it.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.origin, self.key, self.message)
    }
}

/// Why a configuration was refused. Each message says where, what, and what would be allowed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A configuration file could not be read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not Java properties text.
    #[error("{origin}: {what}")]
    Syntax {
        /// File and line.
        origin: String,
        /// What is wrong.
        what: String,
    },
    /// One value is not allowed.
    #[error("{origin}: {key}={value} is not allowed: expected {allowed}")]
    BadValue {
        /// File and line, or the argument.
        origin: String,
        /// The key.
        key: String,
        /// The value as it was given.
        value: String,
        /// What would be allowed.
        allowed: String,
    },
    /// Values that are fine alone and make no sense together, or one that is missing.
    #[error("{origin}: {what}")]
    Contradiction {
        /// The file.
        origin: String,
        /// The keys, their values, and what to change.
        what: String,
    },
    /// A value that cannot be, in a configuration that no file was read for.
    #[error("the configuration cannot be: {0}")]
    Senseless(&'static str),
    /// Nobody could connect.
    #[error("clientPort is not set, so no client could connect: add a line such as clientPort=2181")]
    NoClientPort,
    /// The arguments of `menagerie server` are neither a file nor a port and a directory.
    #[error("expected [zoo.cfg] or <clientPort> <dataDir> [tickTime] [maxClientCnxns], got {0} arguments")]
    Usage(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_letter_words_allow_what_is_listed_and_always_srvr() {
        let table = [
            ("", "srvr", true),
            ("", "stat", false),
            ("ruok, stat", "stat", true),
            ("ruok, stat", "mntr", false),
            ("ruok, stat", "srvr", true),
            ("*", "anything", true),
        ];
        for (list, word, allowed) in table {
            assert_eq!(FourLetterWords::parse(list).allows(word), allowed, "{list:?} {word}");
        }
        assert!(!FourLetterWords::default().allows("ruok"));
        assert!(FourLetterWords::all().allows("ruok"));
    }
}
