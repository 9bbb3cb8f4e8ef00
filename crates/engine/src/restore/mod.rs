//! A data directory from a snapshot: everything beside the old one, then one exchange.

mod bump;
mod choose;
mod data_dir;
mod disk;
mod error;
mod log_dir;
mod mounts;
mod past;
mod site;
mod write_back;

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rollsnap_snapfile::restore::SEGMENT;
use rollsnap_snapfile::{ReadAt, Trailer, digest_at_end, verify};

pub use bump::bump;
pub use choose::{Choice, ChoiceError};
pub use error::RestoreError;
pub use log_dir::LogPlace;
pub use past::{are_strangers, cluster_in, database_in, kept_clusters, revision_in};
pub use rollsnap_snapfile::restore::{
    Alarms, Changes, Cluster, ClusterError, NewMember, Rewritten,
};
pub use site::Place;

use crate::image::Stamp;

use data_dir::Contents;
use disk::{fault, free_name};
use site::{Ended, Site};

/// What is to be restored, and where.
#[derive(Debug, Clone)]
pub struct Order {
    /// The member's data directory.
    pub data_dir: PathBuf,
    /// Where its log goes, if not into it: etcd's `--wal-dir`.
    pub wal_dir: Option<PathBuf>,
    /// The member.
    pub me: NewMember,
    /// Its cluster, and what is other than in the snapshot.
    pub changes: Changes,
    /// Whether a snapshot without a digest at its end will do, or one whose digest does not fit.
    pub skip_hash_check: bool,
    /// What the snapshot was when its digest was looked at, and held: it is not looked at again as
    /// long as it is still that.
    pub held: Option<Stamp>,
    /// When, for the name of what is kept.
    pub at: DateTime<Utc>,
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What came of the database.
    pub database: Rewritten,
    /// Where the old data directory is now, if there was one.
    pub kept: Option<PathBuf>,
}

/// Each step of a restore, before it is taken. A run that ends anywhere leaves the old directory or
/// the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Reads the whole snapshot for its digest.
    Digest,
    /// Takes the place beside the target.
    Prepare,
    /// Writes the new data directory there, checking every page of the snapshot on the way.
    Write,
    /// Reads the new database through.
    Check,
    /// Puts it in its place. With this the last word is said: whoever stops it later is not heard.
    Exchange,
    /// Makes a part of the link through which a log of its own is found.
    Link,
    /// The one step that counts.
    Swap,
    /// Keeps the old one under its name, and leaves nothing else behind.
    Keep,
}

/// Hears of each step, and within [`Step::Digest`], [`Step::Write`] and [`Step::Check`] how many of
/// how many bytes it did; may stop the work, up to [`Step::Exchange`].
pub type Heed<'a> = &'a mut dyn FnMut(Step, u64, u64) -> ControlFlow<()>;

/// Restores. Blocks.
///
/// Memory: as [`rewrite`](rollsnap_snapfile::restore::rewrite)'s. Room: the snapshot's size and
/// 64 MB beside the data directory, the latter beside the log's where that has its own.
pub fn restore(file: &dyn ReadAt, order: &Order, heed: Heed<'_>) -> Result<Restored, RestoreError> {
    let place = Place::of(&order.data_dir)?;
    let kept = place.kept(order.at);
    check_and_recover(&order.data_dir, &place, &kept)?;
    let log = check(file, order, &place)?;
    let before = stamp(file)?;
    prove(file, order, before, heed)?;

    step(heed, Step::Prepare)?;
    let site = Site::take(&place, &kept)?;
    let built = build(file, order, &site, log.as_ref(), heed);
    let done = built.and_then(|database| {
        if stamp(file)? != before {
            return Err(RestoreError::Changed);
        }
        step(heed, Step::Exchange)?;
        // Somebody may have started it meanwhile.
        data_dir::check(&order.data_dir)?;
        if let Some(log) = &log {
            let mut told = || {
                let _ = heed(Step::Link, 0, 0);
            };
            log.link(order.at, &mut told)?;
        }
        swap(&site, heed).map(|()| database)
    });
    // Of a failure the first error tells why; what it leaves, the next run takes away.
    match (done, site.leave(&kept)) {
        (Ok(database), Ok(kept)) => Ok(Restored { database, kept }),
        (Ok(_), Err(error)) => Err(RestoreError::unfinished(error)),
        (Err(error), _) => Err(error),
    }
}

/// From here on nothing stops it.
fn swap(site: &Site, heed: Heed<'_>) -> Result<(), RestoreError> {
    let _ = heed(Step::Swap, 0, 0);
    site.exchange()?;
    let _ = heed(Step::Keep, 0, 0);
    Ok(())
}

/// Ends what a killed run left, where there is one: finishes it if the new directory is in its
/// place, else takes away what it had begun.
pub fn recover(data_dir: &Path, at: DateTime<Utc>) -> Result<(), RestoreError> {
    let place = Place::of(data_dir)?;
    check_and_recover(data_dir, &place, &place.kept(at)).map(drop)
}

fn check_and_recover(data_dir: &Path, place: &Place, kept: &Path) -> Result<Ended, RestoreError> {
    data_dir::check(data_dir)?;
    if !place.site().exists() {
        return Ok(Ended::default());
    }
    Site::end_what_was_begun(place, kept)
}

/// Everything that can be known to stop a restore before anything is read or written. Returns
/// where its log goes, if that has a directory of its own.
pub fn check(
    file: &dyn ReadAt,
    order: &Order,
    place: &Place,
) -> Result<Option<LogPlace>, RestoreError> {
    data_dir::check(&order.data_dir)?;
    let log = order.wal_dir.as_deref();
    if log.is_none() {
        data_dir::check_log_is_within(&order.data_dir)?;
    }
    let log = log.map(|dir| LogPlace::of(dir, place)).transpose()?;
    let Room { needed, free } = room(file, place, log.is_some())?;
    enough(place.site(), needed, free)?;
    if let Some(log) = &log {
        log.check()?;
        enough(log.path(), SEGMENT, data_dir::free_at(log.path())?)?;
    }
    Ok(log)
}

