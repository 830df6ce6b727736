//! Restores a server's tree and sessions from its files (protocol §6.5, §6.4): the newest snapshot that can be read, then
//! every transaction logged after it. It changes nothing on disk but the leftovers of crashes: it removes those that
//! hold nothing, and finishes what a leader's state had begun to replace.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{self, TEMPORARY_PREFIX};
use super::file_names::{log_files, names, snapshot_files};
use super::log_iterator::LogIterator;
use super::log_reader::{LogEnd, LogEntry};
use super::report::{DigestReport, RecoveryReport, SnapshotReport};
use super::snapshot::{self, Image, SnapshotDigest};
use super::{DEFAULT_MAX_ENTRY_BYTES, Disk, Error, SnapshotFile, install};
use crate::tree::{Change, DataTree, Outcome};
use crate::wire::Zxid;
use crate::wire::txn::{DIGEST_VERSION, TxnDigest};

/// How many snapshots are tried before it is said that none can be read.
const MAX_SNAPSHOTS_TRIED: usize = 100;

/// How to recover.
#[derive(Debug, Clone)]
pub struct RecoverOptions {
    /// `snapshot.trust.empty`: believe logs without a snapshot, and replay them from the beginning.
    pub trust_empty: bool,
    /// The longest string, buffer or entry the files may hold, in bytes.
    pub max_entry_bytes: usize,
    /// See [`DataTree::with_seed`].
    pub seed: u64,
}

impl Default for RecoverOptions {
    fn default() -> Self {
        RecoverOptions { trust_empty: false, max_entry_bytes: DEFAULT_MAX_ENTRY_BYTES, seed: 0 }
    }
}

/// What a server starts with.
#[derive(Debug)]
pub struct Recovered {
    /// The tree.
    pub tree: DataTree,
    /// Session timeouts in milliseconds by id.
    pub sessions: BTreeMap<i64, i32>,
    /// The last transaction that is in the tree.
    pub last_zxid: Zxid,
    /// What was found, for the operator.
    pub report: RecoveryReport,
}

/// Restores from the snapshots in `snap_dir` and the logs in `log_dir`, which may be one directory. Directories that are
/// missing or empty make a fresh tree ([`RecoveryReport::is_fresh`]); it is the caller who then writes the first snapshot.
///
/// # Errors
/// [`Error::Corrupt`] when the log is damaged in its middle, [`Error::NoReadableSnapshot`], [`Error::NoSnapshot`],
/// [`Error::Misplaced`], [`Error::Io`].
pub fn recover(
    disk: &Arc<dyn Disk>,
    snap_dir: &Path,
    log_dir: &Path,
    options: &RecoverOptions,
) -> Result<Recovered, Error> {
    refuse_misplaced(disk.as_ref(), snap_dir, log_dir)?;
    install::finish(disk.as_ref(), snap_dir, log_dir)?;
    remove_leftovers(disk.as_ref(), snap_dir)?;
    load(disk, snap_dir, log_dir, options)
}

/// As [`recover`], in directories that were recovered before and may be in use: it looks for no leftovers.
pub(super) fn load(
    disk: &Arc<dyn Disk>,
    snap_dir: &Path,
    log_dir: &Path,
    options: &RecoverOptions,
) -> Result<Recovered, Error> {
    let mut report = RecoveryReport::default();
    let has_logs = !log_files(disk.as_ref(), log_dir)?.is_empty();
    let image = match load_snapshot(disk.as_ref(), snap_dir, options, &mut report)? {
        Some(image) => image,
        None if has_logs && !options.trust_empty => {
            return Err(Error::NoSnapshot { log_dir: log_dir.to_owned(), snap_dir: snap_dir.to_owned() });
        }
        None => Image { tree: DataTree::with_seed(options.seed), sessions: BTreeMap::new(), digest: None },
    };
    let (replay, ends, mut report) = replay_log(disk, image, log_dir, options.max_entry_bytes, report)?;
    note_ends(disk.as_ref(), &ends, &mut report)?;
    Ok(replay.finish(report))
}

/// Restores one snapshot, and the transactions that the logs in `log_dir` hold after it, if one is given. Unlike
/// [`recover`] it changes nothing, believes no other snapshot, and needs no directory of its own.
///
/// # Errors
/// As [`recover`], for this snapshot.
pub fn restore(
    disk: &Arc<dyn Disk>,
    file: &SnapshotFile,
    log_dir: Option<&Path>,
    options: &RecoverOptions,
) -> Result<Recovered, Error> {
    let image = try_snapshot(disk.as_ref(), file, options)?;
    let mut report = RecoveryReport { snapshot: Some(snapshot_report(file, &image)), ..RecoveryReport::default() };
    let Some(log_dir) = log_dir else {
        return Ok(Replay::new(image).finish(report));
    };
    let (replay, ends, found) = replay_log(disk, image, log_dir, options.max_entry_bytes, report)?;
    report = found;
    for (path, end) in &ends {
        if let LogEnd::Torn { offset, what } = end {
            report.torn_tails.push((path.clone(), *offset, what));
        }
    }
    Ok(replay.finish(report))
}

