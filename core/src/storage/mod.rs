//! Transaction log, snapshots, recovery.
