//! What a client would have been told at a revision.

use std::ops::ControlFlow;

use crate::bolt::{Bits, Database};
use crate::{ReadAt, SnapshotError};

use super::latest::Latest;
use super::scan::scan;
use super::window::Window;
use super::{Record, Revision};

/// One key and its value at a revision, with where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveKey<'a> {
    /// Where the record lies.
    pub revision: Revision,
    /// The record.
    pub record: Record<'a>,
}

/// A record of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedKey {
    /// The user's key.
    pub key: Vec<u8>,
    /// Where the record lies.
    pub revision: Revision,
    /// The main revision that created the key.
    pub create_revision: i64,
    /// Versions since the creation, from 1.
    pub version: i64,
    /// The lease it hangs on; 0 for none.
    pub lease: i64,
    /// The value.
    pub value: Vec<u8>,
}

impl LiveKey<'_> {
    /// Copies it.
    pub fn to_owned(&self) -> OwnedKey {
        OwnedKey {
            key: self.record.key.to_vec(),
            revision: self.revision,
            create_revision: self.record.create_revision,
            version: self.record.version,
            lease: self.record.lease,
            value: self.record.value.to_vec(),
        }
    }
}

/// Tells every key that begins with `prefix` and was alive at revision `at` (by default the
/// last), until `tell` has enough. In the order of their last changes where they are at most half
/// a million, else in several such rows.
///
/// Two passes over the records, and two more for each further half million keys; memory about
/// 24 MiB and a bit for each record.
pub fn live(
    file: &dyn ReadAt,
    at: Option<u64>,
    prefix: &[u8],
    tell: &mut dyn FnMut(LiveKey<'_>) -> ControlFlow<()>,
) -> Result<(), SnapshotError> {
    let database = Database::open(file)?;
    let at = Window::of(&database)?.resolve(at)?;
    let mut latest = Latest::default();
    loop {
        let mut count: u64 = 0;
        scan(&database, &mut |row| {
            if row.change.revision.main > at {
                return ControlFlow::Break(());
            }
            count = row.ordinal.saturating_add(1);
            if row.record.key.starts_with(prefix) {
                latest.change(row.record.key, row.change.is_tombstone, row.ordinal);
            }
            ControlFlow::Continue(())
        })?;
        let mut alive = Bits::default();
        alive.grow(count);
        for (_, ordinal) in latest.alive() {
            alive.set(*ordinal);
        }
        let mut flow = ControlFlow::Continue(());
        let mut left = latest.count();
        scan(&database, &mut |row| {
            if left == 0 {
                return ControlFlow::Break(());
            }
            if alive.has(row.ordinal) {
                left = left.saturating_sub(1);
                flow = tell(LiveKey {
                    revision: row.change.revision,
                    record: row.record,
                });
            }
            flow
        })?;
        if flow.is_break() || !latest.next_share() {
            return Ok(());
        }
    }
}

/// A key as it was at revision `at` (by default the last); `None` where it was absent.
///
/// Reads every record up to there: records lie in the order of time, not of keys.
pub fn get(
    file: &dyn ReadAt,
    key: &[u8],
    at: Option<u64>,
) -> Result<Option<OwnedKey>, SnapshotError> {
    let database = Database::open(file)?;
    let at = Window::of(&database)?.resolve(at)?;
    let mut found = None;
    scan(&database, &mut |row| {
        if row.change.revision.main > at {
            return ControlFlow::Break(());
        }
        if row.record.key == key {
            let live = LiveKey {
                revision: row.change.revision,
                record: row.record,
            };
            found = (!row.change.is_tombstone).then(|| live.to_owned());
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Tells every record of a key that the snapshot still has, deletions included, in the order of
/// time.
pub fn versions(
    file: &dyn ReadAt,
    key: &[u8],
    tell: &mut dyn FnMut(super::Change, Record<'_>),
) -> Result<(), SnapshotError> {
    let database = Database::open(file)?;
    scan(&database, &mut |row| {
        if row.record.key == key {
            tell(row.change, row.record);
        }
        ControlFlow::Continue(())
    })
}
