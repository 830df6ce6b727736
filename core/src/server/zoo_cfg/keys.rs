//! The vocabulary of `zoo.cfg` (protocol §4.2): which keys there are, what each may hold, and which are acted on.

use std::path::PathBuf;

use super::Draft;
use super::throttle_keys::{THROTTLES, off_at_zero};
use super::values::{Bad, MAX_INT, MAX_TICK_MS, Value};
use crate::auth::{DigestAlgorithm, UnknownAlgorithm};
use crate::server::config::FourLetterWords;
use crate::storage::snapshot::Compression;
use crate::wire::ensemble::Role;

/// What became of a key whose value is allowed.
pub(super) enum Verdict {
    /// It is in the draft.
    Taken,
    /// It is not acted on; the operator should hear why.
    Noted(String),
}

/// Reads one key into the draft.
///
/// # Errors
/// What would have been allowed as its value.
pub(super) fn apply(draft: &mut Draft, key: &str, value: Value<'_>) -> Result<Verdict, Bad> {
    if let Some((_, set)) = acted_on().find(|(name, _)| *name == key) {
        set(draft, value)?;
        return Ok(Verdict::Taken);
    }
    for (names, kind, note) in NOTED {
        if names.iter().any(|name| matches(name, key)) {
            kind.check(value)?;
            return Ok(Verdict::Noted((*note).to_owned()));
        }
    }
    Ok(Verdict::Noted(unknown(key)))
}