type Ends = Vec<(PathBuf, LogEnd)>;

/// Replays what the log holds after the image, and reports it. Returns how the files ended.
fn replay_log(
    disk: &Arc<dyn Disk>,
    image: Image,
    log_dir: &Path,
    max_entry_bytes: usize,
    mut report: RecoveryReport,
) -> Result<(Replay, Ends, RecoveryReport), Error> {
    let mut replay = Replay::new(image);
    let mut log = LogIterator::from_zxid(disk, log_dir, replay.tree.last_zxid().next(), max_entry_bytes)?;
    while let Some(entry) = log.next_entry()? {
        replay.apply(&entry)?;
    }
    report.txns_replayed = replay.txns;
    report.log_files = log.ends().len();
    report.gaps = log.gaps().to_vec();
    Ok((replay, log.ends().to_vec(), report))
}

fn snapshot_report(file: &SnapshotFile, image: &Image) -> SnapshotReport {
    SnapshotReport { znodes: image.tree.len(), path: file.path.clone(), zxid: file.zxid, digest: image.digest }
}

fn refuse_misplaced(disk: &dyn Disk, snap_dir: &Path, log_dir: &Path) -> Result<(), Error> {
    if snap_dir == log_dir {
        return Ok(());
    }
    if let Some(file) = snapshot_files(disk, log_dir)?.pop() {
        return Err(Error::Misplaced {
            path: file.path,
            what: "snapshots belong into dataDir, and dataLogDir is another directory",
        });
    }
    if let Some((_, path)) = log_files(disk, snap_dir)?.pop() {
        return Err(Error::Misplaced {
            path,
            what: "transaction logs belong into dataLogDir, and dataDir is another directory",
        });
    }
    Ok(())
}

/// Files that were never given their names.
fn remove_leftovers(disk: &dyn Disk, dir: &Path) -> Result<(), Error> {
    for name in names(disk, dir)? {
        if name.starts_with(TEMPORARY_PREFIX) {
            let path = dir.join(name);
            match disk.remove(&path) {
                // Whoever was still writing it has given it its name meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                removed => removed.map_err(Error::io("remove", &path))?,
            }
        }
    }
    Ok(())
}

fn load_snapshot(
    disk: &dyn Disk,
    dir: &Path,
    options: &RecoverOptions,
    report: &mut RecoveryReport,
) -> Result<Option<Image>, Error> {
    let mut newest_failure = None;
    let mut tried = 0;
    for file in snapshot_files(disk, dir)?.into_iter().rev().take(MAX_SNAPSHOTS_TRIED) {
        tried += 1;
        let reason = match try_snapshot(disk, &file, options) {
            Ok(image) => {
                report.snapshot = Some(snapshot_report(&file, &image));
                return Ok(Some(image));
            }
            // An older one may do. A disk that fails is not passed over.
            Err(error) if error.is_corruption() => error.to_string(),
            Err(error) => return Err(error),
        };
        newest_failure.get_or_insert_with(|| reason.clone());
        report.skipped_snapshots.push((file.path, reason));
    }
    match newest_failure {
        None => Ok(None),
        Some(newest) => Err(Error::NoReadableSnapshot { dir: dir.to_owned(), tried, newest }),
    }
}

fn try_snapshot(disk: &dyn Disk, file: &SnapshotFile, options: &RecoverOptions) -> Result<Image, Error> {
    if !snapshot::is_plausible(disk, file)? {
        let length = disk.len(&file.path).map_err(Error::io("read", &file.path))?;
        return Err(Error::corrupt(&file.path, length, "it was not written to its end"));
    }
    snapshot::read(disk, file, options.max_entry_bytes, options.seed)
}

/// Records how the logs ended. A last file with nothing in it is removed: a reference server that finds it first, or finds
/// it between others one day, refuses to start.
fn note_ends(disk: &dyn Disk, ends: &[(PathBuf, LogEnd)], report: &mut RecoveryReport) -> Result<(), Error> {
    for (path, end) in ends {
        match end {
            LogEnd::Clean => {}
            LogEnd::Torn { offset, what } => report.torn_tails.push((path.clone(), *offset, what)),
            LogEnd::NoHeader => {
                disk.remove(path).map_err(Error::io("remove", path))?;
                disk::sync_parent(disk, path)?;
                report.empty_logs_removed.push(path.clone());
            }
        }
    }
    Ok(())
}

