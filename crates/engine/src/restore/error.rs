//! Why a restore did not happen. The old data directory is then as it was.

use std::io;
use std::path::PathBuf;

use rollsnap_snapfile::SnapshotError;
use rollsnap_snapfile::bolt::BuildError;
use rollsnap_snapfile::restore::RewriteError;

use crate::{Kind, look};

/// A failed restore.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The snapshot is not what it should be, or cannot be read.
    #[error("{0}")]
    Snapshot(#[from] SnapshotError),
    /// The digest at the snapshot's end does not fit it.
    #[error("the digest at its end does not fit it: it is not what etcd sent")]
    Digest,
    /// There is no digest, and nobody said that there need be none.
    #[error("there is no digest at its end: nothing proves that it is what etcd sent")]
    NoDigest,
    /// Revisions cannot be raised so far.
    #[error(transparent)]
    Revision(RewriteError),
    /// A file or a directory.
    #[error("{verb} {}: {cause}", path.display())]
    Disk {
        /// What was tried.
        verb: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        cause: io::Error,
    },
    /// An etcd uses the directory.
    #[error("{} is in use: an etcd runs on it", .0.display())]
    Running(PathBuf),
    /// The old directory has no log, so that is somewhere else, and would be taken for the new one's.
    #[error("{} has a database and no log: its etcd had a --wal-dir", .0.display())]
    LogElsewhere(PathBuf),
    /// Another restore is at work.
    #[error("{} is in use: another restore works there", .0.display())]
    Busy(PathBuf),
    /// What is there is no data directory, and is nobody's to move away.
    #[error("{} is not what a restore may touch: it holds {example:?}", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Something in it.
        example: String,
    },
    /// Something is mounted there that cannot be moved.
    #[error("{} is a mount point, which nothing can take the place of", .0.display())]
    Mounted(PathBuf),
    /// A link to something that is not there.
    #[error("{} is a link that leads nowhere", .0.display())]
    Dangling(PathBuf),
    /// The log's directory and the data directory lie one in the other.
    #[error("{} lies in the data directory, or that in it", .0.display())]
    Nested(PathBuf),
    /// Both hold a log, and nothing tells which is in use.
    #[error("{} and {} both hold a log", one.display(), other.display())]
    TwoLogs {
        /// The directory that etcd is told.
        one: PathBuf,
        /// The one in the data directory.
        other: PathBuf,
    },
    /// What lies there is nothing that the snapshot comes from or became.
    #[error("{0} has nothing in common with the snapshot: it is another cluster")]
    Stranger(String),
    /// The snapshot is not what it was when its digest was looked at.
    #[error("the snapshot was changed while it was restored")]
    Changed,
    /// The new directory is in its place, and something after that failed.
    #[error("the new directory is in its place, but: {0}")]
    Unfinished(Box<RestoreError>),
    /// The file system cannot exchange two directories in one step.
    #[error("{}: this file system cannot exchange two directories in one step", .0.display())]
    NoExchange(PathBuf),
    /// What was written is not what was to be written.
    #[error("the new database is not what was written: {0}")]
    Written(String),
    /// There is nothing to go back to.
    #[error("there is no {}.before-… to go back to", .0.display())]
    NothingKept(PathBuf),
    /// Somebody wanted no more.
    #[error("stopped before the end; nothing was touched")]
    Stopped,
}

impl RestoreError {
    /// Of what comes after the exchange.
    pub(super) fn unfinished(self) -> Self {
        match self {
            Self::Unfinished(_) => self,
            error => Self::Unfinished(Box::new(error)),
        }
    }

    /// What it means.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Snapshot(error) => look::kind_of(error),
            Self::Digest | Self::NoDigest | Self::Written(_) | Self::Changed => Kind::Corrupt,
            Self::Revision(_)
            | Self::Foreign { .. }
            | Self::LogElsewhere(_)
            | Self::Mounted(_)
            | Self::Dangling(_)
            | Self::Nested(_)
            | Self::TwoLogs { .. }
            | Self::Stranger(_)
            | Self::NothingKept(_) => Kind::Usage,
            Self::Unfinished(error) => error.kind(),
            Self::Disk { cause, .. } => match cause.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Kind::Full,
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Kind::Denied,
                io::ErrorKind::NotADirectory => Kind::Usage,
                _ => Kind::Store,
            },
            Self::Running(_) | Self::Busy(_) => Kind::Denied,
            Self::NoExchange(_) => Kind::Store,
            Self::Stopped => Kind::Canceled,
        }
    }

    /// What the operator may do about it.
    pub fn hint(&self) -> Option<&str> {
        Some(match self {
            Self::Snapshot(error) => return look::hint_of(error),
            Self::Digest => {
                "take another snapshot, or the bucket's copy of this one with --from-s3"
            }
            Self::NoDigest => {
                "a file copied from a data directory has none: --skip-hash-check takes it, with its \
                 structure checked all the same"
            }
            Self::Revision(_) => "give a smaller --bump-revision",
            Self::Running(_) => "stop etcd first",
            Self::LogElsewhere(_) => {
                "give that place as --wal-dir; if the log is lost, move the directory aside first"
            }
            Self::Busy(_) => "wait for its end",
            Self::Foreign { .. } => {
                "give the data directory of the member, or one that is absent or empty"
            }
            Self::Mounted(_) => {
                "give the directory that is mounted there by its own path, or one below it"
            }
            Self::Dangling(_) => "mount or make the directory that it leads to, or give that one",
            Self::Nested(_) => "give the log a directory beside the data directory, or none",
            Self::TwoLogs { .. } => "move the one aside that etcd did not use",
            Self::Stranger(_) => "if that is what you want, say --other-cluster",
            Self::Changed => "run it again when nobody writes to the snapshot",
            Self::Unfinished(_) => "run it with --rollback to go back, or start etcd and go on",
            Self::NoExchange(_) => "move the old directory aside, and run this again",
            Self::Written(_) => "look at the disk and the memory of this machine",
            Self::NothingKept(_) | Self::Stopped => return None,
            Self::Disk { cause, .. } => match cause.kind() {
                io::ErrorKind::StorageFull => "free space on this file system",
                io::ErrorKind::NotADirectory => "give the member's data directory",
                io::ErrorKind::PermissionDenied => {
                    "run it as the user that etcd runs as, or as root"
                }
                _ => return None,
            },
        })
    }
}

impl From<RewriteError> for RestoreError {
    fn from(error: RewriteError) -> Self {
        match error {
            RewriteError::Snapshot(SnapshotError::Stopped) => Self::Stopped,
            RewriteError::Snapshot(error) => Self::Snapshot(error),
            RewriteError::Build(BuildError::Write(cause)) => Self::Disk {
                verb: "write",
                path: PathBuf::from("member/snap/db"),
                cause,
            },
            // Whatever else a builder refuses, the old database should not have had.
            RewriteError::Build(error) => Self::Written(error.to_string()),
            error @ RewriteError::Revision { .. } => Self::Revision(error),
        }
    }
}
