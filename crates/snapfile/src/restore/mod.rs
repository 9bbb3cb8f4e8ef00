//! A new data directory from an old database.
//!
//! | what | where in the data directory |
//! |---|---|
//! | [`rewrite()`] | `member/snap/db` |
//! | [`log_segment`] | `member/wal/`[`FIRST_SEGMENT`] |
//! | [`raft_snapshot`] | `member/snap/`[`raft_snapshot_name`] |
//!
//! One form for every server: 3.4 to 3.7 start from it, whatever wrote the old database, for it
//! names no version. All members of one restore are made from the same bytes with the same
//! [`Cluster`] and the same [`Changes`]; raft compares no content, so whoever strays is not found.
//!
//! This is bytes only. Directories, modes, syncing and the rename into place are the caller's.

mod changes;
mod cluster;
mod leases;
mod log;
mod overlay;
mod rewrite;
mod wal;

pub use changes::{Alarms, Changes, RewriteError, Rewritten};
pub use cluster::{Cluster, ClusterError, NewMember};
pub use rewrite::rewrite;
pub use wal::{FIRST_SEGMENT, Kind, LogRecord, SEGMENT, WalError, read_segment};

/// The first segment of a member's log, without the room that etcd reserves behind it (up to
/// [`SEGMENT`] bytes of zeros).
pub fn log_segment(cluster: &Cluster, member: &NewMember) -> Vec<u8> {
    log::segment(cluster, member)
}

/// The raft snapshot that the log's last record tells of.
pub fn raft_snapshot(cluster: &Cluster) -> Vec<u8> {
    log::snapshot(cluster)
}

/// Its name.
pub fn raft_snapshot_name(cluster: &Cluster) -> String {
    log::snapshot_name(cluster)
}