/// A tree on its way from a snapshot to the log's end.
struct Replay {
    tree: DataTree,
    sessions: BTreeMap<i64, i32>,
    txns: u64,
    changes: Vec<Change>,
    /// The snapshot's digest, until replay comes to it.
    expected: Option<SnapshotDigest>,
    /// Whether the tree is exactly some server's: not before a fuzzy snapshot's own transactions are replayed. A snapshot
    /// of zxid 0 without a digest holds no transaction at all; with one it was still written when the first ones came.
    is_exact: bool,
    /// Where the tree is not what the snapshot's digest says, and how many digests have differed since, that one included.
    doubt: Option<(Zxid, u64)>,
    digests: DigestReport,
}

impl Replay {
    fn new(image: Image) -> Self {
        let mut replay = Replay {
            is_exact: image.tree.last_zxid() == Zxid::ZERO && image.digest.is_none(),
            tree: image.tree,
            sessions: image.sessions,
            txns: 0,
            changes: Vec::new(),
            expected: image.digest,
            doubt: None,
            digests: DigestReport::default(),
        };
        replay.compare_snapshot();
        replay
    }

    fn apply(&mut self, entry: &LogEntry) -> Result<(), Error> {
        let record = entry.decode()?;
        self.changes.clear();
        match self.tree.apply(&record.header, &record.txn, &mut self.changes) {
            Outcome::SessionCreated { timeout_ms } => {
                self.sessions.insert(record.header.client_id, timeout_ms);
            }
            Outcome::SessionClosed => {
                self.sessions.remove(&record.header.client_id);
            }
            _ => {}
        }
        self.txns += 1;
        self.compare_snapshot();
        if let Some(digest) = record.digest {
            self.compare_txn(&digest);
        }
        Ok(())
    }

    fn finish(mut self, mut report: RecoveryReport) -> Recovered {
        if !self.is_exact {
            self.tree.forget_digests();
        }
        report.znodes = self.tree.len();
        report.ephemerals = self.tree.ephemeral_count();
        report.sessions = self.sessions.len();
        report.last_zxid = self.tree.last_zxid();
        report.digests = self.digests();
        Recovered { last_zxid: self.tree.last_zxid(), tree: self.tree, sessions: self.sessions, report }
    }

    /// What was compared, with the doubt about the snapshot that nothing has removed.
    fn digests(&self) -> DigestReport {
        let mut digests = self.digests;
        if let Some((since, differed)) = self.doubt {
            digests.mismatched += differed;
            digests.first_mismatch = Some(since);
        }
        digests
    }

    fn compare_snapshot(&mut self) {
        let now = self.tree.last_zxid();
        if let Some(expected) = self.expected.take_if(|expected| expected.zxid <= now) {
            // A snapshot whose digest is older than its own zxid says nothing about what it holds.
            if expected.zxid == now {
                let was_exact = std::mem::replace(&mut self.is_exact, expected.digest == self.tree.digest());
                if self.is_exact {
                    if !was_exact {
                        self.tree.forget_digests();
                    }
                    self.digests.matched += 1;
                } else {
                    // The reference reads the digest while it applies the next transaction, which znodes may show already.
                    self.doubt = Some((now, 1));
                }
            }
        }
    }

    fn compare_txn(&mut self, digest: &TxnDigest) {
        if digest.version != DIGEST_VERSION {
            return;
        }
        let expected = digest.tree_digest as u64;
        let is_equal = expected == self.tree.digest();
        if self.is_exact {
            self.count(expected);
        } else if is_equal {
            // Nothing was wrong, then.
            self.doubt = None;
        } else if let Some((_, differed)) = &mut self.doubt {
            *differed += 1;
        }
        // Once the tree is the one that was logged, it must stay so.
        if is_equal && !self.is_exact {
            self.is_exact = true;
            self.tree.forget_digests();
        }
    }