/// Reads a value into the draft.
pub(super) type Set = fn(&mut Draft, Value<'_>) -> Result<(), Bad>;

/// The keys that are acted on, each with what it sets.
#[rustfmt::skip]
const ACTED_ON: &[(&str, Set)] = &[
    ("dataDir", |d, v| put(&mut d.config.data_dir, v.text().map(PathBuf::from))),
    ("dataLogDir", |d, v| put(&mut d.data_log_dir, v.text().map(|dir| Some(PathBuf::from(dir))))),
    ("clientPort", |d, v| put(&mut d.client_port, v.port().map(Some))),
    ("clientPortAddress", |d, v| put(&mut d.client_port_address, v.text().map(Some))),
    ("clientPortListenBacklog", |d, v| put(&mut d.config.client_port_listen_backlog, v.int_or_default(1))),
    ("tickTime", |d, v| put(&mut d.config.tick_time_ms, v.int(1, MAX_TICK_MS))),
    ("maxClientCnxns", |d, v| put(&mut d.config.max_client_cnxns, v.int(0, MAX_INT))),
    ("minSessionTimeout", |d, v| put(&mut d.min_session_timeout_ms, v.int_or_default(1))),
    ("maxSessionTimeout", |d, v| put(&mut d.max_session_timeout_ms, v.int_or_default(1))),
    ("initLimit", |d, v| put(&mut d.config.init_limit_ticks, v.int(1, MAX_INT).map(Some))),
    ("syncLimit", |d, v| put(&mut d.config.sync_limit_ticks, v.int(1, MAX_INT).map(Some))),
    ("electionAlg", |_, v| v.word(&[("3", ())])),
    ("dynamicConfigFile", |d, v| put(&mut d.dynamic_config_file, v.text().map(|file| Some(PathBuf::from(file))))),
    ("autopurge.snapRetainCount", |d, v| put(&mut d.config.autopurge_snap_retain_count, v.int(0, MAX_INT))),
    ("autopurge.purgeInterval", |d, v| put(&mut d.config.autopurge_purge_interval_ms, v.hours_ms())),
    ("standaloneEnabled", |d, v| put(&mut d.config.standalone_enabled, v.boolean())),
    ("reconfigEnabled", |d, v| put(&mut d.config.reconfig_enabled, v.boolean())),
    ("multiAddress.enabled", |d, v| put(&mut d.config.quorum.multi_address, v.boolean())),
    ("quorumListenOnAllIPs", |d, v| put(&mut d.config.quorum.listen_on_all_ips, v.boolean())),
    ("electionPortBindRetry", |d, v| put(&mut d.config.quorum.bind_attempts, v.int(0, MAX_INT))),
    ("cnxTimeout", |d, v| put(&mut d.config.quorum.connect_timeout_ms, v.int(1, MAX_INT))),
    ("connectToLearnerMasterLimit", |d, v| put(&mut d.config.quorum.leader_connect_limit_ticks, off_at_zero(v))),
    ("fastleader.minNotificationInterval", |d, v| put(&mut d.config.quorum.min_notification_ms, v.int(1, MAX_INT))),
    ("fastleader.maxNotificationInterval", |d, v| put(&mut d.config.quorum.max_notification_ms, v.int(1, MAX_INT))),
    ("commitLogCount", |d, v| put(&mut d.config.quorum.commit_log_count, v.int(1, MAX_INT))),
    ("snapshotSizeFactor", |d, v| put(&mut d.config.quorum.snapshot_size_factor, v.decimal())),
    ("forceSnapshotSync", |d, v| put(&mut d.config.quorum.force_snapshot_sync, v.boolean())),
    ("leader.maxConcurrentSnapSyncs", |d, v| put(&mut d.config.quorum.snapshot_syncs_at_most, v.int(1, MAX_INT))),
    ("leader.maxConcurrentDiffSyncs", |d, v| put(&mut d.config.quorum.diff_syncs_at_most, v.int(1, MAX_INT))),
    ("leaderServes", |d, v| put(&mut d.config.quorum.leader_serves, v.yes_no())),
    ("peerType", |d, v| put(&mut d.peer_type, v.word(&ROLES).map(Some))),
    ("globalOutstandingLimit", |d, v| put(&mut d.config.global_outstanding_limit, v.int(1, MAX_INT))),
    ("preAllocSize", |d, v| put(&mut d.config.pre_alloc_kb, v.int(1, MAX_INT))),
    ("snapCount", |d, v| put(&mut d.config.snap_count, v.int(1, MAX_INT))),
    ("snapSizeLimitInKb", |d, v| put(&mut d.config.snap_size_limit_kb, v.long().map(size_limit))),
    ("txnLogSizeLimitInKb", |d, v| put(&mut d.config.txn_log_size_limit_kb, v.long().map(size_limit))),
    ("maxCnxns", |d, v| put(&mut d.config.max_cnxns, v.int(0, MAX_INT))),
    ("fsync.warningthresholdms", |d, v| put(&mut d.config.fsync_warning_threshold_ms, v.int(0, MAX_INT))),
    ("forceSync", |d, v| put(&mut d.config.force_sync, v.yes_no())),
    ("4lw.commands.whitelist", |d, v| put(&mut d.config.four_letter_words, Ok(FourLetterWords::parse(v.0)))),
    ("skipACL", |d, v| put(&mut d.config.auth.skip_acl, v.yes_no())),
    ("extendedTypesEnabled", |d, v| put(&mut d.config.extended_types_enabled, v.boolean())),
    ("enforceQuota", |d, v| put(&mut d.config.enforce_quota, v.boolean())),
    ("closeSessionTxn.enabled", |d, v| put(&mut d.config.close_session_txn_enabled, v.boolean())),
    ("serializeLastProcessedZxid.enabled", |d, v| put(&mut d.config.serialize_last_zxid, v.boolean())),
    ("digest.enabled", |d, v| put(&mut d.config.digest_enabled, v.boolean())),
    ("snapshot.trust.empty", |d, v| put(&mut d.config.snapshot_trust_empty, v.boolean())),
    ("snapshot.compression.method", |d, v| put(&mut d.config.snapshot_compression, v.word(&COMPRESSIONS))),
    ("datadir.autocreate", |d, v| put(&mut d.config.datadir_autocreate, v.boolean())),
    ("db.autocreate", |d, v| put(&mut d.config.db_autocreate, v.boolean())),
    ("nio.sessionlessCnxnTimeout", |d, v| put(&mut d.config.sessionless_cnxn_timeout_ms, v.int(1, MAX_INT))),
    ("DigestAuthenticationProvider.superDigest", |d, v| put(&mut d.config.auth.super_digest, super_digest(v).map(Some))),
    ("DigestAuthenticationProvider.digestAlg", |d, v| put(&mut d.digest_algorithm, digest_algorithm(v))),
    ("DigestAuthenticationProvider.enabled", |d, v| put(&mut d.digest_enabled, v.boolean())),
    ("enforce.auth.enabled", |d, v| put(&mut d.enforce_auth, v.boolean())),
    ("enforce.auth.schemes", |d, v| put(&mut d.config.auth.enforced_schemes, Ok(words(v)))),
    ("jute.maxbuffer", |d, v| put(&mut d.config.jute_maxbuffer, v.int(1024, MAX_INT).map(|bytes| bytes as usize))),
    ("readonlymode.enabled", |d, v| put(&mut d.config.read_only_mode_enabled, v.boolean())),
    ("znode.container.maxPerMinute", |d, v| put(&mut d.config.container_max_per_minute, v.int(1, MAX_INT))),
    ("znode.container.maxNeverUsedIntervalMs", |d, v| put(&mut d.config.container_max_never_used_ms, v.int(0, MAX_INT))),
    ("znode.container.checkIntervalMs", |d, v| put(&mut d.config.container_check_interval_ms, v.int(1, MAX_INT))),
];

/// Empty is what the reference's default is.
const COMPRESSIONS: [(&str, Option<Compression>); 3] =
    [("", None), ("gz", Some(Compression::Gzip)), ("snappy", Some(Compression::Snappy))];

const ROLES: [(&str, Role); 2] = [("participant", Role::Participant), ("observer", Role::Observer)];

/// What a key that is not acted on may hold, so that a slip is found before the day on which it matters.
enum Kind {
    Boolean,
    /// A number of at least this.
    AtLeast(i64),
    Text,
}

const NOT_YET: &str = "accepted, but this version does not act on it yet";
const ENSEMBLES: &str = "accepted, but it concerns what this version's ensembles do not do yet";
const JAVA_ONLY: &str = "it tunes the Java implementation and has no effect here";
const NO_STALLS: &str =
    "accepted; here a request that waits for its turn is told when it has come, and does not look again and again";
const NO_ORPHANS: &str =
    "accepted; here a request that waits for its turn is always forgotten when its connection is gone";
const GROUP_COMMIT: &str = "accepted; here writes are always synced in groups, as many as wait, without a delay";

/// The keys that are accepted and not acted on. A name that ends in `*` stands for all that begin with it.
#[rustfmt::skip]
const NOTED: &[(&[&str], Kind, &str)] = &[
    (&["observerMasterPort", "quorum.cnxn.threads.size", "multiAddress.reachabilityCheckTimeoutMs",
        "leader.ackLoggingFrequency", "leaderConnectDelayDuringRetryMs", "observer.reconnectDelayMs",
        "observer.election.DelayMs", "observerMaster.sizeLimit"], Kind::AtLeast(0), ENSEMBLES),
    (&["quorumCnxnTimeoutMs", "leader.maxTimeToWaitForEpoch"], Kind::AtLeast(-1), ENSEMBLES),
    (&["syncEnabled", "observer.syncEnabled", "sslQuorum", "portUnification",
        "sslQuorumReloadCertFiles", "quorum.auth.enableSasl", "quorum.auth.serverRequireSasl", "quorum.auth.learnerRequireSasl",
        "multiAddress.reachabilityCheckEnabled", "tcpKeepAlive"], Kind::Boolean, ENSEMBLES),
    (&["quorum.auth.*", "oraclePath", "ensembleAuthName", "ssl.quorum.*"], Kind::Text, ENSEMBLES),
    (&["flushDelay", "maxWriteQueuePollTime", "maxBatchSize"], Kind::AtLeast(0), GROUP_COMMIT),
    (&["secureClientPort",
        "connection_throttle_local_session_weight", "zookeeper.jute.maxbuffer.extrasize", "admin.serverPort",
        "admin.idleTimeout"], Kind::AtLeast(0), NOT_YET),
    (&["request_throttle_stall_time"], Kind::AtLeast(0), NO_STALLS),
    (&["request_stale_connection_check"], Kind::Boolean, NO_ORPHANS),
    (&["localSessionsEnabled", "localSessionsUpgradingEnabled", "clientTcpKeepAlive", "enableEagerACLCheck",
        "emulate353TTLNodes", "audit.enable", "allowSaslFailedClients",
        "sessionRequireClientSASLAuth", "kerberos.removeHostFromPrincipal",
        "kerberos.removeRealmFromPrincipal", "kerberos.canonicalizeHostNames", "client.portUnification", "client.certReload",
        "admin.enableServer", "IPAuthenticationProvider.usexforwardedfor"], Kind::Boolean, NOT_YET),
    (&["secureClientPortAddress", "metricsProvider.*", "authProvider.*", "audit.impl.class", "admin.*",
        "X509AuthenticationProvider.*", "superUser", "letAnySaslUserDoX",
        "SASLAuthenticationProvider.superPassword", "ssl.*", "java.security.auth.login.config"],
        Kind::Text, NOT_YET),
    (&["jvm.pause.*", "maxResponseCacheSize", "maxGetChildrenResponseCacheSize", "watchManagerName", "watcherCleanThreadsNum",
        "watcherCleanThreshold", "watcherCleanIntervalInSeconds", "maxInProcessingDeadWatchers", "bitHashCacheSize",
        "serverCnxnFactory", "nio.*", "commitProcessor.*", "netty.*", "messageTracker.*", "leader.closeSocketAsync",
        "learner.closeSocketAsync", "learner.asyncSending", "follower.skipLearnerRequestToNextProcessor",
        "forward_learner_requests_to_commit_processor_disabled", "fips-mode"], Kind::Text, JAVA_ONLY),
];

impl Kind {
    fn check(&self, value: Value<'_>) -> Result<(), Bad> {
        match self {
            Self::Boolean => value.boolean().map(drop),
            Self::AtLeast(min) => value.int(*min, i64::MAX).map(drop),
            Self::Text => Ok(()),
        }
    }
}

/// Every key that is acted on.
fn acted_on() -> impl Iterator<Item = &'static (&'static str, Set)> {
    ACTED_ON.iter().chain(THROTTLES)
}

