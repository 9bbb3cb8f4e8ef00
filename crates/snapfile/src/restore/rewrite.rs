//! The old database, told once in order, becomes a new one.
//!
//! Nothing is patched: what is copied, replaced or added goes through a [`Builder`], so the result
//! is compacted, has no free list, and holds nothing of the old cluster's membership.

use std::collections::VecDeque;
use std::io::{Seek, Write};
use std::mem;
use std::ops::ControlFlow;

use crate::bolt::{Builder, Database, Ended, Visitor, walk};
use crate::mvcc::{Change, KEY_BUCKET, Revision, Window, record_of, scan};
use crate::proto::{Field, Value, Writing};
use crate::{Finding, Heed, Progress, ReadAt, SnapshotError};

use super::changes::{Alarms, Changes, RewriteError, Rewritten};
use super::leases::Leased;
use super::log::TERM;
use super::overlay::{Fate, Overlay};

/// Every bucket that a server makes at its start, in order (etcd `server/storage/schema/bucket.go`).
const BUCKETS: [&[u8]; 10] = [
    b"alarm",
    b"auth",
    b"authRoles",
    b"authUsers",
    b"cluster",
    KEY_BUCKET,
    LEASE,
    b"members",
    b"members_removed",
    b"meta",
];
const LEASE: &[u8] = b"lease";

/// `etcdserverpb.AlarmType`: the database has no room.
const NO_SPACE: u64 = 1;

/// The life that a lease gets which only its keys remember, in seconds: long enough to look at
/// them.
const MENDED_TTL: u64 = 3600;

/// Writes the new database to `out`, which is empty, without a digest. It is as long as its pages;
/// nothing is synced.
///
/// Checks every page of the old one on the way, as [`verify`](crate::verify()) does, and ends at the
/// first fault. Does not look at the digest: that is for the caller to demand before.
///
/// Memory: as `verify`'s and the [`Builder`]'s, and 70 bytes for each live key with a lease.
pub fn rewrite<W: Write + Seek>(
    file: &dyn ReadAt,
    changes: &Changes,
    out: W,
    heed: Heed<'_>,
) -> Result<(W, Rewritten), RewriteError> {
    let database = Database::open(file).map_err(SnapshotError::from)?;
    let window = Window::of(&database)?;
    let jump = jump(window, changes)?;
    let mut rewriter = Rewriter {
        database: &database,
        builder: Builder::with_page_size(out, database.meta().page_size)?,
        changes,
        jump,
        known: BUCKETS.into(),
        bucket: Vec::new(),
        overlay: Overlay::default(),
        leased: Leased::default(),
        done: Rewritten {
            revision: jump.unwrap_or(window.last),
            ..Rewritten::default()
        },
        window,
        ended: None,
        heed,
        total: file.size().map_err(SnapshotError::from)?,
    };
    let walked = walk(&database, None, &mut rewriter);
    if let Some(why) = rewriter.ended {
        return Err(why);
    }
    match walked {
        Ok(_) => {}
        Err(Ended::Read(error)) => return Err(SnapshotError::from(error).into()),
        Err(Ended::Stopped) => return Err(SnapshotError::Stopped.into()),
    }
    rewriter.close()?;
    rewriter.begin_known(None)?;
    let Rewriter { builder, done, .. } = rewriter;
    Ok((builder.finish()?, done))
}

/// The revision that is jumped to, where one is.
fn jump(window: Window, changes: &Changes) -> Result<Option<u64>, RewriteError> {
    let Some(by) = changes.bump else {
        return Ok(None);
    };
    // What expires takes a revision of its own.
    let from = window.last.saturating_add(changes.expire_leases.into());
    let to = from.checked_add(by);
    match to.filter(|to| by > 0 && i64::try_from(*to).is_ok()) {
        None => Err(RewriteError::Revision { from, by }),
        to => Ok(to),
    }
}

struct Rewriter<'a, W: Write + Seek> {
    database: &'a Database<'a>,
    builder: Builder<W>,
    changes: &'a Changes,
    /// The revision that is jumped to.
    jump: Option<u64>,
    /// Those of [`BUCKETS`] that did not come yet.
    known: VecDeque<&'static [u8]>,
    /// The bucket that is being written; none before the first.
    bucket: Vec<u8>,
    overlay: Overlay,
    leased: Leased,
    window: Window,
    done: Rewritten,
    ended: Option<RewriteError>,
    heed: Heed<'a>,
    total: u64,
}

