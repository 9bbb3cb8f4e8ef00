//! Carries out a retention plan: what goes is said, then done, one by one.

use rollsnap_store::{Store, StoreError};
use tokio::time::Instant;

use crate::catalog::Catalog;
use crate::event::{Event, Observer};
use crate::retention::{Fate, Verdict};
use crate::{Codec, SnapshotName};

/// Deletes what the plan gives up, oldest first. Stops at the first failure: what is left is
/// planned again on the next fresh listing. Returns the number deleted.
pub async fn carry_out(
    store: &dyn Store,
    catalog: &Catalog,
    plan: &[Verdict],
    observer: &dyn Observer,
) -> Result<usize, StoreError> {
    let mut deleted = 0;
    for verdict in plan.iter().rev() {
        let Fate::Delete(reason) = verdict.fate else {
            continue;
        };
        let Some(entry) = catalog.find(&verdict.name) else {
            continue;
        };
        let began = Instant::now();
        delete(store, &entry.name, entry.codec).await?;
        deleted += 1;
        observer.tell(Event::Deleted {
            name: &entry.name,
            location: store.location(),
            reason,
            took: began.elapsed(),
        });
    }
    Ok(deleted)
}

/// Deletes a snapshot and then its manifest.
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
    store.delete(&name.manifest()).await
}
