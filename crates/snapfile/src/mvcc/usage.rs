//! What takes the room in a database.

use std::ops::ControlFlow;

use crate::bolt::{Database, Ended, Visitor, walk};
use crate::{Finding, ReadAt, SnapshotError};

use super::hashkv::survivors;
use super::scan::scan;
use super::window::Window;
use super::{Change, Record};

/// Bytes of a pair beside its key and value: its element on the page (bbolt
/// `internal/common/page.go`, `LeafPageElementSize`).
const ELEMENT: u64 = 16;

/// What a record is there for, seen from the last revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It holds a key that is alive.
    Live,
    /// It holds what a later record replaced or deleted.
    Superseded,
    /// It tells that a key was deleted.
    Tombstone,
}

/// A record and the room it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored<'a> {
    /// When it was written.
    pub change: Change,
    /// The record. A tombstone has a key and nothing else.
    pub record: Record<'a>,
    /// What it is there for.
    pub fate: Fate,
    /// Bytes of key, value and their element on the page.
    pub size: u64,
}

/// The room that a database takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// Bytes of all pages.
    pub total_size: u64,
    /// Bytes of the pages that hold something; the others are free.
    pub bytes_in_use: u64,
    /// The last revision.
    pub revision: u64,
    /// Every bucket, by name.
    pub buckets: Vec<BucketUsage>,
}

/// The room that the pairs of a bucket take.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BucketUsage {
    /// Its name; `key` is the one with the records.
    pub name: Vec<u8>,
    /// How many pairs it has.
    pub pairs: u64,
    /// Bytes of keys, values and their elements.
    pub size: u64,
}

/// Tells every record in the order of time, until `tell` has enough, and then the room that all
/// takes.
///
/// Three passes, and one more over the records for each further half million keys; memory about
/// 24 MiB and a bit for each record and each page.
pub fn usage(
    file: &dyn ReadAt,
    tell: &mut dyn FnMut(Stored<'_>) -> ControlFlow<()>,
) -> Result<Usage, SnapshotError> {
    let database = Database::open(file)?;
    let revision = Window::of(&database)?.last;
    let mut buckets = Buckets::default();
    let walked = walk(&database, None, &mut buckets);
    let walked = match (buckets.fault, walked) {
        (Some(finding), _) => return Err(SnapshotError::Corrupt(Box::new(finding))),
        (None, Err(Ended::Read(error))) => return Err(error.into()),
        (None, Err(Ended::Stopped)) => return Err(SnapshotError::Stopped),
        (None, Ok(walked)) => walked,
    };
    let kept = survivors(&database, revision)?;
    scan(&database, &mut |row| {
        let fate = match row.change.is_tombstone {
            true => Fate::Tombstone,
            false if kept.bits.has(row.ordinal) => Fate::Live,
            false => Fate::Superseded,
        };
        tell(Stored {
            change: row.change,
            record: row.record,
            fate,
            size: size_of(row.raw_key, row.raw_value),
        })
    })?;
    Ok(Usage {
        total_size: database.meta().size(),
        bytes_in_use: walked.bytes_in_use,
        revision,
        buckets: buckets.all,
    })
}

/// Counts the pairs of every bucket.
#[derive(Default)]
struct Buckets {
    all: Vec<BucketUsage>,
    fault: Option<Finding>,
}

impl Visitor for Buckets {
    fn bucket(&mut self, name: &[u8]) -> ControlFlow<()> {
        self.all.push(BucketUsage {
            name: name.to_vec(),
            ..BucketUsage::default()
        });
        ControlFlow::Continue(())
    }

    fn pair(&mut self, _: u64, key: &[u8], value: &[u8]) -> ControlFlow<()> {
        if let Some(bucket) = self.all.last_mut() {
            bucket.pairs = bucket.pairs.saturating_add(1);
            bucket.size = bucket.size.saturating_add(size_of(key, value));
        }
        ControlFlow::Continue(())
    }

    fn fault(&mut self, finding: Finding) -> ControlFlow<()> {
        self.fault = Some(finding);
        ControlFlow::Break(())
    }

    fn seen(&mut self, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn size_of(key: &[u8], value: &[u8]) -> u64 {
    let bytes = key.len().saturating_add(value.len());
    u64::try_from(bytes)
        .unwrap_or(u64::MAX)
        .saturating_add(ELEMENT)
}
