//! Why nothing can be told of a snapshot.

use std::io;

use crate::Finding;
use crate::bolt::BoltError;

/// What keeps a question about a snapshot from being answered.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The bytes cannot be read at all.
    #[error("read snapshot")]
    Read(#[from] io::Error),
    /// They are not what etcd would write.
    #[error("{0}")]
    Corrupt(Box<Finding>),
    /// The caller wanted no more.
    #[error("stopped before the end")]
    Stopped,
    /// The revision asked for is older than what the database still knows.
    #[error("revision {asked} was compacted: the snapshot knows {from} to {to}")]
    Compacted {
        /// The revision asked for.
        asked: u64,
        /// The first that can be asked for.
        from: u64,
        /// The last that can be asked for.
        to: u64,
    },
    /// The revision asked for comes after the snapshot.
    #[error("revision {asked} is later than the snapshot, which ends at {to}")]
    Future {
        /// The revision asked for.
        asked: u64,
        /// The last that can be asked for.
        to: u64,
    },
}

impl SnapshotError {
    /// Whether the bytes are at fault, and not the question or the disk.
    pub fn is_corrupt(&self) -> bool {
        matches!(self, Self::Corrupt(_))
    }
}

impl From<BoltError> for SnapshotError {
    fn from(error: BoltError) -> Self {
        match error {
            BoltError::Read(error) => Self::Read(error),
            BoltError::Page { page, what } => Self::Corrupt(Box::new(Finding::of_page(page, what))),
            other => Self::Corrupt(Box::new(Finding::of_file(other.to_string()))),
        }
    }
}
