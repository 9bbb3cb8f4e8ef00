//! The order of everything: `main u64 | '_' | sub u64`, big endian, so that bytes sort as time.
//!
//! A deletion carries an 18th byte, `t` (etcd `server/storage/mvcc/revision.go`).

use crate::ReadAt;
use crate::bolt::{BoltError, Database};

/// The bucket of all records.
const KEY_BUCKET: &[u8] = b"key";
const LEN: usize = 17;
const TOMBSTONE_LEN: usize = 18;

/// One change of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision {
    /// The transaction.
    pub main: u64,
    /// The change inside the transaction, from 0.
    pub sub: u64,
}

/// Why the last revision cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    /// The file is no database.
    #[error(transparent)]
    Bolt(#[from] BoltError),
    /// The last key of the bucket is no revision.
    #[error("bucket \"key\": the last key is no revision ({0} bytes)")]
    Key(usize),
}

impl Revision {
    /// Reads the key of a record.
    pub fn parse(key: &[u8]) -> Option<Self> {
        if key.get(8) != Some(&b'_') || !matches!(key.len(), LEN | TOMBSTONE_LEN) {
            return None;
        }
        let number = |from: usize| {
            let bytes = key.get(from..from.checked_add(8)?)?;
            Some(u64::from_be_bytes(bytes.try_into().ok()?))
        };
        Some(Self {
            main: number(0)?,
            sub: number(9)?,
        })
    }
}

/// The revision of the last record in a database file; `None` for a store never written to.
///
/// Costs one page a level. May be one behind the store's own where a compaction at a deletion
/// removed its record (servers up to 3.4.33 and 3.5.15).
pub fn last_revision(file: impl ReadAt) -> Result<Option<Revision>, RevisionError> {
    match Database::open(file)?.last_key(KEY_BUCKET)? {
        None => Ok(None),
        Some(key) => Revision::parse(&key)
            .map(Some)
            .ok_or(RevisionError::Key(key.len())),
    }
}
