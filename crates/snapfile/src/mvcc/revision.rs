//! The order of everything: `main u64 | '_' | sub u64`, big endian, so that bytes sort as time.
//!
//! A deletion carries an 18th byte, `t` (etcd `server/storage/mvcc/revision.go`).

use std::fmt;

use crate::ReadAt;
use crate::bolt::{BoltError, Database};

/// The bucket of all records.
pub(crate) const KEY_BUCKET: &[u8] = b"key";
const LEN: usize = 17;
const TOMBSTONE: u8 = b't';

/// The place of one change in the order of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision {
    /// The transaction.
    pub main: u64,
    /// The change inside the transaction, from 0.
    pub sub: u64,
}

/// What the key of a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// When.
    pub revision: Revision,
    /// Whether it deleted its key.
    pub is_tombstone: bool,
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

impl Change {
    /// The byte behind the revision of a deletion.
    pub(crate) const TOMBSTONE: u8 = TOMBSTONE;

    /// Reads the key of a record.
    pub fn parse(key: &[u8]) -> Option<Self> {
        let (revision, mark) = key.split_at_checked(LEN)?;
        let is_tombstone = match mark {
            [] => false,
            [TOMBSTONE] => true,
            _ => return None,
        };
        Some(Self {
            revision: Revision::parse(revision)?,
            is_tombstone,
        })
    }
}

impl Revision {
    /// Reads the 17 bytes of a revision.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (main, rest) = bytes.split_first_chunk()?;
        let (b'_', sub) = rest.split_first()? else {
            return None;
        };
        Some(Self {
            main: u64::from_be_bytes(*main),
            sub: u64::from_be_bytes(sub.try_into().ok()?),
        })
    }

    /// The 17 bytes of a revision.
    pub fn to_bytes(self) -> [u8; LEN] {
        let mut bytes = [b'_'; LEN];
        let (main, rest) = bytes.split_at_mut(8);
        main.copy_from_slice(&self.main.to_be_bytes());
        rest.split_at_mut(1)
            .1
            .copy_from_slice(&self.sub.to_be_bytes());
        bytes
    }
}

/// `12_0`, and `12_0t` for a deletion.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.is_tombstone { "t" } else { "" };
        write!(f, "{}{mark}", self.revision)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.main, self.sub)
    }
}

/// The revision of the last record in a database file; `None` for a store never written to.
///
/// Costs one page a level. May be one behind the store's own where a compaction at a deletion
/// removed its record (servers up to 3.4.33 and 3.5.15).
pub fn last_revision(file: &dyn ReadAt) -> Result<Option<Revision>, RevisionError> {
    match Database::open(file)?.last_key(KEY_BUCKET)? {
        None => Ok(None),
        Some(key) => Change::parse(&key)
            .map(|change| Some(change.revision))
            .ok_or(RevisionError::Key(key.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_sort_as_revisions(a: (u64, u64), b: (u64, u64)) {
            let [a, b] = [a, b].map(|(main, sub)| Revision { main, sub });
            prop_assert_eq!(Revision::parse(&a.to_bytes()), Some(a));
            prop_assert_eq!(a.to_bytes().cmp(&b.to_bytes()), a.cmp(&b));
        }

        #[test]
        fn what_is_neither_17_bytes_nor_a_marked_18_is_no_change(key: Vec<u8>) {
            let fits = key.len() == 17 || key.len() == 18 && key.last() == Some(&b't');
            prop_assert!(fits || Change::parse(&key).is_none());
        }
    }
}
