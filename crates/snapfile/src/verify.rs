//! Whether a snapshot is what etcd sent, and whether what etcd sent is whole.
//!
//! The digest at the end proves transport and storage. It says nothing of the pages on the
//! server's disk, which may have been broken before: the walk over all pages and records does.

use std::ops::ControlFlow;

use crate::bolt::{BoltError, Database, Ended, Visitor, walk};
use crate::index::{Tell, Writer};
use crate::mvcc::{Audit, KEY_BUCKET, Status, Tally, Window, record_of};
use crate::trailer::{self, SECTOR, Trailer};
use crate::{Finding, ReadAt, SnapshotError};

/// Findings that are listed. A file of noise has one for every page.
const LISTED: usize = 100;

/// How far a pass is. The file is gone through twice: once for its digest, once for its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes gone through.
    pub done: u64,
    /// Bytes to go through, at most.
    pub total: u64,
}

/// Hears of progress, about every 256 KiB, and may say to stop.
pub type Heed<'h> = &'h mut dyn FnMut(Progress) -> ControlFlow<()>;

/// Everything that is known of a snapshot after it was read through.
#[derive(Debug)]
pub struct Report {
    /// Whether the digest at its end holds.
    pub trailer: Trailer,
    /// What it holds, as far as it could be read; `None` where it is no database at all.
    pub status: Option<Status>,
    /// What is wrong, in the order in which it was found, at most 100 of them.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub unlisted: u64,
    /// Whether a whole [`index`](crate::index) of it was told.
    pub indexed: bool,
}

impl Report {
    /// What is known of a file of `size` bytes when only the digest was looked at.
    pub fn of_digest(trailer: Trailer, size: u64) -> Self {
        let short = (size <= SECTOR).then(|| Finding::of_file("is too short for a database"));
        Self {
            trailer,
            status: None,
            findings: short
                .or_else(|| fault_of(&trailer, size))
                .into_iter()
                .collect(),
            unlisted: 0,
            indexed: false,
        }
    }

    /// Whether nothing is wrong with it. A database file without a digest can be that too; only
    /// [`is_proved`](Self::is_proved) says that the bytes are those that etcd sent.
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether nothing is wrong with it and the digest at its end holds.
    pub fn is_proved(&self) -> bool {
        self.is_whole() && matches!(self.trailer, Trailer::Held(_))
    }
}

/// Reads a snapshot through and tells everything that is wrong with it.
///
/// Checked are the digest at its end; both meta pages; that each page is reached once, carries its
/// own number and type, and has its keys in order and in range; the free list where it is kept;
/// that every record parses and tells of its own revision; and that after the compaction no
/// revision is missing.
///
/// Never panics, whatever the bytes. Time: two passes over the file, and one over the records for
/// each half million keys; no page is read twice in a pass, whatever names it. Memory: about 24 MiB,
/// a bit for each page, the largest page with its overflow (at most 256 MiB; a page holds at least
/// one value), and the branches above it: a few pages of a sound file, at most 32 MiB of any.
pub fn verify(file: &dyn ReadAt, heed: Heed<'_>) -> Result<Report, SnapshotError> {
    report(file, heed, None)
}

/// As [`verify`], and tells an [`index`](crate::index) of the keys to `tell`, piece by piece.
///
/// What was told is an index where the report says so: of what is proved, and has no revision too
/// great for one. Else it has no end, and nobody believes it.
pub fn verify_and_index(
    file: &dyn ReadAt,
    heed: Heed<'_>,
    tell: Tell<'_>,
) -> Result<Report, SnapshotError> {
    report(file, heed, Some(tell))
}

