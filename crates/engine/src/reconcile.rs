//! Puts right what an earlier run left half done.
//!
//! | a run died | and left | now |
//! |---|---|---|
//! | while it captured | a spool that nobody holds | removed by the directory's own sweep |
//! | before the name | a draft | removed |
//! | between name and manifest | a snapshot and its draft | proved by its digest, completed |
//! | between deletion and manifest's | a manifest of nothing | removed |

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
use crate::{Manifest, SnapshotName};

/// Completes or forgets every snapshot that has a draft.
///
/// Safe beside a running save, which writes its manifest anew when it finds its draft gone.
pub async fn complete_drafts(
    store: &dyn Store,
    drafts: &dyn Drafts,
) -> Result<Vec<Recovery>, StoreError> {
    let mut done = Vec::new();
    for draft in drafts.list().await? {
        let Some(Part::Manifest(name)) = Part::of(&draft) else {
            continue;
        };
        let bytes = drafts.get(&draft).await?.unwrap_or_default();
        let completed = match Manifest::read(&name, &bytes) {
            Ok(manifest) => complete(store, drafts, &manifest).await?,
            Err(_) => false,
        };
        drafts.remove(&draft).await?;
        done.push(if completed {
            Recovery::Completed(name)
        } else {
            Recovery::Forgotten(name)
        });
    }
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
