//! A restore rehearsed: a data directory made from a snapshot where nobody looks, read back, and a
//! server started on it if there is one.
//!
//! What is made is what [`restore()`] makes, but that it
//! founds a cluster of its own, that anybody may ask and that no alarm is on: a server that refuses
//! questions would tell nothing. Nobody else can ask: it listens in a directory that only this user
//! may enter. Nothing of it stays.

mod beside;
mod boot;
mod error;
mod site;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rollsnap_etcd::Answer;
use rollsnap_snapfile::mvcc::hash_kv;
use rollsnap_snapfile::restore::{
    FIRST_SEGMENT, SEGMENT, log_segment, raft_snapshot, raft_snapshot_name, read_segment,
};
use rollsnap_snapfile::{ReadAt, SnapshotError, status};
use tokio::runtime::Handle;
use tokio::time::Instant;

pub use beside::{Beside, Driller};
pub use boot::Boot;
pub use error::DrillError;
pub use site::sweep;

use crate::examine::Cut;
use crate::image::Scratch;
use crate::manifest::{Boot as Booted, Drill, Outcome};
use crate::restore::{self, Alarms, Changes, Cluster, NewMember, RestoreError, restore};
use crate::{Kind, look};
use boot::{Ended, NAME, PEER};
use site::Site;

/// What a server takes beside what a restore wrote: the next segment of its log, and pages that it
/// writes at its start.
const SERVER_ROOM: u64 = SEGMENT + (16 << 20);

/// What is to be rehearsed, and where.
#[derive(Debug, Clone)]
pub struct Order {
    /// The directory in which a directory is made for this, and removed again.
    pub scratch: PathBuf,
    /// The server that is started on what was restored, if one is.
    pub boot: Option<Boot>,
    /// Whether a snapshot without a digest at its end will do.
    pub skip_hash_check: bool,
    /// When, for names.
    pub at: DateTime<Utc>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drilled {
    /// In a word.
    pub result: Outcome,
    /// What is wrong, where something is.
    pub finding: Option<String>,
    /// How long the restore took, from the first byte read to the data directory in its place.
    pub took: Duration,
    /// The server, where one answered.
    pub boot: Option<Booted>,
    /// The revision of what was restored; absent where it was not.
    pub revision: Option<u64>,
    /// Keys that are alive in it; absent where it was not.
    pub keys: Option<u64>,
}

/// What a drill does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Makes the data directory.
    Restore,
    /// Reads snapshot and data directory through, and compares them.
    Compare,
    /// Waits for the server, and for its answers.
    Boot,
}

/// Who hears of a drill, and may end it.
pub struct Ears<'a> {
    /// Whether it is to end. Asked often; it then ends within half a second and some pages.
    pub stop: &'a (dyn Fn() -> bool + Send + Sync),
    /// Hears of each step, and within [`Step::Restore`] how many of how many bytes were done.
    pub tell: &'a (dyn Fn(Step, u64, u64) + Send + Sync),
}

impl Drilled {
    /// As a manifest keeps it.
    pub fn to_drill(&self, at: DateTime<Utc>) -> Drill {
        let finding = self.finding.as_deref();
        Drill::new(at, self.result, finding, self.took, self.boot.clone())
    }

    fn broken(finding: String, took: Duration) -> Self {
        Self {
            result: Outcome::Corrupt,
            finding: Some(finding),
            took,
            boot: None,
            revision: None,
            keys: None,
        }
    }
}

/// Rehearses. Blocks, so it is for a thread for blocking work, and starts and asks the server on
/// `runtime`. That has the niceness of this thread.
///
/// What is wrong with the snapshot is an answer; an error says nothing of it.
///
/// Memory: as a restore's, and then about 24 MiB and a bit for each record; the server's own is its
/// own. Room: twice 64 MB and the snapshot's size, and what is left to others is left.
pub fn drill(
    file: &dyn ReadAt,
    order: &Order,
    runtime: &Handle,
    ears: &Ears<'_>,
) -> Result<Drilled, DrillError> {
    let file = &Stoppable { file, ears };
    let done = run(file, order, runtime, ears);
    if (ears.stop)() {
        return Err(DrillError::Stopped);
    }
    done
}

