//! Looking inside an open snapshot: what the verbs that read keys and values ask of the ground
//! floor, and what its answers mean.
//!
//! The questions themselves are `snapfile`'s and pass through unchanged. They block, for they
//! read: ask from a thread for blocking work.

use std::fmt;

use rollsnap_snapfile::SnapshotError;
use sha2::{Digest as _, Sha256};

use crate::{Kind, image};

pub use rollsnap_snapfile::index::{IndexError, get_by_index};
pub use rollsnap_snapfile::mvcc::{
    BucketUsage, Change, Difference, Fate, HashKv, LiveKey, Member, OwnedKey, Record, Revision,
    Status, Stored, Usage, cluster_id, difference, get, hash_kv, live, members, revisions, usage,
    versions,
};
pub use rollsnap_snapfile::{
    Finding, Heed, ReadAt, Report, Trailer, digest_at_end, has_meta, status, verify,
};

/// Why a snapshot does not answer.
pub type LookError = SnapshotError;

/// What it means that a snapshot does not answer.
pub fn kind_of(error: &LookError) -> Kind {
    match error {
        SnapshotError::Read(error) => image::kind_of(error),
        SnapshotError::Corrupt(_) => Kind::Corrupt,
        SnapshotError::Stopped => Kind::Canceled,
        SnapshotError::Compacted { .. } | SnapshotError::Future { .. } => Kind::Usage,
    }
}

/// What may be done about it.
pub fn hint_of(error: &LookError) -> Option<&str> {
    match error {
        SnapshotError::Read(error) => image::hint_of(error),
        SnapshotError::Corrupt(_) => Some("rollsnap verify tells everything that is wrong with it"),
        SnapshotError::Stopped | SnapshotError::Compacted { .. } | SnapshotError::Future { .. } => {
            None
        }
    }
}

/// A value in 16 bytes, the first of its SHA-256: two values with the same are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark([u8; 16]);

impl Mark {
    /// Marks a value.
    pub fn of(value: &[u8]) -> Self {
        let mut mark = [0; 16];
        mark.copy_from_slice(&Sha256::digest(value)[..16]);
        Self(mark)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_cannot_be_answered_is_no_damage() {
        let compacted = SnapshotError::Compacted {
            asked: 1,
            from: 2,
            to: 3,
        };
        assert_eq!(kind_of(&compacted), Kind::Usage);
        let none: &[u8] = b"no database";
        let error = revisions(&none).unwrap_err();
        assert_eq!(kind_of(&error), Kind::Corrupt);
        assert!(hint_of(&error).unwrap().contains("rollsnap verify"));
        let gone = SnapshotError::Read(std::io::ErrorKind::UnexpectedEof.into());
        assert_eq!(kind_of(&gone), Kind::Corrupt);
    }
}
