//! The command lines of `menagerie log` and `menagerie snapshot`.

use std::path::PathBuf;

use crate::storage::DEFAULT_MAX_ENTRY_BYTES;
use crate::wire::Zxid;

/// What to do with transaction logs.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum LogCommand {
    /// Print the transactions of logs
    #[command(after_long_help = DUMP_HELP)]
    Dump(LogDump),
    /// Check every record of logs
    #[command(after_long_help = VERIFY_HELP)]
    Verify(LogVerify),
    /// Go back to a transaction: take all later ones out of a data directory
    #[command(after_long_help = TRUNCATE_HELP)]
    Truncate(LogTruncate),
    /// Write a copy of a log in which every checksum is right
    #[command(after_long_help = FIX_HELP)]
    FixChecksums(LogFix),
}

/// What to do with snapshots.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum SnapshotCommand {
    /// Print the znodes and sessions of a snapshot, in the form that ZooKeeper's formatter has
    #[command(after_long_help = SNAPSHOT_DUMP_HELP)]
    Dump(SnapshotDump),
    /// Check snapshots: that servers can start from them, and that their digests are right
    #[command(after_long_help = SNAPSHOT_VERIFY_HELP)]
    Verify(SnapshotVerify),
    /// Print how two snapshots differ
    #[command(after_long_help = COMPARE_HELP)]
    Compare(SnapshotCompare),
    /// Print a snapshot as JSON, one line for each znode
    #[command(after_long_help = JSON_HELP)]
    ToJson(SnapshotToJson),
    /// Print how many znodes and bytes are below each znode
    Summary(SnapshotSummary),
}

/// `menagerie log dump`.
#[derive(Debug, Clone, clap::Args)]
pub struct LogDump {
    /// Log files, or directories with logs; those of one directory are one history
    #[arg(required = true, value_name = "FILE | DIR")]
    pub files: Vec<PathBuf>,
    /// Print no transaction before this one, such as 0x100000002
    #[arg(long, value_name = "ZXID", value_parser = zxid)]
    pub from: Option<Zxid>,
    /// Print no transaction after this one, and stop there
    #[arg(long, value_name = "ZXID", value_parser = zxid)]
    pub to: Option<Zxid>,
    /// Print only what changes this znode or one below it
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// Print only the transactions of this session, such as 0x10000a1d1470000
    #[arg(long, value_name = "ID", value_parser = session)]
    pub session: Option<i64>,
    /// Print all of the data, not only the first 64 bytes
    #[arg(long)]
    pub full: bool,
    /// Print one JSON object for each transaction
    #[arg(long)]
    pub json: bool,
    /// Where a log is damaged, say so and go on at the next whole record
    #[arg(long)]
    pub skip_damage: bool,
    /// What all tools have in common
    #[command(flatten)]
    pub limits: Limits,
}

/// `menagerie log verify`.
#[derive(Debug, Clone, clap::Args)]
pub struct LogVerify {
    /// Log files, or directories with logs; those of one directory are one history
    #[arg(required = true, value_name = "FILE | DIR")]
    pub files: Vec<PathBuf>,
    /// Print one JSON object for each file
    #[arg(long)]
    pub json: bool,
    /// What all tools have in common
    #[command(flatten)]
    pub limits: Limits,
}

/// `menagerie log truncate`.
#[derive(Debug, Clone, clap::Args)]
pub struct LogTruncate {
    /// The data directory, or its version-2
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The last transaction to keep, such as 0x100000002
    #[arg(long, value_name = "ZXID", value_parser = zxid)]
    pub to: Zxid,
    /// Where the snapshots are, if dataLogDir is another directory than dataDir
    #[arg(long, value_name = "DIR")]
    pub snapshots: Option<PathBuf>,
    /// Where to keep what is taken out; it must not exist yet, and be on the same file system [default: beside DIR]
    #[arg(long, value_name = "DIR", conflicts_with = "no_backup")]
    pub backup: Option<PathBuf>,
    /// Keep nothing of what is taken out
    #[arg(long)]
    pub no_backup: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// What all tools have in common
    #[command(flatten)]
    pub limits: Limits,
}