    fn count(&mut self, expected: u64) {
        if self.tree.digest() == expected {
            self.digests.matched += 1;
        } else {
            self.digests.mismatched += 1;
            self.digests.first_mismatch.get_or_insert(self.tree.last_zxid());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::path::Path;

    use super::*;
    use crate::jute::Encode;
    use crate::wire::Acl;
    use crate::wire::txn::{CreateTxn, Txn, TxnHeader, TxnRecord};

    fn create(path: &str) -> Txn {
        let (acl, path) = (Acl::open(), path.to_owned());
        Txn::Create(false, CreateTxn { path, data: None, acl, ephemeral: false, parent_cversion: -1 })
    }

    fn set(data: &'static str, version: i32) -> Txn {
        Txn::SetData { path: "/p".to_owned(), data: Some(data.into()), version }
    }

    fn header(zxid: i64, txn: &Txn) -> TxnHeader {
        TxnHeader { zxid: Zxid(zxid), kind: txn.kind().code(), ..TxnHeader::default() }
    }

    /// The transactions 1, 2, 3 as they are logged, and the digest of the tree after each.
    fn history() -> (Vec<LogEntry>, Vec<u64>) {
        let (mut tree, mut entries, mut digests) = (DataTree::with_seed(1), Vec::new(), Vec::new());
        for (zxid, txn) in (1..).zip([create("/p"), set("two", 1), set("three", 2)]) {
            let header = header(zxid, &txn);
            tree.apply(&header, &txn, &mut Vec::new());
            digests.push(tree.digest());
            let digest = Some(TxnDigest { version: DIGEST_VERSION, tree_digest: tree.digest() as i64 });
            let bytes = TxnRecord { header, txn, digest }.to_bytes();
            entries.push(LogEntry { zxid: Zxid(zxid), bytes, offset: 0, path: Path::new("/log.1").into() });
        }
        (entries, digests)
    }

    /// The image of a snapshot of 1 whose znode shows `data` already, with the digest of 1.
    fn image(digest: u64, data: &'static str) -> Image {
        let mut tree = DataTree::with_seed(1);
        for txn in [create("/p"), set(data, 1)] {
            // The same zxid: a snapshot's tree is as old as its name says.
            tree.apply(&header(1, &txn), &txn, &mut Vec::new());
        }
        Image { tree, sessions: BTreeMap::new(), digest: Some(SnapshotDigest { zxid: Zxid(1), digest }) }
    }

    /// The reference reads a snapshot's digest while it applies the next transaction: a znode may show that one, and the digest
    /// not yet. The tree is right as soon as the transaction is replayed, and nothing was damaged.
    #[test]
    fn a_snapshot_that_is_ahead_of_its_digest_is_sound_when_a_later_digest_is_right() {
        let (entries, digests) = history();
        let mut replay = Replay::new(image(digests[0], "two"));
        for entry in &entries[1..] {
            replay.apply(entry).unwrap();
        }
        let report = replay.digests();
        assert_eq!((report.matched, report.mismatched, report.first_mismatch), (1, 0, None));
    }

    #[test]
    fn a_snapshot_that_differs_from_its_digest_is_told_when_no_later_one_is_right() {
        let (entries, digests) = history();
        let replay = Replay::new(image(digests[0], "damage"));
        assert_eq!(replay.digests().first_mismatch, Some(Zxid(1)), "nothing was logged after it");
        // Another znode, which no transaction mends.
        let mut damaged = image(digests[0], "two");
        let extra = create("/extra");
        damaged.tree.apply(&header(1, &extra), &extra, &mut Vec::new());
        let mut replay = Replay::new(damaged);
        for entry in &entries[1..] {
            replay.apply(entry).unwrap();
        }
        assert_eq!((replay.digests().mismatched, replay.digests().first_mismatch), (3, Some(Zxid(1))));
    }

    /// Found by killing leaders under load: a member that had started from a snapshot told a digest, for a transaction that the
    /// snapshot had partly seen, that no other member had.
    #[test]
    fn digests_of_a_tree_that_is_not_yet_whole_are_forgotten() {
        let (mut tree, mut digests, mut entries) = (DataTree::with_seed(1), Vec::new(), Vec::new());
        for zxid in 1..=300 {
            let txn = if zxid == 1 { create("/p") } else { set(if zxid % 2 == 0 { "even" } else { "odd" }, zxid) };
            let header = header(zxid.into(), &txn);
            tree.apply(&header, &txn, &mut Vec::new());
            digests.push(tree.digest());
            let digest = Some(TxnDigest { version: DIGEST_VERSION, tree_digest: tree.digest() as i64 });
            let bytes = TxnRecord { header, txn, digest }.to_bytes();
            entries.push(LogEntry { zxid: Zxid(zxid.into()), bytes, offset: 0, path: Path::new("/log.1").into() });
        }
        // A snapshot of 1 that shows another znode, which the 200th transaction would have made: whole it is never.
        let mut ahead = DataTree::with_seed(1);
        for txn in [create("/p"), create("/q")] {
            ahead.apply(&header(1, &txn), &txn, &mut Vec::new());
        }
        let replay = |image: Image| {
            let mut replay = Replay::new(image);
            entries[1..].iter().try_for_each(|entry| replay.apply(entry)).unwrap();
            let recovered = replay.finish(RecoveryReport::default());
            recovered.tree.digest_log().map(|(zxid, digest)| (zxid.0, digest)).collect::<Vec<_>>()
        };
        assert_eq!(replay(Image { tree: ahead, sessions: BTreeMap::new(), digest: None }), []);
        // One whose znode is ahead is whole after the next transaction, and tells the digests from then on.
        let image = Image { digest: None, ..image(0, "ahead") };
        assert_eq!(replay(image), [(128, digests[127]), (256, digests[255])]);
    }
}
