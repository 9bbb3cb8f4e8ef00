//! Which revisions a snapshot can be asked about.

use std::ops::RangeInclusive;

use crate::bolt::Database;
use crate::{ReadAt, SnapshotError};

use super::{Change, KEY_BUCKET, Revision};

const META: &[u8] = b"meta";

/// The revisions between the last compaction and the last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// Up to here history may be gone: the greater of the compaction that was finished and the
    /// one that was begun, which etcd finishes when it starts. 0 before the first.
    pub(crate) compacted: u64,
    /// The store's own revision. A store never written to is at 1.
    pub(crate) last: u64,
    /// The last record: one behind [`last`](Self::last) where a compaction at a deletion removed
    /// its record (servers up to 3.4.33 and 3.5.15). 0 without records.
    pub(crate) last_record: u64,
}

impl Window {
    /// Costs a page a level, three times.
    pub(crate) fn of(database: &Database<'_>) -> Result<Self, SnapshotError> {
        let mut compacted = 0;
        for key in [&b"finishedCompactRev"[..], b"scheduledCompactRev"] {
            if let Some(value) = database.get(META, key)? {
                let revision = Revision::parse(&value).map_or(0, |revision| revision.main);
                compacted = compacted.max(revision);
            }
        }
        let last_key = database.last_key(KEY_BUCKET)?;
        let last_record = last_key
            .and_then(|key| Change::parse(&key))
            .map_or(0, |change| change.revision.main);
        Ok(Self {
            compacted,
            last: last_record.max(compacted).max(1),
            last_record,
        })
    }

    /// The revision that is meant by `asked`; without one the last.
    pub(crate) fn resolve(self, asked: Option<u64>) -> Result<u64, SnapshotError> {
        let (from, to) = (self.compacted, self.last);
        match asked {
            None => Ok(to),
            Some(asked) if asked < from => Err(SnapshotError::Compacted { asked, from, to }),
            Some(asked) if asked > to => Err(SnapshotError::Future { asked, to }),
            Some(asked) => Ok(asked),
        }
    }
}

/// The revisions that a snapshot can be asked about: from the last compaction, or 0, to the last
/// change.
pub fn revisions(file: &dyn ReadAt) -> Result<RangeInclusive<u64>, SnapshotError> {
    let window = Window::of(&Database::open(file)?)?;
    Ok(window.compacted..=window.last)
}