/// `menagerie log fix-checksums`.
#[derive(Debug, Clone, clap::Args)]
pub struct LogFix {
    /// The log file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The directory to write the copy into; it must not hold logs
    #[arg(long, value_name = "DIR")]
    pub output: PathBuf,
    /// What all tools have in common
    #[command(flatten)]
    pub limits: Limits,
}

/// `menagerie snapshot dump`.
#[derive(Debug, Clone, clap::Args)]
pub struct SnapshotDump {
    /// The snapshot, or a directory: its newest
    #[arg(value_name = "FILE | DIR")]
    pub file: PathBuf,
    /// Print the data too, as base64
    #[arg(short, long)]
    pub data: bool,
    /// Print the access lists too
    #[arg(long)]
    pub acl: bool,
    /// Print what stands before the damage of a damaged snapshot
    #[arg(long)]
    pub partial: bool,
    /// What all tools have in common
    #[command(flatten)]
    pub limits: Limits,
}

/// `menagerie snapshot verify`.
#[derive(Debug, Clone, clap::Args)]
pub struct SnapshotVerify {
    /// Snapshots, or directories with snapshots
    #[arg(required = true, value_name = "FILE | DIR")]
    pub files: Vec<PathBuf>,
    /// Replay the logs after each snapshot as a server would, and compare every digest on the way
    #[arg(long)]
    pub replay: bool,
    /// Where the logs are, if not beside the snapshot
    #[arg(long, value_name = "DIR", requires = "replay")]
    pub logs: Option<PathBuf>,
    /// Print one JSON object for each snapshot
    #[arg(long)]
    pub json: bool,
    /// What all tools have in common
    #[command(flatten)]
    pub limits: Limits,
}

/// `menagerie snapshot compare`.
#[derive(Debug, Clone, clap::Args)]
pub struct SnapshotCompare {
    /// One snapshot, or a directory: its newest
    #[arg(value_name = "LEFT")]
    pub left: PathBuf,
    /// The other
    #[arg(value_name = "RIGHT")]
    pub right: PathBuf,
    /// Sum up subtrees: print those whose data differ by more than this
    #[arg(short, long, value_name = "BYTES")]
    pub bytes: Option<u64>,
    /// Sum up subtrees: print those that differ by more than so many znodes
    #[arg(short, long, value_name = "N")]
    pub nodes: Option<u64>,
    /// Print one JSON object for each difference
    #[arg(long, conflicts_with_all = ["bytes", "nodes"])]
    pub json: bool,
    /// What all tools have in common
    #[command(flatten)]
    pub limits: Limits,
}

/// `menagerie snapshot to-json`.
#[derive(Debug, Clone, clap::Args)]
pub struct SnapshotToJson {
    /// The snapshot, or a directory: its newest
    #[arg(value_name = "FILE | DIR")]
    pub file: PathBuf,
    /// What all tools have in common
    #[command(flatten)]
    pub limits: Limits,
}

/// `menagerie snapshot summary`.
#[derive(Debug, Clone, clap::Args)]
pub struct SnapshotSummary {
    /// The snapshot, or a directory: its newest
    #[arg(value_name = "FILE | DIR")]
    pub file: PathBuf,
    /// Where to begin
    #[arg(value_name = "PATH", default_value = "/")]
    pub path: String,
    /// How many levels below it to print
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub depth: usize,
    /// Print one JSON object for each znode
    #[arg(long)]
    pub json: bool,
    /// What all tools have in common
    #[command(flatten)]
    pub limits: Limits,
}

/// What the files may hold.
#[derive(Debug, Clone, clap::Args)]
pub struct Limits {
    /// The longest record or value that the files may hold, in bytes: twice the servers' jute.maxbuffer
    #[arg(long, value_name = "BYTES", default_value_t = DEFAULT_MAX_ENTRY_BYTES)]
    pub max_buffer: usize,
}

fn zxid(text: &str) -> Result<Zxid, String> {
    hexadecimal(text)
        .map(Zxid)
        .ok_or_else(|| "a transaction id is written in hexadecimal, such as 0x100000002".to_owned())
}