impl<W: Write + Seek> Rewriter<'_, W> {
    /// Begins what must be there and was not, up to a bucket that was.
    fn begin_known(&mut self, before: Option<&[u8]>) -> Result<(), RewriteError> {
        while let Some(next) = self.known.front().copied() {
            if before.is_some_and(|before| next >= before) {
                break;
            }
            self.known.pop_front();
            self.begin(next)?;
            self.close()?;
        }
        if self.known.front().copied() == before {
            self.known.pop_front();
        }
        Ok(())
    }

    fn begin(&mut self, name: &[u8]) -> Result<(), RewriteError> {
        self.builder.bucket(name)?;
        self.bucket = name.to_vec();
        self.overlay = self.overlay_of(name);
        Ok(())
    }

    /// Writes what is ours and comes after all that the bucket had.
    fn close(&mut self) -> Result<(), RewriteError> {
        self.put_ours_before(None)?;
        let bucket = mem::take(&mut self.bucket);
        if bucket == KEY_BUCKET {
            if self.changes.expire_leases {
                self.expire()?;
            }
            if let Some(main) = self.jump {
                let revision = Revision { main, sub: 0 };
                self.put_record(&revision.to_bytes(), &[])?;
            }
        }
        Ok(())
    }

    fn put_ours_before(&mut self, key: Option<&[u8]>) -> Result<(), RewriteError> {
        while let Some((key, value)) = self.overlay.next_before(key) {
            self.builder.put(&key, &value)?;
            let is_lease = self.bucket == LEASE;
            self.done.mended = self.done.mended.saturating_add(is_lease.into());
        }
        Ok(())
    }

    fn put_record(&mut self, key: &[u8], value: &[u8]) -> Result<(), RewriteError> {
        self.builder.put(key, value)?;
        self.done.records = self.done.records.saturating_add(1);
        Ok(())
    }

    /// Deletes every key that hangs on a lease, all in one revision.
    fn expire(&mut self) -> Result<(), RewriteError> {
        let mut ordinals = self.leased.ordinals().into_iter().peekable();
        if ordinals.peek().is_none() {
            return Ok(());
        }
        let main = self.window.last.saturating_add(1);
        let mut failed = None;
        let (builder, done) = (&mut self.builder, &mut self.done);
        scan(self.database, &mut |row| {
            if ordinals.peek() != Some(&row.ordinal) {
                return ControlFlow::Continue(());
            }
            ordinals.next();
            let revision = Revision {
                main,
                sub: done.expired,
            };
            let mut key = revision.to_bytes().to_vec();
            key.push(Change::TOMBSTONE);
            let value = Writing::default().bytes(1, row.record.key).done();
            done.expired = done.expired.saturating_add(1);
            match builder.put(&key, &value) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        self.done.records = self.done.records.saturating_add(self.done.expired);
        self.done.revision = self.done.revision.max(main);
        Ok(())
    }

    /// What is other in a bucket. That of leases is asked for when all records went by.
    fn overlay_of(&mut self, bucket: &[u8]) -> Overlay {
        let cluster = &self.changes.cluster;
        let mut overlay = Overlay::default();
        match bucket {
            b"auth" if self.changes.disable_auth => overlay.put("authEnabled", [0]),
            // The first leader sets the version that fits its members.
            b"cluster" => {
                overlay.remove("clusterVersion");
                overlay.remove("downgrade");
            }
            LEASE if self.changes.expire_leases => overlay = Overlay::instead(),
            LEASE => {
                for lease in self.leased.leases() {
                    let id = lease.cast_unsigned();
                    let value = Writing::default().number(1, id).number(2, MENDED_TTL);
                    overlay.default_to(id.to_be_bytes(), value.done());
                }
            }
            b"members" => {
                overlay = Overlay::instead();
                for member in cluster.members() {
                    overlay.put(format!("{:x}", member.id), member.json());
                }
            }
            b"members_removed" => overlay = Overlay::instead(),
            b"meta" => self.lay_over_meta(&mut overlay),
            _ => {}
        }
        overlay
    }

    /// The log begins anew. Without a storage version servers from 3.6 on take the file for one of
    /// 3.5 and write theirs, and older ones have nothing to refuse.
    fn lay_over_meta(&self, meta: &mut Overlay) {
        let cluster = &self.changes.cluster;
        let voters: Vec<u64> = cluster.members().iter().map(|member| member.id).collect();
        let conf_state = serde_json::json!({ "voters": voters, "auto_leave": false });
        meta.put("consistent_index", cluster.count().to_be_bytes());
        meta.put("term", TERM.to_be_bytes());
        meta.put("confState", conf_state.to_string());
        meta.remove("storageVersion");
        if let Some(main) = self.jump {
            let revision = Revision { main, sub: 0 };
            meta.put("scheduledCompactRev", revision.to_bytes());
        }
    }

    fn bucket_of(&mut self, name: &[u8]) -> Result<(), RewriteError> {
        self.close()?;
        self.begin_known(Some(name))?;
        self.begin(name)
    }

    fn pair_of(&mut self, page: u64, key: &[u8], value: &[u8]) -> Result<(), RewriteError> {
        self.put_ours_before(Some(key))?;
        if self.bucket == KEY_BUCKET {
            return self.record(page, key, value);
        }
        if self.bucket == b"alarm" && !self.keeps_alarm(key) {
            self.done.alarms = self.done.alarms.saturating_add(1);
            return Ok(());
        }
        match self.overlay.fate(key) {
            Fate::Stays => self.builder.put(key, value)?,
            Fate::Becomes(value) => self.builder.put(key, &value)?,
            Fate::Goes => {}
        }
        Ok(())
    }

    fn record(&mut self, page: u64, key: &[u8], value: &[u8]) -> Result<(), RewriteError> {
        let (change, record) = record_of(key, value).map_err(|odd| {
            let finding = Finding::of_page(page, odd.to_string());
            SnapshotError::Corrupt(Box::new(finding.in_bucket(KEY_BUCKET).at_key(key)))
        })?;
        self.leased.see(self.done.records, change, &record);
        self.put_record(key, value)
    }

    /// `AlarmMember{member 1, alarm 2}` is the key of an alarm.
    fn keeps_alarm(&self, key: &[u8]) -> bool {
        match self.changes.alarms {
            Alarms::Keep => true,
            Alarms::Drop => false,
            Alarms::DropNoSpace => alarm_of(key) != Some(NO_SPACE),
        }
    }

    fn end(&mut self, done: Result<(), RewriteError>) -> ControlFlow<()> {
        match done {
            Ok(()) => ControlFlow::Continue(()),
            Err(why) => {
                self.ended = Some(why);
                ControlFlow::Break(())
            }
        }
    }
}

fn alarm_of(key: &[u8]) -> Option<u64> {
    let mut rest = key;
    let mut alarm = None;
    while let Some((field, after)) = Field::read(rest).ok()? {
        rest = after;
        if let (2, Value::Varint(number)) = (field.number, field.value) {
            alarm = Some(number);
        }
    }
    alarm
}

impl<W: Write + Seek> Visitor for Rewriter<'_, W> {
    fn bucket(&mut self, name: &[u8]) -> ControlFlow<()> {
        let done = self.bucket_of(name);
        self.end(done)
    }

    fn pair(&mut self, page: u64, key: &[u8], value: &[u8]) -> ControlFlow<()> {
        let done = self.pair_of(page, key, value);
        self.end(done)
    }

    fn nested(&mut self, page: u64, name: &[u8]) -> ControlFlow<()> {
        let finding =
            Finding::of_page(page, "has a bucket within a bucket, which etcd never makes");
        self.fault(finding.in_bucket(&self.bucket).at_key(name))
    }

    fn fault(&mut self, finding: Finding) -> ControlFlow<()> {
        self.end(Err(SnapshotError::Corrupt(Box::new(finding)).into()))
    }

    fn seen(&mut self, done: u64) -> ControlFlow<()> {
        let total = self.total;
        (self.heed)(Progress { done, total })
    }
}
