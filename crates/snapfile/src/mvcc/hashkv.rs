//! The hash of all records at a revision, as every member of a cluster computes it.
//!
//! etcd's `HashKV` answers the same on every member for the same revision and compaction,
//! whatever else differs between their files: two answers that differ mean that the members hold
//! different data (etcd `server/storage/mvcc/hash.go`, `kvstore.go`). Computed here from a file
//! it tells whether a snapshot holds what the members hold.

use std::ops::ControlFlow;

use crate::bolt::{Bits, Database};
use crate::{ReadAt, SnapshotError};

use super::latest::Latest;
use super::scan::scan;
use super::window::Window;

/// A hash, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashKv {
    /// CRC-32C.
    pub hash: u32,
    /// Records after this revision are left out.
    pub revision: u64,
    /// What a compaction at this revision leaves out is left out.
    pub compact_revision: u64,
}

/// Computes the hash at `revision` (by default the last) as a member would that was compacted at
/// `compact_revision` (by default where the snapshot was).
///
/// Two passes over the records and one more for each half million keys; memory about 24 MiB and
/// a bit for each record.
pub fn hash_kv(
    file: &dyn ReadAt,
    revision: Option<u64>,
    compact_revision: Option<u64>,
) -> Result<HashKv, SnapshotError> {
    let database = Database::open(file)?;
    let window = Window::of(&database)?;
    let revision = window.resolve(revision)?;
    let compacted = compact_revision.unwrap_or(window.compacted);
    let kept = survivors(&database, revision)?;

    let mut hash = crc32c::crc32c(b"key");
    scan(&database, &mut |row| {
        let main = row.change.revision.main;
        if main > revision {
            return ControlFlow::Break(());
        }
        let is_gone = main <= compacted && !kept.bits.has(row.ordinal) && kept.any;
        // Later servers keep the record of a deletion at the compaction itself, earlier ones do
        // not: it counts for nobody.
        let is_last_word = main == compacted && row.change.is_tombstone;
        if !is_gone && !is_last_word {
            hash = crc32c::crc32c_append(hash, row.raw_key);
            hash = crc32c::crc32c_append(hash, row.raw_value);
        }
        ControlFlow::Continue(())
    })?;
    Ok(HashKv {
        hash,
        revision,
        compact_revision: compacted,
    })
}

/// The records that a compaction leaves.
pub(super) struct Kept {
    pub(super) bits: Bits,
    any: bool,
}

/// For every key that is alive at a revision its last record.
pub(super) fn survivors(database: &Database<'_>, revision: u64) -> Result<Kept, SnapshotError> {
    let mut latest = Latest::default();
    let mut bits = Bits::default();
    let mut any = false;
    loop {
        let mut count: u64 = 0;
        scan(database, &mut |row| {
            if row.change.revision.main > revision {
                return ControlFlow::Break(());
            }
            count = row.ordinal.saturating_add(1);
            latest.change(row.record.key, row.change.is_tombstone, row.ordinal);
            ControlFlow::Continue(())
        })?;
        bits.grow(count);
        for (_, ordinal) in latest.alive() {
            any |= bits.set(*ordinal);
        }
        if !latest.next_share() {
            return Ok(Kept { bits, any });
        }
    }
}
