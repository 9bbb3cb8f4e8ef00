//! What a snapshot holds, in numbers: those that `etcdutl snapshot status` prints, and more.

use std::ops::ControlFlow;

use crate::SnapshotError;
use crate::bolt::Database;
use crate::index::Place;
use crate::mvcc::latest::Latest;
use crate::mvcc::scan::scan;
use crate::mvcc::{Change, Member, Record, RecordError, Revision};

/// Everything that one pass over a database tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// CRC-32C over each bucket's name, keys and values, in order: the `hash` of `etcdutl
    /// snapshot status`, the same in 3.4 to 3.7. Not that of [`hash_kv`](super::hash_kv).
    pub hash: u32,
    /// The main revision of the last record, as etcdutl tells it; 0 without records.
    pub revision: u64,
    /// The store's own revision: one more than [`revision`](Self::revision) where a compaction
    /// at a deletion removed its record, 1 for a store never written to.
    pub store_revision: u64,
    /// The main revision of the first record.
    pub first_revision: Option<u64>,
    /// Up to here history is gone, or goes when an etcd starts on it.
    pub compact_revision: Option<u64>,
    /// Bytes of all pages: etcdutl's `totalSize`.
    pub total_size: u64,
    /// Bytes of the pages that hold something.
    pub bytes_in_use: u64,
    /// Bytes of a page.
    pub page_size: u32,
    /// Entries of all buckets: the `totalKey` of etcdctl and etcdutl before 3.6.
    pub entries: u64,
    /// Keys that are alive at the last revision: the `totalKey` of etcdutl since 3.6.
    pub live_keys: u64,
    /// Records: versions of keys and deletions.
    pub records: u64,
    /// Records of deletions.
    pub tombstones: u64,
    /// The storage version, such as `3.6.0`; empty before 3.6: etcdutl's `version`.
    pub version: String,
    /// The version of the cluster, such as `3.5.0`.
    pub cluster_version: Option<String>,
    /// The raft index of the last change.
    pub consistent_index: Option<u64>,
    /// The raft term of the last change, since 3.5.
    pub term: Option<u64>,
    /// Leases granted.
    pub leases: u64,
    /// Alarms that are raised.
    pub alarms: u64,
    /// Whether users must name themselves.
    pub auth_enabled: bool,
    /// The members, in the order of their ids as text.
    pub members: Vec<Member>,
}

impl Status {
    /// Records that hold an older version of a key that is alive, or one of a key that is not.
    pub fn superseded(&self) -> u64 {
        let puts = self.records.saturating_sub(self.tombstones);
        puts.saturating_sub(self.live_keys)
    }
}

/// Most bytes of all members' descriptions: thousands of members. They are kept, in a few times
/// as much memory.
const MAX_MEMBERS: usize = 1 << 20;

/// Most bytes of a version.
const MAX_TEXT: usize = 256;

/// Counts pairs into a [`Status`].
#[derive(Debug, Default)]
pub(crate) struct Tally {
    status: Status,
    /// Bytes of the members' descriptions.
    members_size: usize,
    pub(crate) latest: Latest<Place>,
}

impl Tally {
    pub(crate) fn bucket(&mut self, name: &[u8]) {
        self.status.hash = crc32c::crc32c_append(self.status.hash, name);
    }

    /// Counts what every pair counts for.
    pub(crate) fn pair(&mut self, key: &[u8], value: &[u8]) {
        let status = &mut self.status;
        status.hash = crc32c::crc32c_append(status.hash, key);
        status.hash = crc32c::crc32c_append(status.hash, value);
        status.entries = status.entries.saturating_add(1);
    }

    /// Counts a record.
    pub(crate) fn record(&mut self, change: Change, record: &Record<'_>) {
        let status = &mut self.status;
        let main = change.revision.main;
        status.first_revision.get_or_insert(main);
        status.revision = main;
        status.records = status.records.saturating_add(1);
        status.tombstones = status
            .tombstones
            .saturating_add(u64::from(change.is_tombstone));
        let place = Place::of(change.revision);
        self.latest.change(record.key, change.is_tombstone, place);
    }

    /// Notes what the small buckets tell. What is wrong with a pair is the answer.
    pub(crate) fn note(&mut self, bucket: &[u8], key: &[u8], value: &[u8]) -> Result<(), Odd> {
        let status = &mut self.status;
        match (bucket, key) {
            (b"meta", b"consistent_index") => status.consistent_index = Some(number(value)?),
            (b"meta", b"term") => status.term = Some(number(value)?),
            (b"meta", b"storageVersion") => status.version = text(value)?,
            (b"meta", b"finishedCompactRev" | b"scheduledCompactRev") => {
                let revision = Revision::parse(value).ok_or(Odd::Revision)?;
                status.compact_revision = status.compact_revision.max(Some(revision.main));
            }
            (b"cluster", b"clusterVersion") => status.cluster_version = Some(text(value)?),
            (b"auth", b"authEnabled") => status.auth_enabled = value == [1],
            (b"lease", _) => {
                let id = key.try_into().map(i64::from_be_bytes);
                id.map_err(|_| Odd::LeaseId)?;
                status.leases = status.leases.saturating_add(1);
            }
            (b"alarm", _) => status.alarms = status.alarms.saturating_add(1),
            (b"members", _) => {
                self.members_size = self.members_size.saturating_add(value.len());
                if self.members_size > MAX_MEMBERS {
                    return Err(Odd::Large);
                }
                let member = Member::parse(value).map_err(|_| Odd::Member)?;
                status.members.push(member);
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends the pass.
    pub(crate) fn finish(mut self) -> (Status, Latest<Place>) {
        let status = &mut self.status;
        let compacted = status.compact_revision.unwrap_or(0);
        status.store_revision = status.revision.max(compacted).max(1);
        status.live_keys = self.latest.count();
        (self.status, self.latest)
    }
}

/// Tells all records once more, for the next share of the keys.
pub(crate) fn tell_shares(
    database: &Database<'_>,
    latest: &mut Latest<Place>,
) -> Result<(), SnapshotError> {
    scan(database, &mut |row| {
        let place = Place::of(row.change.revision);
        latest.change(row.record.key, row.change.is_tombstone, place);
        ControlFlow::Continue(())
    })
}

/// What a pair is not.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Odd {
    #[error("is no revision")]
    Revision,
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("is no number of 8 bytes")]
    Number,
    #[error("is no text")]
    Text,
    #[error("is no lease id of 8 bytes")]
    LeaseId,
    #[error("is no description of a member")]
    Member,
    #[error("is larger than etcd would write it")]
    Large,
}

/// A record by its pair.
pub(crate) fn record<'a>(key: &[u8], value: &'a [u8]) -> Result<(Change, Record<'a>), Odd> {
    let change = Change::parse(key).ok_or(Odd::Revision)?;
    Ok((change, Record::parse(value)?))
}

fn number(value: &[u8]) -> Result<u64, Odd> {
    let bytes = value.try_into().map_err(|_| Odd::Number)?;
    Ok(u64::from_be_bytes(bytes))
}

fn text(value: &[u8]) -> Result<String, Odd> {
    if value.len() > MAX_TEXT {
        return Err(Odd::Large);
    }
    let text = std::str::from_utf8(value).map_err(|_| Odd::Text)?;
    Ok(text.to_owned())
}
