//! Copies in the bucket, read back from the first byte to the last: whether each still is what was
//! uploaded, and when that was last seen.
//!
//! A digest says all that there is to say of a copy. What the database in it is worth was found
//! out before it was copied, and stays beside it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rollsnap_store::{Store, StoreError};
use tokio::time::Instant;

use crate::catalog::{Catalog, Entry};
use crate::manifest::{Content, Reading};
use crate::proof::exchange;
use crate::reconcile::content_of;
use crate::retention::Guard;
use crate::{Clock, Manifest, image};

/// Reads the copy of a snapshot that lies in a store, and compares it with its manifest. What
/// could not be read is an error, and says nothing of the copy.
pub async fn read_back(
    store: &dyn Store,
    manifest: &Manifest,
    clock: &dyn Clock,
) -> Result<Reading, StoreError> {
    let began = Instant::now();
    let object = manifest.name.stored(manifest.stored.codec);
    let held = content_of(store, &object).await?;
    let finding = difference(held, manifest.stored.content);
    Ok(Reading::new(
        clock.now(),
        finding.as_deref(),
        began.elapsed(),
    ))
}

/// Writes a reading into the manifest beside the copy, as [`exchange`] does.
pub async fn record(
    store: &dyn Store,
    manifest: &Manifest,
    reading: &Reading,
) -> Result<bool, StoreError> {
    let read = manifest.with_reading(Some(reading.clone()));
    exchange(store, manifest, &read).await
}

/// Whether the manifest there tells of this very snapshot: what it lies beside was a copy of it
/// once, whatever it is now.
pub async fn is_copy_of(store: &dyn Store, manifest: &Manifest) -> Result<bool, StoreError> {
    let name = &manifest.name;
    let beside = image::load(store, &name.manifest()).await?;
    let beside = beside.and_then(|bytes| Manifest::read(name, &bytes).ok());
    let who = |it: &Manifest| (it.cluster_id, it.member_id, it.order, it.stored);
    Ok(beside.is_some_and(|beside| who(&beside) == who(manifest)))
}

fn difference(held: Content, told: Content) -> Option<String> {
    if held.size != told.size {
        let (size, told) = (held.size, told.size);
        return Some(format!("it has {size} bytes, its manifest tells of {told}"));
    }
    let (digest, told) = (held.digest, told.digest);
    (digest != told).then(|| format!("its digest is {digest}, its manifest tells of {told}"))
}

/// The turn of one copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Whose turn it is.
    pub manifest: Manifest,
    /// How long until then.
    pub wait: Duration,
    /// The time from one turn to the next.
    pub apart: Duration,
}

/// Whose turn is next, where all copies of one member are to be read back once in `every`, evenly
/// spread: the one of which it is longest ago that anybody saw it whole. `None` without copies.
///
/// A copy that was found broken has no turn: it is replaced, or somebody is to look at it.
pub fn turn(there: &Catalog, guard: Guard, every: Duration, now: DateTime<Utc>) -> Option<Turn> {
    let manifests = there.entries.iter().filter_map(Entry::manifest);
    let copies: Vec<_> = manifests
        .filter(|manifest| guard.owns(manifest) && !manifest.is_of_broken_copy())
        .collect();
    let read_at = |manifest: &&Manifest| manifest.read_back.as_ref().map(|reading| reading.at);
    let seen_at = |manifest: &&&Manifest| read_at(manifest).unwrap_or(manifest.finished_at);
    let oldest = copies.iter().min_by_key(|it| (seen_at(it), it.order))?;
    let apart = every / u32::try_from(copies.len()).unwrap_or(u32::MAX);
    let wait = copies.iter().filter_map(read_at).max().map(|last| {
        // A last one that lies ahead was told by a clock that was set since.
        let since = (now - last).to_std().unwrap_or_default();
        apart.saturating_sub(since)
    });
    Some(Turn {
        manifest: Manifest::clone(oldest),
        wait: wait.unwrap_or_default(),
        apart,
    })
}
