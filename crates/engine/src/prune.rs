//! Carries out a retention plan: what goes is said, then done, one by one.

use std::collections::BTreeMap;
use std::mem;

use rollsnap_store::{ErrorKind, Store, StoreError};
use tokio::time::Instant;

use crate::catalog::{Catalog, Entry, Standing};
use crate::event::{Event, Observer};
use crate::retention::{Fate, Reason, Verdict};
use crate::{Codec, SnapshotName};

/// Snapshots that a store would not delete because they are under a lock, with the reason for
/// which they were to go. That is what locks are for: it is told once of each, and tried again
/// when there is another reason.
#[derive(Debug, Default)]
pub struct Locks(BTreeMap<SnapshotName, Reason>);

impl Locks {
    /// Whether this one was found locked.
    pub fn hold(&self, name: &SnapshotName) -> bool {
        self.0.contains_key(name)
    }
}

/// Deletes what the plan gives up, oldest first. Stops at the first failure but a lock: what is
/// left is planned again on the next fresh listing. Returns the number deleted.
pub async fn carry_out(
    store: &dyn Store,
    catalog: &Catalog,
    plan: &[Verdict],
    locks: &mut Locks,
    observer: &dyn Observer,
) -> Result<usize, StoreError> {
    locks
        .0
        .retain(|name, _| plan.iter().any(|verdict| verdict.name == *name));
    let mut deleted = 0;
    for verdict in plan.iter().rev() {
        let Fate::Delete(reason) = verdict.fate else {
            continue;
        };
        let is_it = |entry: &&Entry| entry.name == verdict.name && entry.codec == verdict.codec;
        let Some(entry) = catalog.entries.iter().find(is_it) else {
            continue;
        };
        if locks.0.get(&entry.name) == Some(&reason) {
            continue;
        }
        let began = Instant::now();
        let done = match &entry.standing {
            // What lies beside, if anything does by now, belongs to another.
            Standing::Foreign => store.delete(&entry.object()).await,
            _ => delete(store, &entry.name, entry.codec).await,
        };
        match done {
            Err(error) if error.kind() == ErrorKind::Locked => {
                if locks.0.insert(entry.name.clone(), reason).is_none() {
                    let (name, location) = (&entry.name, store.location());
                    observer.tell(Event::Locked { name, location });
                }
                continue;
            }
            done => done?,
        }
        locks.0.remove(&entry.name);
        deleted += 1;
        observer.tell(Event::Deleted {
            name: &entry.name,
            codec: entry.codec,
            location: store.location(),
            reason,
            took: began.elapsed(),
        });
    }
    Ok(deleted)
}

/// Tells of what no rule deletes in a store, unless that was told or there is nothing.
pub(crate) fn tell_left_alone(
    told: &mut bool,
    store: &dyn Store,
    catalog: &Catalog,
    plan: &[Verdict],
    observer: &dyn Observer,
) {
    let is_left = |verdict: &&Verdict| verdict.fate == Fate::Keep(Reason::Foreign);
    let left = plan.iter().filter(is_left);
    let snapshots: Vec<_> = left
        .filter_map(|verdict| catalog.find(&verdict.name).map(Entry::object))
        .collect();
    let others = &catalog.others;
    if mem::replace(told, true) || snapshots.len() + others.len() == 0 {
        return;
    }
    observer.tell(Event::LeftAlone {
        location: store.location(),
        snapshots: snapshots.len(),
        others: others.len(),
        names: snapshots.into_iter().chain(others.clone()).collect(),
    });
}

/// Deletes a snapshot, what lies beside it, and then its manifest.
///
/// In this order a crash between the two leaves a manifest that tells of nothing, which is
/// certainly ours and is swept at the next listing. The other way round it would leave a
/// snapshot without a manifest, which nothing may ever touch again (docs/adr/0002).
pub async fn delete(
    store: &dyn Store,
    name: &SnapshotName,
    codec: Codec,
) -> Result<(), StoreError> {
    store.delete(&name.stored(codec)).await?;
    store.delete(&name.index()).await?;
    store.delete(&name.manifest()).await
}
