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
    Ok(beside.is_some_and(|beside| beside.is_of_same(manifest)))
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

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::SnapshotName;
    use crate::catalog::Standing;
    use crate::manifest::Class;

    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hour)
    }

    /// A copy that was saved at this hour and read back at that.
    fn copy(saved: u32, read: Option<i64>, finding: Option<&str>) -> Entry {
        let text = format!(
            r#"{{"format": 1, "name": "n{saved}", "class": "rolling", "order": {saved},
            "cluster_id": "c1", "member_id": "31", "etcd_version": "3.5.1",
            "revision": 9, "raft_term": 2, "raft_applied_index": 11,
            "database": {{"digest": "{digest}", "size": 512}},
            "stored": {{"codec": "none", "digest": "{digest}", "size": 544}},
            "started_at": "{at}", "finished_at": "{at}", "tool": "rollsnap 0.1.0"}}"#,
            digest = "ab".repeat(32),
            at = at(saved.into()).to_rfc3339(),
        );
        let name = SnapshotName::new(&format!("n{saved}")).unwrap();
        let manifest = Manifest::read(&name, text.as_bytes()).unwrap();
        assert_eq!(manifest.class, Class::Rolling);
        let reading = read.map(|hour| Reading::new(at(hour), finding, Duration::ZERO));
        Entry {
            name,
            codec: crate::Codec::None,
            size: 544,
            modified: None,
            standing: Standing::Proved(Box::new(manifest.with_reading(reading))),
        }
    }

    fn next(entries: Vec<Entry>, now: i64) -> Option<(String, Duration)> {
        let there = Catalog {
            entries,
            ..Catalog::default()
        };
        let guard = Guard::of(there.entries.first()?.manifest()?);
        let turn = turn(&there, guard, DAY, at(now))?;
        Some((turn.manifest.name.to_string(), turn.wait))
    }

    #[test]
    fn what_was_never_read_is_as_old_as_its_save() {
        let some = |name: &str, wait| Some((name.to_owned(), wait));
        let never = || vec![copy(1, None, None), copy(2, None, None)];
        assert_eq!(next(never(), 30), some("n1", Duration::ZERO));
        // The first was read at 30; the next is due half a day later.
        let read = || vec![copy(1, Some(30), None), copy(2, None, None)];
        assert_eq!(next(read(), 31), some("n2", 11 * HOUR));
        assert_eq!(next(read(), 50), some("n2", Duration::ZERO));
        let both = vec![copy(1, Some(30), None), copy(40, Some(35), None)];
        assert_eq!(next(both, 47), some("n1", Duration::ZERO));
        assert_eq!(next(Vec::new(), 47), None);
    }

    #[test]
    fn a_clock_that_was_set_back_delays_a_turn_by_no_more_than_the_time_between_two() {
        let ahead = vec![copy(1, Some(1000), None), copy(2, None, None)];
        assert_eq!(next(ahead, 30), Some(("n2".to_owned(), 12 * HOUR)));
    }

    #[test]
    fn a_copy_that_is_broken_has_no_turn() {
        let broken = vec![copy(1, Some(30), Some("cut")), copy(2, None, None)];
        assert_eq!(next(broken, 30), Some(("n2".to_owned(), Duration::ZERO)));
        assert_eq!(next(vec![copy(1, Some(30), Some("cut"))], 90), None);
    }

    #[test]
    fn the_size_is_told_before_the_digest() {
        let told = Content {
            digest: rollsnap_snapfile::Digest([1; 32]),
            size: 7,
        };
        let other = Content {
            digest: rollsnap_snapfile::Digest([2; 32]),
            ..told
        };
        assert_eq!(difference(told, told), None);
        assert!(
            difference(other, told)
                .unwrap()
                .starts_with("its digest is 0202")
        );
        let cut = difference(Content { size: 6, ..other }, told).unwrap();
        assert_eq!(cut, "it has 6 bytes, its manifest tells of 7");
    }
}