fn enough(path: &Path, needed: u64, free: u64) -> Result<(), RestoreError> {
    if needed <= free {
        return Ok(());
    }
    let message = format!("needs {needed} bytes, {free} are free");
    let cause = io::Error::new(io::ErrorKind::StorageFull, message);
    Err(fault("write", path, cause))
}

/// How much room a restore takes, and how much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that will be written at most.
    pub needed: u64,
    /// Bytes that are free.
    pub free: u64,
}

/// Measures where the data directory is, without the log where that is elsewhere.
pub fn room(
    file: &dyn ReadAt,
    place: &Place,
    is_log_elsewhere: bool,
) -> Result<Room, RestoreError> {
    let size = file.size();
    let size = size.map_err(|cause| RestoreError::Snapshot(cause.into()))?;
    let log = if is_log_elsewhere { 0 } else { SEGMENT };
    Ok(Room {
        needed: size.saturating_add(log),
        free: data_dir::free_at(place.site())?,
    })
}

fn prove(
    file: &dyn ReadAt,
    order: &Order,
    now: Option<Stamp>,
    heed: Heed<'_>,
) -> Result<(), RestoreError> {
    step(heed, Step::Digest)?;
    let is_held = order.held.is_some() && order.held == now;
    if order.skip_hash_check || is_held {
        return Ok(());
    }
    let trailer = digest_at_end(file, &mut |now| heed(Step::Digest, now.done, now.total))?;
    match trailer {
        Trailer::Held(_) => Ok(()),
        Trailer::Absent => Err(RestoreError::NoDigest),
        Trailer::Wrong { .. } => Err(RestoreError::Digest),
    }
}

fn stamp(file: &dyn ReadAt) -> Result<Option<Stamp>, RestoreError> {
    let stamp = file.stamp();
    stamp.map_err(|cause| RestoreError::Snapshot(cause.into()))
}

fn build(
    file: &dyn ReadAt,
    order: &Order,
    site: &Site,
    log: Option<&LogPlace>,
    heed: Heed<'_>,
) -> Result<Rewritten, RestoreError> {
    let fresh = log.map(|log| log.fresh(order.at)).transpose()?;
    site.begin(fresh.as_deref())?;
    let (data, member) = (site.data(), site.member());
    step(heed, Step::Write)?;
    let contents = Contents {
        changes: &order.changes,
        me: &order.me,
        log: fresh.as_deref(),
    };
    let mut told = |now: rollsnap_snapfile::Progress| heed(Step::Write, now.done, now.total);
    let (database, sync) = contents.write(file, &member, &mut told)?;
    let model = site.place().model();
    data_dir::dress_as(model, &data)?;
    if let (Some(log), Some(fresh)) = (log, &fresh) {
        let is_there = log.path().exists();
        data_dir::dress_as(if is_there { log.path() } else { model }, fresh)?;
        disk::sync_dir(fresh)?;
    }
    disk::sync_dir(&data)?;

    // What is read again lies in memory, on its way to the disk or not.
    step(heed, Step::Check)?;
    let path = member.join("snap/db");
    read_back(&path, &database, heed)?;
    sync.wait().map_err(|error| fault("sync", &path, error))?;
    Ok(database)
}

/// The new database as etcd will find it: every page and record, and as many as were written.
fn read_back(path: &Path, written: &Rewritten, heed: Heed<'_>) -> Result<(), RestoreError> {
    let file = File::open(path).map_err(|error| fault("open", path, error))?;
    let report = verify(&file, &mut |now| heed(Step::Check, now.done, now.total))?;
    if let Some(finding) = report.findings.first() {
        return Err(RestoreError::Written(finding.to_string()));
    }
    match report.status {
        Some(status) if status.records == written.records => Ok(()),
        _ => Err(RestoreError::Written("records are missing".to_owned())),
    }
}

/// Puts the newest directory that a restore kept in its place again, and keeps what is there now.
/// Returns which came back, and where the other one is. A log of its own comes with it. One that
/// was killed is ended, and no other begun.
pub fn roll_back(
    data_dir: &Path,
    at: DateTime<Utc>,
    heed: Heed<'_>,
) -> Result<(PathBuf, Option<PathBuf>), RestoreError> {
    let place = Place::of(data_dir)?;
    let kept = place.kept(at);
    let ended = check_and_recover(data_dir, &place, &kept)?;
    if let Some(back) = ended.back {
        return Ok((back, ended.kept));
    }
    let newest = place.all_kept()?.pop();
    let newest = newest.ok_or_else(|| RestoreError::NothingKept(place.path().to_owned()))?;
    // What comes back gives its name free, and nothing else gets it: one name would tell of two.
    let kept = free_name(&kept)?;
    step(heed, Step::Prepare)?;
    let site = Site::take(&place, &kept)?;
    let done = site.begin_with(&newest).and_then(|()| {
        step(heed, Step::Exchange)?;
        swap(&site, heed)
    });
    match (done, site.leave(&kept)) {
        (Ok(()), Ok(kept)) => Ok((newest, kept)),
        (Ok(()), Err(error)) => Err(RestoreError::unfinished(error)),
        (Err(error), _) => Err(error),
    }
}

fn step(heed: Heed<'_>, step: Step) -> Result<(), RestoreError> {
    match heed(step, 0, 0) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(RestoreError::Stopped),
    }
}
