//! From the files to the state that a server starts with. What a standalone server mends by itself at once, a member of an
//! ensemble leaves to its leader: members must not differ.

use std::collections::BTreeMap;
use std::path::Path;

use super::disk_writer::{disk, version_dir};
use super::{ServerConfig, ServerError};
use crate::storage::{self, DirLock, LogOptions, RecoverOptions, Store, StoreOptions};
use crate::tree::DataTree;
use crate::wire::OpCode;
use crate::wire::txn::{Txn, TxnHeader};
use crate::zab::{self, Entry, Epochs, RecentLog};

/// What a server starts with.
pub(super) struct Recovered {
    pub(super) tree: DataTree,
    pub(super) sessions: BTreeMap<i64, i32>,
    /// Transactions since the snapshot: they count towards the next one.
    pub(super) txns_replayed: u64,
    pub(super) needs_snapshot: bool,
    /// What consensus needs to know; a standalone server has no use for it.
    pub(super) history: Option<zab::Recovered>,
    /// The directories are this server's alone.
    pub(super) locks: Vec<DirLock>,
    pub(super) store: Store,
}

/// Reads snapshots and logs, and for a member of an ensemble with these settings also its epochs and the end of its log.
/// It blocks.
///
/// # Errors
/// What cannot be read, and where.
pub(super) fn recover(config: &ServerConfig, member: Option<&zab::Config>) -> Result<Recovered, ServerError> {
    let (snapshot_dir, log_dir) = (version_dir(&config.data_dir), version_dir(&config.data_log_dir));
    if !config.datadir_autocreate {
        require_directories(config)?;
    }
    for directory in [&snapshot_dir, &log_dir] {
        let created = disk().create_dir_all(directory);
        created.map_err(|source| storage::Error::Io { action: "create", path: directory.clone(), source })?;
    }
    let mut locks = vec![storage::lock(disk().as_ref(), &snapshot_dir)?];
    if log_dir != snapshot_dir {
        locks.push(storage::lock(disk().as_ref(), &log_dir)?);
    }
    let may_be_empty = config.db_autocreate || storage::has_initialize_mark(disk().as_ref(), &directories(config))?;
    let options = recover_options(config);
    let recovered = storage::recover(&disk(), &snapshot_dir, &log_dir, &options)?;
    if recovered.report.has_warnings() {
        tracing::warn!("{}", recovered.report);
    } else {
        tracing::info!("{}", recovered.report);
    }
    if recovered.report.is_fresh() && !may_be_empty {
        return Err(ServerError::NoDatabase { data_dir: config.data_dir.clone() });
    }
    let mut tree = recovered.tree;
    let history = match member {
        Some(member) => Some(history(&options, member, &snapshot_dir, &log_dir, tree.last_zxid())?),
        None => None,
    };
    // Without a snapshot the reference would not start on this directory, nor would we a second time.
    let mut needs_snapshot = recovered.report.snapshot.is_none();
    if member.is_none() {
        // No transaction says so; without a snapshot the next start would find the znodes again.
        needs_snapshot |= remove_orphans(&mut tree, &recovered.sessions);
    }
    let log = LogOptions {
        pre_alloc_bytes: u64::from(config.pre_alloc_kb) * 1024,
        force_sync: config.force_sync,
        max_entry_bytes: options.max_entry_bytes,
    };
    let store = Store::open(disk(), snapshot_dir, log_dir, StoreOptions { log, recover: options });
    let txns_replayed = recovered.report.txns_replayed;
    Ok(Recovered { tree, sessions: recovered.sessions, txns_replayed, needs_snapshot, history, locks, store })
}

/// How this server's files are read.
pub(super) fn recover_options(config: &ServerConfig) -> RecoverOptions {
    RecoverOptions {
        trust_empty: config.snapshot_trust_empty,
        max_entry_bytes: max_txn_bytes(config),
        seed: fastrand::u64(..),
    }
}

/// What a log entry may hold: `jute.maxbuffer` and as much again (protocol §1).
pub(super) fn max_txn_bytes(config: &ServerConfig) -> usize {
    config.jute_maxbuffer.saturating_mul(2)
}

/// The epochs that this member has promised and taken over, and the end of its log.
fn history(
    options: &RecoverOptions,
    member: &zab::Config,
    snapshot_dir: &Path,
    log_dir: &Path,
    last: crate::wire::Zxid,
) -> Result<zab::Recovered, ServerError> {
    let epochs = storage::read_epochs(disk().as_ref(), snapshot_dir, last)?;
    let epochs = Epochs::new(epochs.accepted, epochs.current)?;
    let (entries, bytes) = (member.window_entries, member.window_bytes);
    let recent =
        storage::recent_entries(&disk(), snapshot_dir, log_dir, last, entries, bytes, options.max_entry_bytes)?;
    let entries = recent.entries.into_iter().map(|(zxid, payload)| Entry { zxid, payload }).collect();
    let log = RecentLog::new(recent.before, entries, member.window_entries, member.window_bytes);
    Ok(zab::Recovered { epochs, log })
}

/// Removes the ephemeral znodes of sessions that nobody knows. True when there were some.
fn remove_orphans(tree: &mut DataTree, sessions: &BTreeMap<i64, i32>) -> bool {
    let orphans: Vec<i64> = tree.sessions_with_ephemerals().filter(|session| !sessions.contains_key(session)).collect();
    for session in &orphans {
        let header = TxnHeader {
            client_id: *session,
            zxid: tree.last_zxid(),
            kind: OpCode::CloseSession.code(),
            ..TxnHeader::default()
        };
        tracing::info!(
            session = format_args!("0x{session:x}"),
            "removing the ephemeral znodes of a session that is gone"
        );
        tree.apply(&header, &Txn::CloseSession { paths: None }, &mut Vec::new());
    }
    !orphans.is_empty()
}

pub(super) fn directories(config: &ServerConfig) -> [&Path; 2] {
    [&config.data_dir, &config.data_log_dir]
}

/// `datadir.autocreate=false`: the directories themselves must be there; what is below them is the server's to make.
fn require_directories(config: &ServerConfig) -> Result<(), ServerError> {
    for directory in directories(config) {
        if disk().list(directory).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            return Err(ServerError::NoDirectory { directory: directory.to_owned() });
        }
    }
    Ok(())
}