fn session(text: &str) -> Result<i64, String> {
    hexadecimal(text).ok_or_else(|| "a session id is written in hexadecimal, such as 0x10000a1d1470000".to_owned())
}

/// Only with its `0x`: without, `10` would be one number here and another in a file's name.
fn hexadecimal(text: &str) -> Option<i64> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u64::from_str_radix(digits, 16).ok().map(|number| number as i64)
}

const DUMP_HELP: &str = "\
Reads the logs of Menagerie and of ZooKeeper, one record at a time. A running server is not
disturbed.

  menagerie log dump /var/lib/zookeeper                  all logs, in order
  menagerie log dump --path /app/config version-2        who changed this znode, and when
  menagerie log dump --from 0x5 --to 0x9 --json log.1    as JSON, data in base64

Exit codes: 0 done, 1 damaged, 2 bad arguments, 3 a file cannot be read.";

const VERIFY_HELP: &str = "\
Checks header, length, checksum and content of every record, and that none is missing between two.
What a crash left of a write at a file's end is no damage: it was never acknowledged.

Exit codes: 0 all well, 1 something is damaged or missing, 2 bad arguments, 3 a file cannot be read.";

const TRUNCATE_HELP: &str = "\
Stop the server first. Takes out the later transactions and the later snapshots, and moves them
into a backup directory. The transaction must be in the log, or be a snapshot's. Everything is
checked before anything is changed.

In an ensemble, do not do this to one member: the others have what it loses. Give it an empty
directory instead; it copies the data from them.

A server of Menagerie is known by its lock on the directory, any other by the log that it has open.
A ZooKeeper server that has written nothing since its start cannot be seen.

  menagerie log truncate --to 0x2a --dry-run /var/lib/zookeeper

Exit codes: 0 done, 1 the log is damaged before that transaction, 2 bad arguments, 3 refused, or
the disk failed; what was done until then is said.";

const FIX_HELP: &str = "\
For a log whose bytes were changed on disk, as far as they can still be read as transactions. The
copy has new checksums, and each transaction that got one is printed, because nobody knows whether
it says what was written: put the copy beside the snapshots and see whether the digests fit, with
`menagerie snapshot verify --replay`. The original is not changed.
`menagerie log truncate` to the transaction before the damage is the safer way.

Exit codes: 0 done, 1 damaged in another way, 2 bad arguments, 3 a file cannot be read or written.";

const SNAPSHOT_DUMP_HELP: &str = "\
The snapshot is read twice, first to check it; it is never in memory as a whole.

Exit codes: 0 done, 1 damaged, 2 bad arguments, 3 the file cannot be read.";

const SNAPSHOT_VERIFY_HELP: &str = "\
A snapshot is written while the server goes on, so its digest is mostly that of a later
transaction. --replay goes there.

  menagerie snapshot verify --replay /var/lib/zookeeper    can a server start from each of these?

Exit codes: 0 all well, 1 something is damaged, missing or different, 2 bad arguments, 3 a file
cannot be read.";

const COMPARE_HELP: &str = "\
Prints one line for each difference: `-` only in LEFT, `+` only in RIGHT, `~` in both and not the
same. With --bytes or --nodes, only sums of whole subtrees, level by level, as ZooKeeper's
SnapshotComparer does. Both snapshots are held in memory.

Exit codes: 0 equal, 1 different or damaged, 2 bad arguments, 3 a file cannot be read.";

const JSON_HELP: &str = "\
Each line is an object with path, data (base64, or null), acl, kind and stat. The root comes first,
parents before their children. The file is checked as it is read: if it is damaged, the exit code
says so, and what was printed before cannot be relied on.

Exit codes: 0 done, 1 damaged, 2 bad arguments, 3 the file cannot be read.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hexadecimal_and_say_so() {
        assert_eq!(zxid("0x100000002"), Ok(Zxid::new(1, 2)));
        assert_eq!(session("0xff00008000000000"), Ok(0xff00_0080_0000_0000_u64 as i64));
        for bad in ["", "0x", "12", "0x+1", "0xg", "-0x1", "0x10000000000000000"] {
            assert!(zxid(bad).is_err(), "{bad}");
        }
    }
}
