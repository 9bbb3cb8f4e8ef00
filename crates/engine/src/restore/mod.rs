//! A data directory from a snapshot: everything beside the old one, then one exchange.

mod bump;
mod choose;
mod data_dir;
mod error;
mod site;

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
pub use rollsnap_snapfile::restore::{
    Alarms, Changes, Cluster, ClusterError, NewMember, Rewritten,
};
pub use site::Place;

use crate::look;

use data_dir::Contents;
use site::{Site, fault};

/// What is to be restored, and where.
#[derive(Debug, Clone)]
pub struct Order {
    /// The member's data directory.
    pub data_dir: PathBuf,
    /// The member.
    pub me: NewMember,
    /// Its cluster, and what is other than in the snapshot.
    pub changes: Changes,
    /// Whether a snapshot without a digest at its end will do, or one whose digest does not fit.
    pub skip_hash_check: bool,
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
    /// The one step that counts: puts it in its place.
    Exchange,
    /// Keeps the old one under its name, and leaves nothing else behind.
    Keep,
}

/// Hears of each step, and within [`Step::Digest`], [`Step::Write`] and [`Step::Check`] how many of
/// how many bytes it did; may stop the work, up to [`Step::Exchange`].
pub type Heed<'a> = &'a mut dyn FnMut(Step, u64, u64) -> ControlFlow<()>;

/// Restores. Blocks.
///
/// Memory: as [`rewrite`](rollsnap_snapfile::restore::rewrite)'s. Room: the snapshot's size and
/// 64 MB beside the data directory.
pub fn restore(file: &dyn ReadAt, order: &Order, heed: Heed<'_>) -> Result<Restored, RestoreError> {
    let place = Place::of(&order.data_dir)?;
    let kept = place.kept(order.at);
    check_and_recover(&order.data_dir, &place, &kept)?;
    check(file, order, &place)?;
    prove(file, order.skip_hash_check, heed)?;

    step(heed, Step::Prepare)?;
    let site = Site::take(&place, &kept)?;
    let done = build(file, order, &place, &site, heed)
        .and_then(|database| install(&site, order, heed).map(|()| database));
    // Of a failure the first error tells why; what it leaves, the next run takes away.
    match (done, site.leave(&kept)) {
        (Ok(database), Ok(kept)) => Ok(Restored { database, kept }),
        (Ok(_), Err(error)) => Err(RestoreError::unfinished(error)),
        (Err(error), _) => Err(error),
    }
}

/// Ends what a killed run left, where there is one: finishes it if the new directory is in its
/// place, else takes away what it had begun.
pub fn recover(data_dir: &Path, at: DateTime<Utc>) -> Result<(), RestoreError> {
    let place = Place::of(data_dir)?;
    check_and_recover(data_dir, &place, &place.kept(at))
}

fn check_and_recover(data_dir: &Path, place: &Place, kept: &Path) -> Result<(), RestoreError> {
    data_dir::check(data_dir)?;
    if !place.site().exists() {
        return Ok(());
    }
    Site::take(place, kept)?.leave(kept).map(drop)
}

/// Everything that can be known to stop a restore before anything is read or written.
pub fn check(file: &dyn ReadAt, order: &Order, place: &Place) -> Result<(), RestoreError> {
    data_dir::check(&order.data_dir)?;
    let Room { needed, free } = room(file, place)?;
    if needed > free {
        let message = format!("needs {needed} bytes, {free} are free");
        let cause = io::Error::new(io::ErrorKind::StorageFull, message);
        return Err(fault("write", place.site(), cause));
    }
    Ok(())
}

/// The revision of the database that is in a data directory now; `None` where there is none that can
/// be read. Clients may know it.
pub fn revision_in(data_dir: &Path) -> Option<u64> {
    let file = File::open(data_dir.join("member/snap/db")).ok()?;
    let revisions = look::revisions(&file).ok()?;
    Some(*revisions.end())
}

/// How much room a restore takes, and how much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that will be written at most.
    pub needed: u64,
    /// Bytes that are free.
    pub free: u64,
}

/// Measures.
pub fn room(file: &dyn ReadAt, place: &Place) -> Result<Room, RestoreError> {
    let size = file.size();
    let size = size.map_err(|cause| RestoreError::Snapshot(cause.into()))?;
    Ok(Room {
        needed: size.saturating_add(SEGMENT),
        free: data_dir::free_at(place.site())?,
    })
}

fn prove(file: &dyn ReadAt, skips: bool, heed: Heed<'_>) -> Result<(), RestoreError> {
    step(heed, Step::Digest)?;
    if skips {
        return Ok(());
    }
    let trailer = digest_at_end(file, &mut |now| heed(Step::Digest, now.done, now.total))?;
    match trailer {
        Trailer::Held(_) => Ok(()),
        Trailer::Absent => Err(RestoreError::NoDigest),
        Trailer::Wrong { .. } => Err(RestoreError::Digest),
    }
}

fn build(
    file: &dyn ReadAt,
    order: &Order,
    place: &Place,
    site: &Site,
    heed: Heed<'_>,
) -> Result<Rewritten, RestoreError> {
    site.begin()?;
    let (data, member) = (site.data(), site.member());
    step(heed, Step::Write)?;
    let contents = Contents {
        changes: &order.changes,
        me: &order.me,
    };
    let mut told = |now: rollsnap_snapfile::Progress| heed(Step::Write, now.done, now.total);
    let database = contents.write(file, &member, &mut told)?;
    data_dir::dress_as(place.model(), &data)?;
    site::sync_dir(&data)?;

    step(heed, Step::Check)?;
    read_back(&member.join("snap/db"), &database, heed)?;
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

fn install(site: &Site, order: &Order, heed: Heed<'_>) -> Result<(), RestoreError> {
    step(heed, Step::Exchange)?;
    // Somebody may have started it meanwhile.
    data_dir::check(&order.data_dir)?;
    site.exchange()?;
    // From here on nothing stops it.
    let _ = heed(Step::Keep, 0, 0);
    Ok(())
}

/// Puts the newest directory that a restore kept in its place again, and keeps what is there now.
/// Returns which came back, and where the other one is.
pub fn roll_back(
    data_dir: &Path,
    at: DateTime<Utc>,
) -> Result<(PathBuf, Option<PathBuf>), RestoreError> {
    let place = Place::of(data_dir)?;
    let kept = place.kept(at);
    check_and_recover(data_dir, &place, &kept)?;
    let newest = place.all_kept()?.pop();
    let newest = newest.ok_or_else(|| RestoreError::NothingKept(place.path().to_owned()))?;
    let kept = site::swap_back(&place, &newest, &kept)?;
    Ok((newest, kept))
}

fn step(heed: Heed<'_>, step: Step) -> Result<(), RestoreError> {
    match heed(step, 0, 0) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(RestoreError::Stopped),
    }
}
