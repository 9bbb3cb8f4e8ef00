//! Puts right what an earlier run left half done.
//!
//! | a run died | and left | now |
//! |---|---|---|
//! | while it captured | a spool that nobody holds | removed by the directory's own sweep |
//! | before the name | a draft | removed |
//! | between name and manifest | a snapshot and its draft | proved by its digest, completed |
//! | while one replaced another | what `replacement` tells | as that tells |
//! | between deletion and manifest's | a manifest of nothing | removed |

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use rollsnap_snapfile::Digest;
use rollsnap_store::{ErrorKind, ObjectName, Store, StoreError};
use sha2::{Digest as _, Sha256};

use crate::catalog::Catalog;
use crate::drafts::Drafts;
use crate::event::Recovery;
use crate::manifest::Content;
use crate::name::Part;
use crate::retention::Guard;
use crate::{Manifest, SnapshotName, replacement};

/// Completes or forgets every snapshot that has a draft.
///
/// Safe beside a running save, which writes its manifest anew when it finds its draft gone; while
/// one replaces a snapshot, this does nothing.
pub async fn complete_drafts(
    store: &dyn Store,
    drafts: &dyn Drafts,
) -> Result<Vec<Recovery>, StoreError> {
    let mut done = Vec::new();
    let mut names = BTreeSet::new();
    for draft in drafts.list().await? {
        names.extend(match Part::of(&draft) {
            Some(Part::Manifest(name)) => Some(name),
            _ => replacement::of_aside(&draft),
        });
    }
    if names.is_empty() {
        return Ok(done);
    }
    // Whoever has them is about to replace a snapshot, or does what this would do.
    let Some(_claim) = drafts.claim().await? else {
        return Ok(done);
    };
    for name in names {
        done.extend(complete_draft(store, drafts, &name).await?);
    }
    Ok(done)
}

/// Completes or forgets one snapshot, and what it [replaces](replacement). `None` where it has no
/// draft.
pub(crate) async fn complete_draft(
    store: &dyn Store,
    drafts: &dyn Drafts,
    name: &SnapshotName,
) -> Result<Option<Recovery>, StoreError> {
    let draft = name.manifest();
    let mut done = None;
    if let Some(bytes) = drafts.get(&draft).await? {
        let completed = match Manifest::read(name, &bytes) {
            Ok(manifest) => complete(store, drafts, &manifest).await?,
            Err(_) => false,
        };
        drafts.remove(&draft).await?;
        done = Some(if completed {
            Recovery::Completed(name.clone())
        } else {
            Recovery::Forgotten(name.clone())
        });
    }
    replacement::settle(store, drafts, name).await?;
    Ok(done)
}

/// Publishes the draft of a snapshot that is there and is what the draft says.
async fn complete(
    store: &dyn Store,
    drafts: &dyn Drafts,
    manifest: &Manifest,
) -> Result<bool, StoreError> {
    let object = manifest.name.stored(manifest.stored.codec);
    let held = match content_of(store, &object).await {
        Ok(held) => held,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if held != manifest.stored.content {
        return Ok(false);
    }
    match drafts.publish(&manifest.name.manifest()).await {
        // The save that it belongs to still runs in another process, and has published it.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        done => done.map(|()| true),
    }
}

/// Reads an object through and says what it is.
pub async fn content_of(store: &dyn Store, object: &ObjectName) -> Result<Content, StoreError> {
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut pieces = store.read(object, None).await?;
    while let Some(piece) = pieces.try_next().await? {
        hash.update(&piece);
        size += piece.len() as u64;
    }
    Ok(Content {
        digest: Digest(hash.finalize().into()),
        size,
    })
}

/// Removes manifests of our own whose snapshot is gone, and what lies beside them.
///
/// Each is looked at once more before: a listing of many pages may have passed the place of a
/// snapshot just before it came.
pub async fn sweep_orphans(
    store: &dyn Store,
    catalog: &Catalog,
    guard: Guard,
) -> Result<Vec<SnapshotName>, StoreError> {
    let mut swept = Vec::new();
    for manifest in catalog
        .orphans
        .iter()
        .filter(|manifest| guard.owns(manifest))
    {
        let object = manifest.name.stored(manifest.stored.codec);
        let still = store.list(object.as_str()).await?;
        if still.iter().all(|info| info.name != object) {
            let removed = async {
                store.delete(&manifest.name.index()).await?;
                store.delete(&manifest.name.manifest()).await
            };
            match removed.await {
                // It goes when its lock ends, and counts for nothing until then.
                Err(error) if error.kind() == ErrorKind::Locked => continue,
                done => done?,
            }
            swept.push(manifest.name.clone());
        }
    }
    Ok(swept)
}