fn report(
    file: &dyn ReadAt,
    heed: Heed<'_>,
    index: Option<Tell<'_>>,
) -> Result<Report, SnapshotError> {
    let mut reading = Reading::new(file, Rigour::All, heed)?;
    let trailer = reading.trailer()?;
    let index = match (&trailer, index) {
        (Trailer::Held(database), Some(tell)) => Some(Writer::new(*database, tell)),
        _ => None,
    };
    let status = match reading.status(file, index) {
        Ok(status) => Some(status),
        Err(SnapshotError::Corrupt(finding)) => {
            reading.list(*finding);
            None
        }
        Err(error) => return Err(error),
    };
    Ok(Report {
        trailer,
        status,
        findings: reading.findings,
        unlisted: reading.unlisted,
        indexed: reading.indexed,
    })
}

/// What a snapshot holds, and whether its digest holds.
///
/// The first fault that keeps the numbers from being told ends it with
/// [`SnapshotError::Corrupt`]. A wrong digest does not: it is part of the answer. Time and memory
/// as for [`verify`].
pub fn status(file: &dyn ReadAt, heed: Heed<'_>) -> Result<(Trailer, Status), SnapshotError> {
    let mut reading = Reading::new(file, Rigour::Numbers, heed)?;
    let trailer = reading.trailer()?;
    let status = reading.status(file, None)?;
    match reading.findings.pop() {
        Some(finding) => Err(SnapshotError::Corrupt(Box::new(finding))),
        None => Ok((trailer, status)),
    }
}

/// Whether the digest at the end of a snapshot holds, and nothing else.
///
/// One pass over the file; memory 256 KiB.
pub fn digest_at_end(file: &dyn ReadAt, heed: Heed<'_>) -> Result<Trailer, SnapshotError> {
    let total = file.size()?;
    trailer::check(file, &mut |done| heed(Progress { done, total }))
}

/// Whether a file has a valid meta page: something of a database, in whatever state.
///
/// Reads the metas alone.
pub fn has_meta(file: &dyn ReadAt) -> Result<bool, SnapshotError> {
    match Database::open(file) {
        Err(BoltError::NoMeta) => Ok(false),
        Err(BoltError::Read(error)) => Err(error.into()),
        Ok(_) | Err(_) => Ok(true),
    }
}

/// What the end of a file of `size` bytes says against it.
fn fault_of(trailer: &Trailer, size: u64) -> Option<Finding> {
    let what = match trailer {
        Trailer::Held(_) => return None,
        Trailer::Absent if size.is_multiple_of(SECTOR) => return None,
        Trailer::Absent => {
            format!("{size} bytes are neither whole pages nor pages and a digest: it was cut")
        }
        Trailer::Wrong { claimed, actual } => {
            format!("digest mismatch: etcd sent {claimed}, the bytes give {actual}")
        }
    };
    Some(Finding::of_file(what))
}

/// How closely a database is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rigour {
    /// Every fault is listed.
    All,
    /// The first that keeps the numbers from being told ends the pass.
    Numbers,
}

/// One pass over a database.
struct Reading<'f, 'h> {
    file: &'f dyn ReadAt,
    size: u64,
    rigour: Rigour,
    heed: Heed<'h>,
    tally: Tally,
    audit: Option<Audit>,
    bucket: Vec<u8>,
    findings: Vec<Finding>,
    unlisted: u64,
    told: u64,
    indexed: bool,
}

impl<'f, 'h> Reading<'f, 'h> {
    fn new(file: &'f dyn ReadAt, rigour: Rigour, heed: Heed<'h>) -> Result<Self, SnapshotError> {
        Ok(Self {
            file,
            size: file.size()?,
            rigour,
            heed,
            tally: Tally::default(),
            audit: None,
            bucket: Vec::new(),
            findings: Vec::new(),
            unlisted: 0,
            told: 0,
            indexed: false,
        })
    }

    /// The first pass: the digest.
    fn trailer(&mut self) -> Result<Trailer, SnapshotError> {
        let total = self.size.saturating_mul(2);
        let heed = &mut self.heed;
        let trailer = trailer::check(self.file, &mut |done| heed(Progress { done, total }))?;
        if self.rigour == Rigour::All
            && let Some(fault) = fault_of(&trailer, self.size)
        {
            self.list(fault);
        }
        Ok(trailer)
    }