fn matches(name: &str, key: &str) -> bool {
    name.strip_suffix('*').map_or(name == key, |prefix| key.starts_with(prefix))
}

/// An unknown key is never an error, as in the reference, but it is most often a slip.
fn unknown(key: &str) -> String {
    if let Some(bare) = key.strip_prefix("zookeeper.") {
        return format!(
            "ignored, as Apache ZooKeeper ignores it: in this file the key is written `{bare}`, without the prefix"
        );
    }
    let acted_on = acted_on().map(|(name, _)| *name);
    let noted = NOTED.iter().flat_map(|(names, _, _)| names.iter().copied());
    match acted_on.chain(noted).find(|name| name.eq_ignore_ascii_case(key)) {
        Some(name) => format!("unknown key, ignored; did you mean `{name}`? Case matters"),
        None => "unknown key, ignored".to_owned(),
    }
}

pub(super) fn put<T>(field: &mut T, value: Result<T, Bad>) -> Result<(), Bad> {
    *field = value?;
    Ok(())
}

/// Zero and less mean that size does not trigger a snapshot.
fn size_limit(kb: i64) -> Option<u64> {
    u64::try_from(kb).ok().filter(|&kb| kb > 0)
}

fn super_digest(value: Value<'_>) -> Result<String, Bad> {
    match value.0.split_once(':') {
        Some((user, digest)) if !user.is_empty() && !digest.is_empty() => Ok(value.0.to_owned()),
        _ => Err(Bad::new("user:base64(sha1(user:password))")),
    }
}

fn digest_algorithm(value: Value<'_>) -> Result<DigestAlgorithm, Bad> {
    value.0.parse().map_err(|unknown: UnknownAlgorithm| Bad::new(unknown.to_string()))
}

fn words(value: Value<'_>) -> Vec<String> {
    value.0.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