fn run(
    file: &dyn ReadAt,
    order: &Order,
    runtime: &Handle,
    ears: &Ears<'_>,
) -> Result<Drilled, DrillError> {
    sweep(&order.scratch)?;
    check_room(file, order)?;
    let site = Site::take(&order.scratch)?;
    let plan = plan(&site, order);

    (ears.tell)(Step::Restore, 0, 0);
    let began = Instant::now();
    let restored = restore(file, &plan, &mut |_, done, total| {
        (ears.tell)(Step::Restore, done, total);
        if (ears.stop)() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    let took = began.elapsed();
    if let Err(error) = restored {
        if is_of_snapshot(&error) {
            return Ok(Drilled::broken(error.to_string(), took));
        }
        return Err(error.into());
    }

    (ears.tell)(Step::Compare, 0, 0);
    let member = plan.data_dir.join("member");
    check_log(&member, &plan)?;
    let held = Held::of(file, None)?;
    check_database(&member.join("snap/db"), &held, ears)?;
    let mut drilled = Drilled {
        result: Outcome::Held,
        finding: None,
        took,
        boot: None,
        revision: Some(held.cut.revision),
        keys: Some(held.keys),
    };
    if let Some(boot) = &order.boot {
        (ears.tell)(Step::Boot, 0, 0);
        let revision = held.cut.revision;
        match runtime.block_on(boot::run(&site, boot, revision, ears)) {
            Ok((booted, answer)) => {
                drilled.boot = Some(booted);
                drilled.finding = difference(file, &held, &answer)?;
            }
            Err(Ended::Found(finding)) => drilled.finding = Some(finding),
            Err(Ended::Error(error)) => return Err(error),
        }
        if drilled.finding.is_some() {
            drilled.result = Outcome::Failed;
        }
    }
    Ok(drilled)
}

/// A cluster of its own, of one member that nobody can reach.
fn plan(site: &Site, order: &Order) -> restore::Order {
    let members = BTreeMap::from([(NAME.to_owned(), vec![PEER.to_owned()])]);
    let cluster = Cluster::new(&members, NAME).expect("one member has one good URL");
    let me: NewMember = cluster.member(NAME).expect("it was just named").clone();
    restore::Order {
        data_dir: site.data(),
        wal_dir: None,
        held: None,
        me,
        changes: Changes {
            cluster,
            alarms: Alarms::Drop,
            expire_leases: false,
            disable_auth: true,
            bump: None,
        },
        skip_hash_check: order.skip_hash_check,
        at: order.at,
    }
}

fn check_room(file: &dyn ReadAt, order: &Order) -> Result<(), DrillError> {
    let size = file.size().map_err(SnapshotError::Read)?;
    let server = order.boot.as_ref().map_or(0, |_| SERVER_ROOM);
    let needed = size.saturating_add(SEGMENT).saturating_add(server);
    let scratch = Scratch::new(&order.scratch);
    let room = scratch.room().map_err(DrillError::Scratch)?;
    if needed <= room {
        return Ok(());
    }
    let dir = order.scratch.clone();
    Err(DrillError::Full { dir, needed, room })
}

/// Whether a restore failed for the snapshot's sake. That it has no digest is for whoever asked to
/// decide, and what was written and is not there is the disk's fault.
fn is_of_snapshot(error: &RestoreError) -> bool {
    match error {
        RestoreError::Digest => true,
        RestoreError::Snapshot(error) => look::kind_of(error) == Kind::Corrupt,
        _ => false,
    }
}

/// The log and the raft snapshot are what a server must find.
fn check_log(member: &Path, plan: &restore::Order) -> Result<(), RestoreError> {
    let cluster = &plan.changes.cluster;
    let log = member.join("wal").join(FIRST_SEGMENT);
    let wanted = log_segment(cluster, &plan.me);
    // The zeros behind it end it.
    let mut found = Vec::new();
    let behind = u64::try_from(wanted.len()).unwrap_or(SEGMENT) + 8;
    let opened = File::open(&log).and_then(|file| file.take(behind).read_to_end(&mut found));
    opened.map_err(|cause| unread(&log, cause))?;
    let written = |what: String| Err(RestoreError::Written(what));
    match (read_segment(&found), read_segment(&wanted)) {
        (Ok(found), Ok(wanted)) if found == wanted => {}
        (Err(error), _) => return written(error.to_string()),
        _ => return written("its log has other records".to_owned()),
    }
    let snapshot = member.join("snap").join(raft_snapshot_name(cluster));
    let found = fs::read(&snapshot).map_err(|cause| unread(&snapshot, cause))?;
    if found != raft_snapshot(cluster) {
        return written("its raft snapshot is another".to_owned());
    }
    Ok(())
}

fn unread(path: &Path, cause: io::Error) -> RestoreError {
    RestoreError::Disk {
        verb: "read",
        path: path.to_owned(),
        cause,
    }
}

/// What a database holds at one cut of its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    cut: Cut,
    hash: u32,
    keys: u64,
}

impl Held {
    /// At `cut`, by default its last revision.
    fn of(file: &dyn ReadAt, cut: Option<Cut>) -> Result<Self, SnapshotError> {
        let (revision, compacted) = (
            cut.map(|cut| cut.revision),
            cut.map(|cut| cut.compact_revision),
        );
        let hashed = hash_kv(file, revision, compacted)?;
        let (_, status) = status(file, &mut |_| ControlFlow::Continue(()))?;
        Ok(Self {
            cut: Cut {
                revision: hashed.revision,
                compact_revision: hashed.compact_revision,
            },
            hash: hashed.hash,
            keys: status.live_keys,
        })
    }
}

/// The new database holds what the snapshot holds.
fn check_database(path: &Path, held: &Held, ears: &Ears<'_>) -> Result<(), DrillError> {
    let file = File::open(path).map_err(|cause| unread(path, cause))?;
    let file = Stoppable { file: &file, ears };
    match Held::of(&file, Some(held.cut)) {
        Ok(made) if made == *held => Ok(()),
        Err(SnapshotError::Read(cause)) => Err(unread(path, cause).into()),
        _ => Err(RestoreError::Written("its keys are not the snapshot's".to_owned()).into()),
    }
}

/// How what the server says differs from what the snapshot holds.
fn difference(
    file: &dyn ReadAt,
    held: &Held,
    answer: &Answer,
) -> Result<Option<String>, SnapshotError> {
    let Held { cut, keys, .. } = *held;
    if answer.revision != cut.revision {
        let (theirs, ours) = (answer.revision, cut.revision);
        let finding = format!("etcd came up at revision {theirs}, the snapshot is at {ours}");
        return Ok(Some(finding));
    }
    if answer.keys != keys {
        let theirs = answer.keys;
        return Ok(Some(format!(
            "etcd has {theirs} keys, the snapshot has {keys}"
        )));
    }
    // It tells where its own history begins.
    let compacted = answer.hash.compact_revision;
    let ours = if compacted == cut.compact_revision {
        held.hash
    } else {
        hash_kv(file, Some(cut.revision), Some(compacted))?.hash
    };
    let theirs = answer.hash.hash;
    Ok((theirs != ours)
        .then(|| format!("etcd's keys hash to {theirs:x}, the snapshot's to {ours:x}")))
}

/// Bytes that cannot be read any more once a drill is to end.
struct Stoppable<'a> {
    file: &'a dyn ReadAt,
    ears: &'a Ears<'a>,
}

impl ReadAt for Stoppable<'_> {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if (self.ears.stop)() {
            return Err(io::Error::other("nobody waits for it"));
        }
        self.file.read_at(offset, buf)
    }
}