    /// The second pass: pages and records. Of what is whole the keys are listed.
    fn status(
        &mut self,
        file: &dyn ReadAt,
        index: Option<Writer<'_>>,
    ) -> Result<Status, SnapshotError> {
        let database = Database::open(file)?;
        if self.rigour == Rigour::All {
            // Where the compaction cannot be told, the walk will say why.
            self.audit = Window::of(&database).ok().map(Audit::new);
        }
        let walked = match walk(&database, None, self) {
            Ok(walked) => walked,
            Err(Ended::Read(error)) => return Err(error.into()),
            Err(Ended::Stopped) => {
                return Err(match self.findings.pop() {
                    Some(finding) if self.rigour == Rigour::Numbers => {
                        SnapshotError::Corrupt(Box::new(finding))
                    }
                    _ => SnapshotError::Stopped,
                });
            }
        };
        let (mut status, mut latest) = std::mem::take(&mut self.tally).finish();
        let mut index = index.filter(|_| self.findings.is_empty());
        while self.findings.is_empty() {
            if let Some(index) = &mut index {
                latest.in_order(&mut |fingerprint, place| index.push(fingerprint, *place));
            }
            if !latest.next_share() {
                break;
            }
            crate::mvcc::tell_shares(&database, &mut latest)?;
            status.live_keys = status.live_keys.saturating_add(latest.count());
        }
        if let Some(index) = index {
            self.indexed = index.finish();
        }
        let meta = database.meta();
        status.total_size = meta.size();
        status.page_size = meta.page_size;
        status.bytes_in_use = walked.bytes_in_use;
        Ok(status)
    }

    /// Lists a fault of the bucket that is being read.
    fn odd(&mut self, page: u64, key: &[u8], what: String) -> ControlFlow<()> {
        let finding = Finding::of_page(page, what);
        self.fault(finding.in_bucket(&self.bucket).at_key(key))
    }

    fn list(&mut self, finding: Finding) {
        if self.findings.len() < LISTED {
            self.findings.push(finding);
        } else {
            self.unlisted = self.unlisted.saturating_add(1);
        }
    }
}

impl Visitor for Reading<'_, '_> {
    fn bucket(&mut self, name: &[u8]) -> ControlFlow<()> {
        self.bucket = name.to_vec();
        self.tally.bucket(name);
        ControlFlow::Continue(())
    }

    fn pair(&mut self, page: u64, key: &[u8], value: &[u8]) -> ControlFlow<()> {
        self.tally.pair(key, value);
        if self.bucket != KEY_BUCKET {
            return match self.tally.note(&self.bucket, key, value) {
                Ok(()) => ControlFlow::Continue(()),
                Err(odd) => self.odd(page, key, odd.to_string()),
            };
        }
        let (change, record) = match record_of(key, value) {
            Ok(row) => row,
            Err(odd) => return self.odd(page, key, odd.to_string()),
        };
        self.tally.record(change, &record);
        let faults = match &mut self.audit {
            Some(audit) => audit.faults(change, &record),
            None => Vec::new(),
        };
        for fault in faults {
            self.odd(page, key, fault)?;
        }
        ControlFlow::Continue(())
    }

    fn fault(&mut self, finding: Finding) -> ControlFlow<()> {
        self.list(finding);
        match self.rigour {
            Rigour::All => ControlFlow::Continue(()),
            Rigour::Numbers => ControlFlow::Break(()),
        }
    }

    fn seen(&mut self, bytes: u64) -> ControlFlow<()> {
        const STEP: u64 = 256 << 10;
        if bytes < self.told.saturating_add(STEP) {
            return ControlFlow::Continue(());
        }
        self.told = bytes;
        (self.heed)(Progress {
            done: self.size.saturating_add(bytes),
            total: self.size.saturating_mul(2),
        })
    }
}
